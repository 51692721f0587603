import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** What identifies a file's state to the file system: size, times in nanoseconds and inode. */
type Stamp = string;

interface Remembered {
  readonly stamp: Stamp;
  readonly digest: string;
}

/** The digest of a file's content as hexadecimal digits, given its size in bytes; undefined when there is no such file. */
type HashFile = (file: string, size: number) => string | undefined;

/**
 * Times within this many nanoseconds of the moment of hashing are not trusted: a write in the same tick of the file system's
 * clock would leave the stamp as it is. Git calls such an entry "racily clean".
 */
const RACY = 20_000_000n;

/**
 * SHA-256 digests of files, which remembers each digest together with the file's size, times and inode, so that a file which
 * was not touched is not read again. Reading is synchronous: for thousands of small files that is several times faster than
 * a trip through the thread pool for each.
 */
export class FileDigests {
  readonly #hash: HashFile;
  readonly #memory: Map<string, Remembered>;
  readonly #path: string | undefined;
  readonly #used = new Set<string>();
  #changed = false;

  private constructor(path: string | undefined, hash: HashFile, memory: Map<string, Remembered>) {
    this.#hash = hash;
    this.#path = path;
    this.#memory = memory;
  }

  /**
   * Remembers across runs in the file `path`; a missing or damaged one counts as empty. Without a path: for this run alone. Digests
   * of another kind than SHA-256 need a file of their own.
   */
  static open(path?: string, hash: HashFile = sha256): FileDigests {
    if (path === undefined) return new FileDigests(undefined, hash, new Map());
    try {
      const entries = JSON.parse(readFileSync(path, 'utf8')) as [string, string, string][];
      return new FileDigests(
        path,
        hash,
        new Map(entries.map(([name, stamp, digest]) => [name, { stamp, digest }])),
      );
    } catch {
      return new FileDigests(path, hash, new Map());
    }
  }

  /**
   * The digest of a regular file's content as 64 hexadecimal digits; undefined when there is no such file. A symbolic link is
   * followed only by `through: true`; otherwise it, a folder or a device is undefined as well.
   */
  digest(file: string, { through = false }: { through?: boolean } = {}): string | undefined {
    const before = stat(file);
    if (before === undefined) return undefined;
    if (before.isSymbolicLink())
      return through ? this.#hash(file, statSync(file, { throwIfNoEntry: false })?.size ?? 0) : undefined;
    if (!before.isFile()) return undefined;
    this.#used.add(file);
    const stamp = stampOf(before);
    const known = this.#memory.get(file);
    if (known?.stamp === stamp) return known.digest;
    const digest = this.#hash(file, Number(before.size));
    if (digest !== undefined) this.#remember(file, stamp, digest, before);
    return digest;
  }

  /** Takes a digest that was computed elsewhere while the file was written. */
  note(file: string, digest: string): void {
    const now = stat(file);
    if (now === undefined) return;
    this.#used.add(file);
    this.#remember(file, stampOf(now), digest, now);
  }

  #remember(file: string, stamp: Stamp, digest: string, stats: BigIntStats): void {
    const now = BigInt(Date.now()) * 1_000_000n;
    const racy = now - stats.mtimeNs < RACY || now - stats.ctimeNs < RACY;
    if (racy) this.#memory.delete(file);
    else this.#memory.set(file, { stamp, digest });
    this.#changed = true;
  }

  /** Writes what is known of files that are still there, in one step: readers see the old state or the new one. */
  save(): void {
    if (this.#path === undefined || !this.#changed) return;
    const entries = [...this.#memory]
      .filter(([file]) => this.#used.has(file) || existsSync(file))
      .map(([file, { stamp, digest }]) => [file, stamp, digest]);
    const temporary = `${this.#path}.${process.pid}`;
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileSync(temporary, JSON.stringify(entries));
    renameSync(temporary, this.#path);
    this.#changed = false;
  }
}

function stat(file: string): BigIntStats | undefined {
  return lstatSync(file, { bigint: true, throwIfNoEntry: false });
}

function stampOf(stats: BigIntStats): Stamp {
  return `${stats.size}.${stats.mtimeNs}.${stats.ctimeNs}.${stats.ino}`;
}

function sha256(file: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch (error) {
    if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined;
    throw error;
  }
}
