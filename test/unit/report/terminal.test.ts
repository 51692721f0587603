import { describe, expect, it } from 'vitest';
import {
  code,
  details,
  heading,
  list,
  mono,
  paragraph,
  shortDigest,
  strong,
  summary,
  table,
  toTerminal,
} from '../../../shared/report/index.ts';

const render = (blocks: Parameters<typeof toTerminal>[0], width = 60) =>
  toTerminal(blocks, { width, color: false });

describe('toTerminal', () => {
  it('renders each kind of block', () => {
    expect(
      render([
        heading('go-build'),
        paragraph(['Built ', strong('2'), ' targets']),
        table(
          ['Target', { title: 'Size', align: 'right' }, { title: 'New', align: 'center' }],
          [
            [mono('linux/amd64'), '14.2 MB', 'x'],
            ['a', '900 B'],
          ],
        ),
        list(['one', 'two']),
        list(['first'], true),
        code('go build\n  ./...\n'),
        details('More', [paragraph('inside')]),
      ]),
    ).toBe(`go-build
Built 2 targets

Target          Size  New
───────────  ───────  ───
linux/amd64  14.2 MB   x
a              900 B

• one
• two

1. first

  go build
    ./...

More
  inside
`);
  });

  it('aligns wide characters by their columns', () => {
    expect(
      render([
        table(
          ['A', 'B'],
          [
            ['日本', 'x'],
            ['abcde', 'y'],
          ],
        ),
      ]),
    ).toBe('A      B\n─────  ─\n日本   x\nabcde  y\n');
  });

  it('wraps the widest cells so that the table fits', () => {
    const text = render([table(['Name', 'Why'], [['main.go', 'the file is not the same as it was']])], 30);
    expect(text).toBe(
      'Name     Why\n───────  ─────────────────────\nmain.go  the file is not the\n         same as it was\n',
    );
  });

  it('breaks a word only where it is too long by itself', () => {
    expect(render([paragraph('a bb cccccccccc d')], 6)).toBe('a bb\ncccccc\ncccc d\n');
    expect(render([list(['aa bb cc'])], 7)).toBe('• aa bb\n  cc\n');
  });

  it('keeps line ends of paragraphs, cells and items', () => {
    expect(render([paragraph('a\nb')])).toBe('a\nb\n');
    expect(render([table(['T', 'U'], [['a\nb', 'c']])])).toContain('a  c\nb\n');
  });

  it('takes out what could change the terminal', () => {
    const hostile = '\u001b[2J\u0007x';
    const text = render([
      heading(hostile),
      paragraph(hostile),
      table([hostile], [[hostile]]),
      list([hostile]),
      code(hostile),
      details(hostile, []),
    ]);
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  it('colours headings only where colours are wanted', () => {
    expect(toTerminal([heading('x')], { width: 20, color: true })).toBe('\u001b[1mx\u001b[22m\n');
  });

  it('survives a table with no rows and a terminal of no width', () => {
    expect(render([table(['A', 'B'], [])])).toBe('A  B\n─  ─\n');
    expect(render([paragraph('abc'), table(['Long title'], [['x']])], 0)).toContain('abc');
  });
});

it('a summary has both forms', () => {
  const both = summary([heading('x'), paragraph('a*b c')]);
  expect(both).toMatchObject({ markdown: '## x\n\na\\*b c\n', text: 'x\na*b c\n' });
  expect(both.render?.({ width: 3, color: false })).toBe('x\na*b\nc\n');
});

it('a digest is short and keeps its algorithm', () => {
  expect(shortDigest(`sha256:${'0123456789abcdef'.repeat(4)}`)).toBe('sha256:0123456789ab');
  expect(shortDigest('0123456789abcdef')).toBe('0123456789ab');
});
