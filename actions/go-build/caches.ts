import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Store } from '../../shared/cache/index.ts';
import { OWN_FOLDER } from '../../shared/content/index.ts';
import {
  type CacheRun,
  type GoCache,
  type GoEnvironment,
  type GoIdentity,
  type GoPlan,
  modulesCache,
  objectsCache,
  programsCache,
  type RestoredCache,
  restoreGoCaches,
  saveGoCaches,
} from '../../shared/go/index.ts';
import type { Host, RunContext, Task } from '../../shared/host/index.ts';

/** What the post step has to know, in a file: it holds a name for every cached object, more than a step's state should. */
interface Memory {
  readonly restored: readonly RestoredCache[];
  readonly complete: boolean;
}

const STATE = 'go-build-caches';

/** A step that has caches of several kinds keeps each under a name of its own. */
type StateName = string;

/** The caches of one go-build step, from restoring before the build to saving in the post step. */
export class StepCaches {
  readonly #host: Host;
  readonly #store: Store | undefined;
  readonly #state: StateName;
  readonly #asked = new Map<string, Promise<void>>();
  #restored: RestoredCache[] = [];
  #file: string | undefined;

  constructor(host: Host, store: Store | undefined, state: StateName = STATE) {
    this.#host = host;
    this.#store = store;
    this.#state = state;
  }

  /**
   * Brings programs of earlier runs onto a machine that has none, before the plan is made. Not for tags: what is released is
   * compiled from the commit, and not taken from a cache.
   */
  async restorePrograms(identity: GoIdentity, task: Task): Promise<void> {
    const store = this.#store;
    if (store === undefined || this.#host.run.tag !== undefined || identity.request.reuse === false) return;
    const cache = programsCache(identity, cacheRun(this.#host.run));
    if (existsSync(cache.folder)) return;
    this.#restored.push(...(await restoreGoCaches(store, [cache], task, this.#options())));
  }

  /**
   * Brings modules before Go downloads them to make the plan. Not the compiled packages: it is not known yet whether anything has to
   * be built.
   */
  async restoreModules(
    environment: GoEnvironment,
    what: Pick<GoPlan, 'module' | 'flags'>,
    task: Task,
  ): Promise<void> {
    const store = this.#store;
    const modules = modulesCache(what, environment);
    if (store === undefined || modules === undefined || this.#has(modules)) return;
    this.#restored.push(...(await restoreGoCaches(store, [modules], task, this.#options())));
  }

  /** Whether the cache was asked for before: the plan's go command, or another plan of the same module. */
  #has({ key, folder }: GoCache): boolean {
    return this.#restored.some(({ cache }) => cache.key === key && cache.folder === folder);
  }

  /** Brings modules and compiled packages, once it is known that something has to be built. */
  async restoreForBuild(environment: GoEnvironment, plan: GoPlan, task: Task): Promise<void> {
    const store = this.#store;
    if (store === undefined) return;
    const run = cacheRun(this.#host.run);
    const caches = [objectsCache(plan, environment, run), modulesCache(plan, environment)]
      .filter((cache) => cache !== undefined)
      .filter((cache) => !this.#has(cache));
    this.#restored.push(...(await restoreGoCaches(store, caches, task, this.#options())));
    const programs = programsCache(plan, run);
    if (!this.#restored.some(({ cache }) => cache.kind === 'programs' && cache.folder === programs.folder))
      this.#restored.push({ cache: programs, since: Date.now(), exact: false, files: {} });
    // Of this step alone: a job may build the same module in several, and their post steps run when all have ended.
    this.#file ??= join(plan.module.root, OWN_FOLDER, 'go', `caches-${randomUUID()}.json`);
    this.#remember(false);
  }

  /** Brings the caches of builds that have no plan, each once; `folder` is one of Slipway's own, which the post step finds again. */
  async restoreOnce(
    caches: (run: CacheRun) => readonly (GoCache | undefined)[],
    folder: string,
    task: Task,
  ): Promise<void> {
    const store = this.#store;
    if (store === undefined) return;
    const wanted = caches(cacheRun(this.#host.run)).filter((cache) => cache !== undefined);
    for (const cache of wanted) {
      if (this.#asked.has(cache.key)) continue;
      const restored = restoreGoCaches(store, [cache], task, this.#options());
      this.#asked.set(
        cache.key,
        restored.then((one) => void this.#restored.push(...one)),
      );
    }
    await Promise.all(wanted.map(({ key }) => this.#asked.get(key)));
    this.#file ??= join(folder, `go-caches-${randomUUID()}.json`);
    this.#remember(false);
  }

  /** After a build that succeeded: what is saved is whole. */
  built(): void {
    if (this.#file !== undefined) this.#remember(true);
  }

  #remember(complete: boolean): void {
    const memory: Memory = { restored: this.#restored, complete };
    mkdirSync(dirname(this.#file!), { recursive: true });
    writeFileSync(this.#file!, JSON.stringify(memory));
    this.#host.saveState(this.#state, this.#file!);
  }

  #options() {
    return { temporary: this.#host.temporary, signal: this.#host.signal };
  }
}

function cacheRun({ branch, baseBranch, defaultBranch, sha }: RunContext): CacheRun {
  return { branch, baseBranch, defaultBranch, sha: sha ?? Date.now().toString(36) };
}

/** Whether `main` came so far that there is something to save. */
export function hasStepCaches(host: Host, state: StateName = STATE): boolean {
  return (host.state(state) ?? '') !== '';
}

/** The post step: saves what the build gained, also when it failed or a later step did. */
export async function saveStepCaches(
  host: Host,
  openStore: () => Store | undefined,
  state: StateName = STATE,
): Promise<void> {
  if (!hasStepCaches(host, state)) return;
  const file = host.state(state)!;
  if (!existsSync(file)) return host.log('Nothing is saved: a later step has emptied the workspace.');
  const memory = JSON.parse(readFileSync(file, 'utf8')) as Memory;
  rmSync(file, { force: true });
  const store = openStore();
  if (store === undefined) return;
  if (!host.run.trusted) {
    host.log(
      'Nothing is saved: this run carries code that is not trusted, and other runs would restore what it saves.',
    );
    return;
  }
  const caches = memory.complete ? memory.restored : memory.restored.flatMap(partial);
  const saved = await saveGoCaches(store, caches, host, { temporary: host.temporary, signal: host.signal });
  const failed = saved.filter(({ outcome }) => outcome.kind === 'failed');
  for (const { kind, outcome } of failed)
    if (outcome.kind === 'failed')
      host.annotate({
        level: 'warning',
        message: `The ${kind} of this build were not saved: ${outcome.because}.`,
      });
}

/** A build that failed leaves compiled packages worth keeping, but not under the key of the whole. */
function partial(restored: RestoredCache): RestoredCache[] {
  const { cache } = restored;
  if (cache.kind !== 'objects') return [];
  return [
    {
      ...restored,
      exact: false,
      cache: { ...cache, key: `${cache.key}-partial-${Date.now().toString(36)}` },
    },
  ];
}
