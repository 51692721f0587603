import type { Paint } from './paint.ts';
import { harmless } from './text-width.ts';
import { renderTree } from './tree.ts';
import type { Work, WorkView } from './work.ts';

/** The part of the terminal that is drawn anew again and again, as log-update makes it. */
export interface Region {
  (text: string): void;
  /** Prints a text in place of the region, for good. */
  persist(text: string): void;
  done(): void;
}

interface Options {
  readonly region: Region;
  readonly width: () => number;
  readonly paint: Paint;
  readonly clock: () => number;
}

const REDRAW = 80;

/**
 * A live tree. Tasks of the host that are over, and have none before them that still runs, scroll away as printed lines, so that
 * what is redrawn stays small however long the run is.
 */
export function createLiveView(root: Work, options: Options): WorkView {
  const { region, clock, width, paint } = options;
  let settled = 0;
  let frame = 0;
  const tree = (work: Work) => renderTree(work, { now: clock(), width: width(), paint, frame });

  const draw = () => {
    const open = root.items.slice(settled).filter((item) => typeof item !== 'string');
    // Printing what settled has cleared the region; drawing nothing would leave an empty line.
    if (open.length === 0) return;
    region(open.flatMap(tree).join('\n'));
  };
  const timer = setInterval(() => {
    frame++;
    draw();
  }, REDRAW);
  timer.unref();

  const settle = (over = false) => {
    for (; settled < root.items.length; settled++) {
      const item = root.items[settled]!;
      if (typeof item !== 'string' && item.state === 'running' && !over) return;
      region.persist(typeof item === 'string' ? harmless(item) : tree(item).join('\n'));
      root.items[settled] = ''; // printed: its log and its children need no memory any more
    }
  };

  return {
    opened: draw,
    changed: () => settle(),
    closed: (work) => {
      if (work.state === 'done') forgetLog(work);
      settle();
      draw();
    },
    print: (line) => {
      region.persist(line);
      draw();
    },
    end: () => {
      clearInterval(timer);
      settle(true);
      if (root.note !== '') region.persist(harmless(root.note));
      region.done();
    },
  };
}

/** The log of a task that went well is never shown. */
function forgetLog(work: Work): void {
  const kept = work.items.filter((item) => typeof item !== 'string');
  work.items.splice(0, work.items.length, ...kept);
}
