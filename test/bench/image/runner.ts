import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { type Command, type Finished, run } from '../../../shared/exec/index.ts';
import { engineBin } from '../../lab/engine.ts';
import type { Engine } from '../../lab/index.ts';
import type { Commit } from './repository.ts';

/** Time of each step of a job, in milliseconds and in order. */
export type Steps = Record<string, number>;

export interface Surroundings {
  readonly engine: Engine;
  /** Address of the cache service. */
  readonly cache: string;
  /** `host:port` of the module proxy. */
  readonly modules: string;
  /** Bundles of the actions and of what stands in for others' actions. */
  readonly bundles: string;
  readonly repository: string;
}

/** A step's outputs and state, as a runner reads them from the files that it names. */
export interface ActionStep {
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
}

/**
 * A hosted runner that has just got its job: a checkout, Go and an engine, and no cache of any kind. Steps run in it as actions/runner
 * runs them, with an environment of their own.
 */
export class FreshRunner implements AsyncDisposable {
  readonly steps: Steps = {};
  readonly #folder: string;
  readonly #around: Surroundings;
  readonly #commit: Commit;

  private constructor(folder: string, around: Surroundings, commit: Commit) {
    this.#folder = folder;
    this.#around = around;
    this.#commit = commit;
  }

  static async create(
    parent: string,
    around: Surroundings,
    commit: Commit,
    checkout: (into: string) => Promise<void>,
  ): Promise<FreshRunner> {
    const runner = new FreshRunner(await mkdtemp(join(parent, 'runner-')), around, commit);
    for (const folder of [runner.home, runner.#temporary]) await mkdir(folder);
    await checkout(runner.workspace);
    const event = { repository: { default_branch: 'main', full_name: around.repository } };
    await writeFile(runner.#event, JSON.stringify(event));
    return runner;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Go's module cache is read-only, folders too.
    await run({ program: 'chmod', args: ['-R', 'u+w', this.#folder], accept: [0, 1] });
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  get home(): string {
    return join(this.#folder, 'home');
  }

  get workspace(): string {
    return join(this.#folder, 'work');
  }

  get #temporary(): string {
    return join(this.#folder, 'temp');
  }

  get #event(): string {
    return join(this.#folder, 'event.json');
  }

  /** A `run:` step of the job. */
  step(name: string, command: Pick<Command, 'program' | 'args' | 'env'>): Promise<Finished> {
    return this.timed(name, () => this.call(command));
  }

  /** A program in the checkout, with `env` on top of the job's environment. */
  call(command: Command): Promise<Finished> {
    const env = { ...this.environment(), ...command.env };
    return run({ cwd: this.workspace, timeout: 1_200_000, ...command, env });
  }

  async timed<T>(name: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.steps[name] = (this.steps[name] ?? 0) + performance.now() - started;
    }
  }

  /** A `uses:` step: the main or post script of an action, by its path in the bundles. */
  async action(
    name: string,
    script: string,
    inputs: Readonly<Record<string, string>>,
    state: Readonly<Record<string, string>> = {},
  ): Promise<ActionStep> {
    const folder = await mkdtemp(join(this.#folder, 'commands-'));
    const files = { OUTPUT: join(folder, 'output'), STATE: join(folder, 'state') };
    const summary = join(folder, 'summary');
    for (const file of [...Object.values(files), summary]) await writeFile(file, '');
    const finished = await this.timed(name, () =>
      run({
        program: process.execPath,
        args: [join(this.#around.bundles, script)],
        cwd: this.workspace,
        env: {
          ...this.environment(),
          GITHUB_OUTPUT: files.OUTPUT,
          GITHUB_STATE: files.STATE,
          GITHUB_STEP_SUMMARY: summary,
          ...prefixed('INPUT_', inputs, (input) => input.toUpperCase()),
          ...prefixed('STATE_', state, (key) => key),
        },
        timeout: 1_200_000,
        accept: [0, 1],
      }),
    );
    const log = `${finished.stdout}${finished.stderr}`;
    await this.#keepLog(name, log, await readFile(summary, 'utf8'));
    if (finished.code !== 0) throw new Error(`${name} failed:\n${log.slice(-4000)}`);
    return {
      outputs: readKeyValues(await readFile(files.OUTPUT, 'utf8')),
      state: readKeyValues(await readFile(files.STATE, 'utf8')),
    };
  }

  /** What actions said, for those who look for where the time goes: SLIPWAY_BENCH_LOGS names a folder. */
  async #keepLog(name: string, log: string, summary: string): Promise<void> {
    const folder = process.env.SLIPWAY_BENCH_LOGS;
    if (folder === undefined) return;
    await mkdir(folder, { recursive: true });
    const stamp = new Date().toISOString().replace(/[:.]/g, '-');
    await writeFile(join(folder, `${stamp} ${name.replaceAll('/', '-')}.md`), `${log}\n\n${summary}`);
  }

  /** What a job on a hosted runner sees; nothing of this machine's caches and settings. */
  environment(): Record<string, string> {
    const { engine, cache, modules, repository } = this.#around;
    const passed = Object.entries(process.env).filter(([name]) => /^(SSL_CERT_|LANG$)/.test(name));
    const path = [engineBin, dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter)];
    return {
      ...(Object.fromEntries(passed) as Record<string, string>),
      ...engine.env,
      PATH: path.join(delimiter),
      HOME: this.home,
      BUILDX_CONFIG: join(this.home, '.docker', 'buildx'),
      GOPROXY: `http://${modules}`,
      GOSUMDB: 'off',
      GOTOOLCHAIN: 'local',
      CI: 'true',
      RUNNER_OS: 'Linux',
      RUNNER_ARCH: 'X64',
      RUNNER_TEMP: this.#temporary,
      GITHUB_ACTIONS: 'true',
      GITHUB_WORKSPACE: this.workspace,
      GITHUB_REPOSITORY: repository,
      GITHUB_EVENT_NAME: 'push',
      GITHUB_EVENT_PATH: this.#event,
      GITHUB_REF: 'refs/heads/main',
      GITHUB_REF_NAME: 'main',
      GITHUB_REF_TYPE: 'branch',
      GITHUB_SHA: this.#commit.sha,
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_RUN_ID: '1',
      ACTIONS_RUNTIME_TOKEN: 'token',
      ACTIONS_RESULTS_URL: cache,
      ACTIONS_CACHE_SERVICE_V2: 'true',
    };
  }
}

function prefixed(
  prefix: string,
  values: Readonly<Record<string, string>>,
  rename: (name: string) => string,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${prefix}${rename(name)}`, value]),
  );
}

function readKeyValues(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const match of text.matchAll(/^(.+?)<<(\S+)\n([\s\S]*?)\n?\2$/gm)) values[match[1]!] = match[3]!;
  return values;
}
