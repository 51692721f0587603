import { createReadStream } from 'node:fs';
import { readTar, safeRelative, type TarEntry } from '../../content/index.ts';
import { Failure } from '../../host/index.ts';
import { decompress } from '../../oci/index.ts';
import { treeOfMembers } from '../files/base.ts';
import { Shelf } from '../files/shelf.ts';
import type { Directory } from '../files/tree.ts';

/** What an archive of a stage's files may hold at most: far above what stages hand over, far below what fills a disk unseen. */
export interface ArchiveLimits {
  /** Bytes of all files. */
  readonly bytes: number;
  readonly members: number;
}

export const RESULT_LIMITS: ArchiveLimits = { bytes: 8 * 2 ** 30, members: 500_000 };

/**
 * Reads a stored archive (tar, in zstd or plain) into a tree whose contents lie in `folder`. It is read twice: all its members are
 * checked before a byte of the first one is written. Nothing is written under a name that the archive gives. Throws a Failure.
 */
export async function readArchive(
  file: string,
  folder: string,
  limits: ArchiveLimits = RESULT_LIMITS,
): Promise<Directory> {
  const members = () => readTar(decompress(createReadStream(file, { highWaterMark: 1 << 20 })));
  const checks = new MemberChecks(limits);
  for await (const { entry } of members()) checks.take(entry);
  const shelf = new Shelf(folder);
  const taken = [];
  for await (const { entry, content } of members())
    taken.push(entry.type === 'file' ? { entry, content: await shelf.take(content, entry.size) } : { entry });
  return treeOfMembers(taken);
}

/** Holds the members of an archive, one after the other, to what an honest run would have stored. */
class MemberChecks {
  readonly #limits: ArchiveLimits;
  readonly #types = new Map<string, TarEntry['type']>();
  #bytes = 0;

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  take(entry: TarEntry): void {
    const { name, type, size } = entry;
    if (name === '' || safeRelative(name) !== name)
      throw refused(`it names "${shown(name)}", which is no plain path inside of a stage`);
    if (this.#types.has(name)) throw refused(`it names "${shown(name)}" twice`);
    if (type !== 'file' && type !== 'directory' && type !== 'symlink' && type !== 'hardlink')
      throw refused(`"${shown(name)}" is a ${type} device or pipe`);
    this.#checkAbove(name);
    if (type === 'hardlink' && this.#types.get(entry.linkname ?? '') !== 'file')
      throw refused(
        `"${shown(name)}" is a hard link to "${shown(entry.linkname ?? '')}", which is no file of it`,
      );
    this.#types.set(name, type);
    this.#bytes += size;
    if (this.#bytes > this.#limits.bytes)
      throw refused(`its files have more than the ${this.#limits.bytes} bytes that are allowed`);
    if (this.#types.size > this.#limits.members)
      throw refused(`it has more than the ${this.#limits.members} members that are allowed`);
  }

  /** Below a link or a file there is nothing; whoever writes such an archive means to lead out of it. */
  #checkAbove(name: string): void {
    for (let slash = name.lastIndexOf('/'); slash > 0; slash = name.lastIndexOf('/', slash - 1)) {
      const above = this.#types.get(name.slice(0, slash));
      if (above !== undefined && above !== 'directory')
        throw refused(`"${shown(name)}" lies below a ${above}`);
    }
  }
}

function refused(why: string): Failure {
  return new Failure(`The archive is refused: ${why}.`);
}

function shown(name: string): string {
  return name.slice(0, 200);
}
