import { expect, it } from 'vitest';
import { describeWith } from '../../lab/index.ts';
import { oracle } from './oracle.ts';
import { questions, type Recording, readRecording, writeRecording } from './recording.ts';
import { theirBuilds, theirFiles, theirIgnored, theirMatches, theirWords } from './theirs.ts';

describeWith('The recorded answers', { buildkit: await oracle() }, ({ buildkit }) => {
  it('are those that BuildKit gives; SLIPWAY_RECORD=1 writes them anew', async () => {
    const answers: Recording = {
      buildkit: buildkit.sources.split('@').at(-1)!,
      builds: await theirBuilds(
        buildkit,
        questions.builds.map(([, build]) => build),
      ),
      files: await theirFiles(buildkit, questions.files),
      words: await theirWords(buildkit, questions.words),
      ignored: await theirIgnored(buildkit, questions.ignored),
      matches: await theirMatches(buildkit, questions.matches),
    };
    if (process.env.SLIPWAY_RECORD === '1') writeRecording(answers);
    expect(answers).toEqual(readRecording());
  });
});
