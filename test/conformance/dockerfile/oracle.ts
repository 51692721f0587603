import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ExecError, run } from '../../../shared/exec/index.ts';
import { go, type Part } from '../../lab/index.ts';
import { labRoot } from '../../lab/place.ts';

/** BuildKit's frontend, built from its Go module: it says what a Dockerfile means. */
export interface Oracle {
  /** Answers in the order of the questions; an answer with `error` is a refusal. */
  readonly ask: <T>(questions: readonly Question[]) => Promise<(T & { readonly error?: string })[]>;
  /** Folder of BuildKit's own sources, with the Dockerfiles that its tests use. */
  readonly sources: string;
}

export type Question = { readonly op: string; readonly [field: string]: unknown };

const source = join(import.meta.dirname, 'oracle');

/** Builds the oracle once per version of its source; the first time takes a minute. */
export async function oracle(): Promise<Part<Oracle>> {
  const toolchain = go();
  if (!toolchain.available) return toolchain;
  try {
    const program = await build(toolchain.program);
    return {
      available: true,
      ask: (questions) => ask(program, questions),
      sources: await modulePath(toolchain.program),
    };
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    return {
      available: false,
      why: `BuildKit's frontend did not build: ${error.stderr.trim().split('\n').at(-1)}`,
    };
  }
}

async function build(goProgram: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of readdirSync(source).sort()) hash.update(readFileSync(join(source, name)));
  const directory = join(labRoot, 'dockerfile-oracle', hash.digest('hex').slice(0, 16));
  const program = join(directory, 'oracle');
  if (existsSync(program)) return program;
  await mkdir(directory, { recursive: true });
  await run({
    program: goProgram,
    args: ['build', '-o', program, '.'],
    cwd: source,
    env: goEnvironment,
    timeout: 600_000,
  });
  return program;
}

async function modulePath(goProgram: string): Promise<string> {
  const args = ['list', '-m', '-f', '{{.Dir}}', 'github.com/moby/buildkit'];
  const { stdout } = await run({
    program: goProgram,
    args,
    cwd: source,
    env: goEnvironment,
    timeout: 60_000,
  });
  return stdout.toString().trim();
}

const goEnvironment = {
  ...process.env,
  GOFLAGS: '-mod=readonly -buildvcs=false',
  GOWORK: 'off',
  CGO_ENABLED: '0',
};

async function ask<T>(program: string, questions: readonly Question[]): Promise<(T & { error?: string })[]> {
  const input = questions.map((question) => `${JSON.stringify(question)}\n`).join('');
  const { stdout } = await run({ program, args: [], input, timeout: 120_000, keep: 256 * 2 ** 20 });
  const lines = stdout.toString().split('\n').slice(0, -1);
  if (lines.length !== questions.length)
    throw new Error(`The oracle gave ${lines.length} answers to ${questions.length} questions.`);
  return lines.map((line) => JSON.parse(line));
}

/** The Dockerfiles that BuildKit's own tests hold, in files and in Go source, by where they stand. Read from its module, never copied. */
export function buildkitCorpus(sources: string): Map<string, string> {
  const frontend = join(sources, 'frontend/dockerfile');
  const corpus = new Map<string, string>();
  for (const folder of ['parser/testfiles', 'parser/testfiles-negative'])
    for (const name of readdirSync(join(frontend, folder)).sort())
      corpus.set(`${folder}/${name}`, readFileSync(join(frontend, folder, name, 'Dockerfile'), 'utf8'));
  const tests = readdirSync(frontend).filter((name) => name.endsWith('_test.go'));
  for (const name of [...tests, 'dockerfile2llb/convert_test.go', 'parser/parser_test.go'].sort())
    for (const [number, text] of rawStrings(readFileSync(join(frontend, name), 'utf8')).entries())
      corpus.set(`${name}#${number}`, text);
  return corpus;
}

/** Raw strings of Go source that look like Dockerfiles. */
function rawStrings(text: string): string[] {
  return [...text.matchAll(/`([^`]*)`/g)]
    .map((match) => match[1]!)
    .filter((one) => /^\s*(?:FROM|ARG|#)\s/im.test(one) && /^\s*FROM\s/im.test(one));
}
