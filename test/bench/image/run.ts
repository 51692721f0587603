// `npm run bench:image [-- --example NAME]… [--scenario NAME]… [--contender ID]… [--shape NAME]… [--only PART]… [--rounds N] [--write]`
// Measures how long a fresh runner takes from a commit to the image in the registry, ours and others' ways. It prints tables and
// judges nothing; --write keeps the figures in test/bench/results/image.json and the tables of all kept ones in docs/benchmarks.md.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '../../../shared/exec/index.ts';
import { crane, engine, ko, openSession, type Part, registry } from '../../lab/index.ts';
import { keep } from '../keep.ts';
import { machine } from '../machine.ts';
import { bundleActions, bundleOthers } from './bundles.ts';
import { contenders } from './contenders/index.ts';
import { exampleNames, examples, type Scenario, scenarios, serviceScenarios } from './examples.ts';
import { type ShapeName, shapes } from './link.ts';
import { measureRound, type Setting } from './measure.ts';
import { BenchNetwork } from './network.ts';
import { keepResults, type Sample } from './results.ts';
import { report } from './tables.ts';

const { values } = parseArgs({
  options: {
    example: { type: 'string', multiple: true, default: ['storefront', 'beacon'] },
    scenario: { type: 'string', multiple: true, default: [...scenarios, ...serviceScenarios] },
    contender: { type: 'string', multiple: true },
    shape: { type: 'string', multiple: true, default: Object.keys(shapes) },
    rounds: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
  },
});

const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds is "${values.rounds}"; 1 or more.`);
const wantedExamples = chosen('example', values.example, exampleNames);
const wantedScenarios = chosen<Scenario>('scenario', values.scenario, [...scenarios, ...serviceScenarios]);
const wantedShapes = chosen('shape', values.shape, Object.keys(shapes) as ShapeName[]);
const fourServices = ['basket', 'catalogue', 'checkout', 'search'];
const koPart = ko();
const all = contenders(koPart.available ? koPart.program : undefined);
const ids = all.map(({ id }) => id);
const wantedIds = chosen('contender', values.contender ?? ids, ids);

/** The names that were given, each a known one: the whole name, or a beginning that only one has. */
function chosen<T extends string>(what: string, given: readonly string[], known: readonly T[]): readonly T[] {
  return given.flatMap((name) => {
    const exact = known.filter((one) => one === name);
    const found = exact.length > 0 ? exact : known.filter((one) => one.startsWith(name));
    if (found.length !== 1)
      throw new Error(`--${what} is "${name}"; known are ${known.map((one) => `"${one}"`).join(', ')}.`);
    return found;
  });
}

await using _session = await openSession();
const measuredOn = await machine();
const directory = await mkdtemp(join(tmpdir(), 'slipway-bench-image-'));
const samples: Sample[] = [];
try {
  await measureAll();
} finally {
  await run({ program: 'chmod', args: ['-R', 'u+w', directory], accept: [0, 1] });
  await rm(directory, { recursive: true, force: true });
}
console.log(`${report(samples)}\n`);

async function measureAll(): Promise<void> {
  using network = new BenchNetwork();
  const setting = await prepare(network);
  const own = all.filter(({ id }) => wantedIds.includes(id));
  // Of the others none builds several images in one step.
  const many = own.filter(({ id }) => id === 'slipway' || id === 'slipway-buildkit');
  for (let round = 0; round < rounds; round++)
    for (const example of wantedExamples) {
      const group = { example: examples[example], shapes: wantedShapes, round, wanted: wantedScenarios };
      if (scenarios.some((scenario) => wantedScenarios.includes(scenario)))
        await measureRound(setting, { ...group, contenders: own, services: undefined }, take);
      if (example !== 'storefront' || !serviceScenarios.some((one) => wantedScenarios.includes(one)))
        continue;
      // Each with a history of its own: a step that asks for other images is another step.
      for (const services of [fourServices, fourServices.slice(0, 1)])
        await measureRound(setting, { ...group, contenders: many, services }, take);
    }
}

/** Keeps a sample at once: a run that is stopped keeps what it has measured. */
async function take(sample: Sample): Promise<void> {
  samples.push(sample);
  if (values.write) await write();
}

async function write(): Promise<void> {
  await keep('image', report(await keepResults(samples)));
}

async function prepare(network: BenchNetwork): Promise<Setting> {
  const bundles = join(directory, 'bundles');
  if (wantedIds.some((id) => id.startsWith('slipway'))) await bundleActions(bundles);
  await bundleOthers(bundles);
  const home = need(await registry());
  const { stdout } = await run({ program: 'go', args: ['env', 'GOMODCACHE'] });
  const modules = await network.modules(join(stdout.toString().trim(), 'cache', 'download'));
  return {
    network,
    around: { engine: need(await engine()), modules, bundles },
    bases: { crane: need(crane()).program, lab: home.host, modules },
    directory,
    machine: measuredOn,
    log: (line) => console.error(line),
  };
}

function need<T extends object>(part: Part<T>): T {
  if (!part.available) throw new Error(`The bench cannot run here: ${part.why}.`);
  return part;
}
