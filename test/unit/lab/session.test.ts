import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

// The folder of the lab is read when the module is loaded.
const root = await mkdtemp(join(tmpdir(), 'slipway-lab-test-'));
process.env.SLIPWAY_LAB = root;
delete process.env.SLIPWAY_LAB_SESSION;
const { freePort, once, openSession, sessionDirectory, startDaemon } = await import('../../lab/session.ts');

const left = join(root, 'sessions', 'left-over');
let session: Awaited<ReturnType<typeof openSession>>;

beforeAll(async () => {
  await mkdir(join(left, 'registry-1'), { recursive: true });
  await writeFile(join(left, 'owner.json'), JSON.stringify({ pid: process.pid, start: 'another boot' }));
  session = await openSession();
});

afterAll(async () => {
  await session[Symbol.asyncDispose]();
  expect(await readdir(join(root, 'sessions'))).toEqual([]);
  await rm(root, { recursive: true });
});

const answering = (port: number) => ({
  name: 'server',
  program: process.execPath,
  args: ['-e', `require('node:http').createServer((q, a) => a.end('hello')).listen(${port}, '127.0.0.1')`],
  ready: () => fetch(`http://127.0.0.1:${port}`),
});

test('what a dead run left behind is cleared away', () => {
  expect(existsSync(left)).toBe(false);
});

test('a session inside a session is the same one, and its end stops nothing', async () => {
  const inner = await openSession();
  await inner[Symbol.asyncDispose]();
  expect(inner.directory).toBe(session.directory);
  expect(sessionDirectory()).toBe(session.directory);
});

test('a part starts once, however many ask', async () => {
  let starts = 0;
  const start = async () => {
    starts++;
    return { starts };
  };
  const all = await Promise.all([once('part', start), once('part', start), once('part', start)]);
  expect(all).toEqual([{ starts: 1 }, { starts: 1 }, { starts: 1 }]);
});

test('a failed start fails for all who ask', async () => {
  const start = () => Promise.reject(new Error('no disk'));
  const all = await Promise.allSettled([once('broken', start), once('broken', start)]);
  expect(all.map((one) => one.status === 'rejected' && one.reason.message)).toEqual(['no disk', 'no disk']);
});

test('a daemon answers until its session ends', async () => {
  const port = await freePort();
  const running = await startDaemon(answering(port));
  expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('hello');
  expect(running.pid).toBeGreaterThan(1);
});

test('a daemon that ends by itself says why', async () => {
  const port = await freePort();
  const failing = { ...answering(port), args: ['-e', 'console.error("no such option"); process.exit(3)'] };
  await expect(startDaemon(failing)).rejects.toThrow('server ended by itself (3): no such option');
});
