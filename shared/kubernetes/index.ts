/**
 * Kubernetes: clusters and their API, objects and the manifests that declare them (API conventions, server-side apply, RFC 6902).
 */
export { openCluster } from './client/open.ts';
export {
  ApiError,
  type ApiResource,
  type ApiTraffic,
  type ApplyOptions,
  type Cluster,
  type ClusterOptions,
  type LogOptions,
  type Query,
  type RemoveOptions,
  type ServerVersion,
  type WatchEvent,
} from './cluster.ts';
export { absentFrom, extract, keysOfStep, meansItem, pathOfSteps, without } from './fields/extract.ts';
export {
  at,
  contains,
  difference,
  type FieldSet,
  type FieldSteps,
  fieldsOf,
  formatSteps,
  isEmpty,
  NO_FIELDS,
  only,
  unheld,
  union,
  writeFields,
} from './fields/field-set.ts';
export { type FieldOwner, ownedFields, ownersOf } from './fields/owners.ts';
export {
  ANNOTATION_CONFIGURATION,
  type ConfigurationMode,
  withConfiguration,
} from './manifests/configuration.ts';
export { formatManifests } from './manifests/format.ts';
export {
  generationLabel,
  generationOf,
  LABEL_GENERATION_OF,
} from './manifests/generation.ts';
export {
  digestIn,
  type PinnedImage,
  type PinnedManifests,
  pinImages,
  type ResolveDigest,
} from './manifests/images.ts';
export type { FieldPath, Manifest } from './manifests/manifest.ts';
export { type IsNamespaced, withNamespace } from './manifests/namespace.ts';
export { inOrder, inRemovalOrder } from './manifests/order.ts';
export { type ContainerAt, containersOf, type PodTemplate, podTemplateOf } from './manifests/pod-template.ts';
export { type ReadOptions, readManifests } from './manifests/read.ts';
export { type ConfigurationReference, configurationOf } from './manifests/references.ts';
export {
  formatId,
  groupOf,
  idOf,
  type KubeObject,
  keyOf,
  type ObjectId,
  type ObjectMeta,
} from './objects.ts';
export { formatQuantity, parseQuantity, type Quantity, sameQuantity } from './quantity.ts';
export { formatSelector } from './selector.ts';
