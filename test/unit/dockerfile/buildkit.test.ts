import { describe, expect, it } from 'vitest';
import { ourBuild, ourFile, ourIgnored, ourMatches, ourWord } from '../../conformance/dockerfile/ours.ts';
import { questions, readRecording } from '../../conformance/dockerfile/recording.ts';

const recording = readRecording();

/** Answers that BuildKit gave once; test/conformance/dockerfile asks it itself, and much more. */
describe(`as BuildKit ${recording.buildkit} does`, () => {
  it.each(questions.builds.map(([name, build], at) => ({ name, build, theirs: recording.builds[at] })))(
    'builds $name',
    async ({ build, theirs }) => {
      expect(await ourBuild(build)).toEqual(theirs);
    },
  );

  it.each([
    { what: 'files', ours: questions.files.map(ourFile) },
    { what: 'words', ours: questions.words.map(ourWord) },
    { what: 'ignored', ours: questions.ignored.map(ourIgnored) },
    { what: 'matches', ours: questions.matches.map(ourMatches) },
  ] as const)('answers the questions about $what', ({ what, ours }) => {
    for (const [at, answer] of ours.entries())
      expect(answer, JSON.stringify(questions[what][at])).toEqual(recording[what][at]);
  });
});
