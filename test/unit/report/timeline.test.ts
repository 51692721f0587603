import { describe, expect, it } from 'vitest';
import { type TimelineGroup, timeline, toMarkdown, toTerminal } from '../../../shared/report/index.ts';

const START = Date.UTC(2026, 10, 24, 12);
const span = (
  from: number,
  to: number,
  tone: TimelineGroup['rows'][0]['spans'][0]['tone'],
  label: string,
) => ({
  from: START + from,
  to: START + to,
  tone,
  label,
});

const GROUPS: readonly TimelineGroup[] = [
  {
    title: 'Deployment shop/storefront, new',
    rows: [
      {
        name: '6f7c-abcde',
        note: 'ready after 2.0 s',
        spans: [
          span(0, 500, 'waiting', 'pending'),
          span(500, 2000, 'working', 'pulling'),
          span(2000, 10_000, 'good', 'ready'),
        ],
      },
      {
        name: '6f7c-fghij',
        note: 'CrashLoopBackOff',
        spans: [
          span(0, 2000, 'working', 'starting'),
          span(2000, 2010, 'bad', 'Error: exit 1, again'),
          span(2010, 10_000, 'working', 'starting'),
        ],
      },
    ],
  },
];

describe('a timeline as Markdown', () => {
  const markdown = toMarkdown([timeline(GROUPS)]);

  it('is a Gantt chart with a section for each row', () => {
    expect(markdown).toBe(`\`\`\`mermaid
---
displayMode: compact
---
gantt
  dateFormat x
  axisFormat %H:%M:%S
  section 6f7c-abcde
    · :${START}, ${START + 500}
    pulling :active, ${START + 500}, ${START + 2000}
    ready :done, ${START + 2000}, ${START + 10_000}
  section 6f7c-fghij
    starting :active, ${START}, ${START + 2000}
    · :crit, ${START + 2000}, ${START + 2050}
    starting :active, ${START + 2010}, ${START + 10_000}
\`\`\`
`);
  });

  it('keeps what is Mermaid’s own out of names', () => {
    const evil = timeline([
      {
        title: 't',
        rows: [{ name: 'a:b,c;d#e\n```', note: '', spans: [span(0, 10, 'good', '%%{init: x}%%')] }],
      },
    ]);
    const text = toMarkdown([evil]);
    expect(text).toContain('section a b c d e\n');
    expect(text).toContain('    init x :done,');
    expect(text.match(/```/g)).toHaveLength(2);
  });

  it('stays far below the 50,000 characters that Mermaid reads with fifty rows of eight spans', () => {
    const rows = Array.from({ length: 50 }, (_, index) => ({
      name: `storefront-6f7c9d8b5-${index}`,
      note: '',
      spans: Array.from({ length: 8 }, (_, at) =>
        span(at * 1000, at * 1000 + 1000, 'working', 'CreateContainerConfigError'),
      ),
    }));
    expect(toMarkdown([timeline([{ title: 'x', rows }])]).length).toBeLessThan(40_000);
  });
});

describe('a timeline in a terminal', () => {
  it('has bars of one scale, and shows the shortest failure', () => {
    const lines = toTerminal([timeline(GROUPS)], { width: 80, color: false }).split('\n');
    expect(lines[0]).toBe('Deployment shop/storefront, new');
    expect(lines[1]).toMatch(/^ {2}6f7c-abcde {2}··▒+█+ {2}ready after 2\.0 s$/);
    expect(lines[2]).toMatch(/^ {2}6f7c-fghij {2}▒+×▒+ {2}CrashLoopBackOff$/);
    expect(lines[3]).toMatch(/^ {14}0 s +10\.0 s$/);
    expect(lines[4]).toBe('              · waiting   ▒ starting   █ ready   × failing');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('is nothing where nothing was seen', () => {
    expect(toTerminal([timeline([{ title: 'x', rows: [] }])], { width: 80, color: false })).toBe('');
  });
});
