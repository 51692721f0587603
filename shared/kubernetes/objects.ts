import type * as Meta from 'kubernetes-types/meta/v1.d.ts';

/** The metadata of an object that the API serves: it has a name. */
export interface ObjectMeta extends Meta.ObjectMeta {
  name: string;
}

/** An object as the API takes and serves it, in JSON: times are RFC 3339 texts, quantities are texts or numbers. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** Which object: enough to find it in a cluster. `namespace` is undefined for objects of the whole cluster. */
export interface ObjectId {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** What finds an object again. */
export const idOf = ({ apiVersion, kind, metadata }: KubeObject): ObjectId => ({
  apiVersion,
  kind,
  name: metadata.name,
  ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
});

/** `Deployment shop/storefront`, as messages name objects. */
export const formatId = ({ kind, namespace, name }: ObjectId): string =>
  `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;

/** The API group of an apiVersion: `apps` of `apps/v1`, the empty text of `v1`. */
export const groupOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';

/** One text for one object, whatever version of its group it is written in: for maps and sets. */
export const keyOf = ({ apiVersion, kind, namespace, name }: ObjectId): string =>
  `${groupOf(apiVersion)}/${kind}/${namespace ?? ''}/${name}`;
