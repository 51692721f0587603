import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { type Digest, type KeyPart, makeOwnFolder, OWN_FOLDER } from '../content/index.ts';
import type { BuildInfo } from './build-info.ts';
import type { MainPackage } from './packages.ts';
import type { SourceMap } from './sources.ts';

/** Folder below the memory in which restored programs lie under their digests. */
export const PROGRAMS = 'programs';

/** What is remembered of the last build of one package for one target at one path. */
export interface ProgramRecord {
  readonly scheme: 1;
  /** Path that it was written to, relative to the module's root. */
  readonly output: string;
  /** The parts of its key: the next key is compared with them. */
  readonly parts: { readonly [name: string]: KeyPart };
  readonly sources: SourceMap;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Of the toolchain that compiled it, such as `go1.26.8`. */
  readonly goVersion: string;
  readonly buildInfo: BuildInfo;
  /** Milliseconds that its build took. */
  readonly milliseconds: number;
}

/** Which packages the last run found for the same question, and what would change the answer. */
export interface PackagesRecord {
  readonly scheme: 1;
  readonly candidates: Readonly<Record<string, string>>;
  /** In the file, folders are relative to the module's root: the next machine may have it at another path. */
  readonly packages: readonly MainPackage[];
}

/**
 * The memory of go-build, a folder `.slipway/go` in the module's root. A record that is missing, damaged or of another scheme is
 * no record: then there is a build, never a fault.
 */
export class Records {
  readonly folder: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.folder = join(root, OWN_FOLDER, 'go');
  }

  program(slot: readonly string[]): ProgramRecord | undefined {
    const record = this.#read<ProgramRecord>(`program-${nameOf(slot)}.json`);
    return record?.parts !== undefined && record.sources?.packages !== undefined ? record : undefined;
  }

  saveProgram(slot: readonly string[], record: ProgramRecord): void {
    this.#write(`program-${nameOf(slot)}.json`, record);
  }

  /** Every program that is remembered, with its absolute path. */
  all(): { readonly record: ProgramRecord; readonly output: string }[] {
    const names = existsSync(this.folder) ? readdirSync(this.folder) : [];
    return names
      .filter((name) => name.startsWith('program-'))
      .flatMap((name) => this.#read<ProgramRecord>(name) ?? [])
      .map((record) => ({ record, output: resolve(this.#root, record.output) }));
  }

  /** Where a program of this digest lies that an earlier run kept, whether there is one or not. */
  keptProgram(digest: Digest): string {
    return join(this.folder, PROGRAMS, digest.slice('sha256:'.length));
  }

  packages(question: readonly string[]): PackagesRecord | undefined {
    const record = this.#read<PackagesRecord>(`packages-${nameOf(question)}.json`);
    return record && this.#withFolders(record, (folder) => resolve(this.#root, folder));
  }

  savePackages(question: readonly string[], record: PackagesRecord): void {
    const shown = (folder: string) => relative(this.#root, folder) || '.';
    this.#write(`packages-${nameOf(question)}.json`, this.#withFolders(record, shown));
  }

  #withFolders(record: PackagesRecord, change: (folder: string) => string): PackagesRecord {
    const packages = record.packages.map((one) => ({ ...one, directory: change(one.directory) }));
    return { ...record, packages };
  }

  #read<T extends { readonly scheme: 1 }>(name: string): T | undefined {
    try {
      const record = JSON.parse(readFileSync(join(this.folder, name), 'utf8')) as T;
      return record.scheme === 1 ? record : undefined;
    } catch {
      return undefined;
    }
  }

  #write(name: string, record: unknown): void {
    mkdirSync(this.folder, { recursive: true });
    makeOwnFolder(dirname(this.folder));
    writeAtomically(join(this.folder, name), JSON.stringify(record));
  }
}

/** Writes a file so that readers, and a run after this one was killed, see the old content or the new one. */
export function writeAtomically(file: string, content: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, file);
}

function nameOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
