import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Puts a result between the comments of docs/benchmarks.md that bear its name. */
export async function keep(name: string, result: string): Promise<void> {
  const page = join(import.meta.dirname, '../../docs/benchmarks.md');
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const text = await readFile(page, 'utf8');
  const [start, end] = [text.indexOf(open), text.indexOf(close)];
  if (start < 0 || end < start) throw new Error(`${page} has no place for "${name}".`);
  await writeFile(page, `${text.slice(0, start + open.length)}\n\n${result}\n\n${text.slice(end)}`);
}
