/** A line of `--progress=rawjson`: BuildKit's client.SolveStatus. */
interface SolveStatus {
  readonly vertexes?: readonly {
    readonly digest: string;
    readonly name: string;
    readonly started?: string;
    readonly completed?: string;
    readonly cached?: boolean;
    readonly error?: string;
  }[];
  readonly logs?: readonly { readonly vertex: string; readonly data: string }[];
  readonly warnings?: readonly { readonly short?: string }[];
}

/** Reads what buildx tells while it builds, and keeps what an error message needs. */
export class BuildProgress {
  /** The step that failed, as `[build 2/3] RUN go build`. */
  failed: string | undefined;
  /** The last sentence that buildx ended with. */
  error: string | undefined;
  /** The line of the Dockerfile that it pointed to. */
  dockerfileLine: number | undefined;
  /** Lines that are no progress. */
  readonly words: string[] = [];
  readonly #log: (line: string) => void;
  readonly #told = new Set<string>();
  readonly #rests = new Map<string, string>();

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  line(text: string): void {
    const status = parse(text);
    if (status === undefined) this.#word(text);
    else this.#status(status);
  }

  #word(text: string): void {
    if (text.trim() === '') return;
    this.words.push(text);
    this.#log(text);
    const place = /^\S.*:(\d+)$/.exec(text);
    if (place !== null && this.dockerfileLine === undefined) this.dockerfileLine = Number(place[1]);
    const error = /^ERROR: (.*)$/.exec(text);
    if (error !== null) this.error = shorten(error[1]!);
  }

  #status(status: SolveStatus): void {
    for (const { digest, name, started, completed, cached, error } of status.vertexes ?? []) {
      if (started !== undefined) this.#once(`${digest} started`, name);
      if (cached) this.#once(`${digest} cached`, `${name}: cached`);
      if (error !== undefined && error !== '' && !/context canceled/.test(error)) this.failed ??= name;
      if (completed !== undefined) this.#flush(digest);
    }
    for (const { vertex, data } of status.logs ?? [])
      this.#output(vertex, Buffer.from(data, 'base64').toString('utf8'));
    for (const { short } of status.warnings ?? [])
      if (short !== undefined) this.#log(`warning: ${Buffer.from(short, 'base64').toString('utf8')}`);
  }

  #once(key: string, line: string): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#log(line);
  }

  #output(vertex: string, text: string): void {
    const lines = ((this.#rests.get(vertex) ?? '') + text).split('\n');
    this.#rests.set(vertex, lines.pop()!);
    for (const line of lines) this.#log(`  ${line.replace(/\r$/, '')}`);
  }

  #flush(vertex: string): void {
    const rest = this.#rests.get(vertex);
    this.#rests.delete(vertex);
    if (rest !== undefined && rest !== '') this.#log(`  ${rest}`);
  }
}

function parse(text: string): SolveStatus | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as SolveStatus;
  } catch {
    return undefined;
  }
}

/** "failed to build: failed to solve: process … did not complete" says where it came from before it says what. */
function shorten(text: string): string {
  return text
    .replace(/^(failed to build: |failed to solve: |rpc error: code = \w+ desc = )+/, '')
    .replace(/\.$/, '');
}
