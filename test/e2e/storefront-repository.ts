import { run } from '../../shared/exec/index.ts';

/** Makes a folder the repository of `example/storefront` on branch main with one commit, and gives the commit's name. */
export async function makeRepository(directory: string): Promise<string> {
  const git = gitIn(directory);
  await git('init', '--quiet', '--initial-branch', 'main');
  await git('remote', 'add', 'origin', 'https://github.com/example/storefront');
  await git('add', '--all');
  return await commit(directory, 'Open the shop', 'v1.2.3');
}

/** Commits what changed and tags it; gives the commit's name. */
export async function commit(directory: string, message: string, tag: string): Promise<string> {
  const git = gitIn(directory);
  await git('commit', '--quiet', '--all', '--message', message);
  await git('tag', tag);
  return (await git('rev-parse', 'HEAD')).stdout.toString().trim();
}

const gitIn =
  (directory: string) =>
  (...args: readonly string[]) =>
    run({
      program: 'git',
      args: ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', ...args],
      cwd: directory,
    });
