import { expect, it } from 'vitest';
import { expand } from '../../../shared/dockerfile/expand.ts';
import { createIgnore, createMatcher, matchGlob, parseDockerfile } from '../../../shared/dockerfile/index.ts';
import { ExpansionError } from '../../../shared/dockerfile/shell-pattern.ts';
import { Failure } from '../../../shared/host/index.ts';
import { describeWith } from '../../lab/index.ts';
import { ourParse, type ParseAnswer, theirParse } from './compare.ts';
import { pathPieces, random, randomDockerfile, randomPath, wordPieces } from './generate.ts';
import { buildkitCorpus, oracle } from './oracle.ts';

const REFUSED = 'refused';

/** A refusal counts as an answer; anything else that is thrown is a fault. */
function answerOf<T>(work: () => T): T | typeof REFUSED {
  try {
    return work();
  } catch (error) {
    if (error instanceof Failure || error instanceof ExpansionError) return REFUSED;
    throw error;
  }
}

const many = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

describeWith('BuildKit reads the same', { buildkit: await oracle() }, ({ buildkit }) => {
  it("in every Dockerfile of BuildKit's own tests", async () => {
    const corpus = [...buildkitCorpus(buildkit.sources)];
    expect(corpus.length).toBeGreaterThan(400);
    const answers = await buildkit.ask<ParseAnswer>(
      corpus.map(([, dockerfile]) => ({ op: 'parse', dockerfile })),
    );
    for (const [at, [name, text]] of corpus.entries()) {
      const answer = answers[at]!;
      // The parser alone does not mind a file without FROM; BuildKit says so a step later.
      if (answer.error === undefined && !answer.nodes.some((node) => /^from$/i.test(node.word))) continue;
      const theirs = answer.error === undefined ? theirParse(answer) : REFUSED;
      expect(
        answerOf(() => ourParse(parseDockerfile(text, 'Dockerfile'))),
        name,
      ).toEqual(theirs);
    }
  });

  it('in random Dockerfiles', async () => {
    const from = random(1);
    const files = many(4_000, () => randomDockerfile(from));
    const answers = await buildkit.ask<ParseAnswer>(files.map((dockerfile) => ({ op: 'parse', dockerfile })));
    expect(answers.filter((answer) => answer.error === undefined).length).toBeGreaterThan(1_000);
    for (const [at, text] of files.entries()) {
      const theirs = answers[at]!.error === undefined ? theirParse(answers[at]!) : REFUSED;
      expect(
        answerOf(() => ourParse(parseDockerfile(text, 'Dockerfile'))),
        text,
      ).toEqual(theirs);
    }
  });

  it('in random words with variables, quotes and substitutions', async () => {
    const from = random(2);
    const env: Readonly<Record<string, string>> = { A: 'abcab', B: 'x y', E: '', 1: 'one', é: 'accent' };
    const lookup = (name: string) => (Object.hasOwn(env, name) ? env[name] : undefined);
    const questions = many(6_000, () => ({
      op: 'expand',
      word: from.text(wordPieces, 7),
      env,
      escape: from.pick(['\\', '\\', '`'] as const),
      rawQuotes: from.below(4) === 0,
      rawEscapes: from.below(4) === 0,
      ignoreQuotes: from.below(5) === 0,
      keepUnset: from.below(4) === 0,
    }));
    const answers = await buildkit.ask<Record<'word' | 'words' | 'used' | 'missing', unknown>>(questions);
    for (const [at, question] of questions.entries()) {
      const answer = answers[at]!;
      const theirs =
        answer.error === undefined ? [answer.word, answer.words ?? [], answer.used, answer.missing] : REFUSED;
      const ours = answerOf(() => {
        const { word, words, used, missing } = expand(question.word, lookup, question);
        return [word, words, [...used].sort(), [...missing].sort()];
      });
      expect(ours, JSON.stringify(question)).toEqual(theirs);
    }
  });

  it('in random ignore files and patterns', async () => {
    const from = random(3);
    const line = () => from.pick(['', '', '!', '# ', ' ', '/']) + from.text(pathPieces, 5);
    const questions = many(4_000, () => {
      const given = many(from.below(5) + 1, line);
      const paths = many(12, () => randomPath(from));
      return from.below(2) === 0
        ? { op: 'ignore', text: given.join('\n'), paths }
        : { op: 'ignore', patterns: given, paths };
    });
    const answers = await buildkit.ask<{ ignored: boolean[] }>(questions);
    for (const [at, question] of questions.entries()) {
      const ours = answerOf(() => {
        const ignore =
          question.text === undefined ? createMatcher(question.patterns) : createIgnore(question.text);
        return question.paths.map((path) => ignore.ignores(path, false));
      });
      expect(ours, JSON.stringify(question)).toEqual(
        answers[at]!.error === undefined ? answers[at]!.ignored : REFUSED,
      );
    }
  });

  it('in random patterns with many stars', async () => {
    const from = random(7);
    const pieces = ['*', '**', '**/', '*/', 'a', 'b', '/', '?', '[ab]', '[^a]', '\\*'];
    const questions = many(3_000, () => ({
      op: 'ignore',
      patterns: [
        `a*${many(6, () => from.pick(pieces)).join('')}*${many(4, () => from.pick(pieces)).join('')}**`.replace(
          /\*{3,}/g,
          '**',
        ),
      ],
      paths: many(12, () => many(from.below(4) + 1, () => from.text(['a', 'b', 'ab', '*'], 3)).join('/')),
    }));
    const answers = await buildkit.ask<{ ignored: boolean[] }>(questions);
    for (const [at, { patterns, paths }] of questions.entries()) {
      const ours = answerOf(() => {
        const ignore = createMatcher(patterns);
        return paths.map((path) => ignore.ignores(path, false));
      });
      expect(ours, JSON.stringify([patterns, paths])).toEqual(
        answers[at]!.error === undefined ? answers[at]!.ignored : REFUSED,
      );
    }
  });

  it('in random globs', async () => {
    const from = random(4);
    const questions = many(4_000, () => ({
      op: 'glob',
      pattern: from.text(pathPieces, 5),
      paths: many(12, () => randomPath(from)),
    }));
    const answers = await buildkit.ask<{ matches: boolean[] }>(questions);
    for (const [at, { pattern, paths }] of questions.entries()) {
      const ours = answerOf(() => paths.map((path) => matchGlob(pattern, path)));
      expect(ours, pattern).toEqual(answers[at]!.error === undefined ? answers[at]!.matches : REFUSED);
    }
  });
});
