import { mkdir, rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { freshRegistry } from '../../lab/index.ts';
import { labRoot } from '../../lab/place.ts';
import { type BaseSource, type Bases, publishBases } from './bases.ts';
import { bootBuilder, type FreshBuilder } from './builder.ts';
import { BUILDER, type Contender, type Job } from './contenders/index.ts';
import { type Example, type Scenario, scenarios, serviceScenarios } from './examples.ts';
import type { ShapeName } from './link.ts';
import { MemoryWatch } from './memory.ts';
import type { BenchNetwork } from './network.ts';
import { type Commit, Repository } from './repository.ts';
import type { Sample } from './results.ts';
import { FreshRunner, type Surroundings } from './runner.ts';
import { diffIds, verifyImage } from './verify.ts';

export interface Setting {
  readonly network: BenchNetwork;
  readonly around: Pick<Surroundings, 'engine' | 'modules' | 'bundles'>;
  readonly bases: Pick<BaseSource, 'crane' | 'lab' | 'modules'>;
  /** Folder for all that is made and thrown away. */
  readonly directory: string;
  /** What the figures are measured on. */
  readonly machine: string;
  readonly log: (line: string) => void;
}

export interface Group {
  readonly example: Example;
  /** Each scenario is measured under each of them, on the state that the one before left; cold under the first alone. */
  readonly shapes: readonly ShapeName[];
  readonly round: number;
  readonly contenders: readonly Contender[];
  readonly wanted: readonly Scenario[];
  /** Folders of a repository with several such services; undefined: one, at its root. */
  readonly services: readonly string[] | undefined;
}

const REVISION = 'org.opencontainers.image.revision';

/**
 * One round: an empty registry and empty cache services, the example's repository at its first commit; then, scenario by scenario, a
 * commit and each contender in turn, on a machine that has never seen it. The cold run is made in any case, since the others need what
 * it leaves behind.
 */
export async function measureRound(
  setting: Setting,
  group: Group,
  keep: (sample: Sample) => Promise<void>,
): Promise<void> {
  const { network, directory } = setting;
  const { example, round, contenders } = group;
  const registry = await freshRegistry();
  const caches = new Map<string, string>();
  await using _registry = {
    async [Symbol.asyncDispose]() {
      await network.shape('loopback');
      await network.forgetCaches();
      await registry[Symbol.asyncDispose]();
      await rm(registry.storage, { recursive: true, force: true });
    },
  };
  const proxy = await network.registry(registry.host);
  for (const { id } of contenders) caches.set(id, await network.cache(id));
  const source = { ...setting.bases, registry: registry.host, proxy };
  let bases = await publishBases(source, 1);
  const { services } = group;
  const place = join(directory, 'repository');
  const repository = await Repository.create(example, place, bases, services);
  let [label, revision] = [0, 1];
  for (const { scenario, shape } of turns(group)) {
    if (scenario === 'base changed') bases = await publishBases(source, ++revision);
    if (scenario !== 'unchanged') label++;
    const commit = await repository.commit(scenario, round, bases);
    const base = example.scratch ? [] : await diffIds(registry.host, ...parse(bases.final));
    for (const contender of contenders) {
      const turn: Turn = {
        ...{ setting, contender, repository, commit, bases, example, shape, scenario, round },
        ...{ registry: registry.host, proxy, cache: caches.get(contender.id)!, base },
        labels: { [REVISION]: `bench-${round}-${label}` },
        services,
        warm: scenario === 'cold' && !group.wanted.includes('cold'),
      };
      const sample = await measureOne(turn);
      setting.log(describe(contender, sample));
      // Services from nothing are no scenario of their own: they are there for what they leave behind.
      if (!turn.warm && (services === undefined || scenario !== 'cold')) await keep(sample);
    }
  }
}

function turns({ wanted, shapes, services }: Group): { scenario: Scenario; shape: ShapeName }[] {
  const ofServices = services?.length === 1 ? serviceScenarios.slice(1) : serviceScenarios.slice(0, 1);
  const order: readonly Scenario[] = services === undefined ? scenarios.slice(1) : ofServices;
  const asked = order.filter((scenario) => wanted.includes(scenario));
  return [
    { scenario: 'cold', shape: shapes[0]! },
    ...asked.flatMap((scenario) => shapes.map((shape) => ({ scenario, shape }))),
  ];
}

interface Turn {
  readonly setting: Setting;
  readonly contender: Contender;
  readonly repository: Repository;
  readonly commit: Commit;
  readonly bases: Bases;
  readonly example: Example;
  readonly shape: ShapeName;
  readonly scenario: Scenario;
  readonly round: number;
  readonly registry: string;
  readonly proxy: string;
  readonly cache: string;
  readonly base: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly services: readonly string[] | undefined;
  /** Not measured, but made for what it leaves behind: Go's caches may be there. */
  readonly warm: boolean;
}

async function measureOne(turn: Turn): Promise<Sample> {
  const { setting, contender, example, commit } = turn;
  const { network } = setting;
  const parent = join(setting.directory, 'runners');
  await mkdir(parent, { recursive: true });
  const around = { ...setting.around, cache: turn.cache, repository: `example/${example.name}` };
  await using runner = await FreshRunner.create(parent, around, commit, (into) =>
    turn.repository.checkout(into),
  );
  const name = `bench/${contender.id}/${example.name}`;
  const job: Job = {
    ...{ example, commit, runner, bases: turn.bases, labels: turn.labels, services: turn.services },
    repository: `${turn.proxy}/${name}`,
  };
  if (turn.warm) await warm(runner, example, turn.services?.[0] ?? '.');
  const load = loadavg()[0]!;
  await network.shape(turn.shape);
  await network.traffic(contender.id);
  using memory = new MemoryWatch();
  await using builder = contender.builder === 'none' ? undefined : await ready(runner);
  const started = performance.now();
  const failed = await contender.run(job).then(
    () => undefined,
    (error: Error) => error,
  );
  const wall = performance.now() - started;
  const boot = builder !== undefined && (await counts(contender, builder)) ? builder.ready : 0;
  const traffic = await network.traffic(contender.id);
  await network.shape('loopback');
  const wrong = failed === undefined ? await problemsOf(turn, name) : failed.message;
  if (failed === undefined) await contender.after?.(job);
  return {
    ...{ example: example.name, shape: turn.shape, scenario: turn.scenario, contender: contender.id },
    ...{ round: turn.round, milliseconds: wall + boot, boot, steps: runner.steps, traffic, load },
    memory: memory.peak,
    ...(wrong !== undefined && { wrong }),
    at: new Date().toISOString(),
    on: setting.machine,
  };
}

/**
 * Gives a runner Go's caches as a build of the example's first commit leaves them, so that what is not measured does not take minutes.
 * Kept from run to run in the lab's folder, filled by Go itself.
 */
async function warm(runner: FreshRunner, example: Example, folder: string): Promise<void> {
  const kept = join(labRoot, 'bench-go', example.name);
  const caches = { GOCACHE: join(kept, 'go-build'), GOMODCACHE: join(kept, 'mod') };
  for (const folder of Object.values(caches)) await mkdir(folder, { recursive: true });
  await runner.call({
    program: 'go',
    args: ['build', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w', '-o', '/dev/null', example.package],
    cwd: join(runner.workspace, folder),
    env: { ...caches, CGO_ENABLED: '0' },
  });
  const places = { 'go-build': '.cache/go-build', mod: 'go/pkg/mod' };
  for (const [from, to] of Object.entries(places)) {
    await mkdir(join(runner.home, to, '..'), { recursive: true });
    await runner.call({ program: 'cp', args: ['--archive', join(kept, from), join(runner.home, to)] });
  }
  // Go marks what it uses by its time, but not more than once an hour: who prunes by that has to see it.
  const objects = join(runner.home, places['go-build']);
  await runner.call({
    program: 'find',
    args: [objects, '-type', 'f', '-exec', 'touch', '-d', '2 days ago', '{}', '+'],
  });
}

/** The builder, with the time until buildx could build on it. */
async function ready(runner: FreshRunner): Promise<FreshBuilder & { readonly ready: number }> {
  const builder = await bootBuilder();
  const started = performance.now();
  // biome-ignore format: a flag with its value
  await runner.call({
    program: 'docker',
    args: ['buildx', 'create', '--name', BUILDER, '--driver', 'remote', '--use', builder.address],
  });
  return { ...builder, ready: builder.boot + performance.now() - started };
}

async function counts(contender: Contender, builder: FreshBuilder): Promise<boolean> {
  return contender.builder === 'boots' || (await builder.used());
}

async function problemsOf(turn: Turn, repository: string): Promise<string | undefined> {
  const { contender, commit, labels, base, registry } = turn;
  if (!contender.pushes) return undefined;
  const problems: string[] = [];
  for (const [index, service] of (turn.services ?? ['']).entries()) {
    // Only the first service was edited.
    const expected = { markers: index === 0 ? commit.markers : [], labels, base };
    const name = service === '' ? repository : `${repository}/${service}`;
    problems.push(...(await verifyImage(registry, name, 'latest', expected)));
  }
  return problems.length === 0 ? undefined : `the image is not what was asked for: ${problems.join('; ')}`;
}

function parse(reference: string): [string, string] {
  const match = /^[^/]+\/(.*):([^:]+)$/.exec(reference)!;
  return [match[1]!, match[2]!];
}

function describe({ name }: Contender, sample: Sample): string {
  const { example, shape, scenario, round, milliseconds, traffic, steps, wrong } = sample;
  const moved = Object.entries(traffic).map(([server, { up, down }]) => {
    const [sent, received] = [up, down].map((bytes) => (bytes / 1e6).toFixed(1));
    return `${server} ${sent}/${received}`;
  });
  const parts = Object.entries(steps).map(([step, time]) => `${step} ${(time / 1000).toFixed(1)}`);
  return [
    `${example}, ${shape}, round ${round}, ${scenario}, ${name}: ${(milliseconds / 1000).toFixed(2)} s`,
    `(${parts.join(', ')}), MB up/down: ${moved.join(', ')}`,
    ...(wrong === undefined ? [] : [`WRONG: ${wrong}`]),
  ].join(' ');
}
