import { Failure } from '../../shared/host/index.ts';

/**
 * Reads secrets as docker/build-push-action does: one `id=value` a line; an entry in double quotes can have several lines, and
 * doubled quotes in it stand for one. Messages name ids, never values.
 */
export function parseSecrets(text: string): { readonly id: string; readonly value: string }[] {
  return entries(text).map((entry, index) => {
    const equals = entry.indexOf('=');
    if (equals <= 0) throw new Failure(`entry ${index + 1} is no secret; accepted is id=value, one a line.`);
    return { id: entry.slice(0, equals).trim(), value: entry.slice(equals + 1) };
  });
}

function entries(text: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < text.length; ) {
    if (text[at] === '\n' || text[at] === '\r' || text[at] === ' ') at++;
    else if (text[at] === '"') at = quoted(text, at, found);
    else {
      const end = text.indexOf('\n', at);
      found.push(text.slice(at, end === -1 ? text.length : end).replace(/\r$/, ''));
      at = end === -1 ? text.length : end;
    }
  }
  return found.filter((entry) => entry.trim() !== '');
}

function quoted(text: string, start: number, found: string[]): number {
  const match = /"((?:[^"]|"")*)"/y;
  match.lastIndex = start;
  const whole = match.exec(text);
  if (whole === null) throw new Failure(`entry ${found.length + 1} opens a quote that is never closed.`);
  found.push(whole[1]!.replaceAll('""', '"'));
  return match.lastIndex;
}
