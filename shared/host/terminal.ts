import type { ClosableHost } from './github.ts';
import { escapeCommand, githubStyle } from './github.ts';
import { readRun } from './github-run.ts';
import type { Annotation, RunContext, Summary } from './host.ts';
import { identityTokenOf } from './identity-token.ts';
import { createLiveView } from './live-view.ts';
import { createLogView, type LogStyle, plainStyle } from './log-view.ts';
import { createMasks } from './masks.ts';
import { createPaint, type Paint, wantsColor } from './paint.ts';
import { atWorkspace } from './place.ts';
import { createProcessEdge } from './process-edge.ts';
import { harmless, pad, truncate, wrap } from './text-width.ts';
import { createRoot, createTask, type Work, type WorkView } from './work.ts';

/** A stream that text is shown on: `process.stdout`, `process.stderr`, or a test's own. */
export type Screen = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

/** How an action is run from a terminal. */
export interface TerminalOptions {
  /** The inputs that were given, by name. */
  readonly inputs: ReadonlyMap<string, string>;
  /** `verbose` prints every line of detail, `quiet` nothing but warnings and errors. */
  readonly detail?: 'normal' | 'verbose' | 'quiet';
  /** Prints the outputs as one JSON object on `stdout`; all that people read then goes to `stderr`. */
  readonly json?: boolean;
  readonly workspace?: string;
  readonly stdout?: Screen;
  readonly stderr?: Screen;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds of a clock that only goes forward. */
  readonly clock?: () => number;
  /** What the second Ctrl-C does; default: exit code 130 at once. */
  readonly onImpatient?: () => void;
}

/** Beyond this, lines of text are hard to read. */
const WIDEST_TEXT = 110;

interface Terminal {
  readonly out: Screen;
  readonly err: Screen;
  readonly env: NonNullable<TerminalOptions['env']>;
  readonly detail: NonNullable<TerminalOptions['detail']>;
  /** Whether there is a tree that is drawn again and again. */
  readonly live: boolean;
  readonly width: number;
  readonly color: boolean;
  readonly paint: Paint;
  readonly clock: () => number;
  readonly mask: (text: string) => string;
  /** What is printed line by line: in a step of a workflow, the runner carries out none of it. */
  readonly inert: (text: string) => string;
}

function openTerminal(options: TerminalOptions, mask: Terminal['mask']): Terminal {
  const env = options.env ?? process.env;
  const err = options.stderr ?? process.stderr;
  const out = options.json ? err : (options.stdout ?? process.stdout);
  const detail = options.detail ?? 'normal';
  const color = wantsColor(out, env);
  return {
    out,
    err,
    env,
    detail,
    live: detail === 'normal' && isDrawable(out, env),
    width: Math.min(out.columns || 100, WIDEST_TEXT),
    color,
    paint: createPaint(color),
    clock: options.clock ?? (() => performance.now()),
    mask,
    inert: env.GITHUB_ACTIONS === 'true' ? escapeLines : (text) => text,
  };
}

const escapeLines = (text: string) =>
  text
    .split('\n')
    .map((line) => escapeCommand(line))
    .join('\n');

/** The host of a command in a terminal: a live tree where there is one to draw on, else lines. Outputs are shown by `close`. */
export async function createTerminalHost(options: TerminalOptions): Promise<ClosableHost> {
  const masks = createMasks();
  const terminal = openTerminal(options, masks.apply);
  const root = createRoot(terminal.clock());
  const view = await createView(root, terminal);
  const edge = createProcessEdge(
    undefined,
    () => view.print('Stopping. Press Ctrl-C once more to stop at once.'),
    options.onImpatient ?? (() => process.exit(130)),
  );
  const state = new Map<string, string>();
  const outputs = new Map<string, string>();
  const summaries: string[] = [];
  const workspace = options.workspace ?? process.cwd();
  return {
    kind: 'terminal',
    signal: edge.signal,
    workspace,
    get temporary() {
      return edge.temporary();
    },
    run: contextOf(terminal.env),
    ...createTask(root, { view, clock: terminal.clock, mask: masks.apply }),
    input: (name) => options.inputs.get(name),
    output: (name, value) => void outputs.set(name, value),
    secret: (value) => void masks.add(value),
    mask: masks.apply,
    identityToken: identityTokenOf(terminal.env, (value) => void masks.add(value)),
    annotate: (annotation) => printAnnotation(atWorkspace(annotation, workspace), terminal, view),
    summarize: async (summary) => void summaries.push(summaryText(summary, terminal)),
    saveState: (name, value) => void state.set(name, value),
    state: (name) => state.get(name),
    close: (ending = 'done') => {
      view.end();
      edge.close();
      if (terminal.detail !== 'quiet')
        printResults(summaries, ending === 'done' ? outputs : new Map(), terminal);
      if (options.json) printJson(outputs, options.stdout ?? process.stdout, masks.apply);
    },
  };
}

function printResults(
  summaries: readonly string[],
  outputs: ReadonlyMap<string, string>,
  { out, paint, mask, inert }: Terminal,
): void {
  for (const text of summaries) out.write(inert(mask(`\n${text.trimEnd()}\n`)));
  out.write(inert(outputLines(mapValues(outputs, mask), out.columns || 100, paint)));
}

