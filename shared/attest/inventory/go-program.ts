import { type BuildInfo, parseBuildInfo } from '../../go/index.ts';

const ELF = Buffer.from('\x7fELF', 'latin1');
/** How the linker marks build information (debug/buildinfo); it lies at a multiple of 16 bytes. */
const MAGIC = Buffer.from('\xff Go buildinf:', 'latin1');
const ALIGNMENT = 16;
/** Strings lie behind the header since Go 1.18; before there were pointers to them. */
const HEADER = 32;
const INLINE = 0x2;
/** Of version and module list; the largest known programs have some 200 KB. */
const LARGEST = 8 * 2 ** 20;

/**
 * Finds what a Go program says of itself in the bytes of an ELF file as they pass by, so that no go command, no file on disk and no
 * memory of the program's size is needed. What is no program of Go 1.18 or later gives nothing.
 */
export class GoProgramReader {
  #elf: boolean | undefined;
  #held: Buffer = Buffer.alloc(0);
  /** Offset of the first byte held in the file. */
  #offset = 0;
  #found: BuildInfo | undefined;

  push(chunk: Uint8Array): void {
    if (this.#elf === false || this.#found !== undefined) return;
    this.#held = this.#held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk]);
    if (this.#elf === undefined) {
      if (this.#held.length < ELF.length) return;
      this.#elf = this.#held.subarray(0, ELF.length).equals(ELF);
    }
    if (this.#elf) this.#search();
    else this.#held = Buffer.alloc(0);
  }

  /** False as soon as the first bytes have told that it is no ELF file. */
  get possible(): boolean {
    return this.#elf !== false;
  }

  get found(): BuildInfo | undefined {
    return this.#found;
  }

  #search(): void {
    let at = this.#held.indexOf(MAGIC);
    for (; at !== -1; at = this.#held.indexOf(MAGIC, at + 1)) {
      // A program that reads build information itself has the mark among its constants, too.
      if ((this.#offset + at) % ALIGNMENT !== 0) continue;
      const info = readBlob(this.#held.subarray(at));
      if (info === 'more') break;
      if (info === undefined) continue;
      this.#found = info;
      this.#held = Buffer.alloc(0);
      return;
    }
    // The mark may begin in these bytes and end in the next.
    this.#drop(at === -1 ? Math.max(0, this.#held.length - MAGIC.length + 1) : at);
  }

  #drop(count: number): void {
    this.#held = this.#held.subarray(count);
    this.#offset += count;
  }
}

/** Build information that begins here; `more` when it goes on behind these bytes, undefined when it is none. */
function readBlob(blob: Buffer): BuildInfo | 'more' | undefined {
  if (blob.length < HEADER) return 'more';
  if ((blob[15]! & INLINE) === 0) return undefined;
  const version = readString(blob, HEADER);
  if (typeof version !== 'object') return version;
  if (!/^(go\d|devel )/.test(version.text)) return undefined;
  const modules = readString(blob, version.end);
  if (typeof modules !== 'object') return modules;
  return parseBuildInfo(goVersionText(version.text, modules.text));
}

function readString(blob: Buffer, at: number): { text: string; end: number } | 'more' | undefined {
  let length = 0;
  for (let i = 0; ; i++) {
    const byte = blob[at + i];
    if (byte === undefined) return 'more';
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (length > LARGEST) return undefined;
    if (byte >= 0x80) continue;
    const start = at + i + 1;
    if (blob.length < start + length) return 'more';
    return { text: blob.toString('utf8', start, start + length), end: start + length };
  }
}

/** The text that `go version -m` prints. Marks are not valid UTF-8: the list is found by its lines. */
function goVersionText(version: string, marked: string): string {
  const start = marked.search(/(path|mod|dep|build)\t/);
  const end = marked.lastIndexOf('\n');
  const lines = start === -1 || end < start ? [] : marked.slice(start, end).split('\n');
  return [`program: ${version}`, ...lines.map((line) => `\t${line}`)].join('\n');
}
