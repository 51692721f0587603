import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../content/index.ts';
import { spool } from './contents.ts';
import type { Content } from './tree.ts';

/** A file up to here is kept in memory, */
const SMALL = 16 * 1024;
/** as long as all of them together have no more than this. */
const MEMORY = 16 * 2 ** 20;
/** Up to here a file is gathered and written in one call: a stream for each of thousands costs more than what it writes. */
const AT_ONCE = 2 ** 20;

/** Takes the contents of archive members over: small ones in memory, the others as files of a folder, named by their digests. */
export class Shelf {
  readonly #folder: string;
  readonly #written = new Set<Digest>();
  #held = 0;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  async take(content: AsyncIterable<Uint8Array>, size: number): Promise<Content> {
    if (size > AT_ONCE) {
      const { path, digest } = await spool(content, undefined, this.#folder);
      return { kind: 'disk', path, digest };
    }
    const hash = createHash('sha256');
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) {
      hash.update(chunk);
      chunks.push(Buffer.from(chunk));
    }
    return await this.#keep(Buffer.concat(chunks), `sha256:${hash.digest('hex')}`);
  }

  async #keep(bytes: Buffer, digest: Digest): Promise<Content> {
    if (bytes.length <= SMALL && this.#held + bytes.length <= MEMORY) {
      this.#held += bytes.length;
      return { kind: 'bytes', bytes, digest };
    }
    const path = join(this.#folder, digest.slice('sha256:'.length));
    if (!this.#written.has(digest)) await writeFile(path, bytes);
    this.#written.add(digest);
    return { kind: 'disk', path, digest };
  }
}
