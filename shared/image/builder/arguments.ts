import { formatPlatform, type Platform } from '../../oci/index.ts';
import type { ImageAnnotation } from '../annotations.ts';
import type { ImageRequest } from '../request.ts';

/** How a builder is asked, in the words of `docker buildx build`. */
export interface BuilderSettings {
  /** Name of a builder instance; undefined for the current one. */
  readonly builder: string | undefined;
  /** The program that has `buildx`; default: `docker`. */
  readonly program: string | undefined;
  readonly addHosts: readonly string[];
  readonly allow: readonly string[];
  readonly attests: readonly string[];
  readonly cacheFrom: readonly string[];
  readonly cacheTo: readonly string[];
  readonly cgroupParent: string | undefined;
  readonly network: string | undefined;
  readonly noCache: boolean;
  readonly noCacheFilters: readonly string[];
  readonly pull: boolean;
  readonly secrets: readonly BuilderSecret[];
  readonly ssh: readonly string[];
  readonly shmSize: string | undefined;
  readonly ulimit: readonly string[];
}

/** A secret by id: its value, which reaches the builder through its environment, or the file or variable that holds it. */
export type BuilderSecret =
  | { readonly id: string; readonly value: string }
  | { readonly id: string; readonly file: string }
  | { readonly id: string; readonly variable: string };

/** The current builder, asked for nothing special. */
export const noSettings: BuilderSettings = {
  builder: undefined,
  program: undefined,
  addHosts: [],
  allow: [],
  attests: [],
  cacheFrom: [],
  cacheTo: [],
  cgroupParent: undefined,
  network: undefined,
  noCache: false,
  noCacheFilters: [],
  pull: false,
  secrets: [],
  ssh: [],
  shmSize: undefined,
  ulimit: [],
};

/** The arguments that every build of a request shares. Values of secrets are not among them. */
export function commonArguments(settings: BuilderSettings, request: ImageRequest): string[] {
  return [
    'buildx',
    'build',
    '--progress=rawjson',
    ...one('--builder', settings.builder),
    ...each('--add-host', settings.addHosts),
    ...each('--allow', settings.allow),
    ...each('--cache-from', settings.cacheFrom),
    ...one('--cgroup-parent', settings.cgroupParent),
    ...one('--network', settings.network),
    ...(settings.noCache ? ['--no-cache'] : []),
    ...each('--no-cache-filter', settings.noCacheFilters),
    ...(settings.pull ? ['--pull'] : []),
    ...each('--secret', settings.secrets.map(secretArgument)),
    ...each('--ssh', settings.ssh),
    ...one('--shm-size', settings.shmSize),
    ...each('--ulimit', settings.ulimit),
    ...each(
      '--build-arg',
      Object.entries(request.buildArgs).map(([name, value]) => `${name}=${value}`),
    ),
  ];
}

/**
 * Named contexts, and stages that are handed in. buildx takes no name for one platform alone, so folders of such stages are named here
 * for a build for one platform only.
 */
export function contextArguments(request: ImageRequest, platforms: readonly Platform[]): string[] {
  const named = Object.entries(request.contexts).map(([name, value]) => `${name}=${value}`);
  const [only, ...more] = platforms;
  const handedIn = Object.entries(request.handedIn).map(([name, folder]) => `${name}=${folder(only!)}`);
  return each('--build-context', more.length > 0 ? named : [...named, ...handedIn]);
}

/** What the image carries beside its files. */
export function imageArguments(settings: BuilderSettings, request: ImageRequest): string[] {
  return [
    ...one('--target', request.target),
    ...each(
      '--label',
      Object.entries(request.labels).map(([key, value]) => `${key}=${value}`),
    ),
    ...each('--annotation', request.annotations.map(annotationArgument)),
    ...each('--attest', settings.attests),
    // Off unless asked for: with them an unchanged image would get another digest at every build.
    ...(settings.attests.some((attest) => attest.startsWith('type=provenance'))
      ? []
      : ['--provenance=false']),
    ...cacheArguments(settings, 'image'),
  ];
}

/** Where a builder leaves its own cache, once it has made what was asked for. Files have no place for one that lies in the image. */
export function cacheArguments({ cacheTo }: BuilderSettings, output: 'image' | 'files'): string[] {
  return each(
    '--cache-to',
    cacheTo.filter((cache) => output === 'image' || !/(^|,)type=inline(,|$)/i.test(cache)),
  );
}

function annotationArgument({ kind, platform, key, value }: ImageAnnotation): string {
  const place = platform === undefined ? kind : `${kind}[${formatPlatform(platform)}]`;
  return `${place}:${key}=${value}`;
}

/** The attributes of an `--output` that make the builder's layers what ours are. */
export function outputAttributes(request: ImageRequest): string {
  return [
    `compression=${request.compression === 'none' ? 'uncompressed' : request.compression}`,
    ...(request.level === undefined ? [] : [`compression-level=${request.level}`]),
    `oci-mediatypes=${request.mediaTypes === 'oci'}`,
    'rewrite-timestamp=true',
  ].join(',');
}

function secretArgument(secret: BuilderSecret, index: number): string {
  if ('file' in secret) return `id=${secret.id},src=${secret.file}`;
  return `id=${secret.id},env=${'variable' in secret ? secret.variable : secretVariable(index)}`;
}

function secretVariable(index: number): string {
  return `SLIPWAY_SECRET_${index}`;
}

/** The variables that hand the values of secrets over. */
export function secretEnvironment(settings: BuilderSettings): Record<string, string> {
  return Object.fromEntries(
    settings.secrets.flatMap((secret, index) =>
      'value' in secret ? [[secretVariable(index), secret.value]] : [],
    ),
  );
}

function each(flag: string, values: readonly string[]): string[] {
  return values.flatMap((value) => [flag, value]);
}

function one(flag: string, value: string | undefined): string[] {
  return value === undefined || value === '' ? [] : [flag, value];
}
