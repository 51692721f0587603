import type { KubeObject } from '../objects.ts';
import { groupOf } from '../objects.ts';
import type { Manifest } from './manifest.ts';
import { withoutTwins } from './objects.ts';
import { at, withField } from './pod-template.ts';

/** Whether a kind lives in namespaces; undefined where that is not known, such as for a cluster that does not serve it yet. */
export type IsNamespaced = (
  apiVersion: string,
  kind: string,
) => Promise<boolean | undefined> | boolean | undefined;

/** Kinds of Kubernetes itself that live in no namespace. */
const CLUSTER_WIDE: ReadonlyMap<string, readonly string[]> = new Map([
  ['', ['Namespace', 'Node', 'PersistentVolume']],
  ['admissionregistration.k8s.io', ['*']],
  ['apiextensions.k8s.io', ['CustomResourceDefinition']],
  ['apiregistration.k8s.io', ['APIService']],
  ['certificates.k8s.io', ['*']],
  ['flowcontrol.apiserver.k8s.io', ['*']],
  ['gateway.networking.k8s.io', ['GatewayClass']],
  ['networking.k8s.io', ['IngressClass', 'IPAddress', 'ServiceCIDR']],
  ['node.k8s.io', ['RuntimeClass']],
  ['rbac.authorization.k8s.io', ['ClusterRole', 'ClusterRoleBinding']],
  ['resource.k8s.io', ['DeviceClass', 'ResourceSlice']],
  ['scheduling.k8s.io', ['PriorityClass']],
  ['storage.k8s.io', ['CSIDriver', 'CSINode', 'StorageClass', 'VolumeAttachment', 'VolumeAttributesClass']],
]);

/** What is known of Kubernetes' own kinds without a cluster; kinds of others are taken to live in namespaces. */
function knownNamespaced(apiVersion: string, kind: string): boolean {
  const kinds = CLUSTER_WIDE.get(groupOf(apiVersion)) ?? [];
  return !kinds.includes(kind) && !kinds.includes('*');
}

/**
 * Puts objects that name no namespace into `namespace`, and takes a namespace off those that live in none, as kubectl does. Whether
 * a kind has namespaces is asked of the CRDs among the manifests, then of the cluster, then of what is known of Kubernetes itself.
 * Two that are one object now, and differ, are a Failure.
 */
export async function withNamespace(
  manifests: readonly Manifest[],
  namespace: string,
  isNamespaced: IsNamespaced,
): Promise<Manifest[]> {
  const scopes = new Map(manifests.flatMap(({ object }) => scopeOf(object)));
  const kinds = new Map(
    manifests.map(({ object: { apiVersion, kind } }) => [`${apiVersion} ${kind}`, { apiVersion, kind }]),
  );
  const answers = new Map(
    await Promise.all(
      [...kinds].map(async ([key, { apiVersion, kind }]) => {
        const answer = scopes.get(`${groupOf(apiVersion)} ${kind}`) ?? (await isNamespaced(apiVersion, kind));
        return [key, answer ?? knownNamespaced(apiVersion, kind)] as const;
      }),
    ),
  );
  const placed = manifests.map((manifest) => {
    const { object } = manifest;
    const inside = answers.get(`${object.apiVersion} ${object.kind}`)!;
    const moved = inside ? placedIn(object, namespace) : placedNowhere(object);
    return moved === object ? manifest : { ...manifest, object: moved };
  });
  return withoutTwins(placed);
}

const placedIn = (object: KubeObject, namespace: string): KubeObject =>
  (object.metadata.namespace ?? '') === '' ? withField(object, ['metadata', 'namespace'], namespace) : object;

function placedNowhere(object: KubeObject): KubeObject {
  if (!('namespace' in object.metadata)) return object;
  const { namespace: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** What a CRD says of the kind that it defines. */
function scopeOf(object: KubeObject): [string, boolean][] {
  if (object.kind !== 'CustomResourceDefinition') return [];
  const kind = at(object, ['spec', 'names', 'kind']);
  return [[`${at(object, ['spec', 'group'])} ${kind}`, at(object, ['spec', 'scope']) !== 'Cluster']];
}
