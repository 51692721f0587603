/** An API version that Kubernetes stopped serving, or said that it will. */
export interface OldApi {
  /** Group and version, `policy/v1beta1`. */
  readonly api: string;
  /** The kinds that it was for; undefined for all. */
  readonly kinds?: readonly string[];
  /** Minor version of 1.x from which it is deprecated, and from which it is not served any more. */
  readonly deprecated: number;
  readonly removed?: number;
  /** What to write; undefined where there is nothing in its place. */
  readonly use?: string;
}

/**
 * What the sources of Kubernetes 1.37 state of each version (APILifecycleDeprecated, APILifecycleRemoved and
 * APILifecycleReplacement in k8s.io/api); versions that left the sources earlier are from its deprecation guide.
 */
export const OLD_APIS: readonly OldApi[] = [
  {
    api: 'extensions/v1beta1',
    kinds: ['Deployment', 'DaemonSet', 'ReplicaSet'],
    deprecated: 8,
    removed: 16,
    use: 'apps/v1',
  },
  {
    api: 'extensions/v1beta1',
    kinds: ['NetworkPolicy'],
    deprecated: 9,
    removed: 16,
    use: 'networking.k8s.io/v1',
  },
  { api: 'extensions/v1beta1', kinds: ['PodSecurityPolicy'], deprecated: 10, removed: 16 },
  { api: 'extensions/v1beta1', kinds: ['Ingress'], deprecated: 14, removed: 22, use: 'networking.k8s.io/v1' },
  { api: 'apps/v1beta1', deprecated: 8, removed: 16, use: 'apps/v1' },
  { api: 'apps/v1beta2', deprecated: 9, removed: 16, use: 'apps/v1' },
  {
    api: 'admissionregistration.k8s.io/v1beta1',
    kinds: ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'],
    deprecated: 16,
    removed: 22,
    use: 'admissionregistration.k8s.io/v1',
  },
  {
    api: 'admissionregistration.k8s.io/v1alpha1',
    kinds: ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'],
    deprecated: 29,
    removed: 32,
    use: 'admissionregistration.k8s.io/v1',
  },
  {
    api: 'admissionregistration.k8s.io/v1beta1',
    kinds: ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'],
    deprecated: 31,
    removed: 34,
    use: 'admissionregistration.k8s.io/v1',
  },
  {
    api: 'admissionregistration.k8s.io/v1alpha1',
    kinds: ['MutatingAdmissionPolicy', 'MutatingAdmissionPolicyBinding'],
    deprecated: 35,
    removed: 38,
    use: 'admissionregistration.k8s.io/v1',
  },
  {
    api: 'admissionregistration.k8s.io/v1beta1',
    kinds: ['MutatingAdmissionPolicy', 'MutatingAdmissionPolicyBinding'],
    deprecated: 37,
    removed: 40,
    use: 'admissionregistration.k8s.io/v1',
  },
  { api: 'apiextensions.k8s.io/v1beta1', deprecated: 16, removed: 22, use: 'apiextensions.k8s.io/v1' },
  { api: 'apiregistration.k8s.io/v1beta1', deprecated: 19, removed: 22, use: 'apiregistration.k8s.io/v1' },
  {
    api: 'authentication.k8s.io/v1beta1',
    kinds: ['TokenReview'],
    deprecated: 19,
    removed: 22,
    use: 'authentication.k8s.io/v1',
  },
  { api: 'authorization.k8s.io/v1beta1', deprecated: 19, removed: 22, use: 'authorization.k8s.io/v1' },
  { api: 'autoscaling/v2beta1', deprecated: 22, removed: 25, use: 'autoscaling/v2' },
  { api: 'autoscaling/v2beta2', deprecated: 23, removed: 26, use: 'autoscaling/v2' },
  { api: 'batch/v2alpha1', kinds: ['CronJob'], deprecated: 8, removed: 21, use: 'batch/v1' },
  { api: 'batch/v1beta1', kinds: ['CronJob'], deprecated: 21, removed: 25, use: 'batch/v1' },
  {
    api: 'certificates.k8s.io/v1beta1',
    kinds: ['CertificateSigningRequest'],
    deprecated: 19,
    removed: 22,
    use: 'certificates.k8s.io/v1',
  },
  {
    api: 'certificates.k8s.io/v1alpha1',
    kinds: ['ClusterTrustBundle'],
    deprecated: 34,
    removed: 37,
    use: 'certificates.k8s.io/v1',
  },
  {
    api: 'certificates.k8s.io/v1beta1',
    kinds: ['ClusterTrustBundle'],
    deprecated: 37,
    removed: 40,
    use: 'certificates.k8s.io/v1',
  },
  {
    api: 'coordination.k8s.io/v1beta1',
    kinds: ['Lease'],
    deprecated: 19,
    removed: 22,
    use: 'coordination.k8s.io/v1',
  },
  {
    api: 'discovery.k8s.io/v1beta1',
    kinds: ['EndpointSlice'],
    deprecated: 21,
    removed: 25,
    use: 'discovery.k8s.io/v1',
  },
  { api: 'events.k8s.io/v1beta1', kinds: ['Event'], deprecated: 22, removed: 25, use: 'events.k8s.io/v1' },
  {
    api: 'flowcontrol.apiserver.k8s.io/v1beta1',
    deprecated: 23,
    removed: 26,
    use: 'flowcontrol.apiserver.k8s.io/v1',
  },
  {
    api: 'flowcontrol.apiserver.k8s.io/v1beta2',
    deprecated: 26,
    removed: 29,
    use: 'flowcontrol.apiserver.k8s.io/v1',
  },
  {
    api: 'flowcontrol.apiserver.k8s.io/v1beta3',
    deprecated: 29,
    removed: 32,
    use: 'flowcontrol.apiserver.k8s.io/v1',
  },
  {
    api: 'networking.k8s.io/v1beta1',
    kinds: ['Ingress', 'IngressClass'],
    deprecated: 19,
    removed: 22,
    use: 'networking.k8s.io/v1',
  },
  {
    api: 'networking.k8s.io/v1beta1',
    kinds: ['IPAddress', 'ServiceCIDR'],
    deprecated: 34,
    removed: 37,
    use: 'networking.k8s.io/v1',
  },
  { api: 'node.k8s.io/v1beta1', kinds: ['RuntimeClass'], deprecated: 22, removed: 25, use: 'node.k8s.io/v1' },
  { api: 'policy/v1beta1', kinds: ['PodDisruptionBudget'], deprecated: 21, removed: 25, use: 'policy/v1' },
  { api: 'policy/v1beta1', kinds: ['PodSecurityPolicy'], deprecated: 21, removed: 25 },
  {
    api: 'rbac.authorization.k8s.io/v1alpha1',
    deprecated: 17,
    removed: 22,
    use: 'rbac.authorization.k8s.io/v1',
  },
  {
    api: 'rbac.authorization.k8s.io/v1beta1',
    deprecated: 17,
    removed: 22,
    use: 'rbac.authorization.k8s.io/v1',
  },
  { api: 'resource.k8s.io/v1beta1', deprecated: 35, removed: 38, use: 'resource.k8s.io/v1' },
  {
    api: 'resource.k8s.io/v1alpha3',
    kinds: ['DeviceTaintRule'],
    deprecated: 36,
    removed: 39,
    use: 'resource.k8s.io/v1beta2',
  },
  {
    api: 'resource.k8s.io/v1beta2',
    kinds: ['DeviceClass', 'ResourceClaim', 'ResourceClaimTemplate', 'ResourceSlice'],
    deprecated: 36,
    removed: 39,
    use: 'resource.k8s.io/v1',
  },
  {
    api: 'scheduling.k8s.io/v1beta1',
    kinds: ['PriorityClass'],
    deprecated: 14,
    removed: 22,
    use: 'scheduling.k8s.io/v1',
  },
  {
    api: 'storage.k8s.io/v1beta1',
    kinds: ['CSINode'],
    deprecated: 17,
    removed: 22,
    use: 'storage.k8s.io/v1',
  },
  {
    api: 'storage.k8s.io/v1beta1',
    kinds: ['CSIDriver', 'StorageClass', 'VolumeAttachment'],
    deprecated: 19,
    removed: 22,
    use: 'storage.k8s.io/v1',
  },
  {
    api: 'storage.k8s.io/v1alpha1',
    kinds: ['CSIStorageCapacity', 'VolumeAttachment'],
    deprecated: 21,
    removed: 24,
    use: 'storage.k8s.io/v1',
  },
  {
    api: 'storage.k8s.io/v1beta1',
    kinds: ['CSIStorageCapacity'],
    deprecated: 24,
    removed: 27,
    use: 'storage.k8s.io/v1',
  },
  {
    api: 'storage.k8s.io/v1alpha1',
    kinds: ['VolumeAttributesClass'],
    deprecated: 32,
    removed: 35,
    use: 'storage.k8s.io/v1',
  },
  {
    api: 'storage.k8s.io/v1beta1',
    kinds: ['VolumeAttributesClass'],
    deprecated: 34,
    removed: 37,
    use: 'storage.k8s.io/v1',
  },
  {
    api: 'storagemigration.k8s.io/v1alpha1',
    deprecated: 33,
    removed: 36,
    use: 'storagemigration.k8s.io/v1beta1',
  },
  { api: 'storagemigration.k8s.io/v1beta1', deprecated: 37, removed: 40, use: 'storagemigration.k8s.io/v1' },
  { api: 'v1', kinds: ['ComponentStatus'], deprecated: 19 },
  { api: 'v1', kinds: ['Endpoints'], deprecated: 33, use: 'discovery.k8s.io/v1 EndpointSlice' },
];

export const findOldApi = (apiVersion: string, kind: string): OldApi | undefined =>
  OLD_APIS.find(({ api, kinds }) => api === apiVersion && (kinds === undefined || kinds.includes(kind)));
