import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../shared/exec/index.ts';
import { bundle, type Program } from './child.ts';
import { median, seconds, table } from './table.ts';

const IN_A_FOLDER = 20;

/**
 * The key of an image that copies a checkout of so many files, twenty in a folder: by a new process without any memory, next to
 * `git status`. Three states: as `git clone` leaves it, whose index Git does not quite believe yet; the same after a first
 * `git status`; and, to see what reading takes, without a repository.
 */
export async function benchKeying(rounds: number, files: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  try {
    const origin = join(folder, 'origin');
    makeRepository(origin, files);
    await git(origin, 'init', '--quiet');
    await git(origin, 'add', '--all');
    await git(
      origin,
      '-c',
      'user.name=bench',
      '-c',
      'user.email=bench@example.com',
      'commit',
      '--quiet',
      '-m',
      'all',
    );
    await using program = await bundle('keying-program.ts');
    const rows: string[][] = [];
    for (const state of ['cloned', 'looked at once', 'no repository'] as const) {
      const checkout = join(folder, state.replaceAll(' ', '-'));
      await git(folder, 'clone', '--quiet', origin, checkout);
      await sleep(100);
      if (state === 'looked at once') await git(checkout, 'status');
      if (state === 'no repository') await rm(join(checkout, '.git'), { recursive: true });
      rows.push(await measure(state, checkout, program, rounds, files));
      await rm(checkout, { recursive: true });
    }
    return table(['checkout', 'git status, s', 'key, s', 'of git status', 'files read'], rows);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function makeRepository(folder: string, files: number): void {
  for (let at = 0; at < files; at++) {
    const inner = Math.floor(at / IN_A_FOLDER);
    const path = join(folder, `area${Math.floor(inner / 100)}`, `package${inner % 100}`);
    if (at % IN_A_FOLDER === 0) mkdirSync(path, { recursive: true });
    const body = `func F${at}() int { return ${at} }\n`.repeat(1 + (at % 40));
    writeFileSync(join(path, `file${at % IN_A_FOLDER}.go`), `package package${inner % 100}\n\n${body}`);
  }
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY . /src\n');
  writeFileSync(join(folder, '.dockerignore'), '.git\n**/*.md\ndist\n');
}

/** In turn, so that what else the machine does meets both; the first of each warms the page cache. */
async function measure(
  state: string,
  checkout: string,
  program: Program,
  rounds: number,
  files: number,
): Promise<string[]> {
  const status: number[] = [];
  const key: number[] = [];
  let read = 0;
  for (let round = 0; round <= rounds; round++) {
    if (state !== 'no repository') status.push((await git(checkout, 'status', '--porcelain')).milliseconds);
    const finished = await program.run(checkout);
    key.push(finished.milliseconds);
    const told = JSON.parse(finished.stdout.toString()) as { known: number; read: number };
    if (told.known + told.read < files) throw new Error(`Only ${told.known + told.read} files were named.`);
    read = told.read;
  }
  const [theirs, ours] = [median(status.slice(1)), median(key.slice(1))];
  const against =
    status.length === 0
      ? ['', seconds(ours), '']
      : [seconds(theirs), seconds(ours), `${(ours / theirs).toFixed(1)} ×`];
  return [state, ...against, String(read)];
}

/** Without the lock that would let it write down what it found: the state has to stay what it is. */
function git(cwd: string, ...args: readonly string[]) {
  const looking = args[0] === 'status' && args.length > 1 ? { GIT_OPTIONAL_LOCKS: '0' } : {};
  return run({ program: 'git', args, cwd, env: { ...process.env, ...looking } });
}
