import { describe, expect, it } from 'vitest';
import {
  code,
  details,
  heading,
  type Inline,
  link,
  list,
  mono,
  paragraph,
  strong,
  table,
  toMarkdown,
} from '../../../shared/report/index.ts';

const inText = (text: Inline) => toMarkdown([paragraph(text)]).trimEnd();
const inCell = (text: Inline) => toMarkdown([table(['T'], [[text]])]).split('\n')[2];

describe('toMarkdown', () => {
  it('renders each kind of block, a blank line between them', () => {
    const markdown = toMarkdown([
      heading('go-build', 3),
      paragraph(['Built ', strong('2'), ' of ', link('these', 'https://example.com/a?b=c')]),
      table(
        ['Target', { title: 'Size', align: 'right' }, { title: 'New', align: 'center' }],
        [[mono('linux/amd64'), '14.2 MB']],
      ),
      list(['one', mono('two')]),
      list(['first', 'second'], true),
      code('go build ./...', 'sh'),
      details('More', [paragraph('inside')]),
    ]);
    expect(markdown).toBe(`### go-build

Built <strong>2</strong> of [these](https://example.com/a?b=c)

| Target | Size | New |
| :--- | ---: | :---: |
| \`linux/amd64\` | 14.2 MB |  |

- one
- \`two\`

1. first
2. second

\`\`\`sh
go build ./...
\`\`\`

<details>
<summary>More</summary>

inside

</details>
`);
  });

  it('is empty for no blocks', () => expect(toMarkdown([])).toBe(''));

  it.each([
    ['a|b', 'a\\|b'],
    ['<img src=x onerror=y>', '&lt;img src=x onerror=y&gt;'],
    ['&lt;', '&amp;lt;'],
    ['**bold** _em_ ~del~', '\\*\\*bold\\*\\* \\_em\\_ \\~del\\~'],
    ['`code`', '\\`code\\`'],
    ['[text](javascript:x)', '\\[text\\](javascript:x)'],
    ['a\\', 'a\\\\'],
    ['$x$', '\\$x\\$'],
    ['thanks @octocat', 'thanks @<!-- -->octocat'],
    ['alpine@sha256:ab', 'alpine@sha256:ab'],
    ['a\nb\r\nc', 'a<br>b<br>c'],
    ['# no heading', '\\# no heading'],
    ['- no item', '\\- no item'],
    ['1. no item', '1\\. no item'],
    ['14.2 MB', '14.2 MB'],
    ['    no code', 'no code'],
    ['=== no heading', '\\=== no heading'],
  ])('shows %j as it is', (text, markdown) => expect(inText(text)).toBe(markdown));

  it.each([
    ['sha256:ab', '`sha256:ab`'],
    ['a|b', '<code>a&#124;b</code>'],
    ['a`b', '<code>a&#96;b</code>'],
    ['C:\\temp\\', '<code>C:&#92;temp&#92;</code>'],
    [' x', '<code> x</code>'],
    ['a\nb', '<code>a b</code>'],
    ['<b>*x*', '`<b>*x*`'],
    ['<b>|*x*', '<code>&lt;b&gt;&#124;&#42;x&#42;</code>'],
    ['', ''],
  ])('shows code %j as it is, in a table too', (text, markdown) => {
    expect(inText(mono(text))).toBe(markdown);
    expect(inCell(mono(text))).toBe(`| ${markdown} |`);
  });

  it('keeps every cell in its row', () => {
    const markdown = toMarkdown([table(['A | B'], [['x\ny'], ['|'], ['\\|'], ['']])]);
    expect(markdown.trimEnd().split('\n')).toEqual([
      '| A \\| B |',
      '| :--- |',
      '| x<br>y |',
      '| \\| |',
      '| \\\\\\| |',
      '|  |',
    ]);
  });

  it('makes no link of what is no web address, and lets none out of its brackets', () => {
    expect(inText(link('x', 'javascript:alert(1)'))).toBe('x');
    expect(inText(link('x](y', 'https://e.com/a) b|c'))).toBe('[x\\](y](https://e.com/a%29%20b%7Cc)');
  });

  it('fences code that holds fences', () => {
    expect(toMarkdown([code('```\nx\n````', 'sh"><script>')])).toBe('`````shscript\n```\nx\n````\n`````\n');
  });

  it('escapes the title of details as HTML', () => {
    const markdown = toMarkdown([details(['<b> ', mono('a|b'), ' *x*'], [])]);
    expect(markdown).toContain('<summary>&lt;b&gt; <code>a&#124;b</code> &#42;x&#42;</summary>');
  });
});
