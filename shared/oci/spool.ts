import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFailure } from './disk.ts';

/** Bytes that are kept in memory before a file is made. */
const IN_MEMORY = 4 * 2 ** 20;

/** Keeps what passes, so that it can be read again: a little in memory, more in a file that is nobody else's to read. */
export class Spool {
  size = 0;
  readonly #directory: string;
  #chunks: Uint8Array[] = [];
  #file: FileHandle | undefined;
  #path = '';

  constructor(directory: string) {
    this.#directory = directory;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.size += chunk.length;
    if (this.#file === undefined && this.size <= IN_MEMORY) {
      this.#chunks.push(chunk);
      return;
    }
    try {
      this.#file ??= await this.#create();
      for (const one of [...this.#chunks, chunk]) await writeWhole(this.#file, one);
      this.#chunks = [];
    } catch (error) {
      throw diskFailure(error, this.#directory);
    }
  }

  /** All that was written so far, as often as it is asked for. */
  async *read(): AsyncGenerator<Uint8Array> {
    if (this.#file === undefined) yield* [...this.#chunks];
    else yield* createReadStream(this.#path, { end: this.size - 1, highWaterMark: 256 * 1024 });
  }

  async close(): Promise<void> {
    await this.#file?.close();
    if (this.#path !== '') await rm(this.#path, { force: true });
  }

  async #create(): Promise<FileHandle> {
    this.#path = join(this.#directory, `slipway-${process.pid}-${randomUUID()}`);
    return await open(this.#path, 'wx', 0o600);
  }
}

async function writeWhole(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}
