import { formatDuration } from './format.ts';
import type { Work, WorkView } from './work.ts';

/** How a log marks the lines that belong together. */
export interface LogStyle {
  /** The line that opens a task's lines, and the line, if any, that closes them. */
  readonly open: (title: string, depth: number) => string;
  readonly close: (depth: number) => string | undefined;
  /** A line of a task's detail, which may come from a child process and is not to be trusted. */
  readonly detail: (line: string, depth: number) => string;
  readonly result: (text: string, work: Work) => string;
  readonly details: boolean;
}

interface Options {
  readonly write: (line: string) => void;
  readonly style: LogStyle;
  /** Milliseconds after which a task that has said nothing yet is announced; shorter ones are one line. */
  readonly announceAfter?: number;
}

interface Progress {
  printed: number;
  opened: boolean;
  announced: boolean;
  timer?: NodeJS.Timeout;
}

/**
 * A log in document order: tasks are printed whole, in the order of their start. What the first unfinished task says appears at
 * once; what those beside it say is held back until it is their turn. So parallel work never interleaves, and nothing waits
 * for the end of the run.
 */
export function createLogView(root: Work, options: Options): WorkView {
  const { style, write } = options;
  const progress = new Map<Work, Progress>();
  const of = (work: Work) => {
    let one = progress.get(work);
    if (one === undefined) {
      one = { printed: 0, opened: work === root, announced: false };
      progress.set(work, one);
    }
    return one;
  };

  const open = (work: Work) => {
    const one = of(work);
    if (one.opened) return;
    one.opened = true;
    write(style.open(work.title, work.depth));
  };

  const close = (work: Work) => {
    const end = of(work).opened ? style.close(work.depth) : undefined;
    if (end !== undefined) write(end);
    write(style.result(resultLine(work), work));
    clearTimeout(of(work).timer);
    progress.delete(work);
  };

  /** Prints what is ready of `work`; true when it is over and wholly printed. */
  const advance = (work: Work, over = false): boolean => {
    const one = of(work);
    if (one.announced) open(work);
    while (one.printed < work.items.length) {
      const item = work.items[one.printed]!;
      if (typeof item === 'string') {
        if (style.details || work === root) {
          open(work);
          write(style.detail(item, work.depth + 1));
        }
        work.items[one.printed] = '';
      } else {
        open(work);
        if (!advance(item, over)) return false;
      }
      one.printed++;
    }
    if (work === root || (work.state === 'running' && !over)) return false;
    close(work);
    return true;
  };

  return {
    opened: (work) => {
      const one = of(work);
      one.timer = setTimeout(() => {
        one.announced = true;
        advance(root);
      }, options.announceAfter ?? 1000);
      one.timer.unref();
    },
    changed: () => void advance(root),
    closed: () => void advance(root),
    print: write,
    end: () => {
      advance(root, true);
      for (const one of progress.values()) clearTimeout(one.timer);
      if (root.note !== '') write(root.note);
    },
  };
}

/** `✓ Build: reused (0.2 s)`. */
export function resultLine(work: Work): string {
  const note = work.note === '' ? '' : `: ${work.note}`;
  if (work.state === 'running') return `- ${work.title}${note} (not finished)`;
  return `${work.state === 'done' ? '✓' : '✗'} ${work.title}${note} (${formatDuration(work.ended - work.started)})`;
}

const indent = (depth: number) => '  '.repeat(Math.max(0, depth));

/** A log that people read as it is: two spaces a level. */
export const plainStyle = (details: boolean): LogStyle => ({
  open: (title, depth) => `${indent(depth)}- ${title}`,
  close: () => undefined,
  detail: (line, depth) => `${indent(depth)}${line}`,
  result: (text, work) => `${indent(work.depth)}${text}`,
  details,
});
