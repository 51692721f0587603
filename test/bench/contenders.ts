import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../shared/exec/index.ts';
import { docker, type Engine } from '../lab/index.ts';
import { empty, type Service } from './service.ts';

/** The same job for all: a binary for each target, and the image for linux/amd64 under a tag of the registry. */
export interface Job {
  readonly service: Service;
  readonly targets: readonly string[];
  readonly reference: string;
}

export interface Contender {
  readonly name: string;
  /** Makes the machine one that has never seen the job; what a cache service or a registry holds stays. */
  renew(job: Job): Promise<void>;
  /** Forgets what a cache service holds. */
  forget(): Promise<void>;
  /** The whole job, with what it restores first and saves last. */
  run(job: Job): Promise<void>;
}

export interface Bench {
  readonly engine: Engine;
  /** Folder of the contender's own: its caches on the machine, and its part of the cache service. */
  readonly directory: string;
  readonly buildContexts: readonly string[];
}

const project = join(import.meta.dirname, '../..');
const machineOf = (bench: Bench) => join(bench.directory, 'machine');
const serviceOf = (bench: Bench) => join(bench.directory, 'cache-service');

/** Caches of its own: contenders must not warm each other's. */
function environment(bench: Bench): Record<string, string | undefined> {
  const machine = machineOf(bench);
  return {
    ...process.env,
    HOME: machine,
    XDG_CACHE_HOME: join(machine, 'xdg'),
    GOCACHE: join(machine, 'go-build'),
    GOMODCACHE: join(machine, 'mod'),
    GOFLAGS: '-buildvcs=false',
  };
}

/** `slipway up`, which ends with the post step too. On a runner its Go caches are in the cache service. */
export function slipway(bench: Bench, where: 'machine' | 'runner'): Contender {
  const configuration =
    where === 'runner' ? `build:\n  cache: directory\n  cache-directory: ${serviceOf(bench)}\n` : '';
  return {
    name: 'slipway up',
    forget: () => empty(serviceOf(bench)),
    async renew({ service }) {
      await empty(machineOf(bench));
      await empty(join(service.directory, '.slipway'));
      await empty(join(service.directory, 'dist'));
    },
    async run({ service, targets, reference }) {
      await writeFile(join(service.directory, 'slipway.yml'), configuration);
      await run({
        program: join(project, 'bin', 'slipway'),
        args: ['up', '.', '--targets', targets.join(','), '--platforms', 'linux/amd64', '--push', reference],
        cwd: service.directory,
        env: environment(bench),
      });
    },
  };
}

/** What people have today: the binaries by `go build`, the image by its Dockerfile. On a runner as actions/setup-go keeps caches. */
export function goBuildAndBuildx(bench: Bench, where: 'machine' | 'runner'): Contender {
  const go = async (job: Job) => goBuild(bench, job);
  return {
    name: where === 'runner' ? 'setup-go, go build, buildx' : 'go build, buildx',
    ...theirs(bench),
    async run(job) {
      if (where === 'runner') await withSetupGo(bench, job, () => go(job));
      else await go(job);
      await buildx(bench, job, []);
    },
  };
}

/** What a careful person writes by hand: the binary that is there takes the place of the build stage. */
export function goBuildHandedIn(bench: Bench, where: 'machine' | 'runner'): Contender {
  const go = async (job: Job) => goBuild(bench, job);
  return {
    name: `${goBuildAndBuildx(bench, where).name} with the stage handed in`,
    ...theirs(bench),
    async run(job) {
      if (where === 'runner') await withSetupGo(bench, job, () => go(job));
      else await go(job);
      await buildx(bench, job, ['--build-context', `build=${stageOf(bench, 'linux/amd64')}`]);
    },
  };
}

function theirs(bench: Bench): Pick<Contender, 'forget' | 'renew'> {
  return {
    forget: () => empty(serviceOf(bench)),
    async renew() {
      await empty(machineOf(bench));
      await docker(bench.engine, ['builder', 'prune', '--all', '--force']);
      await docker(bench.engine, ['image', 'prune', '--all', '--force']);
    },
  };
}

const stageOf = (bench: Bench, target: string) => join(machineOf(bench), target.replace('/', '-'));

/** In turn, as a script has it: each `go build` uses all cores. */
async function goBuild(bench: Bench, { service, targets }: Job): Promise<void> {
  for (const target of targets) {
    const [os, arch] = target.split('/') as [string, string];
    const output = join(stageOf(bench, target), 'out', 'storefront');
    await mkdir(join(output, '..'), { recursive: true });
    await run({
      program: 'go',
      args: ['build', '-trimpath', '-ldflags', '-s -w', '-o', output, './cmd/storefront'],
      cwd: service.directory,
      env: { ...environment(bench), GOOS: os, GOARCH: arch, CGO_ENABLED: '0' },
    });
  }
}

/** Both caches in one archive under the exact digest of go.sum, saved only when that was not there: actions/setup-go with its defaults. */
async function withSetupGo(bench: Bench, { service }: Job, work: () => Promise<void>): Promise<void> {
  const sums = await readFile(join(service.directory, 'go.sum'));
  const entry = join(serviceOf(bench), `${createHash('sha256').update(sums).digest('hex')}.tzst`);
  const tar = (...args: readonly string[]) =>
    run({
      program: 'tar',
      args: ['--use-compress-program', 'zstd -T0', '--directory', machineOf(bench), ...args],
    });
  const hit = existsSync(entry);
  if (hit) await tar('--extract', '--file', entry);
  await work();
  if (!hit) await tar('--create', '--file', entry, 'go-build', 'mod');
}

async function buildx(
  { engine, buildContexts }: Bench,
  { service, reference }: Job,
  more: readonly string[],
): Promise<void> {
  // biome-ignore format: a flag with its value
  await docker(engine, [
    'buildx', 'build', ...buildContexts, ...more, '--provenance=false', '--tag', reference, '--push', service.directory,
  ]);
}
