import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../shared/exec/index.ts';
import { median, table } from './table.ts';

const root = join(import.meta.dirname, '../..');

interface Start {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly accept?: readonly number[];
}

/**
 * How long an action takes until it has read its inputs, from the start of its process to the end: it is given an input that it must
 * refuse. Node alone is the floor. The first start of a round warms the disk and is not counted.
 */
export async function benchStart(rounds: number): Promise<string> {
  const starts: readonly Start[] = [
    { name: 'node alone', args: ['-e', '0'] },
    ...actionEntries().map((entry) => ({
      name: entry,
      args: [join('dist', entry)],
      env: { GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: root, RUNNER_TEMP: '/tmp', INPUT_PLAN: 'perhaps' },
      accept: [1],
    })),
    { name: 'slipway --version', args: [join('dist', 'cli.mjs'), '--version'] },
    { name: 'slipway up --help', args: [join('dist', 'cli.mjs'), 'up', '--help'] },
  ];
  const rows = [];
  for (const start of starts) {
    const times = [];
    for (let round = 0; round <= rounds; round++) times.push(await time(start));
    const counted = times.slice(1);
    rows.push([start.name, milliseconds(median(counted)), milliseconds(Math.max(...counted))]);
  }
  return table(['start', 'median ms', 'slowest ms'], rows);
}

function actionEntries(): readonly string[] {
  const dist = join(root, 'dist');
  return readdirSync(dist).flatMap((name) =>
    existsSync(join(dist, name, 'main.mjs')) ? [join(name, 'main.mjs')] : [],
  );
}

async function time({ args, env, accept }: Start): Promise<number> {
  const finished = await run({
    program: process.execPath,
    args,
    cwd: root,
    env: { ...process.env, ...env },
    ...(accept !== undefined && { accept }),
  });
  return finished.milliseconds;
}

const milliseconds = (value: number) => value.toFixed(0);
