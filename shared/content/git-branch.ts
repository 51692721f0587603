import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExecError, run } from '../exec/index.ts';
import { Failure } from '../host/index.ts';

/** Who is said to have written a commit. */
export interface Author {
  readonly name: string;
  readonly email: string;
}

/** A branch of a repository, and the folder of it that is looked at. */
export interface BranchFolder {
  /** A folder in a checkout of the repository. Neither its files nor its index are read or touched, unless the branch is checked out there. */
  readonly directory: string;
  /** Without `refs/heads/`. */
  readonly branch: string;
  /** With `/`, relative to the top of the repository; `.` for that itself. */
  readonly folder: string;
  /** The branch is the one of `origin`; else that of this repository alone. */
  readonly remote: boolean;
  /** An HTTP header for addresses that start with `url`, unless git is configured to send one there already. */
  readonly credentials?: { readonly url: string; readonly header: string } | undefined;
  readonly signal: AbortSignal;
}

/** A commit that is to be made on top of a branch. */
export interface BranchCommit extends BranchFolder {
  readonly message: string;
  /** undefined: as git is configured. */
  readonly author: Author | undefined;
  /**
   * What is to change, by name in the folder (undefined removes), given the files that are in it. Asked again for what others pushed
   * in the meantime.
   */
  readonly change: (present: ReadonlyMap<string, string>) => ReadonlyMap<string, string | undefined>;
}

/** How a commit to a branch ended; `commit` is the tip of the branch, undefined where there is no branch. */
export type CommitResult =
  | { readonly kind: 'unchanged'; readonly commit: string | undefined }
  | {
      readonly kind: 'committed';
      readonly commit: string;
      readonly attempts: number;
      /** The branch was not there before. */
      readonly created: boolean;
    };

/** The text files that lie in the folder of a branch, by name, without those in folders below. Empty where there is no branch. */
export async function readBranchFolder(at: BranchFolder): Promise<ReadonlyMap<string, string>> {
  const git = await openGit(at);
  return await readFolder(git, await tipOf(git, at), at.folder);
}

const ATTEMPTS = 6;

/**
 * Commits to a branch without checking it out, and pushes it. When others push first, their work is fetched and the change is made
 * again on top of it; nothing is ever forced. A branch that is not there is started with a commit that has no parent.
 */
export async function commitToBranch(given: BranchCommit): Promise<CommitResult> {
  const git = await openGit(given);
  for (let attempt = 1; ; attempt++) {
    const tip = await tipOf(git, given);
    const changes = given.change(await readFolder(git, tip, given.folder));
    const paths = new Map([...changes].map(([name, text]) => [pathIn(given.folder, name), text]));
    const commit = await makeCommit(git, tip, paths, given);
    if (commit === undefined) return { kind: 'unchanged', commit: tip };
    const refusal = given.remote
      ? await push(git, commit, given.branch)
      : await moveBranch(git, commit, tip, given.branch, [...paths.keys()]);
    if (refusal === undefined)
      return { kind: 'committed', commit, attempts: attempt, created: tip === undefined };
    if (attempt === ATTEMPTS)
      throw new Failure(
        `The branch ${given.branch} was changed by others ${ATTEMPTS} times while this run wanted to commit to it (${refusal}); run it again.`,
      );
    await sleep(200 * attempt * (0.5 + Math.random()), undefined, { signal: given.signal });
  }
}

const pathIn = (folder: string, name: string) => (folder === '.' ? name : `${folder}/${name}`);

type Git = (
  args: readonly string[],
  options?: {
    readonly input?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly accept?: readonly number[];
  },
) => Promise<{ readonly code: number; readonly stdout: Buffer; readonly stderr: string }>;

