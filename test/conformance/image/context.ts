import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** A file of a build context: its text, or what it is. */
export type ContextFile =
  | string
  | { readonly text: string; readonly mode: number }
  | { readonly directory: number }
  | { readonly link: string }
  | { readonly hardlink: string }
  | { readonly sparse: number }
  | { readonly fifo: true }
  /** An archive of files given in the same way, with the arguments of tar(1) that make it, and what of them goes in. */
  | { readonly archive: Context; readonly tar?: readonly string[]; readonly members?: readonly string[] };

/** By path; a path can be given as latin1 of its bytes, with `bytes:` in front of it. */
export type Context = Readonly<Record<string, ContextFile>>;

let nextTime = 1_500_000_000 + (process.pid % 1_000) * 100_000;

/** Makes the files of a context. Every umask gives the same modes. */
export function makeContext(root: string, files: Context): void {
  mkdirSync(root, { recursive: true });
  for (const [name, file] of Object.entries(files)) make(root, name, file);
  // Modes of directories last: one without write permission must not be in the way of its own files.
  for (const [name, file] of Object.entries(files))
    if (typeof file === 'object' && 'directory' in file) chmodSync(join(root, name), file.directory);
}

function make(root: string, name: string, file: ContextFile): void {
  const path = name.startsWith('bytes:')
    ? Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name.slice('bytes:'.length), 'latin1')])
    : join(root, name);
  if (typeof path === 'string') makeParents(root, dirname(path));
  if (typeof file === 'string') write(path, file, 0o644);
  else if ('text' in file) write(path, file.text, file.mode);
  else if ('directory' in file) mkdirSync(path, { recursive: true });
  else if ('link' in file) symlinkSync(file.link, path);
  else if ('hardlink' in file) linkSync(join(root, file.hardlink), path);
  else if ('sparse' in file) {
    write(path, '', 0o644);
    truncateSync(path, file.sparse);
  } else if ('fifo' in file) execFileSync('env', ['mkfifo', '-m', '644', String(path)]);
  else makeArchive(String(path), file.archive, file.tar ?? ['-c'], file.members ?? ['.']);
  // A builder takes a file of the same name, size and time for the one that another case sent before.
  if (!lstatSync(path).isSymbolicLink()) utimesSync(path, nextTime, nextTime++);
}

function makeParents(root: string, directory: string): void {
  if (directory === root || directory.length < root.length) return;
  makeParents(root, dirname(directory));
  try {
    mkdirSync(directory);
    chmodSync(directory, 0o755);
  } catch {
    // It is there.
  }
}

function write(path: string | Buffer, text: string, mode: number): void {
  writeFileSync(path, text);
  chmodSync(path, mode);
}

function makeArchive(
  path: string,
  files: Context,
  options: readonly string[],
  members: readonly string[],
): void {
  const folder = `${path}.d`;
  makeContext(folder, files);
  execFileSync('tar', [...options, '-f', path, '-C', folder, '--sort=name', ...members]);
  execFileSync('rm', ['-rf', folder]);
}
