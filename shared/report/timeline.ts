import { formatDuration, type Paint, pad, truncate, widthOf } from '../host/index.ts';

/** What a bar says by its look; both renderers keep to these five. */
export type Tone = 'waiting' | 'working' | 'good' | 'bad' | 'leaving';

/** A bar, or a part of one. */
export interface TimelineSpan {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly tone: Tone;
  /** A word or two: `pulling`, `CrashLoopBackOff`. */
  readonly label: string;
}

/** One of those that are drawn under each other, such as a pod. */
export interface TimelineRow {
  readonly name: string;
  readonly spans: readonly TimelineSpan[];
  /** How it came out, in a few words: `ready after 2.3 s`. */
  readonly note: string;
}

/** Rows that belong together, such as the pods of one workload. */
export interface TimelineGroup {
  readonly title: string;
  readonly rows: readonly TimelineRow[];
}

/** A picture of what went on side by side. */
export interface Timeline {
  readonly kind: 'timeline';
  readonly groups: readonly TimelineGroup[];
}

/** A picture of what went on side by side: a Gantt chart where there is Mermaid, aligned bars in a terminal. */
export const timeline = (groups: readonly TimelineGroup[]): Timeline => ({ kind: 'timeline', groups });

const TAGS: Readonly<Record<Tone, string>> = {
  waiting: '',
  working: 'active, ',
  good: 'done, ',
  bad: 'crit, ',
  leaving: '',
};

/**
 * A Gantt chart in Mermaid's words (https://mermaid.js.org/syntax/gantt.html): a section for each row, whose spans share one line.
 * The axis shows the reader's own clock: one that starts at zero would be off by the reader's time zone.
 */
export function toMermaid({ groups }: Timeline): string {
  const spans = groups.flatMap(({ rows }) => rows.flatMap((row) => row.spans));
  if (spans.length === 0) return '';
  const length = extentOf(spans).length;
  const lines = groups.flatMap(({ title, rows }) =>
    rows.flatMap((row) => [
      `  section ${plainName(rows.length === 1 && row.name === '' ? title : row.name)}`,
      ...row.spans.map(({ from, to, tone, label }) => {
        const end = Math.max(to, from + Math.ceil(length / 200));
        // A word that does not fit into its bar is written over the next one.
        const text = (end - from) / length > label.length / 90 ? plainName(label) : '·';
        return `    ${text} :${TAGS[tone]}${Math.round(from)}, ${Math.round(end)}`;
      }),
    ]),
  );
  return [
    '---',
    'displayMode: compact',
    '---',
    'gantt',
    '  dateFormat x',
    '  axisFormat %H:%M:%S',
    ...lines,
  ].join('\n');
}

/** Colons, commas, semicolons and hashes are Mermaid's own. */
const plainName = (text: string) =>
  text
    .replace(/[^\p{L}\p{N} ._/()·-]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim() || '·';

const MARKS: Readonly<Record<Tone, readonly [mark: string, style: Parameters<Paint>[0], meaning: string]>> = {
  waiting: ['·', 'dim', 'waiting'],
  working: ['▒', 'yellow', 'starting'],
  good: ['█', 'green', 'ready'],
  leaving: ['░', 'dim', 'leaving'],
  bad: ['×', 'red', 'failing'],
};
const WORST_FIRST: readonly Tone[] = ['bad', 'good', 'leaving', 'working', 'waiting'];

/** Bars of one scale under each other, as lines of at most `width` columns. */
export function toBars({ groups }: Timeline, width: number, paint: Paint): string[] {
  const rows = groups.flatMap((group) => group.rows);
  const spans = rows.flatMap((row) => row.spans);
  if (spans.length === 0) return [];
  const wide = Math.min(width, 110);
  const names = Math.min(36, Math.max(...rows.map(({ name }) => widthOf(name))));
  const notes = Math.min(28, Math.max(...rows.map(({ note }) => widthOf(note))));
  const room = Math.max(16, wide - names - notes - 6);
  const extent = extentOf(spans);
  const row = ({ name, spans: own, note }: TimelineRow) =>
    `  ${pad(truncate(name, names), names)}  ${bar(own, extent, room, paint)}  ${truncate(note, notes)}`.trimEnd();
  const end = formatDuration(extent.length);
  const scale = `  ${' '.repeat(names)}  0 s${pad(end, room - 3, 'end')}`;
  const legend = (Object.keys(MARKS) as Tone[])
    .filter((tone) => spans.some((span) => span.tone === tone))
    .map((tone) => `${paint(MARKS[tone][1], MARKS[tone][0])} ${MARKS[tone][2]}`)
    .join('   ');
  return [
    ...groups.flatMap(({ title, rows: own }) => [paint('bold', title), ...own.map(row)]),
    paint('dim', scale),
    `  ${' '.repeat(names)}  ${legend}`,
  ];
}

/** Each column shows the worst that was the case in its time: a short crash is never hidden by what surrounds it. */
function bar(spans: readonly TimelineSpan[], extent: Extent, room: number, paint: Paint): string {
  const step = extent.length / room;
  const tones = Array.from({ length: room }, (_, column) => {
    const [from, to] = [extent.start + column * step, extent.start + (column + 1) * step];
    const here = spans.filter((span) => span.from < to && Math.max(span.to, span.from + 1) > from);
    return WORST_FIRST.find((tone) => here.some((span) => span.tone === tone));
  });
  const runs: { readonly tone: Tone | undefined; length: number }[] = [];
  for (const tone of tones) {
    const last = runs.at(-1);
    if (last !== undefined && last.tone === tone) last.length++;
    else runs.push({ tone, length: 1 });
  }
  return runs
    .map(({ tone, length }) =>
      tone === undefined ? ' '.repeat(length) : paint(MARKS[tone][1], MARKS[tone][0].repeat(length)),
    )
    .join('');
}

interface Extent {
  readonly start: number;
  /** At least 1. */
  readonly length: number;
}

function extentOf(spans: readonly TimelineSpan[]): Extent {
  const start = Math.min(...spans.map(({ from }) => from));
  const end = Math.max(...spans.map(({ to }) => to));
  return { start, length: Math.max(1, end - start) };
}
