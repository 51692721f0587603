import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BranchCommit, commitToBranch, readBranchFolder } from '../../../shared/content/index.ts';
import { Failure } from '../../../shared/host/index.ts';

const ENV = {
  ...process.env,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'Someone',
  GIT_AUTHOR_EMAIL: 'someone@example.com',
  GIT_COMMITTER_NAME: 'Someone',
  GIT_COMMITTER_EMAIL: 'someone@example.com',
};

/** A repository on a server, and clones of it. */
class World implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'slipway-branch-'));
  readonly origin = join(this.folder, 'origin.git');

  constructor() {
    this.git('.', 'init', '--quiet', '--bare', '--initial-branch=main', this.origin);
    this.clone('seed');
    this.write('seed', 'README.md', 'shop\n');
    this.write('seed', 'deploy/old.yaml', 'old: 1\n');
    this.write('seed', 'deploy/deep/er.yaml', 'deep: 1\n');
    this.commit('seed', 'start');
  }

  git(directory: string, ...args: string[]): string {
    return execFileSync('git', args, {
      cwd: join(this.folder, directory),
      env: ENV,
      encoding: 'utf8',
    }).trim();
  }

  clone(name: string, ...args: string[]): string {
    this.git('.', 'clone', '--quiet', ...args, `file://${this.origin}`, name);
    return join(this.folder, name);
  }

  write(clone: string, path: string, text: string): void {
    const file = join(this.folder, clone, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  commit(clone: string, message: string): void {
    this.git(clone, 'add', '--all');
    this.git(clone, 'commit', '--quiet', '-m', message);
    this.git(clone, 'push', '--quiet', 'origin', 'HEAD');
  }

  show(object: string): string {
    return this.git('origin.git', 'show', object);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world[Symbol.dispose]());

const given = (directory: string, more: Partial<BranchCommit>): BranchCommit => ({
  directory,
  branch: 'main',
  folder: 'deploy',
  remote: true,
  message: 'Roll out storefront\n\nghcr.io/shop/storefront@sha256:00\n',
  author: { name: 'octocat', email: '1+octocat@users.noreply.github.com' },
  signal: new AbortController().signal,
  change: () => new Map([['web.yaml', 'web: 2\n']]),
  ...more,
});

describe('a commit to a branch of origin', () => {
  it('adds, changes and removes files of the folder alone, and leaves the checkout as it is', async () => {
    const clone = world.clone('work');
    const head = world.git('work', 'rev-parse', 'HEAD');
    world.write('work', 'deploy/old.yaml', 'mine: 1\n');
    const change = (present: ReadonlyMap<string, string>) => {
      expect([...present]).toEqual([['old.yaml', 'old: 1\n']]);
      return new Map([
        ['web.yaml', 'web: 2\n'],
        ['old.yaml', undefined],
      ]);
    };
    const result = await commitToBranch(given(clone, { change }));
    expect(result).toMatchObject({ kind: 'committed', attempts: 1, created: false });
    expect(world.git('origin.git', 'ls-tree', '-r', '--name-only', 'main').split('\n')).toEqual([
      'README.md',
      'deploy/deep/er.yaml',
      'deploy/web.yaml',
    ]);
    expect(world.git('origin.git', 'log', '-1', '--format=%an %ae %s%n%b', 'main')).toBe(
      'octocat 1+octocat@users.noreply.github.com Roll out storefront\nghcr.io/shop/storefront@sha256:00',
    );
    expect(world.git('work', 'rev-parse', 'HEAD')).toBe(head);
    expect(world.git('work', 'status', '--porcelain')).toBe('M deploy/old.yaml');
    expect(readFileSync(join(clone, 'deploy/old.yaml'), 'utf8')).toBe('mine: 1\n');
  });

  it('commits nothing where nothing changes', async () => {
    const clone = world.clone('work');
    await commitToBranch(given(clone, {}));
    const tip = world.git('origin.git', 'rev-parse', 'main');
    expect(await commitToBranch(given(clone, {}))).toEqual({ kind: 'unchanged', commit: tip });
    expect(world.git('origin.git', 'rev-parse', 'main')).toBe(tip);
  });

  it('builds on what others push in the meantime', async () => {
    const clone = world.clone('work');
    let raced = 0;
    const change = () => {
      if (raced++ < 2) {
        world.write('seed', `other${raced}.txt`, 'other\n');
        world.commit('seed', `race ${raced}`);
      }
      return new Map([['web.yaml', 'web: 2\n']]);
    };
    expect(await commitToBranch(given(clone, { change }))).toMatchObject({ kind: 'committed', attempts: 3 });
    expect(world.git('origin.git', 'log', '--format=%s', 'main').split('\n')).toEqual([
      'Roll out storefront',
      'race 2',
      'race 1',
      'start',
    ]);
  });

  it('works from a shallow clone of another branch, which stays as deep as it is', async () => {
    world.git('seed', 'checkout', '--quiet', '-b', 'env/production');
    world.write('seed', 'deploy/web.yaml', 'web: 1\n');
    world.commit('seed', 'production');
    const clone = world.clone('work', '--depth=1', '--branch=main');
    expect([...(await readBranchFolder(given(clone, { branch: 'env/production' })))]).toEqual([
      ['old.yaml', 'old: 1\n'],
      ['web.yaml', 'web: 1\n'],
    ]);
    const result = await commitToBranch(given(clone, { branch: 'env/production' }));
    expect(result).toMatchObject({ kind: 'committed' });
    expect(world.show('env/production:deploy/web.yaml')).toBe('web: 2');
    expect(world.git('work', 'rev-list', '--count', 'HEAD')).toBe('1');
  });

  it('does not cut the history of a full clone', async () => {
    world.write('seed', 'more', '1');
    world.commit('seed', 'more');
    const clone = world.clone('work');
    await commitToBranch(given(clone, {}));
    expect(world.git('work', 'rev-parse', '--is-shallow-repository')).toBe('false');
    expect(world.git('work', 'rev-list', '--count', 'HEAD')).toBe('2');
  });

  it('starts a branch that is not there', async () => {
    const clone = world.clone('work');
    const result = await commitToBranch(given(clone, { branch: 'rendered', folder: '.' }));
    expect(result).toMatchObject({ kind: 'committed', created: true });
    expect(world.git('origin.git', 'ls-tree', '-r', '--name-only', 'rendered')).toBe('web.yaml');
    expect(world.git('origin.git', 'rev-list', '--count', 'rendered')).toBe('1');
  });

  it('is refused in words by a server that does not take it, and is not tried again', async () => {
    const hook = join(world.origin, 'hooks/pre-receive');
    writeFileSync(hook, '#!/bin/sh\necho called >> called\nexit 1\n', { mode: 0o755 });
    const clone = world.clone('work');
    const pushed = commitToBranch(given(clone, {}));
    await expect(pushed).rejects.toThrow(Failure);
    await expect(pushed).rejects.toThrow(
      'The branch main cannot be pushed: [remote rejected] (pre-receive hook declined).',
    );
    expect(readFileSync(join(world.origin, 'called'), 'utf8')).toBe('called\n');
  });

  it.each([
    ['outside of a repository', () => world.folder, 'is no checkout of a git repository'],
    [
      'without a remote',
      () => {
        world.git('.', 'init', '--quiet', 'alone');
        return join(world.folder, 'alone');
      },
      'The branch main of origin cannot be read: ',
    ],
  ])('is refused in words %s', async (_, directory, sentence) => {
    const committed = commitToBranch(given(directory(), {}));
    await expect(committed).rejects.toThrow(Failure);
    await expect(committed).rejects.toThrow(sentence);
  });
});

describe('a commit to a branch of this repository', () => {
  it('moves the branch that is checked out with its files, and nothing else', async () => {
    const clone = world.clone('work');
    world.write('work', 'README.md', 'mine\n');
    world.git('work', 'add', 'README.md');
    const change = () =>
      new Map([
        ['web.yaml', 'web: 2\n'],
        ['old.yaml', undefined],
      ]);
    await commitToBranch(given(clone, { remote: false, change }));
    expect(world.git('work', 'status', '--porcelain')).toBe('M  README.md');
    expect(world.git('work', 'log', '-1', '--format=%an %s')).toBe('octocat Roll out storefront');
    expect(readFileSync(join(clone, 'deploy/web.yaml'), 'utf8')).toBe('web: 2\n');
    expect(world.git('origin.git', 'log', '-1', '--format=%s', 'main')).toBe('start');
  });

  it('does not write over changes of the user', async () => {
    const clone = world.clone('work');
    world.write('work', 'deploy/web.yaml', 'mine\n');
    await expect(commitToBranch(given(clone, { remote: false }))).rejects.toThrow(
      'The checked-out branch main has changes of yours in files that would be written (deploy/web.yaml)',
    );
    expect(readFileSync(join(clone, 'deploy/web.yaml'), 'utf8')).toBe('mine\n');
    expect(world.git('work', 'log', '-1', '--format=%s')).toBe('start');
  });

  it('starts another branch without a word to the one that is checked out', async () => {
    const clone = world.clone('work');
    await commitToBranch(given(clone, { remote: false, branch: 'rendered' }));
    expect(world.git('work', 'show', 'rendered:deploy/web.yaml')).toBe('web: 2');
    expect(world.git('work', 'status', '--porcelain')).toBe('');
  });
});
