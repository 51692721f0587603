import { ExecError, run } from '../exec/index.ts';

/** The state of a git checkout that versions and stamps are made of. */
export interface GitState {
  /** Absolute path of the work tree's top folder. */
  readonly root: string;
  /** Full id of the commit that is checked out. */
  readonly commit: string;
  /** Seconds since 1970 of that commit (committer date), the same for everybody who builds it. */
  readonly commitTime: number;
  /** The tag on that commit itself; the highest version when there are several. */
  readonly tag?: string;
  /** The nearest tag before it and the number of commits since; undefined in a shallow clone that holds no tag. */
  readonly nearest?: { readonly tag: string; readonly commits: number };
  readonly branch?: string;
  /** Whether tracked files differ from the commit. */
  readonly dirty: boolean;
  /** Whether there are files that are neither tracked nor ignored. */
  readonly untracked: boolean;
}

/** Reads the state of the checkout that holds `directory`. Undefined outside of one, before its first commit, and without git. */
export async function gitState(directory: string, signal?: AbortSignal): Promise<GitState | undefined> {
  const git = (...args: string[]) => gitLines(directory, args, signal);
  const head = await git('log', '-1', '--format=%H%n%ct', '--no-show-signature');
  if (head === undefined) return undefined;
  const [top, tags, described, branch, changes = []] = await Promise.all([
    git('rev-parse', '--show-toplevel'),
    git('tag', '--points-at', 'HEAD', '--sort=-version:refname'),
    git('describe', '--tags', '--long', '--abbrev=40', '--first-parent'),
    git('symbolic-ref', '--short', '-q', 'HEAD'),
    git('status', '--porcelain', '--untracked-files=normal'),
  ]);
  const nearest = parseDescription(described?.[0]);
  return {
    root: top?.[0] ?? directory,
    commit: head[0]!,
    commitTime: Number(head[1]),
    ...(tags?.[0] && { tag: tags[0] }),
    ...(nearest && { nearest }),
    ...(branch?.[0] && { branch: branch[0] }),
    dirty: changes.some((line) => !line.startsWith('??')),
    untracked: changes.some((line) => line.startsWith('??')),
  };
}

function parseDescription(text: string | undefined): GitState['nearest'] {
  const match = /^(.*)-(\d+)-g[0-9a-f]+$/.exec(text ?? '');
  return match === null ? undefined : { tag: match[1]!, commits: Number(match[2]) };
}

/** Lines of a git command's output, or undefined when git is missing or says no. */
async function gitLines(
  directory: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[] | undefined> {
  try {
    // Reading must not take the index lock from an editor or another job in the same checkout.
    const env = { ...process.env, GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' };
    const { stdout } = await run({ program: 'git', args, cwd: directory, env, ...(signal && { signal }) });
    return stdout
      .toString()
      .split('\n')
      .filter((line) => line !== '');
  } catch (error) {
    if (error instanceof ExecError && (error.reason === 'exit' || error.reason === 'missing'))
      return undefined;
    throw error;
  }
}

/** Address of the remote `origin` of a checkout, as https and without logins; undefined where there is none that others could reach. */
export async function gitOrigin(directory: string, signal?: AbortSignal): Promise<string | undefined> {
  const given = (await gitLines(directory, ['remote', 'get-url', 'origin'], signal))?.[0];
  if (given === undefined) return undefined;
  const scp = /^(?:[\w.-]+@)?([\w.-]+\.[a-z]+):(?!\/\/)(.+)$/i.exec(given);
  const text = scp === null ? given : `https://${scp[1]}/${scp[2]}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text.replace(/^(ssh|git|http):\/\//i, 'https://'));
  if (url.protocol !== 'https:') return undefined;
  return `https://${scp === null && /^ssh:/i.test(given) ? url.hostname : url.host}${url.pathname.replace(/\.git$/, '')}`;
}
