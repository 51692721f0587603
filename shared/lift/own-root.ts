import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { PassThrough } from 'node:stream';
import { ExecError, run } from '../exec/index.ts';

/** A folder of this machine that takes the place of another one inside of a root. */
export interface Bind {
  readonly from: string;
  /** Absolute, inside. */
  readonly to: string;
}

/** A folder that programs see as their root, with the folders bound into it, and nothing else of this machine. */
export interface OwnRoot {
  /** The program and the words before it that start something inside; `directory` is absolute inside. */
  inside(directory: string, program: string, args: readonly string[]): { program: string; args: string[] };
  close(): Promise<void>;
}

type Kind = 'root' | 'user';

/**
 * Whether a process can have mounts of its own here (mount_namespaces(7)): as root, or with a namespace of users, which some systems
 * forbid. Found out by trying. `folder` is any folder.
 */
export async function ownRootKind(folder: string, signal?: AbortSignal): Promise<Kind | undefined> {
  const kind = process.getuid?.() === 0 ? 'root' : 'user';
  try {
    await run({
      program: 'unshare',
      args: [...namespaces(kind), 'mount', '--bind', folder, folder],
      ...(signal && { signal }),
      timeout: 10_000,
    });
    await run({ program: 'nsenter', args: ['--version'], timeout: 10_000 });
    return kind;
  } catch (error) {
    if (error instanceof ExecError && error.reason !== 'cancelled') return undefined;
    throw error;
  }
}

function namespaces(kind: Kind): string[] {
  return [...(kind === 'user' ? ['--user', '--map-root-user'] : []), '--mount', '--propagation', 'private'];
}

/** Opens a root. Its mounts are seen by nobody else and end with this process, however it ends. */
export async function openRoot(
  kind: Kind,
  folder: string,
  binds: readonly Bind[],
  signal?: AbortSignal,
): Promise<OwnRoot> {
  // What holds the namespace open is a process that reads from us: it ends when we do.
  const hold = new PassThrough();
  let started: (pid: number) => void = () => {};
  const pid = new Promise<number>((resolve) => {
    started = resolve;
  });
  const ready = Promise.withResolvers<void>();
  const holder = run({
    program: 'unshare',
    args: [...namespaces(kind), 'cat'],
    input: hold,
    onStart: started,
    onLine: () => ready.resolve(),
    ...(signal && { signal }),
  });
  holder.catch(ready.reject);
  hold.write('ready\n');
  await ready.promise;
  const enter = [
    `--target=${await pid}`,
    ...(kind === 'user' ? ['--user', '--preserve-credentials'] : []),
    '--mount',
  ];
  const close = async () => {
    hold.end();
    await holder.catch(() => {});
  };
  try {
    for (const { from, to } of [{ from: '/dev/null', to: '/dev/null' }, ...binds]) {
      makePlace(folder + to, from === '/dev/null');
      await run({
        program: 'nsenter',
        args: [...enter, 'mount', '--bind', from, folder + to],
        ...(signal && { signal }),
      });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    inside: (directory, program, args) => ({
      program: 'nsenter',
      args: [...enter, 'unshare', `--root=${folder}`, `--wd=${directory}`, program, ...args],
    }),
    close,
  };
}

function makePlace(path: string, file: boolean): void {
  mkdirSync(file ? dirname(path) : path, { recursive: true });
  if (file) writeFileSync(path, '');
}
