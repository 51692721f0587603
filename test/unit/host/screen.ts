import { Writable } from 'node:stream';

/** A terminal to draw on: it carries out what log-update sends (moves up, line starts, erasures) and knows what can be read. */
export class FakeTerminal extends Writable {
  readonly isTTY = true;
  readonly columns: number;
  readonly rows = 50;
  /** All that was ever written. */
  raw = '';
  readonly #lines: string[] = [''];
  #row = 0;
  #column = 0;

  constructor(columns = 80) {
    super({ decodeStrings: false });
    this.columns = columns;
  }

  /** The screen with its scrollback, without trailing blank lines. */
  get text(): string {
    return this.#lines
      .map((line) => line.trimEnd())
      .join('\n')
      .trimEnd();
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    const text = String(chunk);
    this.raw += text;
    for (const [part] of text.matchAll(/\u001b\[[?\d;]*[a-zA-Z]|[^\u001b]/gsu)) {
      if (part.startsWith('\u001b[')) this.#control(part.at(-1)!, Number.parseInt(part.slice(2), 10));
      else this.#print(part);
    }
    done();
  }

  #print(char: string): void {
    if (char === '\n') {
      this.#row++;
      this.#column = 0;
      this.#lines[this.#row] ??= '';
      return;
    }
    const line = this.#lines[this.#row]!.padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + char + line.slice(this.#column + char.length);
    this.#column += char.length;
  }

  #control(command: string, given: number): void {
    const count = Number.isNaN(given) ? 1 : given;
    if (command === 'A') this.#row = Math.max(0, this.#row - count);
    else if (command === 'B') this.#row = Math.min(this.#lines.length - 1, this.#row + count);
    else if (command === 'G') this.#column = count - 1;
    else if (command === 'K' && given === 2) this.#lines[this.#row] = '';
    else if (command === 'K') this.#lines[this.#row] = this.#lines[this.#row]!.slice(0, this.#column);
    else if (!['m', 'h', 'l'].includes(command)) throw new Error(`unexpected control ${command}`);
  }
}

/** A pipe or a file: no terminal. */
export class FakePipe extends Writable {
  text = '';

  constructor() {
    super({ decodeStrings: false });
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}
