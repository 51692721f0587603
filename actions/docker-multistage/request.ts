import { isAbsolute, join, resolve } from 'node:path';
import { OWN_FOLDER } from '../../shared/content/index.ts';
import { Failure, type Host, type Inputs, type RunContext } from '../../shared/host/index.ts';
import {
  type BuilderSecret,
  type BuilderSettings,
  type ImageRequest,
  parseAnnotations,
  type RunSurroundings,
} from '../../shared/image/index.ts';
import { formatPlatform, machinePlatform, type Platform, parsePlatform } from '../../shared/oci/index.ts';
import { builderAttestations } from './attest-inputs.ts';
import type { definition } from './definition.ts';
import { parseSecrets } from './secrets.ts';

type Given = Inputs<typeof definition>;
type Environment = Readonly<Record<string, string | undefined>>;

/** What the inputs ask for, as the image room takes it. Every wrong one is a Failure that names it. */
export function readRequest(host: Host, inputs: Given, cache: string, env: Environment): ImageRequest {
  const context = contextFolder(inputs.context, host.workspace);
  const own = { ...machinePlatform(), os: 'linux' };
  return {
    workspace: host.workspace,
    context,
    dockerfile: inputs.file === '' ? join(context, 'Dockerfile') : resolve(host.workspace, inputs.file),
    target: inputs.target === '' ? undefined : inputs.target,
    platforms: named('platforms', () => platformsOf(inputs.platforms, own)),
    buildPlatform: own,
    buildArgs: pairs('build-args', inputs['build-args'], env),
    labels: pairs('labels', inputs.labels),
    annotations: named('annotations', () => parseAnnotations(inputs.annotations)),
    contexts: mapValues(pairs('build-contexts', inputs['build-contexts']), (value) =>
      contextValue(value, host.workspace),
    ),
    handedIn: mapValues(pairs('stages', inputs.stages), (folder) => folderFor(folder, host.workspace)),
    compression: inputs.compression,
    level: levelOf(inputs),
    mediaTypes: inputs['media-types'],
    epoch: epochOf(inputs['source-date-epoch'], env),
    state: join(host.workspace, OWN_FOLDER),
    own: inputs.layout === '' ? [] : [resolve(host.workspace, inputs.layout)],
    cache,
    maxAge: maxAgeOf(inputs['max-age']),
    goCache: inputs['go-cache'],
    runs: surroundingsOf(inputs),
    builderOnly:
      builderAttestations(inputs).length > 0 ? 'attestations of BuildKit’s are asked for' : undefined,
  };
}

function contextFolder(text: string, workspace: string): string {
  // docker/build-push-action's name for the repository at the commit, which is what was checked out here.
  const local = text.replace(/^\{\{\s*defaultContext\s*\}\}:?/, './');
  if (/^[a-z][a-z0-9+.-]*:\/\/|^git@/i.test(local))
    throw new Failure(
      `Input "context" is "${text}"; accepted is a folder: check the repository out first and give its path.`,
    );
  return resolve(workspace, local);
}

function platformsOf(given: readonly string[], own: Platform): Platform[] {
  if (given.length === 0) return [own];
  const platforms = given.map(parsePlatform);
  return [...new Map(platforms.map((platform) => [formatPlatform(platform), platform])).values()];
}

function named<T>(input: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Failure) throw new Failure(`Input "${input}": ${error.message}`, { cause: error });
    throw error;
  }
}

/** Lines of `name=value`. With an environment, a name alone stands for the variable; one that is not set is left out. */
function pairs(input: string, lines: readonly string[], env?: Environment): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of lines) {
    const equals = line.indexOf('=');
    const name = (equals === -1 ? line : line.slice(0, equals)).trim();
    if (name === '' || (equals === -1 && env === undefined))
      throw new Failure(`Input "${input}" has the line "${line}"; accepted is name=value, one a line.`);
    const value = equals === -1 ? env![name] : line.slice(equals + 1);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}

function contextValue(value: string, workspace: string): string {
  const layout = /^oci-layout:\/\/(.*)$/s.exec(value)?.[1];
  if (layout !== undefined) return `oci-layout://${resolve(workspace, layout)}`;
  return /^[a-z][a-z0-9+.-]*:\/\/|^git@/i.test(value) || isAbsolute(value)
    ? value
    : resolve(workspace, value);
}

function folderFor(template: string, workspace: string): (platform: Platform) => string {
  return (platform) => {
    const { os, architecture, variant = '' } = platform;
    const words: Readonly<Record<string, string>> = {
      os,
      arch: architecture,
      variant,
      platform: formatPlatform(platform).replaceAll('/', '-'),
    };
    const filled = template.replaceAll(/\{(\w+)\}/g, (whole, word: string) => {
      const value = words[word];
      if (value === undefined)
        throw new Failure(
          `Input "stages" has ${whole} in "${template}"; accepted are {os}, {arch}, {variant} and {platform}.`,
        );
      return value;
    });
    return resolve(workspace, filled);
  };
}

