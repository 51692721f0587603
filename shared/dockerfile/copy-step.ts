import { Failure } from '../host/index.ts';
import { commit } from './draft.ts';
import { expand } from './expand.ts';
import { cleanPath } from './go-text.ts';
import type { CopyStatement } from './instruction.ts';
import type { CopyStep, Source } from './model.ts';
import { isGitReference, isHttpUrl } from './remote.ts';
import { expandWord, resolveDirectory, type Scene, workdirOf } from './scene.ts';
import { type Command, guarded } from './stages.ts';

/** COPY or ADD with its variables filled in. Flags other than these three take none. */
export function checkCopy(scene: Scene, statement: CopyStatement): CopyStatement {
  const word = (text: string) => expandWord(scene, text);
  const expanded: CopyStatement = {
    ...statement,
    chown: word(statement.chown),
    chmod: word(statement.chmod),
    checksum: word(statement.checksum),
    sources: statement.sources.map(word),
    destination: word(statement.destination),
    inline: statement.inline.map((file) =>
      file.expand ? { ...file, content: expandBody(scene, file.content) } : file,
    ),
  };
  checkOwner(expanded);
  checkMode(expanded);
  checkRemotes(expanded);
  return expanded;
}

/** The body of a heredoc: variables count, quotes do not, and the escape character is always the backslash. */
function expandBody(scene: Scene, body: string): string {
  const lookup = (name: string) => scene.draft.env.get(name);
  return guarded(body.split('\n', 1)[0]!, () => expand(body, lookup, { ignoreQuotes: true }).word);
}

function checkOwner({ kind, link, chown }: CopyStatement): void {
  if (!link || chown === '') return;
  const named = chown
    .split(/:(.*)/s, 2)
    .find((part) => part !== '' && part !== 'root' && !/^[+-]?\d{1,10}$/.test(part));
  if (named !== undefined)
    throw new Failure(
      `${kind.toUpperCase()} --link has --chown=${chown}, but a linked layer knows no names; write the numbers of "${named}".`,
    );
}

function checkMode({ kind, chmod }: CopyStatement): void {
  if (chmod === '') return;
  const what = `${kind.toUpperCase()} --chmod is "${chmod}"`;
  if (/^[0-9]/.test(chmod)) {
    if (!/^[0-7]+$/.test(chmod) || Number.parseInt(chmod, 8) > 0o7777)
      throw new Failure(`${what}; accepted are octal digits from 0 to 7777, such as 0755.`);
    return;
  }
  const clause = '[augo]*(?:[-+=][rwxXstugo]*)+';
  if (!new RegExp(`^${clause}(?:,${clause})*$`).test(chmod))
    throw new Failure(
      `${what}; accepted are octal digits such as 0755, or a symbolic mode such as u=rwX,go=rX.`,
    );
}

function checkRemotes({ kind, checksum, sources }: CopyStatement): void {
  const remote = sources.find((source) => isGitReference(source) || isHttpUrl(source));
  if (kind === 'copy' && remote !== undefined)
    throw new Failure(`COPY cannot fetch ${remote}; use ADD, or copy a file of the context.`);
  if (checksum === '') return;
  if (sources.length !== 1) throw new Failure('ADD --checksum is about one source, but there are several.');
  if (remote === undefined)
    throw new Failure(`ADD --checksum needs a URL or a git repository as its source, not ${sources[0]}.`);
}

export function copyStep(scene: Scene, command: Command, statement: CopyStatement): CopyStep {
  const createdBy = historyLine(statement);
  commit(scene.draft, createdBy, true);
  const { kind, sources, chown, chmod, checksum, link, parents, exclude, keepGitDir, unpack } = statement;
  return {
    kind,
    from: command.sources[0] ?? ({ kind: 'context' } satisfies Source),
    sources,
    inline: statement.inline.map(({ name, content }) => ({ name, content })),
    destination: destinationOf(scene, statement.destination),
    chown: chown || undefined,
    chmod: chmod || undefined,
    checksum: checksum || undefined,
    link,
    parents,
    exclude,
    keepGitDir: keepGitDir ?? false,
    unpack,
    lines: command.instruction.lines,
    createdBy,
  };
}

function historyLine({ kind, parents, chown, chmod, sources, inline, destination }: CopyStatement): string {
  return [
    kind.toUpperCase(),
    ...(parents ? ['--parents'] : []),
    ...(chown === '' ? [] : [`--chown=${chown}`]),
    ...(chmod === '' ? [] : [`--chmod=${chmod}`]),
    ...sources,
    ...inline.map((file) => `<<${file.name}`),
    destination,
    '# buildkit',
  ].join(' ');
}

/** Absolute and clean; a slash at the end stays, and `.` at the end is one too: both ask for a directory. */
function destinationOf(scene: Scene, given: string): string {
  const path = cleanPath(resolveDirectory(workdirOf(scene.draft), given));
  const directory = given === '' || given === '.' || given.endsWith('/') || given.endsWith('/.');
  return directory && path !== '/' ? `${path}/` : path;
}
