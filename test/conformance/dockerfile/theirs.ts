import type { ImageConfig } from '../../../shared/oci/index.ts';
import type { Build } from './cases.ts';
import { comparable, type Operation, type ParseAnswer, theirOperations, theirParse } from './compare.ts';
import type { Oracle } from './oracle.ts';
import {
  env,
  type GlobQuestion,
  type IgnoreQuestion,
  images,
  REFUSED,
  type Resolved,
  type WordQuestion,
} from './ours.ts';

/** The answers of BuildKit, in the same form as ours. */

export async function theirFiles(buildkit: Oracle, files: readonly string[]): Promise<unknown[]> {
  const answers = await buildkit.ask<ParseAnswer>(files.map((dockerfile) => ({ op: 'parse', dockerfile })));
  return answers.map((answer) => {
    // The parser alone does not mind a file without FROM; BuildKit refuses it a step later.
    const hasFrom = answer.error === undefined && answer.nodes.some((node) => /^from$/i.test(node.word));
    return hasFrom ? theirParse(answer) : REFUSED;
  });
}

export async function theirBuilds(buildkit: Oracle, builds: readonly Build[]): Promise<Resolved[]> {
  const common = {
    op: 'resolve',
    platform: 'linux/arm64',
    buildPlatform: 'linux/amd64',
    labels: { given: 'label' },
    images,
  };
  const answers = await buildkit.ask<{ image: ImageConfig; ops: Operation[]; panic?: string }>(
    builds.map((build) => ({ ...common, ...build })),
  );
  return answers.map((answer) => {
    if (answer.panic !== undefined) throw new Error(`The oracle broke: ${answer.panic}`);
    if (answer.error !== undefined) return REFUSED;
    return { config: comparable(answer.image), operations: theirOperations(answer.ops) };
  });
}

export async function theirWords(buildkit: Oracle, questions: readonly WordQuestion[]): Promise<unknown[]> {
  const answers = await buildkit.ask<Record<'word' | 'words' | 'used' | 'missing', unknown>>(
    questions.map((question) => ({ op: 'expand', env, ...question })),
  );
  return answers.map(({ error, word, words, used, missing }) =>
    error === undefined ? [word, words ?? [], used, missing] : REFUSED,
  );
}

export async function theirIgnored(
  buildkit: Oracle,
  questions: readonly IgnoreQuestion[],
): Promise<unknown[]> {
  const answers = await buildkit.ask<{ ignored: boolean[] }>(
    questions.map((question) => ({ op: 'ignore', ...question })),
  );
  return answers.map(({ error, ignored }) => (error === undefined ? ignored : REFUSED));
}

export async function theirMatches(buildkit: Oracle, questions: readonly GlobQuestion[]): Promise<unknown[]> {
  const answers = await buildkit.ask<{ matches: boolean[] }>(
    questions.map((question) => ({ op: 'glob', ...question })),
  );
  return answers.map(({ error, matches }) => (error === undefined ? matches : REFUSED));
}

export async function theirWalks(buildkit: Oracle, questions: readonly IgnoreQuestion[]): Promise<unknown[]> {
  const answers = await buildkit.ask<{ kept: string[] }>(
    questions.map((question) => ({ op: 'walk', ...question })),
  );
  return answers.map(({ error, kept }) => (error === undefined ? kept : REFUSED));
}
