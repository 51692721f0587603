import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ActionModule, Failure, type Host, runInTerminal } from '../../../shared/host/index.ts';
import { definition } from './sample-action/definition.ts';
import * as sample from './sample-action/run.ts';
import { FakePipe, FakeTerminal } from './screen.ts';

interface Run {
  readonly inputs?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly detail?: 'normal' | 'verbose' | 'quiet';
  readonly json?: boolean;
  readonly module?: ActionModule<typeof definition>;
}

async function run({ inputs = {}, env = {}, module = sample, ...options }: Run, out = new FakePipe()) {
  const err = new FakePipe();
  const code = await runInTerminal(definition, module, {
    ...options,
    inputs: new Map(Object.entries(inputs)),
    stdout: out,
    stderr: err,
    env,
    clock: () => 0,
  });
  return { code, out: out.text, err: err.text };
}

const only = (main: (host: Host) => Promise<void>) => ({ module: { main } });

describe('a log', () => {
  it('has the lines of the tasks, then summary and outputs, and runs the post step', async () => {
    const { code, out, err } = await run({ inputs: { words: 'one,two' } });
    expect(out.replace(/temporary .*/, 'temporary')).toBe(
      'temporary\n- Say it\n  one\n  two\n✓ Say it: 2 words (0 ms)\nkept one\ntwo\n' +
        '\nSaid\n\nOutputs\n  said  one two\n',
    );
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  it('shows a failure with its place as compilers do, and still runs the post step', async () => {
    const { code, out, err } = await run({ inputs: { mode: 'failure', words: 'x' } });
    expect({ code, err }).toEqual({ code: 1, err: 'words.txt:3:7: error: The word is wrong.\n' });
    expect(out).toContain('kept x\n');
  });

  it('cuts and wraps nothing in the middle of a secret', async () => {
    const token = 'correct-horse-battery-staple';
    const screen = new FakeTerminal(60);
    const filler = 'x'.repeat(40);
    const module: ActionModule<typeof definition> = {
      main: async (host) => {
        const title = `${filler} ${token}`;
        await host.task(title, async (task) => task.note(`${filler} ${token}`));
        host.output('said', `${filler} ${token}`);
        host.annotate({ level: 'notice', message: `${filler} ${token}` });
        const render = ({ width }: { width: number }) =>
          width < 80 ? `${token.slice(0, 9)}\n${token.slice(9)}` : token;
        await host.summarize({ markdown: '', text: '', render });
      },
    };
    await run({ inputs: { token }, module, env: { NO_COLOR: '1' } }, screen as unknown as FakePipe);
    expect(screen.raw).not.toMatch(/corr|horse|staple/);
  });

  it('names outputs that are JSON, and shows none of a run that failed', async () => {
    const said = (fails: boolean) =>
      only(async (host) => {
        host.output('digest', 'sha256:ab');
        host.output('plan', '[{"a":1}]');
        host.output('empty', '');
        if (fails) throw new Failure('wrong');
      });
    expect((await run(said(false))).out).toBe(
      '\nOutputs\n  digest  sha256:ab\n  as JSON, with --json: plan\n',
    );
    expect((await run(said(true))).out).toBe('');
    expect(JSON.parse((await run({ ...said(true), json: true })).out)).toHaveProperty('plan', '[{"a":1}]');
  });

  it('says that a fault is not the user’s, with a stack', async () => {
    const { code, out, err } = await run({ inputs: { mode: 'fault' } });
    expect(code).toBe(1);
    expect(out).toMatch(/TypeError: undefined is not a word\n +at end/);
    expect(err).toContain('error: Fault in Slipway: undefined is not a word\nThis is a fault in Slipway');
  });

  it('shows every failure of several at once', async () => {
    const failures = [new Failure('One.'), new Failure('Two.', { location: { file: 'a.go' } })];
    const { code, err } = await run(only(() => Promise.reject(new AggregateError(failures))));
    expect({ code, err }).toEqual({ code: 1, err: 'error: One.\na.go: error: Two.\n' });
  });

  it('takes an aggregate that holds anything else for a fault', async () => {
    const mixed = new AggregateError([new Failure('One.'), new Error('Two.')], 'both');
    expect((await run(only(() => Promise.reject(mixed)))).err).toContain('Fault in Slipway: both');
  });

  it('starts nothing on a wrong input: exit code 2, one error, no post step', async () => {
    const { code, out, err } = await run({ inputs: { mode: 'wat' } });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^error: Input "mode" is "wat"; [^\n]*\n$/);
  });

  it('does not take an expression for a token', async () => {
    const said: string[] = [];
    await run({ module: { main: async (_host, inputs) => void said.push(inputs.token) } });
    expect(said).toEqual(['']);
  });

  it('masks secrets in lines, notes, titles, errors, summary and outputs', async () => {
    const secret = 'hunter2hunter2';
    const module: ActionModule<typeof definition> = {
      main: async (host, { token }) => {
        host.log(`log ${token}`);
        await host.task(`title ${token}`, async (task) => {
          task.log(`line ${token}`);
          task.note(`note ${token}`);
        });
        host.output('said', `output ${token}`);
        await host.summarize({ markdown: '', text: `summary ${token}` });
        host.annotate({ level: 'error', message: `failure ${token}` });
      },
    };
    for (const json of [false, true]) {
      const shown = await run({ inputs: { token: secret }, module, json });
      expect(shown.out + shown.err).not.toContain(secret);
      for (const place of ['log', 'title', 'line', 'note', 'output', 'summary', 'failure'])
        expect(shown.out + shown.err).toContain(`${place} ***`);
    }
  });

  it('does not let a child process reach the terminal', async () => {
    const { out } = await run({ inputs: { words: '\u001b]0;owned\u0007\u001b[2Jtext' } });
    expect(out).toContain('  text\n');
    expect(out).not.toContain('\u001b');
  });

  it('renders the summary for its own width and colours where it can', async () => {
    const render = (format: object) => JSON.stringify(format);
    const { out } = await run(only((host) => host.summarize({ markdown: '', text: '', render })));
    expect(out).toBe('\n{"width":100,"color":false}\n');
  });

  it('removes the temporary folder', async () => {
    const { out } = await run({});
    expect(existsSync(/temporary (.*)/.exec(out)![1]!)).toBe(false);
  });
});

describe('options', () => {
  it('--json prints the outputs alone on standard output', async () => {
    const { out, err } = await run({ inputs: { words: 'a,b' }, json: true });
    expect(JSON.parse(out)).toEqual({ said: 'a\nb' });
    expect(err).toContain('✓ Say it: 2 words');
    expect(err).toContain('Said');
  });

  it('--quiet prints errors and warnings alone', async () => {
    const noisy = only(async (host) => {
      host.log('log');
      await host.task('task', async () => {});
      host.annotate({ level: 'notice', message: 'notice' });
      host.annotate({ level: 'warning', message: 'careful', title: 'rule' });
      host.output('said', 'x');
      throw new Failure('wrong');
    });
    const { out, err } = await run({ ...noisy, detail: 'quiet' });
    expect({ out, err }).toEqual({ out: '', err: 'warning: rule: careful\nerror: wrong\n' });
  });

  it('FORCE_COLOR colours a pipe, NO_COLOR does not colour a terminal', async () => {
    expect((await run({ env: { FORCE_COLOR: '1' } })).out).toContain('\u001b[32m✓\u001b[39m Say it');
    expect((await run({})).out).not.toContain('\u001b[');
  });
});

describe('trust', () => {
  const trusted = async (env: Readonly<Record<string, string>>) => {
    const seen: boolean[] = [];
    await run({ ...only(async (host) => void seen.push(host.run.trusted)), env });
    return seen[0];
  };
  it('is the user’s own in a terminal', async () => expect(await trusted({})).toBe(true));
  it('is the workflow’s in a run: step', async () => {
    const env = { GITHUB_ACTIONS: 'true', GITHUB_EVENT_NAME: 'pull_request_target' };
    expect(await trusted(env)).toBe(false);
    expect(await trusted({ ...env, GITHUB_EVENT_NAME: 'push' })).toBe(true);
  });
});

/** The lines that a runner takes for commands (actions/runner, ActionCommandManager): none between stop-commands and its token. */
function carriedOut(text: string): string[] {
  let token: string | undefined;
  return text.split('\n').filter((line) => {
    if (token !== undefined) {
      if (line === `::${token}::`) token = undefined;
      return false;
    }
    token = /^::stop-commands::(.+)$/.exec(line)?.[1];
    return token === undefined && (/^\s*::/.test(line) || line.includes('##['));
  });
}

describe('a run: step of a workflow', () => {
  it('groups and fences lines as the runner wants it', async () => {
    const { out } = await run({ inputs: { words: '::error::x' }, env: { GITHUB_ACTIONS: 'true' } });
    expect(out).toMatch(
      /::group::Say it\n::stop-commands::(\S+)\n *::error::x\n::\1::\n::endgroup::\n✓ Say it/,
    );
  });

  it('lets neither a message, nor the summary, nor an output give the runner a command', async () => {
    const module = only(async (host) => {
      const evil = '::set-output name=digest::evil';
      host.annotate({ level: 'warning', message: `RUN failed:\n${evil}` });
      host.annotate({ level: 'notice', message: `x\n${evil}`, location: { file: '##[error]y' } });
      await host.summarize({ markdown: '', text: `Summary\n  ${evil}` });
      host.output('said', '##[add-mask]e');
    });
    const { out, err } = await run({ ...module, env: { GITHUB_ACTIONS: 'true' } });
    expect(carriedOut(out)).toEqual([]);
    expect(carriedOut(err)).toEqual([]);
    expect(`${out}${err}`.match(/name=digest::evil/g)).toHaveLength(3);
  });
});

describe('a terminal', () => {
  async function draw(options: Run, env: Readonly<Record<string, string>> = { NO_COLOR: '1' }) {
    const screen = new FakeTerminal();
    const result = await run({ ...options, env }, screen as unknown as FakePipe);
    return { ...result, raw: screen.raw };
  }

  it('ends with the whole tree, the summary and the outputs', async () => {
    const { code, out } = await draw({
      ...only(async (host) => {
        await host.task('Read', async (task) => task.note('2 stages'));
        await host.task('Build', async (task) => {
          const one = async (name: string) => task.task(name, async (own) => own.note(`${name} done`));
          await Promise.all([one('amd64'), one('arm64')]);
        });
        host.output('said', 'x');
      }),
    });
    expect(code).toBe(0);
    expect(out.split('\n').map((line) => line.replace(/ {2,}/g, '  '))).toEqual([
      '✓ Read  2 stages  0 ms',
      '✓ Build  0 ms',
      '  ✓ amd64  amd64 done  0 ms',
      '  ✓ arm64  arm64 done  0 ms',
      '',
      'Outputs',
      '  said  x',
    ]);
  });

  it('hides details of what went well and shows those of what failed', async () => {
    const { out } = await draw({
      ...only(async (host) => {
        await host.task('Good', async (task) => task.log('silent'));
        await host.task('Bad', async (task) => {
          task.log('loud');
          throw new Failure('It broke.');
        });
      }),
    });
    expect(out).not.toContain('silent');
    expect(out).toMatch(/✗ Bad .*\n {2}│ loud\nerror: It broke\.$/);
  });

  it('prints every detail with --verbose, and draws nothing', async () => {
    const { out, raw } = await draw({ inputs: { words: 'one' }, detail: 'verbose' });
    expect(out).toContain('- Say it\n  one\n✓ Say it');
    expect(raw).not.toContain('\u001b[?25l');
  });

  it.each([
    ['a CI system', { CI: 'true' }],
    ['a dumb terminal', { TERM: 'dumb' }],
  ])('draws nothing for %s', async (_, env) => {
    expect((await draw({}, env)).raw).not.toContain('\u001b[?25l');
  });

  it('redraws while tasks run, and an error stays above the tree', async () => {
    const { out, raw } = await draw({
      ...only(async (host) => {
        await host.task('Slow', async (task) => {
          task.log('working on it');
          host.annotate({ level: 'warning', message: 'careful' });
          await new Promise((resolve) => setTimeout(resolve, 250));
        });
      }),
    });
    expect(raw).toContain('⠋ Slow');
    expect(raw).toContain('⠙ Slow');
    expect(raw).toContain('working on it');
    expect(out).toMatch(/^warning: careful\n✓ Slow/);
  });

  it('masks a secret in what it draws, while a task runs and after', async () => {
    const module: ActionModule<typeof definition> = {
      main: async (host, { token }) => {
        await host.task(`Use ${token}`, async (task) => {
          task.log(`with ${token}`);
          await new Promise((resolve) => setTimeout(resolve, 100));
          throw new Failure(`${token} is wrong.`);
        });
      },
    };
    const { raw } = await draw({ inputs: { token: 'hunter2hunter2' }, module });
    expect(raw).toContain('⠙ Use ***');
    expect(raw).not.toContain('hunter2hunter2');
  });
});

describe('Ctrl-C', () => {
  it('aborts the signal; the run ends as cancelled and skips the post step', async () => {
    const { code, out } = await run({
      module: {
        main: async (host) => {
          const aborted = new Promise((_, reject) =>
            host.signal.addEventListener('abort', () => reject(host.signal.reason)),
          );
          process.emit('SIGINT', 'SIGINT');
          await aborted;
        },
        post: async (host) => host.log('post step'),
      },
    });
    expect(code).toBe(130);
    expect(out).toBe('Stopping. Press Ctrl-C once more to stop at once.\nnotice: The run was cancelled.\n');
  });

  it('is a cancellation too where the work says in words that it stopped', async () => {
    const { code, out, err } = await run(
      only(async () => {
        process.emit('SIGTERM', 'SIGTERM');
        throw new Failure('The push was stopped before the tag was written.');
      }),
    );
    expect({ code, err }).toEqual({ code: 130, err: '' });
    expect(out).toContain(
      'notice: The run was cancelled. The push was stopped before the tag was written.\n',
    );
  });

  it('ends the process the second time', async () => {
    const impatient: string[] = [];
    await runInTerminal(
      definition,
      {
        main: async () => {
          process.emit('SIGINT', 'SIGINT');
          expect(impatient).toEqual([]);
          process.emit('SIGTERM', 'SIGTERM');
        },
      },
      {
        inputs: new Map(),
        stdout: new FakePipe(),
        stderr: new FakePipe(),
        env: {},
        onImpatient: () => void impatient.push('now'),
      },
    );
    expect(impatient).toEqual(['now']);
    expect(process.listenerCount('SIGTERM')).toBe(0);
  });
});
