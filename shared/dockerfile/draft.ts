import type { ContainerConfig, ImageConfig, Platform } from '../oci/index.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** An image configuration while instructions change it. */
export interface Draft {
  readonly image: Mutable<ImageConfig>;
  readonly config: Mutable<ContainerConfig>;
  readonly history: NonNullable<Mutable<ImageConfig>['history']>[number][];
  /** What `$name` means: variables of ENV and of ARG, the later one winning. */
  readonly env: Map<string, string>;
  /** ARG instructions met so far, those of base stages included. */
  readonly args: { readonly key: string; readonly value: string | undefined }[];
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The configuration that `FROM scratch` starts with. */
export function emptyDraft(platform: Platform): Draft {
  const config = platform.os === 'windows' ? { WorkingDir: '/' } : { WorkingDir: '/', Env: [DEFAULT_PATH] };
  return { image: { ...platform, rootfs: noLayers }, config, history: [], env: new Map(), args: [] };
}

const noLayers = { type: 'layers', diff_ids: [] } as const;

/** The configuration that `FROM image` starts with: what Docker knows of it, without the time. */
export function draftOf(base: ImageConfig): Draft {
  const { author, architecture, os, variant, rootfs, history } = base;
  const image: Mutable<ImageConfig> = {
    ...present({ author, variant, 'os.version': base['os.version'], 'os.features': base['os.features'] }),
    architecture,
    os,
    rootfs: { type: 'layers', diff_ids: [...(rootfs?.diff_ids ?? [])] },
  };
  return {
    image,
    config: cloneConfig(base.config ?? {}),
    history: [...(history ?? [])],
    env: new Map(),
    args: [],
  };
}

/** The configuration that a stage starts with that builds on another stage. Triggers do not carry over. */
export function inherit(base: Draft): Draft {
  const { OnBuild: _, ...config } = base.config;
  return {
    image: { ...base.image },
    config: cloneConfig(config),
    history: [...base.history],
    env: new Map(base.env),
    args: [...base.args],
  };
}

function cloneConfig(config: ContainerConfig): Mutable<ContainerConfig> {
  return structuredClone(config) as Mutable<ContainerConfig>;
}

/** Makes sure of PATH, and of variables that mean what the configuration says. */
export function openDraft(draft: Draft, os: string): void {
  const env = draft.config.Env ?? [];
  if (os !== 'windows' && !env.some((entry) => nameOf(entry) === 'PATH'))
    draft.config.Env = [...env, DEFAULT_PATH];
  for (const entry of draft.config.Env ?? [])
    draft.env.set(nameOf(entry), entry.slice(nameOf(entry).length + 1));
}

/** Sets a variable of the image where it stands, or adds it at the end. */
export function setEnv(draft: Draft, name: string, value: string): void {
  const env = [...(draft.config.Env ?? [])];
  const at = env.findIndex((entry) => nameOf(entry) === name);
  env[at < 0 ? env.length : at] = `${name}=${value}`;
  draft.config.Env = env;
  draft.env.set(name, value);
}

function nameOf(entry: string): string {
  return entry.split('=', 1)[0]!;
}

/** Notes an instruction in the history; the text is the one that BuildKit writes. */
export function commit(draft: Draft, createdBy: string, layer: boolean): void {
  draft.history.push({
    created_by: createdBy,
    comment: 'buildkit.dockerfile.v0',
    ...(layer ? {} : { empty_layer: true }),
  });
}

/** The configuration as it is written: known fields in Docker's order, empty ones left out. */
export function closeDraft(draft: Draft): ImageConfig {
  const { config } = draft;
  const known = present({
    User: config.User,
    ExposedPorts: sorted(config.ExposedPorts),
    Env: config.Env,
    Entrypoint: config.Entrypoint,
    Cmd: config.Cmd,
    Volumes: sorted(config.Volumes),
    WorkingDir: config.WorkingDir,
    Labels: sorted(config.Labels),
    StopSignal: config.StopSignal,
    ArgsEscaped: config.ArgsEscaped,
    Healthcheck: config.Healthcheck,
    OnBuild: config.OnBuild,
    Shell: config.Shell,
  });
  const history = draft.history.length === 0 ? {} : { history: [...draft.history] };
  return { ...draft.image, config: structuredClone(known) as ContainerConfig, ...history };
}

function sorted<T>(map: Readonly<Record<string, T>> | undefined): Record<string, T> | undefined {
  if (map === undefined) return undefined;
  const entries = Object.entries(map).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return Object.fromEntries(entries);
}

/** Without the fields that Go's `omitempty` leaves out. */
export function present(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false || value === 0) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