/** git at the top of the repository; a Failure where there is none. */
async function openGit({ directory, credentials, signal }: BranchFolder): Promise<Git> {
  const base = { ...process.env, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };
  const gitIn =
    (cwd: string, own: Readonly<Record<string, string>>): Git =>
    (args, { input, env, accept } = {}) =>
      run({
        program: 'git',
        args,
        cwd,
        env: { ...base, ...own, ...env },
        signal,
        ...(input !== undefined && { input }),
        ...(accept && { accept }),
      });
  try {
    const here = gitIn(directory, {});
    const top = text(await here(['rev-parse', '--show-toplevel']));
    if (credentials === undefined) return gitIn(top, {});
    const key = `http.${credentials.url}/.extraheader`;
    // GitHub refuses a request with two of these headers, and a checkout that kept its credentials has one.
    const configured = await here(['config', '--get-all', key], { accept: [0, 1] });
    if (configured.code === 0) return gitIn(top, {});
    // In the environment: arguments can be read by everyone on the machine.
    return gitIn(top, {
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: key,
      GIT_CONFIG_VALUE_0: credentials.header,
    });
  } catch (error) {
    if (!(error instanceof ExecError) || error.reason === 'cancelled') throw error;
    throw new Failure(
      error.reason === 'missing'
        ? 'git is not installed, and a commit needs it.'
        : `${directory} is no checkout of a git repository (${lastLine(error.stderr)}); check it out first.`,
      { cause: error },
    );
  }
}

const text = ({ stdout }: { readonly stdout: Buffer }) => stdout.toString().trim();

const lastLine = (stderr: string) =>
  stderr
    .trim()
    .split('\n')
    .at(-1)!
    .replace(/^(fatal|error): /, '');

