import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ExecError, run } from '../../../shared/exec/index.ts';
import { go, type Part } from '../../lab/index.ts';
import { labRoot } from '../../lab/place.ts';

/** The standards' own libraries in Go: in-toto's, SPDX's, and sigstore's, with which gh and cosign verify. */
export interface Oracle {
  /** Asks about a document; what is wrong with it, or what the library says of it. */
  ask(
    args: readonly string[],
    document: string,
  ): Promise<{ readonly wrong: string } | { readonly said: string }>;
}

const source = join(import.meta.dirname, 'oracle');

/** Builds the oracle once per version of its source; the first time takes some minutes. */
export async function oracle(): Promise<Part<Oracle>> {
  const toolchain = go();
  if (!toolchain.available) return toolchain;
  try {
    const program = await build(toolchain.program);
    return { available: true, ask: (args, document) => ask(program, args, document) };
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    return { available: false, why: `the oracle did not build: ${error.stderr.trim().split('\n').at(-1)}` };
  }
}

async function build(goProgram: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of readdirSync(source).sort()) hash.update(readFileSync(join(source, name)));
  const directory = join(labRoot, 'attestation-oracle', hash.digest('hex').slice(0, 16));
  const program = join(directory, 'oracle');
  if (existsSync(program)) return program;
  await mkdir(directory, { recursive: true });
  await run({
    program: goProgram,
    args: ['build', '-o', program, '.'],
    cwd: source,
    env: { ...process.env, GOFLAGS: '-mod=readonly -buildvcs=false', GOWORK: 'off', CGO_ENABLED: '0' },
    timeout: 900_000,
  });
  return program;
}

async function ask(program: string, args: readonly string[], document: string) {
  const { code, stdout, stderr } = await run({
    program,
    args,
    input: document,
    accept: [0, 1],
    timeout: 60_000,
  });
  return code === 0 ? { said: stdout.toString().trim() } : { wrong: stderr.trim() };
}
