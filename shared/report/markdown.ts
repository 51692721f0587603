import { type Block, type Column, type Inline, type Span, spansOf } from './block.ts';
import { toMermaid } from './timeline.ts';

/**
 * GitHub-flavoured Markdown (https://github.github.com/gfm/) that shows exactly the texts of the blocks: no character of theirs
 * starts a table cell, a tag, an emphasis, a link or a mention.
 */
export function toMarkdown(blocks: readonly Block[]): string {
  return blocks.length === 0 ? '' : `${blocks.map(block).join('\n\n')}\n`;
}

function block(one: Block): string {
  switch (one.kind) {
    case 'heading':
      return `${'#'.repeat(one.level)} ${line(one.text, ' ')}`;
    case 'text':
      return line(one.text, '<br>');
    case 'table':
      return tableLines(one.columns, one.rows).join('\n');
    case 'list':
      return one.items
        .map((item, index) => `${one.ordered ? `${index + 1}.` : '-'} ${line(item, '<br>')}`)
        .join('\n');
    case 'code':
      return fenced(one.text, one.language);
    case 'details':
      return `<details>\n<summary>${html(one.title)}</summary>\n\n${toMarkdown(one.blocks)}\n</details>`;
    case 'timeline':
      return fenced(toMermaid(one), 'mermaid');
  }
}

function tableLines(columns: readonly Column[], rows: readonly (readonly Inline[])[]): string[] {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    row(columns.map(({ title }) => line(title, '<br>'))),
    row(columns.map(({ align }) => RULES[align ?? 'left'])),
    ...rows.map((cells) => row(columns.map((_, index) => line(cells[index] ?? '', '<br>')))),
  ];
}

const RULES = { left: ':---', right: '---:', center: ':---:' } as const;

const line = (inline: Inline, lineEnd: string) =>
  guardStart(
    spansOf(inline)
      .map((part) => span(part, lineEnd))
      .join(''),
  );

function span(one: Span, lineEnd: string): string {
  if (typeof one === 'string') return escapeText(one, lineEnd);
  switch (one.kind) {
    case 'code':
      return codeSpan(one.text);
    case 'strong':
      return `<strong>${escapeText(one.text, lineEnd)}</strong>`;
    case 'link':
      return isWebAddress(one.url)
        ? `[${escapeText(one.text, lineEnd)}](${encodeAddress(one.url)})`
        : escapeText(one.text, lineEnd);
  }
}

const isWebAddress = (url: string) => /^https?:\/\//i.test(url);

const encodeAddress = (url: string) =>
  url.replace(
    /[\s<>()|\\`"[\]]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );

function escapeText(text: string, lineEnd: string): string {
  return (
    escapeHtml(text)
      .replace(/[\\`*_[\]|~$]/g, '\\$&')
      // GitHub turns @name into a mention wherever it finds it in the finished text; an empty comment between the two prevents it.
      .replace(/(^|[^\w])@(?=[a-z0-9])/gi, '$1@<!-- -->')
      .replace(/\s*\r?\n/g, lineEnd)
  );
}

/** At the start of a line some characters make a heading, a list or a quote of it, and four spaces make it code. */
const guardStart = (text: string) =>
  text
    .trimStart()
    .replace(/^([#+\-=])/, '\\$1')
    .replace(/^(\d+)([.)])(?=\s|$)/, '$1\\$2');

/** Backticks where they can show the text; a tag for the few texts that they cannot, above all a pipe inside a table. */
function codeSpan(text: string): string {
  if (text === '') return '';
  if (!/[`|\r\n\\]|^\s|\s$/.test(text)) return `\`${text}\``;
  return `<code>${escapeCode(text)}</code>`;
}

const escapeCode = (text: string) =>
  escapeHtml(text)
    .replace(/[\\`*_[\]|~$@]/g, (char) => `&#${char.charCodeAt(0)};`)
    .replace(/\r?\n/g, ' ');

function html(inline: Inline): string {
  return spansOf(inline)
    .map((one) => {
      if (typeof one === 'string') return escapeCode(one);
      if (one.kind === 'link' && !isWebAddress(one.url)) return escapeCode(one.text);
      if (one.kind === 'link') return `<a href="${encodeAddress(one.url)}">${escapeCode(one.text)}</a>`;
      return `<${one.kind}>${escapeCode(one.text)}</${one.kind}>`;
    })
    .join('');
}

const escapeHtml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** A fence has to be longer than every run of backticks inside it. */
function fenced(text: string, language: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language.replace(/[^\w+-]/g, '')}\n${text.replace(/\n$/, '')}\n${fence}`;
}
