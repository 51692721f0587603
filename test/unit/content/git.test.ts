import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gitState } from '../../../shared/content/index.ts';

describe('the state of a checkout', () => {
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'git-')));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: folder,
      env: {
        ...process.env,
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_COMMITTER_DATE: '2024-05-06T07:08:09Z',
        GIT_AUTHOR_DATE: '2020-01-01T00:00:00Z',
        GIT_COMMITTER_NAME: 'a',
        GIT_COMMITTER_EMAIL: 'a@example.com',
        GIT_AUTHOR_NAME: 'a',
        GIT_AUTHOR_EMAIL: 'a@example.com',
      },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .toString()
      .trim();
  const commit = (text: string) => {
    writeFileSync(join(folder, 'file'), text);
    git('add', 'file');
    git('commit', '-m', text);
    return git('rev-parse', 'HEAD');
  };

  it('is unknown outside of one and before the first commit', async () => {
    expect(await gitState(folder)).toBeUndefined();
    git('init', '-b', 'main');
    expect(await gitState(folder)).toBeUndefined();
  });

  it('tells commit, time, tag, branch and root, also from a folder below', async () => {
    git('init', '-b', 'main');
    const id = commit('one');
    git('tag', 'v1.9.0');
    git('tag', 'v1.10.0');
    mkdirSync(join(folder, 'sub'));
    expect(await gitState(join(folder, 'sub'))).toEqual({
      root: folder,
      commit: id,
      commitTime: Date.parse('2024-05-06T07:08:09Z') / 1000,
      tag: 'v1.10.0',
      nearest: { tag: expect.stringMatching(/^v1\.(9|10)\.0$/), commits: 0 },
      branch: 'main',
      dirty: false,
      untracked: false,
    });
  });

  it('tells files that nobody tracks from changed ones, and leaves out what is ignored', async () => {
    git('init', '-b', 'main');
    commit('one');
    writeFileSync(join(folder, '.git/info/exclude'), 'ignored\n');
    writeFileSync(join(folder, 'ignored'), '');
    expect(await gitState(folder)).toMatchObject({ dirty: false, untracked: false });
    writeFileSync(join(folder, 'new'), '');
    expect(await gitState(folder)).toMatchObject({ dirty: false, untracked: true });
  });

  it('counts the commits since the nearest tag and sees changed files', async () => {
    git('init', '-b', 'main');
    commit('one');
    git('tag', 'v1.2.0-rc.1');
    commit('two');
    commit('three');
    git('checkout', '--detach');
    writeFileSync(join(folder, 'file'), 'changed');
    writeFileSync(join(folder, 'untracked'), '');
    const state = await gitState(folder);
    expect(state).toMatchObject({
      nearest: { tag: 'v1.2.0-rc.1', commits: 2 },
      dirty: true,
      untracked: true,
    });
    expect(state).not.toHaveProperty('tag');
    expect(state).not.toHaveProperty('branch');
  });
});
