import { expect, it } from 'vitest';
import { describeWith } from '../../lab/index.ts';
import { cases, refused } from './cases.ts';
import { many, random, randomBuild } from './generate.ts';
import { buildkitCorpus, oracle } from './oracle.ts';
import { ourBuild, REFUSED } from './ours.ts';
import { theirBuilds } from './theirs.ts';

describeWith(
  'BuildKit resolves to the same configuration and operations',
  { buildkit: await oracle() },
  ({ buildkit }) => {
    it.each(Object.entries(cases))('%s', async (_, build) => {
      const [theirs] = await theirBuilds(buildkit, [build]);
      expect(theirs).not.toBe(REFUSED);
      expect(await ourBuild(build)).toEqual(theirs);
    });

    it.each(Object.entries(refused))('and refuses %s', async (_, build) => {
      expect(await theirBuilds(buildkit, [build])).toEqual([REFUSED]);
      expect(await ourBuild(build)).toBe(REFUSED);
    });

    it("in every Dockerfile of BuildKit's own tests", async () => {
      const corpus = [...buildkitCorpus(buildkit.sources)].filter(
        ([, text]) => !text.includes('dockerfile-upstream:master-labs'),
      );
      const builds = corpus.map(([, dockerfile]) => ({
        dockerfile,
        buildArgs: { SOURCE: 'given', BASE: 'alpine' },
      }));
      const theirs = await theirBuilds(buildkit, builds);
      let compared = 0;
      for (const [at, build] of builds.entries()) {
        const ours = await ourBuild(build);
        if (ours === 'unmodelled') continue;
        compared++;
        expect(ours, corpus[at]![0]).toEqual(theirs[at]);
      }
      expect(compared).toBeGreaterThan(450);
    });

    it('in random builds', async () => {
      const from = random(5);
      const builds = many(2_000, () => ({
        dockerfile: randomBuild(from),
        buildArgs: { A: 'given', UNUSED: '1' },
      }));
      const theirs = await theirBuilds(buildkit, builds);
      expect(theirs.filter((one) => one !== REFUSED).length).toBeGreaterThan(1_200);
      for (const [at, build] of builds.entries())
        expect(await ourBuild(build), build.dockerfile).toEqual(theirs[at]);
    });
  },
);
