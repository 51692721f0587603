import type { Task } from '../../host/index.ts';

/** A line of `--progress=rawjson`: BuildKit's client.SolveStatus. */
interface SolveStatus {
  readonly vertexes?: readonly Vertex[];
  readonly logs?: readonly { readonly vertex: string; readonly data: string }[];
  readonly warnings?: readonly {
    readonly short?: string;
    readonly range?: readonly { readonly start?: { readonly line?: number } }[];
  }[];
}

interface Vertex {
  readonly digest: string;
  readonly name: string;
  readonly started?: string;
  readonly completed?: string;
  readonly cached?: boolean;
  readonly error?: string;
}

/** A step that a builder carried out, or had in its own cache. */
export interface BuildStep {
  /** As BuildKit calls it: `[build 2/3] RUN go build`. */
  readonly name: string;
  readonly milliseconds: number;
  readonly cached: boolean;
}

/** Reads what buildx tells while it builds: a group of lines for each step, and what an error message and a report need. */
export class BuildProgress {
  /** The step that failed, as `[build 2/3] RUN go build`. */
  failed: string | undefined;
  /** The last sentence that buildx ended with. */
  error: string | undefined;
  /** The line of the Dockerfile that it pointed to. */
  dockerfileLine: number | undefined;
  /** Lines that are no progress. */
  readonly words: string[] = [];
  readonly #task: Task;
  readonly #vertexes = new Map<string, Vertex>();
  readonly #groups = new Map<string, Group>();

  constructor(task: Task) {
    this.#task = task;
  }

  line(text: string): void {
    const status = parse(text);
    if (status === undefined) this.#word(text);
    else this.#status(status);
  }

  /** Ends the groups of steps that are still open: the program has ended. */
  end(): void {
    for (const group of this.#groups.values()) group.end();
  }

  /** The steps that were carried out, in the order in which they began. */
  get steps(): BuildStep[] {
    const done = [...this.#vertexes.values()].flatMap(({ name, started, completed, cached = false }) => {
      if (started === undefined || completed === undefined || isInternal(name)) return [];
      const [begin, end] = [Date.parse(started), Date.parse(completed)];
      return [{ begin, step: { name, milliseconds: Math.max(0, end - begin), cached } }];
    });
    return done.sort((a, b) => a.begin - b.begin).map(({ step }) => step);
  }

  #word(text: string): void {
    if (text.trim() === '') return;
    this.words.push(text);
    this.#task.log(text);
    const place = /^\S.*:(\d+)$/.exec(text);
    if (place !== null && this.dockerfileLine === undefined) this.dockerfileLine = Number(place[1]);
    const error = /^ERROR: (.*)$/.exec(text);
    if (error !== null) this.error = shorten(error[1]!);
  }

  #status(status: SolveStatus): void {
    for (const vertex of status.vertexes ?? []) this.#vertex(vertex);
    for (const { vertex, data } of status.logs ?? [])
      this.#groups.get(vertex)?.output(Buffer.from(data, 'base64').toString('utf8'));
    for (const { short, range } of status.warnings ?? []) {
      const line = range?.[0]?.start?.line;
      const where = line === undefined ? '' : `line ${line}: `;
      if (short !== undefined)
        this.#task.log(`warning: ${where}${Buffer.from(short, 'base64').toString('utf8')}`);
    }
  }

  #vertex(vertex: Vertex): void {
    const { digest, name, started, completed, cached, error } = vertex;
    const before = this.#vertexes.get(digest);
    this.#vertexes.set(digest, { ...before, ...vertex });
    const failed = error !== undefined && error !== '' && !/context canceled/.test(error);
    if (failed) this.failed ??= name;
    if (cached && !before?.cached) this.#task.log(`${name}: cached`);
    else if (started !== undefined && !this.#groups.has(digest))
      this.#groups.set(digest, isInternal(name) ? quiet(name, this.#task) : openGroup(name, this.#task));
    if (completed !== undefined) this.#groups.get(digest)?.end(failed ? error : undefined);
  }
}

/** What the builder does for itself: reading the Dockerfile, sending the context. */
function isInternal(name: string): boolean {
  return name.startsWith('[internal]') || name.startsWith('[auth]');
}

/** The lines of one step. */
interface Group {
  output(text: string): void;
  /** Whoever ends it a second time changes nothing. */
  end(error?: string): void;
}

function openGroup(name: string, task: Task): Group {
  const done = Promise.withResolvers<void>();
  let own: Task | undefined;
  const work = task.task(name, (child) => {
    own = child;
    return done.promise;
  });
  // The step's failure is told once, by whoever ran the program.
  work.catch(() => {});
  return lines((line) => own?.log(line), done);
}

function quiet(name: string, task: Task): Group {
  task.log(name);
  return lines((line) => task.log(`  ${line}`), Promise.withResolvers<void>());
}

function lines(log: (line: string) => void, done: PromiseWithResolvers<void>): Group {
  done.promise.catch(() => {});
  let rest = '';
  return {
    output: (text) => {
      const all = (rest + text).split('\n');
      rest = all.pop()!;
      for (const line of all) log(line.replace(/\r$/, ''));
    },
    end: (error) => {
      if (rest !== '') log(rest);
      rest = '';
      if (error === undefined) done.resolve();
      else done.reject(new Error(error));
    },
  };
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
