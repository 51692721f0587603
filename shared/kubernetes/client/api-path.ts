import { Failure } from '../../host/index.ts';
import type { ApiResource, Query } from '../cluster.ts';
import type { ObjectId } from '../objects.ts';

/** Parameters of a request; those that are undefined are not sent, a list is sent as one for each of its texts. */
export type Parameters = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The path under which a cluster serves a version of a group: `/api/v1`, `/apis/apps/v1`. */
export const versionPath = ({ group, version }: Pick<ApiResource, 'group' | 'version'>): string =>
  group === '' ? `/api/${version}` : `/apis/${group}/${version}`;

/** Path of the objects of a kind, in a namespace where one is given. */
export function collectionPath(resource: ApiResource, namespace: string | undefined): string {
  const scope =
    resource.namespaced && namespace !== undefined ? `/namespaces/${segment(namespace, 'namespace')}` : '';
  return `${versionPath(resource)}${scope}/${resource.plural}`;
}

/** Path of an object, or of one of its subresources. */
export function objectPath(
  resource: ApiResource,
  { namespace, name }: Pick<ObjectId, 'namespace' | 'name'>,
  subresource?: string,
): string {
  const path = `${collectionPath(resource, namespace)}/${segment(name, 'name')}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

export const selectorsOf = ({ labelSelector, fieldSelector }: Query): Parameters => ({
  labelSelector,
  fieldSelector,
});

export function withParameters(path: string, parameters: Parameters): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    for (const one of [value ?? []].flat()) query.append(name, String(one));
  return query.size === 0 ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`;
}

/** A name as a step of a path. What could leave the step (RFC 3986, 5.2.4) is no name of any object. */
function segment(text: string, what: 'name' | 'namespace'): string {
  if (text === '' || text === '.' || text === '..' || /[/%]/.test(text))
    throw new Failure(
      `${JSON.stringify(text)} is not a ${what} that Kubernetes accepts: it may not be empty, "." or "..", nor hold "/" or "%".`,
    );
  return encodeURIComponent(text);
}