/** The commit that a branch points to now, which is in this repository afterwards. */
async function tipOf(git: Git, { branch, remote }: BranchFolder): Promise<string | undefined> {
  const ref = `refs/heads/${branch}`;
  if (!remote) {
    const found = await git(['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], { accept: [0, 1] });
    return found.code === 0 ? text(found) : undefined;
  }
  // Of our own, so that nobody's remote-tracking branches or FETCH_HEAD move.
  const own = `refs/slipway/${branch}`;
  try {
    const found = await git(['ls-remote', '--exit-code', 'origin', ref], { accept: [0, 2] });
    if (found.code === 2) return undefined;
    // In a full clone a fetch of one commit alone would cut its history.
    const shallow = text(await git(['rev-parse', '--is-shallow-repository'])) === 'true';
    await git([
      'fetch',
      '--quiet',
      '--no-tags',
      ...(shallow ? ['--depth=1'] : []),
      'origin',
      `+${ref}:${own}`,
    ]);
    return text(await git(['rev-parse', own]));
  } catch (error) {
    throw refused(error, `The branch ${branch} of origin cannot be read`);
  }
}

async function readFolder(git: Git, tip: string | undefined, folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  if (tip === undefined) return files;
  const tree = await git(['ls-tree', '-z', tip, ...(folder === '.' ? [] : [`${folder}/`])]);
  const entries = tree.stdout
    .toString()
    .split('\0')
    .map((entry) => /^100(?:644|755) blob ([0-9a-f]+)\t(.*)$/s.exec(entry))
    .filter((match) => match !== null)
    .map(([, id, path]) => ({ id: id!, name: path!.slice(folder === '.' ? 0 : folder.length + 1) }));
  if (entries.length === 0) return files;
  const { stdout } = await git(['cat-file', '--batch'], {
    input: entries.map(({ id }) => `${id}\n`).join(''),
  });
  let at = 0;
  for (const { name } of entries) {
    const end = stdout.indexOf('\n', at);
    const size = Number(stdout.subarray(at, end).toString().split(' ')[2]);
    files.set(name, stdout.subarray(end + 1, end + 1 + size).toString());
    at = end + 1 + size + 1;
  }
  return files;
}

/** A commit on top of `tip` with the files as given; undefined where that changes nothing. Made beside every index and work tree. */
async function makeCommit(
  git: Git,
  tip: string | undefined,
  files: ReadonlyMap<string, string | undefined>,
  { message, author }: BranchCommit,
): Promise<string | undefined> {
  const scratch = await mkdtemp(join(tmpdir(), 'slipway-git-'));
  try {
    const index = { GIT_INDEX_FILE: join(scratch, 'index') };
    await git(tip === undefined ? ['read-tree', '--empty'] : ['read-tree', tip], { env: index });
    const lines: string[] = [];
    for (const [path, content] of files) {
      const id =
        content === undefined
          ? undefined
          : text(await git(['hash-object', '-w', '--stdin'], { input: content }));
      lines.push(
        id === undefined ? `0 ${'0'.repeat(tip?.length ?? 40)}\t${path}\0` : `100644 ${id}\t${path}\0`,
      );
    }
    await git(['update-index', '-z', '--index-info'], { env: index, input: lines.join('') });
    const tree = text(await git(['write-tree'], { env: index }));
    if (tip !== undefined && text(await git(['rev-parse', `${tip}^{tree}`])) === tree) return undefined;
    if (tip === undefined && files.size === 0) return undefined;
    const sign = await git(['config', '--type=bool', '--get', 'commit.gpgsign'], { accept: [0, 1] });
    const parents = tip === undefined ? [] : ['-p', tip];
    const args = ['commit-tree', ...(text(sign) === 'true' ? ['-S'] : []), ...parents, '-F', '-', tree];
    return text(await git(args, { input: message, env: identity(author) }));
  } catch (error) {
    throw refused(error, 'The commit cannot be made');
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const identity = (author: Author | undefined): Record<string, string> =>
  author === undefined
    ? {}
    : {
        GIT_AUTHOR_NAME: author.name,
        GIT_AUTHOR_EMAIL: author.email,
        GIT_COMMITTER_NAME: author.name,
        GIT_COMMITTER_EMAIL: author.email,
      };

/** Why others were first; undefined when the branch is pushed. Every other refusal is thrown. */
async function push(git: Git, commit: string, branch: string): Promise<string | undefined> {
  try {
    await git(['push', '--porcelain', 'origin', `${commit}:refs/heads/${branch}`]);
    return undefined;
  } catch (error) {
    if (!(error instanceof ExecError) || error.reason !== 'exit') throw error;
    const reason = /^!\t[^\t]*\t(\[.*)$/m.exec(error.stdout.toString())?.[1];
    const race = /^\[rejected\]|cannot lock ref|failed to update ref|incorrect old value|already exists/;
    if (reason !== undefined && race.test(reason)) return reason;
    const because = reason ?? lastLine(error.stderr);
    throw new Failure(
      `The branch ${branch} cannot be pushed: ${because.replace(/\.?$/, '.')} The token needs contents: write, and the branch has to accept its pushes.`,
      { cause: error },
    );
  }
}

/** Moves the branch of this repository, and with it the files in question where it is checked out. */
async function moveBranch(
  git: Git,
  commit: string,
  tip: string | undefined,
  branch: string,
  paths: readonly string[],
): Promise<string | undefined> {
  const ref = `refs/heads/${branch}`;
  const head = await git(['symbolic-ref', '--quiet', 'HEAD'], { accept: [0, 1] });
  const checkedOut = text(head) === ref && tip !== undefined;
  if (checkedOut) {
    const dirty = text(await git(['status', '--porcelain', '--untracked-files=all', '--', ...paths]));
    if (dirty !== '')
      throw new Failure(
        `The checked-out branch ${branch} has changes of yours in files that would be written (${dirty.split('\n')[0]!.slice(2).trim()}); commit or remove them first.`,
      );
  }
  const moved = await git(['update-ref', '-m', 'slipway', ref, commit, tip ?? ''], {
    accept: [0, 128, 1],
  });
  if (moved.code !== 0) return lastLine(moved.stderr);
  if (checkedOut) await git(['restore', `--source=${commit}`, '--staged', '--worktree', '--', ...paths]);
  return undefined;
}

function refused(error: unknown, what: string): unknown {
  if (!(error instanceof ExecError) || error.reason !== 'exit') return error;
  return new Failure(`${what}: ${lastLine(error.stderr).replace(/\.?$/, '.')}`, { cause: error });
}
