import { didYouMean, Failure } from '../host/index.ts';
import { formatPlatform, type Platform, parsePlatform } from '../oci/index.ts';

const KINDS = ['manifest', 'manifest-descriptor', 'index', 'index-descriptor'] as const;
type Kind = (typeof KINDS)[number];

/** One annotation and the place that it goes to; without a platform it goes to every one. */
export interface ImageAnnotation {
  readonly kind: Kind;
  readonly platform: Platform | undefined;
  readonly key: string;
  readonly value: string;
}

/**
 * Reads `[kind[platform],…:]key=value` as buildx does: `manifest` where no kind is named, otherwise manifest, manifest-descriptor,
 * index or index-descriptor, the first two with an optional platform in square brackets.
 */
export function parseAnnotations(lines: readonly string[]): ImageAnnotation[] {
  return lines.flatMap(parseAnnotation);
}

function parseAnnotation(line: string): ImageAnnotation[] {
  const equals = line.indexOf('=');
  if (equals <= 0)
    throw new Failure(
      `"${line}" is no annotation; accepted is key=value, with an optional prefix such as manifest: or index:.`,
    );
  const left = line.slice(0, equals);
  const value = line.slice(equals + 1);
  const colon = left.indexOf(':');
  if (colon === -1) return [{ kind: 'manifest', platform: undefined, key: left, value }];
  const key = left.slice(colon + 1);
  return left
    .slice(0, colon)
    .split(',')
    .map((place) => ({ ...parsePlace(place, line), key, value }));
}

function parsePlace(place: string, line: string): Pick<ImageAnnotation, 'kind' | 'platform'> {
  const match = /^([a-z-]+)(?:\[([A-Za-z0-9_/-]+)\])?$/.exec(place);
  const kind = KINDS.find((one) => one === match?.[1]);
  if (match === null || kind === undefined)
    throw new Failure(
      `The annotation "${line}" goes to "${place}"; accepted are ${KINDS.join(', ')}, the first two with an optional platform, such as manifest[linux/amd64].${didYouMean(match?.[1] ?? place, KINDS)}`,
    );
  return { kind, platform: match[2] === undefined ? undefined : parsePlatform(match[2]) };
}

/** The annotations that go to one place, by key; those for the platform come last and win. Undefined when there are none. */
export function annotationsFor(
  annotations: readonly ImageAnnotation[],
  kind: Kind,
  platform?: Platform,
): Readonly<Record<string, string>> | undefined {
  const name = platform === undefined ? undefined : formatPlatform(platform);
  const own = annotations.filter((one) => one.kind === kind);
  const general = own.filter((one) => one.platform === undefined);
  const special = own.filter((one) => one.platform !== undefined && formatPlatform(one.platform) === name);
  const all = kind.startsWith('index') ? own : [...general, ...special];
  return all.length === 0 ? undefined : Object.fromEntries(all.map((one) => [one.key, one.value]));
}

/** What of the annotations cannot be carried out for this image, each as a Failure. */
export function checkAnnotations(
  annotations: readonly ImageAnnotation[],
  platforms: readonly Platform[],
  mediaTypes: 'oci' | 'docker',
): void {
  const names = platforms.map(formatPlatform);
  for (const { kind, platform, key } of annotations) {
    if (platform !== undefined && !names.includes(formatPlatform(platform)))
      throw new Failure(
        `The annotation "${key}" is for ${formatPlatform(platform)}, which is not built; built are ${names.join(', ')}.`,
      );
    if (kind.startsWith('index') && platforms.length === 1)
      throw new Failure(
        `The annotation "${key}" is for an index, and an image of one platform has none; use manifest: or build more platforms.`,
      );
    if (kind !== 'manifest' && mediaTypes === 'docker')
      throw new Failure(
        `The annotation "${key}" is for ${kind}, which Docker media types have no place for; use media-types: oci.`,
      );
  }
}
