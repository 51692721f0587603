import type { ObjectId } from '../objects.ts';
import { groupOf } from '../objects.ts';
import type { Manifest } from './manifest.ts';

/** What is applied before what, as Helm and kapp do it: each line needs those above it. Kinds of no line are `OTHERS`. */
const WAVES: readonly (readonly string[])[] = [
  ['Namespace'],
  ['CustomResourceDefinition.apiextensions.k8s.io'],
  [
    'PriorityClass.scheduling.k8s.io',
    'RuntimeClass.node.k8s.io',
    'StorageClass.storage.k8s.io',
    'IngressClass.networking.k8s.io',
    'GatewayClass.gateway.networking.k8s.io',
    'ResourceQuota',
    'LimitRange',
    'NetworkPolicy.networking.k8s.io',
    'ServiceAccount',
    'Secret',
    'ConfigMap',
    'PersistentVolume',
    'PersistentVolumeClaim',
    'ClusterRole.rbac.authorization.k8s.io',
    'Role.rbac.authorization.k8s.io',
  ],
  // The server looks into the role that a binding names, whether its author may give it.
  ['ClusterRoleBinding.rbac.authorization.k8s.io', 'RoleBinding.rbac.authorization.k8s.io'],
  // Before the pods: they get the address of a Service in their environment when they start.
  ['Service', 'Endpoints', 'EndpointSlice.discovery.k8s.io'],
  [
    'Pod',
    'ReplicationController',
    'ReplicaSet.apps',
    'DaemonSet.apps',
    'Deployment.apps',
    'StatefulSet.apps',
    'Job.batch',
    'CronJob.batch',
  ],
  [
    'HorizontalPodAutoscaler.autoscaling',
    'PodDisruptionBudget.policy',
    'Ingress.networking.k8s.io',
    'APIService.apiregistration.k8s.io',
  ],
  // Last, so that they stand in the way of nothing above: what answers them has to run first.
  [
    'ValidatingAdmissionPolicy.admissionregistration.k8s.io',
    'MutatingAdmissionPolicy.admissionregistration.k8s.io',
    'ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io',
    'MutatingAdmissionPolicyBinding.admissionregistration.k8s.io',
    'MutatingWebhookConfiguration.admissionregistration.k8s.io',
    'ValidatingWebhookConfiguration.admissionregistration.k8s.io',
  ],
];

/** Custom resources, and kinds that are younger than this list: beside the autoscalers, as in Helm after all that is known. */
const OTHERS = WAVES.length - 2;

const RANKS = new Map(WAVES.flatMap((kinds, wave) => kinds.map((kind) => [kind, wave] as const)));

/** The wave in which a kind is applied, from 0. */
function waveOf(apiVersion: string, kind: string): number {
  const group = groupOf(apiVersion);
  return RANKS.get(group === '' ? kind : `${kind}.${group}`) ?? OTHERS;
}

/**
 * The manifests in waves: what is in one wave may be applied at the same time, after all of the wave before. CRDs are a wave of
 * their own, which is over when they are Established. Within a wave the user's order is kept.
 */
export const inOrder = (manifests: readonly Manifest[]): Manifest[][] =>
  inWaves(manifests, ({ object }) => waveOf(object.apiVersion, object.kind));

/** In which order objects are removed: the waves backwards. */
export const inRemovalOrder = (ids: readonly ObjectId[]): ObjectId[][] =>
  inWaves(ids, ({ apiVersion, kind }) => -waveOf(apiVersion, kind));

function inWaves<T>(items: readonly T[], rank: (item: T) => number): T[][] {
  const waves = Map.groupBy(items, rank);
  return [...waves].sort(([a], [b]) => a - b).map(([, wave]) => wave);
}
