import { Failure } from '../host/index.ts';

const SENTENCES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'permission was denied',
  EPERM: 'permission was denied',
  ENOTDIR: 'a part of its path is a file',
  EISDIR: 'a folder stands where a file belongs',
  EEXIST: 'a file stands where a folder belongs',
  EMFILE: 'this process has too many files open',
  ENFILE: 'this machine has too many files open',
  EIO: 'the disk reports an error',
  EFBIG: 'a file would be too large for the file system',
  ENAMETOOLONG: 'its path is too long',
};

/** One sentence for what a disk says; an error of another kind comes back as it is. */
export function diskFailure(error: unknown, name: string): unknown {
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  const sentence = syscall === undefined ? undefined : SENTENCES[code ?? ''];
  if (sentence === undefined) return error;
  const where = path === undefined || path === name ? '' : ` (${path})`;
  return new Failure(`Cannot write to ${name}: ${sentence}${where}.`, { cause: error });
}
