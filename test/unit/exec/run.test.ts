import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ExecError, run } from '../../../shared/exec/index.ts';

const node = process.execPath;
const script = (code: string) => ({ program: node, args: ['-e', code] });

async function failure(promise: Promise<unknown>): Promise<ExecError> {
  const error = await promise.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ExecError);
  return error as ExecError;
}

/** Whether a process is there and is no zombie that waits for its parent. */
function alive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('run', () => {
  it('hands arguments over as they are, with no shell between', async () => {
    const args = ['$HOME', '`id`', 'a b', '"q"', '*', '; exit 3', ''];
    const done = await run({
      program: node,
      args: ['-e', 'console.log(JSON.stringify(process.argv.slice(1)))', ...args],
    });
    expect(JSON.parse(done.stdout.toString())).toEqual(args);
    expect(done.code).toBe(0);
  });

  it('gives lines as they come, from both streams, also the last one without a line end', async () => {
    const lines: string[] = [];
    await run({
      ...script('process.stdout.write("a\\r\\nb"); process.stderr.write("c\\nd\\n")'),
      onLine: (line, stream) => lines.push(`${stream}:${line}`),
    });
    expect(lines.toSorted()).toEqual(['stderr:c', 'stderr:d', 'stdout:a', 'stdout:b']);
  });

  it('does not break a character that two chunks share', async () => {
    const lines: string[] = [];
    const code =
      'const b = Buffer.from("é"); process.stdout.write(b.subarray(0, 1)); setTimeout(() => process.stdout.write(b.subarray(1)), 50)';
    await run({ ...script(code), onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['é']);
  });

  it('keeps the end of a long output, within its bound', async () => {
    const done = await run({ ...script('process.stdout.write("x".repeat(3e6) + "end")'), keep: 1e6 });
    expect(done.stdout.length).toBeLessThan(1.2e6);
    expect(done.stdout.toString().endsWith('end')).toBe(true);
  });

  it('feeds text, bytes and streams', async () => {
    const copy = 'process.stdin.pipe(process.stdout)';
    for (const input of ['text', Buffer.from('text'), Readable.from(['te', 'xt'])])
      expect((await run({ ...script(copy), input })).stdout.toString()).toBe('text');
  });

  it('survives a child that does not read its input', async () => {
    expect((await run({ ...script('process.exit(0)'), input: 'x'.repeat(5e6) })).code).toBe(0);
  });

  it('hands standard output over as a stream and waits for who reads it', async () => {
    let size = 0;
    const done = await run({
      ...script('process.stdout.write("x".repeat(5e6))'),
      consume: async (stdout) => {
        for await (const chunk of stdout) size += (chunk as Buffer).length;
        await sleep(20);
      },
    });
    expect(size).toBe(5e6);
    expect(done.stdout.length).toBe(0);
  });

  it('passes on what the reader of the stream throws', async () => {
    const consume = async (stdout: Readable) => {
      stdout.resume();
      throw new Error('disk full');
    };
    await expect(run({ ...script('console.log(1)'), consume })).rejects.toThrow('disk full');
  });

  it.each<[string, (stdout: Readable) => Promise<void>]>([
    ['fails', () => Promise.reject(new Error('disk full'))],
    ['has seen enough', async () => {}],
  ])('does not wait for ever for a child whose reader %s before the end', async (how, consume) => {
    const long = 'process.stdout.on("error", () => process.exit(0)); process.stdout.write("x".repeat(5e6))';
    const ended = await run({ ...script(long), consume, timeout: 5000 }).catch((error: Error) => error);
    expect(ended instanceof Error ? ended.message : ended.code).toBe(how === 'fails' ? 'disk full' : 0);
  });

  it('passes on that its input broke', async () => {
    const input = Readable.from(
      (async function* () {
        yield 'te';
        throw new Error('unreadable');
      })(),
    );
    await expect(run({ ...script('process.stdin.resume()'), input })).rejects.toThrow('unreadable');
  });

  it('replaces the environment when one is given', async () => {
    const done = await run({
      ...script('console.log(Object.keys(process.env).sort().join())'),
      env: { ONLY: '1' },
    });
    expect(done.stdout.toString().trim()).toBe('ONLY');
  });

  it('names exit code, command and what the child said', async () => {
    const error = await failure(run(script('console.error("bad thing"); process.exit(3)')));
    expect(error).toMatchObject({ reason: 'exit', code: 3, stderr: 'bad thing\n' });
    expect(error.message).toContain(node);
    expect((await run({ ...script('process.exit(3)'), accept: [0, 3] })).code).toBe(3);
  });

  it('says that a program is missing', async () => {
    expect(await failure(run({ program: 'slipway-no-such-program', args: [] }))).toMatchObject({
      reason: 'missing',
      code: undefined,
    });
  });

  it('says that a child was killed', async () => {
    expect((await failure(run(script('process.kill(process.pid, "SIGKILL")')))).reason).toBe('signal');
  });
});

describe.skipIf(process.platform !== 'linux')('run ends whole process trees (Linux: needs /proc)', () => {
  const parent = (file: string) =>
    script(`const c = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], {stdio: 'ignore'});
      require('node:fs').writeFileSync(${JSON.stringify(file)}, String(c.pid)); setInterval(() => {}, 1e6)`);

  it('after a time limit', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'exec-')), 'pid');
    const error = await failure(run({ ...parent(file), timeout: 1_000 }));
    expect(error.reason).toBe('timeout');
    await sleep(100);
    expect(alive(Number(readFileSync(file, 'utf8')))).toBe(false);
  });

  it('when it is cancelled', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'exec-')), 'pid');
    const controller = new AbortController();
    const running = failure(run({ ...parent(file), signal: controller.signal }));
    await sleep(700);
    controller.abort();
    expect((await running).reason).toBe('cancelled');
    await sleep(100);
    expect(alive(Number(readFileSync(file, 'utf8')))).toBe(false);
  });

  it('and does not start when it is cancelled already', async () => {
    await expect(run({ ...script(''), signal: AbortSignal.abort() })).rejects.toThrow();
  });
});