const LEVELS: Readonly<Record<string, number>> = { gzip: 9, zstd: 22, none: 0 };

function levelOf({ compression, 'compression-level': level }: Given): number | undefined {
  const most = LEVELS[compression]!;
  if (level === undefined) return undefined;
  if (!Number.isInteger(level) || level < 1 || level > most)
    throw new Failure(
      most === 0
        ? 'Input "compression-level" has no meaning with compression: none; leave it out.'
        : `Input "compression-level" is ${level}; ${compression} takes 1 to ${most}.`,
    );
  return level;
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds of `12h`, `7d`, `1d12h`; 0 for never. */
function maxAgeOf(text: string): number {
  const given = text.trim().toLowerCase();
  if (/^0[smhdw]?$/.test(given)) return 0;
  if (!/^(?:\d+[smhdw])+$/.test(given))
    throw new Failure(
      `Input "max-age" is "${text}"; accepted is a time such as 12h, 7d or 1d12h, or 0 for never.${
        /^\d+$/.test(given) ? ` Did you mean ${given}h or ${given}d?` : ''
      }`,
    );
  const parts = [...given.matchAll(/(\d+)([smhdw])/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * SECONDS[unit!]!, 0);
}

/** What can change what a RUN does, whatever it says. */
function surroundingsOf(inputs: Given): RunSurroundings {
  const secrets = named('secrets', () => parseSecrets(inputs.secrets)).map(({ id }) => id);
  const others = [...inputs['secret-envs'], ...inputs['secret-files']].map((line) => idOf(line));
  const token = inputs['github-token'] === '' ? [] : ['GIT_AUTH_TOKEN'];
  return {
    network: text(inputs.network),
    addHosts: inputs['add-hosts'],
    ulimit: inputs.ulimit,
    shmSize: text(inputs['shm-size']),
    cgroupParent: text(inputs['cgroup-parent']),
    secrets: [...secrets, ...others, ...token],
    ssh: inputs.ssh.map(idOf),
    again: inputs['no-cache-filters'],
  };
}

/** The name before the first `=`. */
function idOf(line: string): string {
  return line.replace(/=.*$/s, '').trim();
}

/** The last second that RFC 3339 can write. */
const LATEST = 253_402_300_799;

function epochOf(given: number | undefined, env: Environment): number {
  const text = given === undefined ? (env.SOURCE_DATE_EPOCH ?? '') : String(given);
  if (text === '') return 0;
  const epoch = Number(text);
  if (Number.isInteger(epoch) && epoch >= 0 && epoch <= LATEST) return epoch;
  const name = given === undefined ? 'The variable SOURCE_DATE_EPOCH' : 'Input "source-date-epoch"';
  throw new Failure(`${name} is "${text}"; accepted are whole seconds since 1970.`);
}

/** How a builder is asked, where one is needed. Values of secrets are masked from here on. */
export function readBuilder(host: Host, inputs: Given, env: Environment = process.env): BuilderSettings {
  return {
    builder: text(inputs.builder),
    program: undefined,
    addHosts: inputs['add-hosts'],
    allow: inputs.allow,
    attests: builderAttestations(inputs),
    cacheFrom: inputs['cache-from'],
    cacheTo: inputs['cache-to'],
    cgroupParent: text(inputs['cgroup-parent']),
    network: text(inputs.network),
    noCache: inputs['no-cache'],
    noCacheFilters: inputs['no-cache-filters'],
    pull: inputs.pull,
    secrets: readSecrets(host, inputs, env),
    ssh: inputs.ssh,
    shmSize: text(inputs['shm-size']),
    ulimit: inputs.ulimit,
  };
}

/**
 * Whether an image may be taken by the tag of its key, and be given it. Not for a run of a tag: whoever may push to the registry may
 * have moved that tag, and what is released is made from the commit.
 */
export function keyTagUse(
  inputs: Pick<Given, 'reuse-tag'>,
  run: RunContext,
): { read: boolean; write: boolean } {
  const wanted = inputs['reuse-tag'];
  return { read: wanted && run.tag === undefined, write: wanted && run.trusted };
}

function text(value: string): string | undefined {
  return value === '' ? undefined : value;
}

function readSecrets(host: Host, inputs: Given, env: Environment): BuilderSecret[] {
  const values = named('secrets', () => parseSecrets(inputs.secrets));
  for (const { value } of values) host.secret(value);
  const variables = Object.entries(pairs('secret-envs', inputs['secret-envs'])).map(([id, variable]) => ({
    id,
    variable,
  }));
  for (const { variable } of variables) host.secret(env[variable] ?? '');
  const files = Object.entries(pairs('secret-files', inputs['secret-files'])).map(([id, path]) => ({
    id,
    file: resolve(host.workspace, path),
  }));
  const token = inputs['github-token'];
  const given = [...values, ...variables, ...files];
  if (token === '' || given.some(({ id }) => id.startsWith('GIT_AUTH_TOKEN'))) return given;
  return [...given, { id: 'GIT_AUTH_TOKEN', value: token }];
}
