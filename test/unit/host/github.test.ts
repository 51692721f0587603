import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { escapeCommand, fitSummary } from '../../../shared/host/github.ts';
import { FakeRunner } from './runner.ts';

describe.concurrent('an action on a GitHub runner', () => {
  const runner = new FakeRunner();
  const bundle = join(runner.folder, 'bundle');
  const [main, post] = [join(bundle, 'main.mjs'), join(bundle, 'post.mjs')];
  // Bundled as in dist/, each of the many starts takes a quarter of the time.
  beforeAll(() =>
    build({
      entryPoints: ['main', 'post'].map((step) => join(import.meta.dirname, 'sample-action', `${step}.ts`)),
      outdir: bundle,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      banner: { js: "import{createRequire as r}from'node:module';const require=r(import.meta.url);" },
    }),
  );
  afterAll(() => runner[Symbol.dispose]());

  it('groups what a task says and puts its result after the group', async () => {
    const step = await runner.run(main, { words: 'one,two' });
    const start = step.log.indexOf('##[group]Say it');
    expect(step.log.slice(start, start + 4)).toEqual(['##[group]Say it', 'one', 'two', '##[endgroup]']);
    expect(step.log[start + 4]).toMatch(/^✓ Say it: 2 words \(\d+ ms\)$/);
    expect(step).toMatchObject({ code: 0, annotations: [] });
  });

  it('hands outputs, state and summary to the runner, and state on to the post step', async () => {
    const step = await runner.run(main, { words: 'one\ntwo' });
    expect(step.outputs).toEqual({ said: 'one\ntwo' });
    expect(step.summary).toMatch(/^## Said\n/);
    const after = await runner.run(post, { words: 'one\ntwo' }, stateEnvironment(step.state));
    expect(after.log.join('\n')).toBe('kept one\ntwo');
  });

  it('does not carry out commands in what a child process prints', async () => {
    const words = [
      '::set-env name=PATH::evil',
      '  ::error::fake',
      'x ##[add-mask]y',
      '::stop-commands::mine',
    ];
    const step = await runner.run(main, { words: words.join('\n') });
    for (const word of words) expect(step.log.map((line) => line.trim())).toContain(word.trim());
    expect(step).toMatchObject({ annotations: [], masks: [], code: 0 });
  });

  it('takes a bare carriage return for the line end that it is to a runner', async () => {
    const step = await runner.run(main, { words: '10%\r::set-env name=PATH::evil' });
    expect(step.log).toContain('::set-env name=PATH::evil');
    expect(step.annotations).toEqual([]);
  });

  it('shows a failure as one annotation at its place', async () => {
    const step = await runner.run(main, { mode: 'failure' });
    expect(step.code).toBe(1);
    expect(step.annotations).toEqual([
      { level: 'error', message: 'The word is wrong.', file: 'words.txt', line: '3', col: '7' },
    ]);
    expect(step.log.join('\n')).not.toContain('    at ');
  });

  it('shows a fault of Slipway with its stack and says whose it is', async () => {
    const step = await runner.run(main, { mode: 'fault' });
    expect(step.code).toBe(1);
    expect(step.log.join('\n')).toMatch(/TypeError: undefined is not a word\n +at end \(/);
    expect(step.annotations[0]).toMatchObject({ level: 'error', title: 'Fault in Slipway' });
    expect(step.annotations[0]!.message).toContain('not in your files');
  });

  it('shows an error that nobody waited for in the same way', async () => {
    const step = await runner.run(main, { mode: 'uncaught' });
    expect(step.code).toBe(1);
    expect(step.annotations[0]!.message).toContain('nobody waited for this');
  });

  it.skipIf(!existsSync('/dev/full'))('tells a full disk from a fault', async () => {
    const step = await runner.run(main, { mode: 'system' });
    expect(step.annotations).toEqual([{ level: 'error', message: 'The disk is full (ENOSPC).' }]);
  });

  it('names a wrong input, starts nothing, and its post step keeps silent', async () => {
    const step = await runner.run(main, { mode: 'goood', words: 'x' });
    expect(step).toMatchObject({ code: 1, outputs: {} });
    expect(step.annotations[0]!.message).toBe(
      'Input "mode" is "goood"; accepted are good, failure, system, fault, uncaught, wait. Did you mean "good"?',
    );
    const after = await runner.run(post, { mode: 'goood' }, stateEnvironment(step.state));
    expect(after).toMatchObject({ code: 0, log: [], annotations: [] });
  });

  it('masks a secret in all its forms, in log, annotations and summary', async () => {
    const secret = 'hunter2/+"quoted" value';
    const words = [secret, Buffer.from(`user:${secret}`).toString('base64'), encodeURIComponent(secret)];
    const step = await runner.run(main, { token: secret, words: words.join('\n') });
    const shown = [...step.log, step.summary].join('\n');
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
      expect(step.masks).toContain(form);
      expect(shown).not.toContain(form);
    }
    expect(shown).not.toContain('aHVudGVyMi8r');
    expect(shown).toContain('***');
  });

  it('stops at the first SIGINT and reports a cancellation, not a fault', async () => {
    const step = await runner.run(main, { mode: 'wait' }, {}, (line, kill) => {
      if (line === 'waiting') kill('SIGINT');
    });
    expect(step.code).toBe(130);
    expect(step.annotations).toEqual([{ level: 'notice', message: 'The run was cancelled.' }]);
  });

  it('removes its temporary folder, also after a failure', async () => {
    const step = await runner.run(main, { mode: 'failure' });
    const line = step.log.find((one) => one.startsWith('temporary '))!;
    expect(line).toContain(runner.temporary);
    expect(existsSync(line.slice('temporary '.length))).toBe(false);
  });

  it('leaves nothing in RUNNER_TEMP', async () => {
    using own = new FakeRunner();
    await own.run(main, {});
    expect(readdirSync(own.temporary)).toEqual([]);
  });

  it('shows the summary in the log where the runner has no summaries', async () => {
    const step = await runner.run(main, {}, { GITHUB_STEP_SUMMARY: '' });
    expect(step.log.join('\n')).toContain('Said');
    expect(step.code).toBe(0);
  });
});

const stateEnvironment = (state: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]));

describe('escapeCommand', () => {
  const token = () => 'T';

  it.each([
    ['::error::x', '::stop-commands::T\n::error::x\n::T::'],
    ['\t ::error::x', '::stop-commands::T\n\t ::error::x\n::T::'],
    ['see ##[group]x', '::stop-commands::T\nsee ##[group]x\n::T::'],
  ])('fences %j', (line, fenced) => expect(escapeCommand(line, token)).toBe(fenced));

  it.each(['std::string', 'a ::error:: b', '## [x]', ''])('leaves %j', (line) =>
    expect(escapeCommand(line, token)).toBe(line),
  );

  it('takes a new token each time', () => expect(escapeCommand('::a::')).not.toBe(escapeCommand('::a::')));
});

describe('fitSummary', () => {
  it('leaves what fits', () => expect(fitSummary('# x\n', 1024)).toBe('# x\n'));

  it('leaves nothing where there is no room', () => expect(fitSummary('# x\n', 3)).toBe(''));

  it('cuts at a line end, says so, and closes what is open', () => {
    const long = `<details>\n\n\`\`\`\n${'a line of wörds\n'.repeat(1000)}\`\`\`\n</details>\n`;
    const cut = fitSummary(long, 4096);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(4096);
    expect(cut).toMatch(/a line of wörds\n```\n<\/details>\n\n\*The summary is longer.*\*\n$/);
  });
});
