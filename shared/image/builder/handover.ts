import type { Dockerfile } from '../../dockerfile/index.ts';
import { addBehindLinks } from '../files/pick.ts';
import { clean, type Directory, emptyDirectory, lookup } from '../files/tree.ts';

/** Name of the stage that is added to a Dockerfile to take files out of others. */
export const HANDOVER = 'slipway-handover';

/** A path of a stage that is wanted, and the folder of the handed over tree that it is put below. */
export interface WantedPath {
  readonly stage: number;
  readonly path: string;
  /**
   * The stage's number; for a path below another wanted one a folder of its own: what is copied by its own name is there as what a link
   * leads to, and in the copy of a folder as the link.
   */
  readonly top: string;
}

/** Where each wanted path of each stage is put, in order. */
export function wantedPaths(wanted: ReadonlyMap<number, readonly string[]>): WantedPath[] {
  return [...wanted].flatMap(([stage, paths]) =>
    paths.map((path, at) => {
      const nested = paths.some((other) => other !== path && isBelow(path, other));
      return { stage, path, top: nested ? `${stage}-${at}` : String(stage) };
    }),
  );
}

function isBelow(path: string, folder: string): boolean {
  return folder === '/' || path.startsWith(`${folder}/`);
}

/** The lines of the stage that takes what is wanted. */
export function handoverStage(
  wanted: readonly WantedPath[],
  sign: Dockerfile['directives']['escape'],
): string {
  const copies = wanted.map(({ stage, path, top }) => {
    const from = quoted(path, sign);
    const to = quoted(`/${top}${path.replace(/\\(.)/gs, '$1')}`, sign);
    return `COPY --from=${stage} ${JSON.stringify([from, to])}`;
  });
  return [`FROM scratch AS ${HANDOVER}`, ...copies, ''].join('\n');
}

/** A path as a word of a Dockerfile that means just that, whatever it holds. */
function quoted(path: string, sign: string): string {
  return path.replace(/[$'"\\`]/g, (one) => (/[\\`]/.test(one) && one !== sign ? one : sign + one));
}

/** The files of one stage out of all that was handed over. */
export function handedOver(all: Directory, wanted: readonly WantedPath[], stage: number): Directory {
  const own = lookup(all, String(stage));
  const files = own?.type === 'directory' ? own : emptyDirectory();
  for (const { path, top } of wanted.filter((one) => one.stage === stage && one.top !== String(stage))) {
    const name = clean(path.replace(/\\(.)/gs, '$1'));
    const node = lookup(all, `${top}/${name}`);
    if (node !== undefined) addBehindLinks(files, name, node);
  }
  return files;
}

/** Stages whose files are at hand, with the named context that has them. */
export type Replacements = ReadonlyMap<number, string>;

/**
 * A Dockerfile in which stages start, and end, with a named context: line for line the same as before, so that whatever is said of a
 * line holds for the user's own file. Stages keep their names and numbers.
 */
export function replaceStages(source: string, { stages }: Dockerfile, replacements: Replacements): string {
  const lines = source.split('\n');
  for (const [index, context] of replacements) {
    const { opening, instructions, name } = stages[index]!;
    for (const { start, end } of [opening, ...instructions].map((one) => one.lines))
      lines.fill('', start - 1, end);
    lines[opening.lines.start - 1] = `FROM ${context}${name === undefined ? '' : ` AS ${name}`}`;
  }
  return lines.join('\n');
}

/** A Dockerfile with stages added at its end. */
export function withStages(source: string, added: string): string {
  return `${source.replace(/\n*$/, '')}\n${added}`;
}

/** Lines of a Dockerfile before what is added to it. */
export function linesBefore(source: string): number {
  return source.replace(/\n*$/, '').split('\n').length;
}
