import { trimLeft } from './go-text.ts';

export interface Directive {
  readonly name: 'syntax' | 'escape' | 'check';
  readonly value: string;
}

const NAMES: readonly string[] = ['syntax', 'escape', 'check'];

/** The parser directive that a line holds (`# syntax=docker/dockerfile:1`), or undefined when it is none. */
export function readDirective(line: string, comment: '#' | '//' | ''): Directive | undefined {
  if (!line.startsWith(comment)) return undefined;
  const body = trimLeft(line.slice(comment.length));
  const match = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*([^\n]+?)[\t\n\f\r ]*$/.exec(body);
  if (match === null) return undefined;
  const name = match[1]!.toLowerCase() as Directive['name'];
  return NAMES.includes(name) ? { name, value: match[2]! } : undefined;
}

/**
 * The value of a directive at the head of a file, up to its first space. A first line that starts with `#!` does not count, so
 * that a Dockerfile can be executable.
 */
export function findDirective(source: string, name: Directive['name']): string | undefined {
  const lines = source.replace(/^\ufeff/, '').split(/\r?\n/);
  if (lines[0]?.startsWith('#!')) lines.shift();
  return findIn(lines, name, '#') ?? (name === 'syntax' ? findIn(lines, name, '//') : undefined);
}

function findIn(lines: readonly string[], name: string, comment: '#' | '//'): string | undefined {
  for (const line of lines) {
    const directive = readDirective(line, comment);
    if (directive === undefined) return undefined;
    if (directive.name === name) return directive.value.split(' ')[0];
  }
  return undefined;
}
