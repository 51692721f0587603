import { randomUUID } from 'node:crypto';
import { constants, copyFile, link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../host/index.ts';

/** Who holds a lock. */
interface Holder {
  readonly token: string;
  readonly host: string;
  readonly pid: number;
  /** When the process was started, as Linux counts it: tells a process from a later one with its number. */
  readonly born: string;
}

/** What is done under the lock takes milliseconds, so that one this old, in ms, was left behind wherever its holder was. */
const LONGEST_HOLD = 15_000;
const PATIENCE = 30_000;

/**
 * Does `work` while no other process does so under the same lock file. A lock whose process was killed is taken over at once on
 * the same machine, after 15 s from another one (a shared file system). `work` is told by a check whether it still holds the lock.
 */
export async function withLock<T>(
  path: string,
  work: (held: () => Promise<boolean>) => Promise<T>,
): Promise<T> {
  const token = randomUUID();
  await acquire(path, token);
  try {
    return await work(async () => (await holderOf(path))?.token === token);
  } finally {
    if ((await holderOf(path))?.token === token) await rm(path, { force: true });
  }
}

async function acquire(path: string, token: string): Promise<void> {
  const mine = `${path}.${token}`;
  const holder: Holder = { token, host: hostname(), pid: process.pid, born: await birthOf(process.pid) };
  await writeFile(mine, JSON.stringify(holder), { flag: 'wx' });
  try {
    const started = performance.now();
    for (let wait = 2; ; wait = Math.min(wait * 1.5, 100)) {
      if (await linked(mine, path)) return;
      if (await removedStale(path, token)) continue;
      if (performance.now() - started > PATIENCE) throw await busy(path);
      await sleep(wait * (0.5 + Math.random()));
    }
  } finally {
    await rm(mine, { force: true });
  }
}

async function busy(path: string): Promise<Failure> {
  const holder = await holderOf(path);
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`;
  return new Failure(
    `${who} has held ${path} for more than ${PATIENCE / 1000} s; remove the file if it is gone.`,
  );
}

/** A link is made with its content or not at all, so that nobody ever reads half a holder. */
async function linked(mine: string, path: string): Promise<boolean> {
  try {
    await link(mine, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // Some shared and removable file systems have no links.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') return await copied(mine, path);
    throw error;
  }
}

async function copied(mine: string, path: string): Promise<boolean> {
  try {
    await copyFile(mine, path, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

/**
 * Moves a stale lock out of the way. Between looking and moving, another process may have done the same and taken the lock: what
 * was moved is looked at again, and put back when it is not the one that was found stale.
 */
async function removedStale(path: string, token: string): Promise<boolean> {
  const holder = await holderOf(path);
  if (!(await isStale(path, holder))) return false;
  const aside = `${path}.stale.${token}`;
  try {
    await rename(path, aside);
  } catch {
    return true;
  }
  const moved = await holderOf(aside);
  if (moved?.token !== holder?.token) await linked(aside, path);
  await rm(aside, { force: true });
  return true;
}

async function isStale(path: string, holder: Holder | undefined): Promise<boolean> {
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
  if (age > LONGEST_HOLD) return true;
  return holder !== undefined && holder.host === hostname() && !(await isAlive(holder));
}

async function isAlive({ pid, born }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return (await birthOf(pid)) === born;
}

/** Field 22 of /proc/PID/stat; empty where there is none. The name in field 2 may hold blanks and brackets. */
async function birthOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
