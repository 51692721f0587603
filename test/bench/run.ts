// `npm run bench [-- start|machine|runner]… [--rounds N]`: prints tables, judges nothing.
import { parseArgs } from 'node:util';
import { benchDelivery } from './deliver.ts';
import { machine } from './machine.ts';
import { mostRounds } from './service.ts';
import { benchStart } from './start.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '3' } },
});
const rounds = Math.max(1, Math.min(Number(values.rounds) || 3, mostRounds));
const wanted = (name: string) => positionals.length === 0 || positionals.includes(name);

console.log(`${await machine()}\n`);
if (wanted('start')) console.log(`### Start of an action\n\n${await benchStart(10)}\n`);
for (const where of ['machine', 'runner'] as const)
  if (wanted(where)) console.log(`${await benchDelivery(where, rounds)}\n`);
