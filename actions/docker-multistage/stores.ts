import { existsSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { actionsStore, directoryStore } from '../../shared/cache/index.ts';
import { didYouMean, Failure, type Host, nearest } from '../../shared/host/index.ts';
import {
  type Delivery,
  type ImageRequest,
  type ResultsRun,
  registryResults,
  type StageResults,
  storedResults,
} from '../../shared/image/index.ts';
import {
  formatPlatform,
  parseReference,
  type RegistryClient,
  type Repository,
  registrySource,
  registryTarget,
} from '../../shared/oci/index.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What the input `store` asks for. */
export type StoreChoice =
  | { readonly kind: 'auto' | 'none' | 'actions' }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'registry'; readonly repository: Repository };

const WORDS = ['auto', 'none', 'actions'] as const;
const ACCEPTED =
  'auto, actions, none, a folder such as ./.slipway/results, or a repository such as registry:ghcr.io/org/app-cache';

/** Reads the input `store`; a wrong one is a Failure. A folder has a slash, or is there. */
export function parseStore(text: string, workspace: string): StoreChoice {
  const given = text.trim();
  const word = WORDS.find((one) => one === given);
  if (word !== undefined || given === '') return { kind: word ?? 'auto' };
  const registry = /^registry:(?:\/\/)?(.*)$/.exec(given)?.[1];
  if (registry !== undefined) return { kind: 'registry', repository: repositoryOf(registry, text) };
  const path = resolve(workspace, given);
  if (!/[\\/]/.test(given) && !existsSync(path)) throw unknown(text, given);
  if (/^[a-z][a-z0-9+.-]*:/i.test(given) && !existsSync(path) && !/^[a-z]:[\\/]/i.test(given))
    throw unknown(text, given);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isDirectory())
    throw new Failure(`Input "store" is "${text}", which is a file; accepted is ${ACCEPTED}.`);
  return { kind: 'folder', path };
}

function unknown(text: string, given: string): Failure {
  const near = nearest(given, [...WORDS, 'registry:']) === undefined ? '' : didYouMean(given, WORDS);
  return new Failure(`Input "store" is "${text}"; accepted is ${ACCEPTED}.${near}`);
}

function repositoryOf(name: string, text: string): Repository {
  try {
    const { registry, repository, tag, digest } = parseReference(name);
    if (tag === undefined && digest === undefined) return { registry, repository };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(`Input "store" is "${text}": ${error.message}`, { cause: error });
  }
  const plain = name.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
  throw new Failure(
    `Input "store" is "${text}"; accepted is a repository without tag or digest: registry:${plain}.`,
  );
}

/** Bytes that results of stages may take in a folder of this user. */
const FOLDER_LIMIT = 10e9;

/**
 * Where results of stages are kept. `auto` is the repository that is pushed to, else the Actions cache where it can be reached, else a
 * folder of this user on his own machine. Undefined for nowhere. A run of a Git tag stores and does not look: what is released is made
 * from its commit.
 */
export function openResults(
  host: Host,
  choice: StoreChoice,
  request: ImageRequest,
  deliveries: readonly Delivery[],
  client: RegistryClient,
  env: Environment = process.env,
): StageResults | undefined {
  const run = resultsRun(host, request);
  switch (choice.kind) {
    case 'none':
      return undefined;
    case 'registry': {
      const { repository } = choice;
      const place = {
        source: registrySource(client, repository),
        target: registryTarget(client, repository),
      };
      return registryResults(place, run);
    }
    case 'folder':
      return storedResults(directoryStore(choice.path, { limit: FOLDER_LIMIT }), run);
    case 'actions': {
      const store = actionsStore(env);
      if (store !== undefined) return storedResults(store, run);
      throw new Failure(
        'Input "store" is actions, but this process has no access to a GitHub Actions cache; use a folder, registry:HOST/REPOSITORY, or auto to take what there is.',
      );
    }
    case 'auto':
      return automatic(host, run, deliveries, env);
  }
}

function automatic(
  host: Host,
  run: ResultsRun,
  deliveries: readonly Delivery[],
  env: Environment,
): StageResults | undefined {
  const pushed = deliveries.find((delivery) => delivery.kind === 'registry');
  if (pushed?.kind === 'registry') return registryResults(pushed, run);
  const actions = actionsStore(env);
  if (host.kind === 'github') return actions === undefined ? undefined : storedResults(actions, run);
  const folder = join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'slipway', 'results');
  return storedResults(directoryStore(folder, { limit: FOLDER_LIMIT }), run);
}

function resultsRun({ run, temporary, signal, kind }: Host, request: ImageRequest): ResultsRun {
  const { branch, baseBranch, defaultBranch, trusted, tag, repository } = run;
  const { dockerfile, target, platforms, workspace } = request;
  // A folder of this user holds what all his projects made.
  const where = repository ?? (kind === 'terminal' ? workspace : '');
  return {
    subject: [where, shown(workspace, dockerfile), target ?? '', platforms.map(formatPlatform).join(',')],
    branch,
    baseBranch,
    defaultBranch,
    readable: tag === undefined,
    writable: trusted,
    temporary,
    signal,
  };
}

/** A path that is the same on every machine, where it lies in the workspace. */
export function shown(workspace: string, path: string): string {
  const inside = relative(workspace, path);
  return isAbsolute(inside) ? path : inside.split(sep).join('/');
}
