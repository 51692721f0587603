import { spawn } from 'node:child_process';
import { styleText } from 'node:util';
import { mark, nothing, seconds, sum, type Tally } from './tally.ts';

interface Check {
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
}

const checks: readonly Check[] = [
  { name: 'types', command: ['tsc', '--project', '.'] },
  { name: 'format and lint', command: ['biome', 'check', '--colors=off', '.'] },
  { name: 'unused code', command: ['knip', '--no-progress'] },
  { name: 'generated files', command: ['node', 'generate.ts', '--check'] },
  { name: 'dist', command: ['node', 'build.ts', '--check'] },
];

/** What can be known without running Slipway: each check counts as one test. */
export async function runChecks(): Promise<Tally> {
  let tally = nothing;
  for (const check of checks) tally = sum(tally, await runCheck(check));
  return tally;
}

async function runCheck({ name, command }: Check): Promise<Tally> {
  const started = performance.now();
  const { code, output } = await capture(command);
  const time = styleText('dim', seconds(performance.now() - started));
  console.log(`  ${code === 0 ? mark.passed : mark.failed} ${name} ${time}`);
  if (code === 0) return { ...nothing, passed: 1 };
  console.log(output.trimEnd().replace(/^/gm, '      '));
  return { ...nothing, failed: 1 };
}

function capture([program, ...args]: Check['command']): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const add = (chunk: Buffer) => {
      output += chunk;
    };
    child.stdout.on('data', add);
    child.stderr.on('data', add);
    child.on('error', (error) => resolve({ code: null, output: `${program}: ${error.message}` }));
    child.on('close', (code) => resolve({ code, output }));
  });
}