/** A line end in the middle of a secret would hide it from the masks: what holds one is shown without line breaks of ours. */
function summaryText({ text, render }: Summary, { width, color, mask }: Terminal): string {
  if (render === undefined) return text;
  const unbroken = render({ width: Number.MAX_SAFE_INTEGER, color });
  return mask(unbroken) === unbroken ? render({ width, color }) : unbroken;
}

function printJson(outputs: ReadonlyMap<string, string>, stdout: Screen, mask: Terminal['mask']): void {
  stdout.write(mask(`${JSON.stringify(Object.fromEntries(outputs), null, 2)}\n`));
}

function printAnnotation(annotation: Annotation, terminal: Terminal, view: WorkView): void {
  const { live, err, detail, width, paint, mask, inert } = terminal;
  if (detail === 'quiet' && annotation.level === 'notice') return;
  const text = inert(mask(annotationText(annotation, paint)));
  // On a drawn tree everything goes through the one who draws; else what is wrong goes where a shell looks for it.
  if (live)
    view.print(
      text
        .split('\n')
        .map((line) => wrap(line, width - 1).join('\n'))
        .join('\n'),
    );
  else if (annotation.level === 'notice') view.print(text);
  else err.write(`${text}\n`);
}

/** A command in a workflow's `run:` step is trusted as that workflow is; in a terminal it is its user's own. */
const contextOf = (env: NonNullable<TerminalOptions['env']>): RunContext =>
  env.GITHUB_ACTIONS === 'true' ? readRun(env) : { trusted: true };

async function createView(root: Work, terminal: Terminal): Promise<WorkView> {
  const { out, err, env, paint, clock, mask } = terminal;
  if (terminal.detail === 'quiet') return createQuietView((line) => err.write(`${mask(line)}\n`));
  if (terminal.live) {
    // Loaded only where it is used: a log, and an action on a runner, never draw a tree.
    const { createLogUpdate } = await import('log-update');
    const update = createLogUpdate(out);
    const region = Object.assign((text: string) => update(mask(text)), {
      persist: (text: string) => update.persist(mask(text)),
      done: () => update.done(),
    });
    return createLiveView(root, { region, width: () => out.columns || 80, paint, clock });
  }
  const style = env.GITHUB_ACTIONS === 'true' ? githubStyle() : painted(plainStyle(true), paint);
  return createLogView(root, { write: (line) => out.write(`${mask(line)}\n`), style });
}

/** Whether there is a terminal to draw a tree on. One of no width, as some tools make, cannot be drawn on. */
const isDrawable = (screen: Screen, env: NonNullable<TerminalOptions['env']>) =>
  screen.isTTY === true && (screen.columns ?? 0) > 0 && env.TERM !== 'dumb' && !isCi(env);

// Some CI systems give their steps a pseudo-terminal, which a log then keeps redraw by redraw.
const isCi = (env: NonNullable<TerminalOptions['env']>) =>
  env.CI !== undefined && env.CI !== '' && env.CI !== 'false';

function createQuietView(print: (line: string) => void): WorkView {
  return { opened: () => {}, changed: () => {}, closed: () => {}, print, end: () => {} };
}

/** The plain log in colours, and without what a child process could do to the terminal. */
function painted(style: LogStyle, paint: Paint): LogStyle {
  return {
    ...style,
    open: (title, depth) => paint('bold', harmless(style.open(title, depth))),
    detail: (line, depth) => harmless(style.detail(line, depth)),
    result: (text, work) =>
      harmless(style.result(text, work)).replace(/[✓✗]/, (symbol) =>
        paint(symbol === '✓' ? 'green' : 'red', symbol),
      ),
  };
}

const COLORS = { error: 'red', warning: 'yellow', notice: 'blue' } as const;

/** `Dockerfile:3:1: warning: The base is not pinned.`: the form that compilers use and that editors and terminals link. */
function annotationText({ level, message, title, location }: Annotation, paint: Paint): string {
  const place =
    location === undefined
      ? ''
      : `${[location.file, location.line, location.column].filter((part) => part !== undefined).join(':')}: `;
  const heading = title === undefined ? '' : `${title}: `;
  return `${paint('bold', harmless(place))}${paint(['bold', COLORS[level]], `${level}:`)} ${harmless(heading + message)}`;
}

/** Outputs as aligned lines. JSON is for programs: it is named alone, and --json has it whole. */
function outputLines(outputs: ReadonlyMap<string, string>, columns: number, paint: Paint): string {
  const given = [...outputs].filter(([, value]) => value !== '');
  const [json, shown] = partition(given, ([, value]) => /^[[{]/.test(value));
  if (given.length === 0) return '';
  const name = Math.max(...shown.map(([key]) => key.length));
  const room = Math.max(24, columns - name - 4);
  const lines = shown.map(
    ([key, value]) =>
      `  ${paint('dim', pad(key, name))}  ${truncate(harmless(value.replace(/\s*\n\s*/g, ' ')), room)}\n`,
  );
  const rest = `  ${paint('dim', `as JSON, with --json: ${json.map(([key]) => key).join(', ')}`)}\n`;
  return `\n${paint('bold', 'Outputs')}\n${lines.join('')}${json.length === 0 ? '' : rest}`;
}

const mapValues = <K, V>(map: ReadonlyMap<K, V>, change: (value: V) => V): ReadonlyMap<K, V> =>
  new Map([...map].map(([key, value]) => [key, change(value)]));

function partition<T>(values: readonly T[], belongs: (value: T) => boolean): [T[], T[]] {
  return [values.filter(belongs), values.filter((value) => !belongs(value))];
}
