/**
 * Bytes out of a stream of chunks, in pieces of a wanted length. What is there already is taken without waiting, for an archive
 * of many small files is made of tens of thousands of pieces, and by reference.
 */
export class ByteSource {
  /** Bytes that were given out. */
  offset = 0;
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunk: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Exactly `count` bytes when the present chunk holds them. */
  take(count: number): Buffer | undefined {
    return count <= this.#chunk.length ? this.#cut(count) : undefined;
  }

  /** Between 1 and `count` bytes of the present chunk, or undefined when it is used up. */
  takeSome(count: number): Buffer | undefined {
    return this.#chunk.length > 0 ? this.#cut(Math.min(count, this.#chunk.length)) : undefined;
  }

  /** Between 1 and `count` bytes, or undefined at the end. */
  async some(count: number): Promise<Buffer | undefined> {
    while (this.#chunk.length === 0 && !this.#ended) await this.#next();
    return this.takeSome(count);
  }

  /** `count` bytes, or what is left of them before the end. */
  async upTo(count: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let missing = count; missing > 0; ) {
      const piece = await this.some(missing);
      if (piece === undefined) break;
      pieces.push(piece);
      missing -= piece.length;
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#iterator.return?.();
  }

  async #next(): Promise<void> {
    const { done, value } = await this.#iterator.next();
    if (done === true) this.#ended = true;
    else this.#chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }

  #cut(count: number): Buffer {
    const piece = this.#chunk.subarray(0, count);
    this.#chunk = this.#chunk.subarray(count);
    this.offset += count;
    return piece;
  }
}
