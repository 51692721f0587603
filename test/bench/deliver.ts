import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { baseImages, engine, openSession, type Part, type Registry, registry } from '../lab/index.ts';
import { type Contender, goBuildAndBuildx, goBuildHandedIn, type Job, slipway } from './contenders.ts';
import { copyStorefront, edit, type Scenario, scenarios } from './service.ts';
import { median, megabytes, seconds, table } from './table.ts';

/** A developer's machine keeps what it has; a hosted runner is new each time, and has a cache service. */
export type Where = 'machine' | 'runner';

interface Sample {
  readonly contender: string;
  readonly scenario: Scenario;
  readonly milliseconds: number;
  /** Bytes that the registry keeps of it, and bytes that it gave out. */
  readonly pushed: number;
  readonly pulled: number;
}

const targetLists = [
  ['linux/amd64'],
  ['linux/amd64', 'linux/arm64', 'windows/amd64', 'darwin/arm64'],
] as const;

/** From an edit to a published image, by each contender in turn on this machine: one table for each number of targets. */
export async function benchDelivery(where: Where, rounds: number): Promise<string> {
  await using session = await openSession();
  const home = need(await registry());
  const bench = { engine: need(await engine()), buildContexts: need(await baseImages()).buildContexts };
  const contenders = [slipway, goBuildAndBuildx, goBuildHandedIn].map((make, index) =>
    make({ ...bench, directory: join(session.directory, `bench-${where}-${index}`) }, where),
  );
  const tables = [];
  for (const targets of targetLists) {
    const samples = [];
    for (const contender of contenders)
      samples.push(...(await measureAll(contender, where, targets, home, rounds)));
    tables.push(
      `**${targets.length === 1 ? 'One target' : `${targets.length} targets`}**, median of ${rounds}\n\n${render(samples)}`,
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
  where: Where,
  targets: readonly string[],
  home: Registry,
  rounds: number,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    await using service = await copyStorefront();
    const repository = `bench-${where}-${targets.length}-${round}/${contender.name.replace(/\W+/g, '-')}`;
    const job = { service, targets, reference: `${home.host}/${repository}:latest` };
    for (const scenario of scenarios) {
      if (scenario === 'cold') await contender.forget();
      if (scenario === 'cold' || where === 'runner') await contender.renew(job);
      await edit(service, scenario, round);
      const sample = await measure(contender, scenario, job, home);
      console.error(
        `${where}, ${targets.length}, ${contender.name}, ${scenario}: ${seconds(sample.milliseconds)} s`,
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
  const rows = scenarios.flatMap((scenario) => {
    const of = (name: string, figure: 'milliseconds' | 'pushed' | 'pulled') =>
      median(
        samples
          .filter((sample) => sample.contender === name && sample.scenario === scenario)
          .map((sample) => sample[figure]),
      );
    const ours = of(names[0]!, 'milliseconds');
    return names.map((name, index) => [
      index === 0 ? scenario : '',
      name,
      seconds(of(name, 'milliseconds')),
      index === 0 ? '' : `${(of(name, 'milliseconds') / ours).toFixed(1)} ×`,
      megabytes(of(name, 'pushed')),
      megabytes(of(name, 'pulled')),
    ]);
  });
  return table(['', 'by', 's', 'of ours', 'MB to registry', 'MB from registry'], rows, 2);
}
