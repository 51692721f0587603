import type { Context, ContextFile } from './context.ts';

/** A small generator of numbers that gives the same sequence for the same seed (mulberry32). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const NAMES = ['a', 'b', 'c', 'd.txt', '.e'];
const MODES = [0o644, 0o600, 0o755, 0o4755, 0o640];
const FOLDER_MODES = [0o755, 0o700, 0o1777, 0o2750];

/** A Dockerfile of copies over a context of folders, files and links, and an archive; many of them collide. */
export function randomCase(seed: number): { readonly dockerfile: string; readonly files: Context } {
  const below = randomNumbers(seed);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const path = (depth: number) => Array.from({ length: 1 + below(depth) }, () => pick(NAMES)).join('/');
  const files: Record<string, ContextFile> = {};
  const blocked = (name: string) =>
    name.split('/').some((_, index, parts) => {
      const above = parts.slice(0, index).join('/');
      return above in files && !isFolder(files[above]!);
    }) || Object.keys(files).some((other) => other === name || other.startsWith(`${name}/`));
  for (let count = 6 + below(10); count > 0; count--) {
    const name = path(3);
    if (blocked(name)) continue;
    const kind = below(10);
    if (kind < 6) files[name] = { text: `${seed}-${count}`, mode: pick(MODES) };
    else if (kind < 8)
      files[name] = { link: pick(['a', '../b', '/c', 'd.txt', '../../a/b', './.e', 'none']) };
    else files[name] = { directory: pick(FOLDER_MODES) };
  }
  files['sure.txt'] = 's';
  // Most sources are there and most targets are free, or nearly every build would be refused.
  const there = Object.keys(files).flatMap((name) => [name, name.split('/')[0]!]);
  const source = () =>
    below(5) > 0 ? pick(there) : pick([path(2), '.', '*', '*/*', '[a-c]*', '?', `${pick(NAMES)}/*`]);
  let steps = 0;
  const target = () =>
    below(4) > 0 ? [`n${steps++}`, ...(below(2) > 0 ? [path(2)] : [])].join('/') : path(2);
  const lines = ['FROM scratch AS one', 'COPY . /'];
  for (let stage = 0; stage < 2; stage++) {
    if (stage === 1) lines.push('FROM scratch');
    for (let count = 2 + below(4); count > 0; count--)
      lines.push(randomStep(below, pick, source, target, stage));
  }
  return { dockerfile: `${lines.join('\n')}\n`, files };
}

function isFolder(file: ContextFile): boolean {
  return typeof file === 'object' && 'directory' in file;
}

function randomStep(
  below: (limit: number) => number,
  pick: <T>(from: readonly T[]) => T,
  source: () => string,
  target: () => string,
  stage: number,
): string {
  if (below(6) === 0) return `WORKDIR ${pick(['/', ''])}${target()}`;
  const flags = [
    ...(below(3) === 0 ? [`--chown=${pick(['1:2', '7', ':9'])}`] : []),
    ...(below(4) === 0 ? [`--chmod=${pick(['700', '4711', 'u=rwX,go=rX', 'a-w', 'g=u'])}`] : []),
    ...(below(6) === 0 ? [`--exclude=${pick(['*.txt', '**/a', 'b', '!b/c'])}`] : []),
    ...(below(7) === 0 ? ['--link'] : []),
    ...(below(7) === 0 ? ['--parents'] : []),
    ...(stage === 1 && below(2) === 0 ? ['--from=one'] : []),
  ];
  const sources = Array.from({ length: 1 + below(2) }, source);
  const destination = `${pick(['/', '/', ''])}${target()}${pick(['', '/', '/.'])}`;
  return `COPY ${[...flags, ...sources, destination].join(' ')}`;
}
