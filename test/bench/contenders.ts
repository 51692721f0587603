import { mkdir } from 'node:fs/promises';
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
  /** Forgets everything that an earlier run kept. */
  forget(job: Job): Promise<void>;
  run(job: Job): Promise<void>;
}

export interface Bench {
  readonly engine: Engine;
  /** A folder for the caches of one contender. */
  readonly caches: string;
  readonly buildContexts: readonly string[];
}

const project = join(import.meta.dirname, '../..');

/** Caches of its own: contenders must not warm each other's. */
function environment(caches: string): Record<string, string | undefined> {
  return {
    ...process.env,
    HOME: caches,
    XDG_CACHE_HOME: join(caches, 'xdg'),
    GOCACHE: join(caches, 'go-build'),
    GOMODCACHE: join(caches, 'mod'),
    GOFLAGS: '-buildvcs=false',
  };
}

export function slipway({ caches }: Bench): Contender {
  return {
    name: 'slipway up',
    async forget({ service }) {
      await empty(caches);
      await empty(join(service.directory, '.slipway'));
    },
    async run({ service, targets, reference }) {
      await run({
        program: join(project, 'bin', 'slipway'),
        args: ['up', '.', '--targets', targets.join(','), '--platforms', 'linux/amd64', '--push', reference],
        cwd: service.directory,
        env: environment(caches),
      });
    },
  };
}

export function goBuildAndBuildx(bench: Bench): Contender {
  return {
    name: 'go build + buildx',
    forget: () => forgetGoAndBuilder(bench),
    async run(job) {
      await goBuild(bench, job);
      await buildx(bench, job, []);
    },
  };
}

/** What a careful person writes by hand: the binary that is there takes the place of the build stage. */
export function goBuildHandedIn(bench: Bench): Contender {
  return {
    name: 'go build, handed in',
    forget: () => forgetGoAndBuilder(bench),
    async run(job) {
      await goBuild(bench, job);
      const stage = join(bench.caches, 'linux-amd64');
      await buildx(bench, job, ['--build-context', `build=${stage}`]);
    },
  };
}

async function forgetGoAndBuilder({ engine, caches }: Bench): Promise<void> {
  await empty(caches);
  await docker(engine, ['builder', 'prune', '--all', '--force']);
  await docker(engine, ['image', 'prune', '--all', '--force']);
}

/** In turn, as a script has it: each `go build` uses all cores. */
async function goBuild({ caches }: Bench, { service, targets }: Job): Promise<void> {
  for (const target of targets) {
    const [os, arch] = target.split('/') as [string, string];
    const output = join(caches, `${os}-${arch}`, 'out', 'storefront');
    await mkdir(join(output, '..'), { recursive: true });
    await run({
      program: 'go',
      args: ['build', '-trimpath', '-ldflags', '-s -w', '-o', output, './cmd/storefront'],
      cwd: service.directory,
      env: { ...environment(caches), GOOS: os, GOARCH: arch, CGO_ENABLED: '0' },
    });
  }
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
