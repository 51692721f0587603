import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../shared/exec/index.ts';

/** A copy of the storefront that is edited as its developers would edit it. */
export interface Service extends AsyncDisposable {
  readonly directory: string;
}

export async function copyStorefront(): Promise<Service> {
  const parent = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const directory = join(parent, 'storefront');
  await cp(join(import.meta.dirname, '../../examples/storefront'), directory, {
    recursive: true,
    filter: (source) => !source.endsWith('/.slipway'),
  });
  return { directory, [Symbol.asyncDispose]: () => rm(parent, { recursive: true, force: true }) };
}

export const scenarios = ['cold', 'unchanged', 'leaf edit', 'core edit', 'dependency bump'] as const;
export type Scenario = (typeof scenarios)[number];

/** Each round's bump is to a version that no cache has seen, of a module that no other requires: nothing else moves with it. */
const bumps = ['v11.4.1', 'v11.4.0', 'v11.3.1', 'v11.3.0', 'v11.2.2', 'v11.2.1', 'v11.2.0'] as const;
export const mostRounds = bumps.length;

/** Makes the change that a scenario is about. What a developer's own tools do, such as `go get`, is not part of the time. */
export async function edit({ directory }: Service, scenario: Scenario, round: number): Promise<void> {
  if (scenario === 'leaf edit')
    await replace(join(directory, 'cmd/storefront/main.go'), /"starting.*?"/, `"starting, round ${round}"`);
  if (scenario === 'core edit')
    await replace(
      join(directory, 'internal/config/config.go'),
      /$/,
      `\n// Revision${round} is a change that all who import this package notice.\nconst Revision${round} = ${round}\n`,
    );
  if (scenario === 'dependency bump') {
    await run({
      program: 'go',
      args: ['get', `github.com/caarlos0/env/v11@${bumps[round]}`],
      cwd: directory,
    });
    await run({ program: 'go', args: ['mod', 'tidy'], cwd: directory });
  }
}

async function replace(file: string, pattern: RegExp, text: string): Promise<void> {
  const before = await readFile(file, 'utf8');
  const after = before.replace(pattern, text);
  if (after === before) throw new Error(`${file} was not changed`);
  await writeFile(file, after);
}

/** An empty folder in place of the one that was there. */
export async function empty(directory: string): Promise<void> {
  // Go's module cache is read-only, folders too.
  await run({ program: 'chmod', args: ['-R', 'u+w', directory], accept: [0, 1] });
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
}
