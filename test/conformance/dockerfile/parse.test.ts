import { expect, it } from 'vitest';
import { describeWith } from '../../lab/index.ts';
import {
  many,
  random,
  randomDockerfile,
  randomGlob,
  randomIgnore,
  randomStars,
  randomTree,
  randomWord,
} from './generate.ts';
import { buildkitCorpus, oracle } from './oracle.ts';
import { ourFile, ourIgnored, ourMatches, ourWalk, ourWord, REFUSED } from './ours.ts';
import { theirFiles, theirIgnored, theirMatches, theirWalks, theirWords } from './theirs.ts';

/** Compares one by one, so that a difference shows its question. */
function expectSame<Q>(
  questions: readonly Q[],
  theirs: readonly unknown[],
  ours: (question: Q) => unknown,
): void {
  for (const [at, question] of questions.entries())
    expect(ours(question), JSON.stringify(question)).toEqual(theirs[at]);
}

describeWith('BuildKit reads the same', { buildkit: await oracle() }, ({ buildkit }) => {
  it("in every Dockerfile of BuildKit's own tests", async () => {
    const files = [...buildkitCorpus(buildkit.sources).values()];
    expect(files.length).toBeGreaterThan(400);
    expectSame(files, await theirFiles(buildkit, files), ourFile);
  });

  it('in random Dockerfiles', async () => {
    const from = random(1);
    const files = many(4_000, () => randomDockerfile(from));
    const theirs = await theirFiles(buildkit, files);
    expect(theirs.filter((answer) => answer !== REFUSED).length).toBeGreaterThan(1_000);
    expectSame(files, theirs, ourFile);
  });

  it('in random words with variables, quotes and substitutions', async () => {
    const from = random(2);
    const questions = many(6_000, () => randomWord(from));
    expectSame(questions, await theirWords(buildkit, questions), ourWord);
  });

  it('in random ignore files and patterns', async () => {
    const from = random(3);
    const questions = [...many(4_000, () => randomIgnore(from)), ...many(3_000, () => randomStars(from))];
    expectSame(questions, await theirIgnored(buildkit, questions), ourIgnored);
  });

  it('and sends the same files of random trees', async () => {
    const from = random(9);
    const questions = many(1_000, () => randomTree(from));
    expectSame(questions, await theirWalks(buildkit, questions), ourWalk);
  });

  it('in random globs', async () => {
    const from = random(4);
    const questions = many(4_000, () => randomGlob(from));
    expectSame(questions, await theirMatches(buildkit, questions), ourMatches);
  });
});
