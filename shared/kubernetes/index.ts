/**
 * Kubernetes: clusters and their API, objects and the manifests that declare them (API conventions, server-side apply, RFC 6902).
 */
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
export { type FieldPath, formatPath, type Manifest } from './manifests/manifest.ts';
export {
  formatId,
  groupOf,
  idOf,
  type KubeObject,
  keyOf,
  type ObjectId,
  type ObjectMeta,
} from './objects.ts';
