// `npm run bench [-- start|keying|layers|machine|runner|rollout]… [--rounds N] [--small] [--write]`: prints tables, judges nothing. --write keeps
// them in docs/benchmarks.md; --small takes few files and small layers, to see that keying and layers work.
import { parseArgs } from 'node:util';
import { benchDelivery } from './deliver.ts';
import { keep } from './keep.ts';
import { benchKeying } from './keying.ts';
import { benchLayers } from './layers.ts';
import { machine } from './machine.ts';
import { benchRollout } from './rollout.ts';
import { mostRounds } from './service.ts';
import { benchStart } from './start.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    small: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
if (values.small && values.write) throw new Error('What --small measures is not for docs/benchmarks.md.');
const rounds = Math.max(1, Math.min(Number(values.rounds) || 3, mostRounds));

const benches: Readonly<Record<string, () => Promise<string>>> = {
  start: () => benchStart(10),
  keying: () => (values.small ? benchKeying(1, 2_000) : benchKeying(Math.max(rounds, 5), 100_000)),
  layers: () => benchLayers(rounds, values.small),
  machine: () => benchDelivery('machine', rounds),
  runner: () => benchDelivery('runner', rounds),
  rollout: () => benchRollout(rounds),
};

const unknown = positionals.find((name) => !Object.hasOwn(benches, name));
if (unknown !== undefined)
  throw new Error(`There is no bench "${unknown}"; there are ${Object.keys(benches).join(', ')}.`);

const measuredOn = await machine();
for (const [name, bench] of Object.entries(benches)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const result = `${await bench()}\n\n${measuredOn}.`;
  console.log(`${result}\n`);
  if (values.write) await keep(name, result);
}
