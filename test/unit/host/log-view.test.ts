import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Task } from '../../../shared/host/index.ts';
import { createLogView, plainStyle } from '../../../shared/host/log-view.ts';
import { createRoot, createTask } from '../../../shared/host/work.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function createLog(details = true) {
  const lines: string[] = [];
  const root = createRoot(0);
  const view = createLogView(root, { write: (line) => lines.push(line), style: plainStyle(details) });
  const host = createTask(root, { view, clock: () => Date.now(), mask: (text) => text });
  return { lines, view, host };
}

/** A task that the test ends when it likes. */
function start(parent: Task, title: string) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let task!: Task;
  const done = parent.task(title, (own) => {
    task = own;
    return promise;
  });
  done.catch(() => {});
  return {
    task,
    end: async () => {
      resolve();
      await done;
    },
    fail: async () => {
      reject(new Error('broken'));
      await done.catch(() => {});
    },
  };
}

describe('a log', () => {
  it('is one line for a task that said nothing', async () => {
    const { host, lines } = createLog();
    await host.task('Read', async (task) => {
      task.note('first');
      task.note('2 stages');
    });
    expect(lines).toEqual(['✓ Read: 2 stages (0 ms)']);
  });

  it('prints the lines of the first task at once and holds those beside it back until it ends', async () => {
    const { host, lines } = createLog();
    const [one, two] = [start(host, 'One'), start(host, 'Two')];
    two.task.log('two a');
    one.task.log('one a');
    expect(lines).toEqual(['- One', 'one a'].map((line, index) => (index === 0 ? line : `  ${line}`)));
    await two.end();
    one.task.log('one b');
    expect(lines).toHaveLength(3);
    await one.end();
    expect(lines).toEqual([
      '- One',
      '  one a',
      '  one b',
      '✓ One (0 ms)',
      '- Two',
      '  two a',
      '✓ Two (0 ms)',
    ]);
  });

  it('indents tasks inside tasks and keeps the lines of each together', async () => {
    const { host, lines } = createLog();
    const build = start(host, 'Build');
    const [amd64, arm64] = [start(build.task, 'amd64'), start(build.task, 'arm64')];
    arm64.task.log('compile b');
    amd64.task.log('compile a');
    build.task.log('waiting for both');
    await arm64.fail();
    await amd64.end();
    await build.fail();
    expect(lines).toEqual([
      '- Build',
      '  - amd64',
      '    compile a',
      '  ✓ amd64 (0 ms)',
      '  - arm64',
      '    compile b',
      '  ✗ arm64 (0 ms)',
      '  waiting for both',
      '✗ Build (0 ms)',
    ]);
  });

  it('announces a task that is long silent, and only when it is its turn', async () => {
    const { host, lines } = createLog();
    const [one, two] = [start(host, 'One'), start(host, 'Two')];
    vi.advanceTimersByTime(999);
    expect(lines).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(lines).toEqual(['- One']);
    await one.end();
    expect(lines).toEqual(['- One', '✓ One (1.0 s)', '- Two']);
    await two.end();
    expect(lines.at(-1)).toBe('✓ Two (1.0 s)');
  });

  it('prints what it held back when the run ends early', () => {
    const { host, view, lines } = createLog();
    start(host, 'One');
    start(host, 'Two').task.log('last words');
    host.note('all of it');
    view.end();
    expect(lines).toEqual([
      '- One (not finished)',
      '- Two',
      '  last words',
      '- Two (not finished)',
      'all of it',
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves details out where they are not wanted, but not what the host itself says', async () => {
    const { host, lines } = createLog(false);
    host.log('hello');
    await host.task('One', async (task) => task.log('detail'));
    expect(lines).toEqual(['hello', '✓ One (0 ms)']);
  });

  it('throws what the work throws', async () => {
    const { host } = createLog();
    const error = new Error('broken');
    await expect(host.task('One', () => Promise.reject(error))).rejects.toBe(error);
  });

  it('splits what comes as several lines', async () => {
    const { host, lines } = createLog();
    host.log('a\nb\r\nc\rd\n');
    expect(lines).toEqual(['a', 'b', 'c', 'd']);
  });
});
