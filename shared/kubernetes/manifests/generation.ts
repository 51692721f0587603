import { Key } from '../../content/index.ts';
import type { KubeObject } from '../objects.ts';
import { isRecord } from './pod-template.ts';

/** On a copy of a ConfigMap or Secret: of which one it is a generation. Its value is that of generationLabel. */
export const LABEL_GENERATION_OF = 'slipway.dev/generation-of';
/** The release that a generation, or a workload, belongs to. */
const LABEL_RELEASE = 'slipway.dev/release';

/** Hexadecimal digits of a digest in a name: 48 bits tell the generations of one name apart. */
const DIGITS = 12;
const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;

/** Secrets whose content a controller of the cluster writes, or that mean something by their name. */
const NOT_OURS = ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token'];

/** Whether an object is configuration that has generations: a ConfigMap, or a Secret whose content is the user's. */
export const isConfiguration = ({ apiVersion, kind, type }: KubeObject): boolean =>
  apiVersion === 'v1' && (kind === 'ConfigMap' || (kind === 'Secret' && !NOT_OURS.includes(type as string)));

/**
 * A short digest over what a ConfigMap or Secret gives to pods. It is the same for a manifest and for the live object that came of
 * it: a Secret's stringData counts as the data that the server makes of it, and the order of keys, labels and `immutable` do not.
 */
export function contentHash(object: KubeObject): string {
  const { kind, metadata, type } = object;
  const content = contentOf(object);
  const parts = {
    kind,
    name: metadata.name,
    // An object of one type cannot become one of another, so types are generations of their own.
    type: kind === 'Secret' && typeof type === 'string' ? type : kind === 'Secret' ? 'Opaque' : '',
    ...content,
  };
  return Key.of(parts).digest.slice('sha256:'.length, 'sha256:'.length + DIGITS);
}

interface Content {
  readonly data: Record<string, string>;
  readonly binaryData: Record<string, string>;
}

function contentOf({ kind, data, binaryData, stringData }: KubeObject): Content {
  if (kind === 'ConfigMap') return { data: texts(data, String), binaryData: texts(binaryData, normalBase64) };
  return { data: { ...texts(data, normalBase64), ...texts(stringData, toBase64) }, binaryData: {} };
}

/** Values that are no texts are the server's to refuse; here they only have to be told apart. */
function texts(map: unknown, read: (text: string) => string): Record<string, string> {
  if (!isRecord(map)) return {};
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => [
      key,
      read(typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value)),
    ]),
  );
}

const toBase64 = (text: string): string => Buffer.from(text).toString('base64');

/** The server takes Base64 with line breaks and gives it back without. What is no Base64 stays as it is. */
function normalBase64(text: string): string {
  const compact = text.replaceAll(/[\r\n]/g, '');
  return Buffer.from(compact, 'base64').toString('base64') === compact ? compact : text;
}

/** `NAME-<hash>`; of a name that leaves no room for that, the beginning. */
export const generationName = (name: string, hash: string): string =>
  `${shortened(name, LONGEST_NAME - hash.length - 1)}-${hash}`;

/** What the label of all generations of a name says: the name, or of one that is no label value what stands for it. */
export function generationLabel(name: string): string {
  if (name.length <= LONGEST_LABEL) return name;
  const hash = Key.of({ name }).digest.slice('sha256:'.length, 'sha256:'.length + DIGITS);
  return `${shortened(name, LONGEST_LABEL - hash.length - 1)}-${hash}`;
}

const shortened = (name: string, length: number): string => name.slice(0, length).replace(/[^a-z0-9]+$/, '');

/**
 * The copy of a ConfigMap or Secret, live or from a manifest, that keeps its content: `NAME-<hash>`, immutable, of the same kind
 * and type, without the user's labels (sidecars find ConfigMaps by their labels, and must not find it twice). One that is a
 * generation already is its own copy. undefined for what has no generations.
 */
export function generationOf(object: KubeObject, release?: string): KubeObject | undefined {
  if (!isConfiguration(object)) return undefined;
  const { apiVersion, kind, metadata, type } = object;
  if (metadata.labels?.[LABEL_GENERATION_OF] !== undefined) return object;
  const { data, binaryData } = contentOf(object);
  return {
    apiVersion,
    kind,
    metadata: {
      name: generationName(metadata.name, contentHash(object)),
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      labels: {
        [LABEL_GENERATION_OF]: generationLabel(metadata.name),
        ...(release !== undefined && { [LABEL_RELEASE]: release }),
      },
      annotations: { [LABEL_GENERATION_OF]: metadata.name },
    },
    ...(kind === 'Secret' && { type: typeof type === 'string' ? type : 'Opaque' }),
    ...(Object.keys(data).length > 0 && { data }),
    ...(Object.keys(binaryData).length > 0 && { binaryData }),
    immutable: true,
  };
}
