import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { gitOrigin } from '../../../shared/content/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-origin-'));
const git = (...args: string[]) => execFileSync('git', args, { cwd: folder });
beforeAll(() => {
  git('init', '-q');
  git('remote', 'add', 'origin', 'x');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ['https://github.com/org/app.git', 'https://github.com/org/app'],
  ['https://me:secret-token@github.com/org/app', 'https://github.com/org/app'],
  ['git@github.com:org/app.git', 'https://github.com/org/app'],
  ['ssh://git@git.example.com:2222/org/app.git', 'https://git.example.com/org/app'],
  ['http://git.example.com:8080/org/app', 'https://git.example.com:8080/org/app'],
  ['/srv/git/app.git', undefined],
  ['../app', undefined],
  ['file:///srv/git/app.git', undefined],
])('the origin %s is known to others as %s', async (given, wanted) => {
  git('remote', 'set-url', 'origin', given);
  expect(await gitOrigin(folder)).toBe(wanted);
});

it('there is none without a remote', async () => {
  git('remote', 'remove', 'origin');
  expect(await gitOrigin(folder)).toBeUndefined();
});
