import { type KubeObject, keyOf, type ObjectId } from '../../kubernetes/index.ts';
import { withoutReplicas } from './autoscaled.ts';
import { LAST_APPLIED, withLastApplied } from './last-applied.ts';

/** What the API server alone writes, and what `kubectl get -o yaml` prints with the rest. */
const SERVED = ['managedFields', 'resourceVersion', 'uid', 'generation', 'creationTimestamp', 'selfLink'];

/** An object as it is sent: what the user declares, without what the cluster or an autoscaler decides. */
export function declared(
  object: KubeObject,
  id: ObjectId,
  { live, scaled }: { readonly live: KubeObject | undefined; readonly scaled: ReadonlySet<string> },
): KubeObject {
  const { status: _, ...rest } = object as KubeObject & { status?: unknown };
  const metadata = Object.fromEntries(
    Object.entries(object.metadata).filter(([name]) => !SERVED.includes(name) && name !== 'annotations'),
  );
  const { [LAST_APPLIED]: __, ...annotations } = object.metadata.annotations ?? {};
  const named = Object.keys(annotations).length > 0 ? { annotations } : {};
  const plain = { ...inData(rest), metadata: { ...metadata, ...named } } as KubeObject;
  const sent = scaled.has(keyOf(id)) ? withoutReplicas(plain) : plain;
  return live?.metadata.annotations?.[LAST_APPLIED] === undefined ? sent : withLastApplied(sent);
}

/**
 * A Secret's stringData in data, as the API server keeps it: it never owns what it reads from stringData, so that a name which the
 * manifest drops would stay.
 */
export function inData(object: KubeObject): KubeObject {
  const { stringData, ...rest } = object;
  if (object.kind !== 'Secret' || object.apiVersion !== 'v1' || stringData === undefined) return object;
  const texts = Object.entries((stringData ?? {}) as Record<string, string>);
  const data = texts.map(([name, text]) => [name, Buffer.from(String(text)).toString('base64')]);
  return {
    ...rest,
    data: { ...(object.data as object | undefined), ...Object.fromEntries(data) },
  } as KubeObject;
}

/** Whether the user lets an object be deleted and made anew when a field that cannot change did. */
export const mayReplace = ({ metadata }: KubeObject): boolean =>
  metadata.annotations?.['slipway.dev/replace'] === 'true';
