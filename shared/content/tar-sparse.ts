import { BLOCK, HeaderFault, numericField } from './tar-header.ts';
import { type PaxRecords, recordNumber } from './tar-pax.ts';

/** A sparse file: the pieces that the archive holds, in order; all else up to `size` is zeros. */
export interface SparseMap {
  readonly size: number;
  readonly pieces: readonly Piece[];
}

interface Piece {
  readonly offset: number;
  readonly length: number;
}

/** What a map may take at most, in bytes of its own: as much as any other header. */
const LONGEST_MAP = 2 ** 20;
const ZEROS = Buffer.alloc(64 * 1024);

/** Takes bytes of the archive; undefined for a format that does not keep its map there. */
type Take = (bytes: number) => Promise<Buffer>;

/**
 * The map of a file in GNU's PAX sparse formats 0.0, 0.1 and 1.0 (GNU tar manual, "Storing Sparse Files"), or undefined for a file
 * that is not sparse. Format 1.0 keeps the map in front of the content, from where `take` reads it.
 */
export async function paxSparseMap(
  records: PaxRecords,
  stored: number,
  take: Take,
): Promise<SparseMap | undefined> {
  const version = `${records.get('GNU.sparse.major') ?? ''}.${records.get('GNU.sparse.minor') ?? ''}`;
  const inRecords = records.get('GNU.sparse.map');
  if (version !== '1.0' && inRecords === undefined) return undefined;
  const size = ['GNU.sparse.size', 'GNU.sparse.realsize']
    .filter((keyword) => records.has(keyword))
    .map((keyword) => recordNumber(keyword, records.get(keyword)!))[0];
  if (size === undefined) throw new HeaderFault('a sparse file has no size');
  if (version !== '1.0') return checkedMap(size, piecesOf(inRecords!.toString('latin1').split(',')), stored);
  const { numbers, bytes } = await mapBefore(take, stored);
  return checkedMap(size, piecesOf(numbers), stored - bytes);
}

/** Decimal lines, the count of pieces first, filled up to whole blocks. */
async function mapBefore(take: Take, stored: number): Promise<{ numbers: string[]; bytes: number }> {
  let text = '';
  let wanted = 1;
  for (;;) {
    if (text.length + BLOCK > Math.min(LONGEST_MAP, stored)) throw new HeaderFault('a sparse map has no end');
    text += (await take(BLOCK)).toString('latin1');
    const lines = text.split('\n');
    const complete = lines.length - 1;
    if (complete >= 1) wanted = 1 + 2 * decimal(lines[0]!);
    if (complete >= wanted) return { numbers: lines.slice(1, wanted), bytes: text.length };
  }
}

/** The map of GNU's old format: four pieces in the header, 21 in each block behind it. */
export async function gnuSparseMap(header: Buffer, stored: number, take: Take): Promise<SparseMap> {
  const size = numericField(header, [483, 12]);
  const pieces = piecesInBlock(header, 386, 4);
  let more = header[482] !== 0;
  for (let bytes = 0; more; bytes += BLOCK) {
    if (bytes >= LONGEST_MAP) throw new HeaderFault('a sparse map has no end');
    const block = await take(BLOCK);
    pieces.push(...piecesInBlock(block, 0, 21));
    more = block[504] !== 0;
  }
  return checkedMap(size, pieces, stored);
}

function piecesInBlock(block: Buffer, start: number, count: number): Piece[] {
  const pieces: Piece[] = [];
  for (let at = start; at < start + count * 24 && block[at] !== 0; at += 24)
    pieces.push({ offset: numericField(block, [at, 12]), length: numericField(block, [at + 12, 12]) });
  return pieces;
}

function piecesOf(numbers: readonly string[]): Piece[] {
  if (numbers.length === 1 && numbers[0] === '') return [];
  if (numbers.length % 2 !== 0) throw new HeaderFault('a sparse map has an offset without a length');
  const pieces: Piece[] = [];
  for (let i = 0; i < numbers.length; i += 2)
    pieces.push({ offset: decimal(numbers[i]!), length: decimal(numbers[i + 1]!) });
  return pieces;
}

function decimal(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw new HeaderFault(`"${text.slice(0, 40)}" in a sparse map is no number`);
  return value;
}

function checkedMap(size: number, pieces: readonly Piece[], stored: number): SparseMap {
  let end = 0;
  let held = 0;
  for (const { offset, length } of pieces) {
    if (offset < end || length < 0 || offset + length > size)
      throw new HeaderFault('the pieces of a sparse map overlap or lie outside of their file');
    end = offset + length;
    held += length;
  }
  if (held !== stored) throw new HeaderFault('a sparse map does not fit the bytes that are there');
  return { size, pieces };
}

/** The whole content: the stored pieces in their places, zeros between. */
export async function* expand(map: SparseMap, stored: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const pieces = map.pieces.filter(({ length }) => length > 0);
  let at = 0;
  let index = 0;
  for await (let chunk of stored)
    while (chunk.length > 0) {
      const piece = pieces[index]!;
      if (at < piece.offset) yield* zeros(piece.offset - at);
      at = Math.max(at, piece.offset);
      const part = chunk.subarray(0, piece.offset + piece.length - at);
      yield part;
      at += part.length;
      chunk = chunk.subarray(part.length);
      if (at === piece.offset + piece.length) index++;
    }
  yield* zeros(map.size - at);
}

function* zeros(count: number): Generator<Buffer> {
  for (let left = count; left > 0; left -= ZEROS.length)
    yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
}
