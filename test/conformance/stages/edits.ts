import type { Context, ContextFile } from '../image/context.ts';
import type { StageCase } from './stage-case.ts';
import type { State } from './state.ts';

/** Something that happens between two builds. */
export interface Edit {
  readonly name: string;
  /** What it may do: nothing at all, to the configuration alone, or to files too; the oracle says to which stages. */
  readonly touches: 'nothing' | 'configuration' | 'files';
  /** The state after it; undefined where the case has nothing that could be edited so. */
  apply(state: State, one: StageCase): State | undefined;
}

export const edits: readonly Edit[] = [
  // Every checkout gives every file a new time, so nothing has to be done for it.
  { name: 'touch without change', touches: 'nothing', apply: (state) => state },
  {
    name: 'mode of a used file',
    touches: 'files',
    apply: (state, { used = 'src/main.txt' }) =>
      withFile(state, used, (file) => ({ text: textOf(file), mode: 0o751 })),
  },
  {
    name: 'rename of a used file',
    touches: 'files',
    apply: (state, { renamed = 'src/lib/b.txt' }) => {
      if (renamed === null) return undefined;
      const { [renamed]: file, ...files } = state.files;
      return { ...state, files: { ...files, [`${renamed}.renamed`]: file! } };
    },
  },
  {
    name: 'file added where it is ignored',
    touches: 'nothing',
    apply: (state, { ignored = 'ignored/new.txt' }) => withFile(state, ignored, () => 'new\n'),
  },
  {
    name: 'file added to a used folder',
    touches: 'files',
    apply: (state, { added = 'src/lib/new.txt' }) => withFile(state, added, () => 'new\n'),
  },
  {
    name: 'content of a used file',
    touches: 'files',
    apply: (state, { used = 'src/main.txt' }) => withFile(state, used, (file) => changed(file)),
  },
  {
    name: 'content of a file that nothing copies',
    touches: 'nothing',
    apply: (state, { outside = 'docs/guide.txt' }) => withFile(state, outside, (file) => changed(file)),
  },
  {
    name: 'build argument that is used',
    touches: 'files',
    apply: (state, { argument }) =>
      argument === undefined ? undefined : { ...state, args: { ...state.args, ...argument } },
  },
  {
    name: 'build argument that nothing declares',
    touches: 'nothing',
    apply: (state) => ({ ...state, args: { ...state.args, NOBODY_DECLARES: 'it' } }),
  },
  {
    name: 'label',
    touches: 'configuration',
    apply: (state) => ({ ...state, labels: { 'org.opencontainers.image.revision': '0123abcd' } }),
  },
  { name: 'digest of the base', touches: 'files', apply: (state) => ({ ...state, bases: 'second' }) },
  {
    name: 'order of instructions',
    touches: 'files',
    apply: (state, { swapped }) => {
      if (swapped === undefined) return undefined;
      const [first, second] = swapped;
      const both = `${first}\n${second}`;
      if (!state.dockerfile.includes(both)) throw new Error(`${both} is not in the Dockerfile`);
      return { ...state, dockerfile: state.dockerfile.replace(both, `${second}\n${first}`) };
    },
  },
  {
    name: 'secret rotated',
    touches: 'nothing',
    apply: (state) => ({ ...state, secrets: { ...state.secrets, token: 'another' } }),
  },
  {
    name: 'stage that the target does not use',
    touches: 'nothing',
    apply: (state) =>
      state.target === undefined
        ? undefined
        : { ...state, dockerfile: state.dockerfile.replace('echo unused', 'echo edited') },
  },
  {
    name: 'comments and white space in the Dockerfile',
    touches: 'nothing',
    apply: (state) => ({ ...state, dockerfile: commented(state.dockerfile) }),
  },
];

function withFile(
  state: State,
  path: string | null,
  edit: (file: ContextFile | undefined) => ContextFile,
): State | undefined {
  if (path === null) return undefined;
  return { ...state, files: { ...state.files, [path]: edit(state.files[path]) } satisfies Context };
}

function textOf(file: ContextFile | undefined): string {
  if (typeof file === 'string') return file;
  if (file !== undefined && 'text' in file) return file.text;
  throw new Error('only a file with a text can be edited');
}

function changed(file: ContextFile | undefined): ContextFile {
  const text = `${textOf(file)}// changed\n`;
  return typeof file === 'object' ? { ...file, text } : text;
}

/** A comment before each stage, blank lines after it, and more space behind keywords and at the ends of lines. */
function commented(dockerfile: string): string {
  return dockerfile
    .split('\n')
    .map((line) => line.replace(/^(FROM|COPY|RUN|WORKDIR|USER) (.*[^\\])$/, '$1   $2  '))
    .map((line) => (line.startsWith('FROM') ? `\n# A comment.\n${line}\n\n  # And another one.` : line))
    .join('\n');
}
