import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../../..');

describe('move-major-tag', () => {
  let folder: string;
  const env = {
    ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'T',
    GIT_AUTHOR_EMAIL: 't@example.com',
    GIT_COMMITTER_NAME: 'T',
    GIT_COMMITTER_EMAIL: 't@example.com',
  };
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: join(folder, 'work'), env, encoding: 'utf8', stdio: 'pipe' }).trim();
  const commit = (tag: string) => {
    git('commit', '--quiet', '--allow-empty', '-m', 'change');
    git('tag', tag);
    git('push', '--quiet', 'origin', 'HEAD:main', tag);
    return git('rev-parse', 'HEAD');
  };
  const move = (tag: string) => {
    const { status, stdout, stderr } = spawnSync(join(ROOT, '.ci/move-major-tag'), [tag], {
      cwd: join(folder, 'work'),
      env,
      encoding: 'utf8',
    });
    return { status, said: (stdout + stderr).trim() };
  };
  const major = (name: string) => git('ls-remote', 'origin', `refs/tags/${name}`).split('\t')[0];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'slipway-release-'));
    execFileSync('git', ['init', '--quiet', '--bare', '-b', 'main', join(folder, 'origin')], { env });
    execFileSync('git', ['init', '--quiet', '-b', 'main', join(folder, 'work')], { env });
    git('remote', 'add', 'origin', join(folder, 'origin'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('follows the newest release of its major version, and nothing else', () => {
    const first = commit('v1.0.0');
    expect(move('v1.0.0')).toEqual({ status: 0, said: 'v1 is v1.0.0 now.' });
    expect(major('v1')).toBe(first);

    const tenth = commit('v1.10.0');
    move('v1.10.0');
    commit('v1.9.1');
    expect(move('v1.9.1')).toEqual({ status: 0, said: 'v1.10.0 is newer than v1.9.1; v1 stays.' });
    expect(major('v1')).toBe(tenth);

    commit('v1.11.0-rc.1');
    expect(move('v1.11.0-rc.1').said).toBe('v1.11.0-rc.1 is a pre-release; the major tag stays.');
    expect(move('v1.10.0').said).toBe('v1 is v1.10.0 now.');

    const second = commit('v2.0.0');
    move('v2.0.0');
    expect([major('v1'), major('v2')]).toEqual([tenth, second]);
  });

  it('refuses a tag that is not on main', () => {
    git('checkout', '--quiet', '--detach');
    git('commit', '--quiet', '--allow-empty', '-m', 'aside');
    git('tag', 'v3.0.0');
    git('push', '--quiet', 'origin', 'v3.0.0');
    git('checkout', '--quiet', 'main');
    expect(move('v3.0.0')).toEqual({ status: 1, said: 'v3.0.0 is not on main.' });
  });

  it.each(['', 'v1', '1.2.3', 'v1.2', 'v1.2.3; rm -rf /', 'v01.2.3'])('refuses %j', (tag) => {
    expect(move(tag)).toEqual({
      status: 1,
      said: `"${tag}" is not a release; accepted is a tag such as v1.4.0.`,
    });
  });
});

describe('create-release', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'slipway-release-'));
    execFileSync('git', ['init', '--quiet'], { cwd: folder });
    const commit = [
      '-c',
      'user.name=T',
      '-c',
      'user.email=t@example.com',
      'commit',
      '--quiet',
      '--allow-empty',
    ];
    execFileSync('git', [...commit, '-m', 'one'], { cwd: folder });
    for (const tag of ['v1', 'v1.9.0', 'v1.10.0', 'v1.10.1-rc.1', 'v1.9.1'])
      execFileSync('git', ['tag', tag], { cwd: folder });
    writeFileSync(
      join(folder, 'gh'),
      '#!/bin/sh\n[ "$2 $3" = "view v1.9.0" ] || [ "$2" = create ] && echo "$*"\n',
    );
    chmodSync(join(folder, 'gh'), 0o755);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['v1.10.0', 'release create v1.10.0 --verify-tag --generate-notes --title v1.10.0 --latest'],
    ['v1.9.1', 'release create v1.9.1 --verify-tag --generate-notes --title v1.9.1 --latest=false'],
    [
      'v1.10.1-rc.1',
      'release create v1.10.1-rc.1 --verify-tag --generate-notes --title v1.10.1-rc.1 --prerelease',
    ],
    ['v1.9.0', 'There is a release v1.9.0 already.'],
  ])('of %s', (tag, said) => {
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
    const done = spawnSync(join(ROOT, '.ci/create-release'), [tag], { cwd: folder, env, encoding: 'utf8' });
    expect(done).toMatchObject({ status: 0, stdout: `${said}\n` });
  });
});

it('the action of the root can be published: the Marketplace takes descriptions of fewer than 125 characters', () => {
  const { name, description, author, branding } = parse(readFileSync(join(ROOT, 'action.yml'), 'utf8'));
  expect(description.length).toBeLessThan(125);
  expect([name, author, branding.icon, branding.color].every(Boolean)).toBe(true);
});

describe('the workflows', () => {
  const files = readdirSync(join(ROOT, '.github/workflows'));
  const text = (file: string) => readFileSync(join(ROOT, '.github/workflows', file), 'utf8');

  it.each(files)('%s runs no action that can change under it', (file) => {
    const used = [...text(file).matchAll(/uses: (\S+)(.*)/g)].map(([, action, rest]) => `${action}${rest}`);
    expect(used.filter((one) => !/^\.\/|^[\w-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(one))).toEqual(
      [],
    );
  });

  it.each(files)('%s gives rights to each job by itself', (file) => {
    const { permissions, jobs } = parse(text(file));
    expect(permissions).toEqual({});
    const open = Object.entries<{ permissions?: unknown }>(jobs).filter(
      ([, job]) => job.permissions === undefined,
    );
    expect(open).toEqual([]);
  });
});
