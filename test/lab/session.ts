import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../shared/exec/index.ts';
import { removeCgroups } from './cgroups.ts';
import { closeBridge } from './network.ts';
import { labRoot } from './place.ts';

/** Tells the processes of one run where its session is. */
const variable = 'SLIPWAY_LAB_SESSION';
const sessions = join(labRoot, 'sessions');

/** A process by number and start: numbers come back, the pair does not. */
interface ProcessId {
  readonly pid: number;
  readonly start: string;
  /** It heeds no SIGTERM. */
  readonly stubborn?: boolean;
}

/**
 * The lifetime of the servers that a run starts. Every process of the run sees the same session, and each server starts once, when
 * first asked for. Closing stops them all; what a killed run left behind is cleared away by the next one.
 */
export interface Session extends AsyncDisposable {
  readonly directory: string;
}

export async function openSession(): Promise<Session> {
  const outer = process.env[variable];
  if (outer !== undefined) return { directory: outer, [Symbol.asyncDispose]: async () => {} };
  await mkdir(sessions, { recursive: true });
  await clearLeftOvers();
  const directory = mkdtempSync(join(sessions, `${process.pid}-`));
  await writeFile(join(directory, 'owner.json'), JSON.stringify(identify(process.pid)));
  process.env[variable] = directory;
  return {
    directory,
    async [Symbol.asyncDispose]() {
      delete process.env[variable];
      await clear(directory);
    },
  };
}

export function sessionDirectory(): string {
  const directory = process.env[variable];
  if (directory === undefined)
    throw new Error('The lab is used outside of a session: call openSession first.');
  return directory;
}

/**
 * The result of `start`, which runs once in a session however many processes ask at the same time. The result crosses processes,
 * so it is plain data.
 */
export async function once<T>(name: string, start: () => Promise<T>): Promise<T> {
  const directory = sessionDirectory();
  const result = join(directory, `${name}.json`);
  const mine = await mkdir(join(directory, `${name}.lock`)).then(
    () => true,
    () => false,
  );
  if (mine) {
    const outcome = await start().then(
      (value) => ({ value }),
      (error: Error) => ({ error: error.message }),
    );
    await writeFile(`${result}.tmp`, JSON.stringify(outcome));
    await rename(`${result}.tmp`, result);
  }
  const outcome = await waitFor(() => readFile(result, 'utf8'), 300_000, `${name} of the lab`);
  const { value, error } = JSON.parse(outcome) as { value: T; error?: string };
  if (error !== undefined) throw new Error(error);
  return value;
}

export interface Daemon {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Rejects as long as the server does not answer. */
  readonly ready: () => Promise<unknown>;
  /** It heeds no SIGTERM, so no time is lost on one. */
  readonly stubborn?: boolean;
}

export interface Running {
  readonly pid: number;
  readonly log: string;
}

/** Starts a server that outlives this process, but not the session, and waits until it answers. */
export async function startDaemon({ name, program, args, env, ready, stubborn }: Daemon): Promise<Running> {
  const directory = mkdtempSync(join(sessionDirectory(), `${name}-`));
  const log = join(directory, 'log');
  const out = openSync(log, 'a');
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', out, out],
    env: { ...process.env, ...env },
  });
  closeSync(out);
  const gone = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`${name} ended by itself (${code ?? signal}): ${lastLines(log)}`)),
    );
  });
  gone.catch(() => {});
  if (child.pid === undefined) return gone;
  const id = { ...identify(child.pid), stubborn: stubborn === true };
  await writeFile(join(directory, 'process.json'), JSON.stringify(id));
  child.unref();
  try {
    await Promise.race([gone, waitFor(ready, 60_000, name)]);
  } catch (error) {
    await stop(id);
    throw error;
  }
  return { pid: child.pid, log };
}

export async function stopDaemon({ pid }: Running): Promise<void> {
  await stop(identify(pid));
}

/** Socket paths must stay below 108 bytes, so they are not under the session's folder. */
export async function socketFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'slw-'));
  await writeFile(join(sessionDirectory(), `socket-folder-${folder.split('/').at(-1)}`), folder);
  return folder;
}

/** A free TCP port of the loopback address. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export async function waitFor<T>(probe: () => Promise<T>, milliseconds: number, what: string): Promise<T> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (performance.now() > deadline)
        throw new Error(`${what} did not answer in ${milliseconds / 1000} s: ${(error as Error).message}`);
      await sleep(50);
    }
  }
}

async function clearLeftOvers(): Promise<void> {
  for (const name of await readdir(sessions)) {
    const directory = join(sessions, name);
    if (!isAlive(await readProcess(join(directory, 'owner.json')))) await clear(directory);
  }
}

async function clear(directory: string): Promise<void> {
  const names = await readdir(directory);
  await Promise.all(
    names.map(async (name) => {
      const process = await readProcess(join(directory, name, 'process.json'));
      if (process !== undefined && isAlive(process)) await stop(process);
    }),
  );
  await unmountBelow(directory);
  for (const name of names.filter((one) => one.startsWith('socket-folder-'))) {
    const folder = await readFile(join(directory, name), 'utf8');
    await unmountBelow(folder);
    rmSync(folder, { recursive: true, force: true });
  }
  for (const name of names.filter((one) => one.startsWith('bridge-')))
    await closeBridge(name.slice('bridge-'.length));
  for (const name of names.filter((one) => one.startsWith('cgroup-')))
    await removeCgroups(name.slice('cgroup-'.length));
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
}

/** A builder that had to be killed leaves its overlay mounts behind. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  const below = mounts
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((target) => target.startsWith(`${directory}/`));
  for (const target of below.reverse())
    await run({ program: 'umount', args: ['--lazy', target] }).catch(() => {});
}

async function readProcess(path: string): Promise<ProcessId | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as ProcessId;
  } catch {
    return undefined; // Not there, or cut off while it was written: nothing was started under it.
  }
}

/** Start time in clock ticks since boot, from /proc; elsewhere the number alone has to do. */
function identify(pid: number): ProcessId {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may hold spaces; the start is the 22nd field.
    return { pid, start: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]! };
  } catch {
    return { pid, start: '' };
  }
}

function isAlive(process: ProcessId | undefined): boolean {
  if (process === undefined) return false;
  try {
    globalThis.process.kill(process.pid, 0);
    return identify(process.pid).start === process.start;
  } catch {
    return false;
  }
}

async function stop(one: ProcessId): Promise<void> {
  const polite = performance.now() + 10_000;
  if (one.stubborn !== true) signal(one.pid, 'SIGTERM');
  while (one.stubborn !== true && isAlive(one) && !isZombie(one.pid) && performance.now() < polite)
    await sleep(20);
  // The whole group: a server that had to be killed has not stopped its own children.
  signal(-one.pid, 'SIGKILL');
}

function isZombie(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}

function lastLines(log: string): string {
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-3).join(' | ');
}
