import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { baseImages, engine, openSession, type Part, type Registry, registry } from '../lab/index.ts';
import { type Contender, goBuildAndBuildx, goBuildHandedIn, type Job, slipway } from './contenders.ts';
import { copyStorefront, edit, type Scenario, scenarios } from './service.ts';
import { median, megabytes, seconds, table } from './table.ts';

interface Sample {
  readonly contender: string;
  readonly scenario: Scenario;
  readonly milliseconds: number;
  /** Bytes that the registry keeps of it, and bytes that it gave out. */
  readonly pushed: number;
  readonly pulled: number;
}

const oneTarget = ['linux/amd64'];
const fourTargets = ['linux/amd64', 'linux/arm64', 'windows/amd64', 'darwin/arm64'];

/** From an edit to a published image, by each contender in turn on this machine: one table for each number of targets. */
export async function benchDelivery(rounds: number): Promise<string> {
  await using session = await openSession();
  const parts = {
    engine: need(await engine()),
    registry: need(await registry()),
    images: need(await baseImages()),
  };
  const bench = { engine: parts.engine, buildContexts: parts.images.buildContexts };
  const contenders = [slipway, goBuildAndBuildx, goBuildHandedIn].map((make, index) =>
    make({ ...bench, caches: join(session.directory, `caches-${index}`) }),
  );
  const tables = [];
  for (const targets of [oneTarget, fourTargets]) {
    const samples = [];
    for (const contender of contenders)
      samples.push(...(await measureAll(contender, targets, parts.registry, rounds)));
    tables.push(
      `${targets.length} target${targets.length === 1 ? '' : 's'}, ${rounds} rounds\n\n${render(samples)}`,
    );
  }
  return tables.join('\n\n');
}

function need<T extends object>(part: Part<T>): T {
  if (!part.available) throw new Error(`The bench cannot run here: ${part.why}.`);
  return part;
}

async function measureAll(
  contender: Contender,
  targets: readonly string[],
  home: Registry,
  rounds: number,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    await using service = await copyStorefront();
    const reference = `${home.host}/bench-${targets.length}-${round}/${contender.name.replace(/\W+/g, '-')}:latest`;
    const job = { service, targets, reference };
    for (const scenario of scenarios) {
      if (scenario === 'cold') await contender.forget(job);
      await edit(service, scenario, round);
      const sample = await measure(contender, scenario, job, home);
      console.error(
        `  ${contender.name}, ${targets.length} targets, ${scenario}: ${seconds(sample.milliseconds)} s`,
      );
      samples.push(sample);
    }
  }
  return samples;
}

async function measure(contender: Contender, scenario: Scenario, job: Job, home: Registry): Promise<Sample> {
  const [stored, given] = [await storedBytes(home), await givenBytes(home)];
  const started = performance.now();
  await contender.run(job);
  const milliseconds = performance.now() - started;
  return {
    contender: contender.name,
    scenario,
    milliseconds,
    pushed: (await storedBytes(home)) - stored,
    pulled: (await givenBytes(home)) - given,
  };
}

async function storedBytes({ storage }: Registry): Promise<number> {
  const entries = await readdir(storage, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map((file) => stat(join(file.parentPath, file.name)).then((one) => one.size)),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function givenBytes({ log }: Registry): Promise<number> {
  const written = (await readFile(log, 'utf8')).matchAll(/"http\.response\.written":(\d+)/g);
  return [...written].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}

function render(samples: readonly Sample[]): string {
  const names = [...new Set(samples.map((sample) => sample.contender))];
  const of = (contender: string, scenario: Scenario, figure: 'milliseconds' | 'pushed' | 'pulled') =>
    median(
      samples
        .filter((sample) => sample.contender === contender && sample.scenario === scenario)
        .map((sample) => sample[figure]),
    );
  const rows = scenarios.map((scenario) => {
    const [ours, ...theirs] = names.map((name) => of(name, scenario, 'milliseconds'));
    const bytes = names.map(
      (name) => `${megabytes(of(name, scenario, 'pushed'))} / ${megabytes(of(name, scenario, 'pulled'))}`,
    );
    return [
      scenario,
      seconds(ours!),
      ...theirs.flatMap((time) => [seconds(time), `${(time / ours!).toFixed(1)} ×`]),
      ...bytes,
    ];
  });
  const [first, ...rest] = names;
  return table(
    [
      '',
      `${first} s`,
      ...rest.flatMap((name) => [`${name} s`, 'ratio']),
      ...names.map((name) => `${name}: MB in / out`),
    ],
    rows,
  );
}
