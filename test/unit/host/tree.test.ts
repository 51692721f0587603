import { describe, expect, it } from 'vitest';
import { createPaint } from '../../../shared/host/index.ts';
import { renderTree } from '../../../shared/host/tree.ts';
import { createRoot, type Work } from '../../../shared/host/work.ts';

const work = (title: string, part: Partial<Work> = {}): Work => ({
  ...createRoot(0),
  title,
  depth: 0,
  state: 'done',
  ended: 1500,
  ...part,
});
const render = (one: Work, width = 60, now = 4000) =>
  renderTree(one, { now, width, paint: createPaint(false), frame: 1 });

describe('a tree', () => {
  it('shows state, title, note and time, the times in one column', () => {
    const build = work('Build', {
      state: 'running',
      items: [
        work('linux/amd64', { depth: 1, note: '14.2 MB' }),
        work('linux/arm64', { depth: 1, state: 'running', items: ['compiling net/http', ''] }),
      ],
    });
    expect(render(build)).toEqual([
      '⠙ Build                                               4.0 s',
      '  ✓ linux/amd64               14.2 MB                 1.5 s',
      '  ⠙ linux/arm64               compiling net/http      4.0 s',
    ]);
  });

  it('shows the last line of a running task in place of a note', () => {
    const lines = render(work('Build', { state: 'running', items: ['first', '\u001b[2Jnet/http\tok'] }));
    expect(lines[0]).toContain('net/http  ok');
    expect(lines[0]).not.toContain('\u001b');
  });

  it('cuts the note, then the title, to the width, and keeps the time', () => {
    const long = work('A title of many words that goes on and on', { note: 'x'.repeat(99) });
    expect(render(long, 80)[0]).toMatch(/^✓ A title of many words that goes on and on {2}x+… {2}1\.5 s$/);
    expect(render(long, 52)[0]).toMatch(/^✓ A title of many words that goes on and on +1\.5 s$/);
    expect(render(long, 30)[0]).toBe('✓ A title of many wor…  1.5 s');
    for (const width of [20, 30, 50, 70, 200]) expect(render(long, width)[0]!.length).toBeLessThan(width + 1);
  });

  it('counts wide characters as two columns', () => {
    const [wide, narrow] = [work('日本語', { note: 'n' }), work('abcdef', { note: 'n' })].map(
      (one) => render(one)[0]!,
    );
    expect(wide!.indexOf('n')).toBe(narrow!.indexOf('n') - 3);
  });

  it('shows the end of the log of a task that failed, and of no other', () => {
    const log = Array.from({ length: 45 }, (_, index) => `line ${index}`);
    const failed = render(work('Build', { state: 'failed', items: log }));
    expect(failed[1]).toBe('  │ … 5 earlier lines; --verbose shows all');
    expect(failed.slice(2)).toEqual(log.slice(5).map((line) => `  │ ${line}`));
    expect(render(work('Build', { items: log }))).toHaveLength(1);
  });
});
