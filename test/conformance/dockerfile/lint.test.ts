import { expect, it } from 'vitest';
import { lint, lintRules, parseDockerfile } from '../../../shared/dockerfile/index.ts';
import { describeWith } from '../../lab/index.ts';
import { random, randomBuild } from './generate.ts';
import { buildkitCorpus, oracle } from './oracle.ts';

const env = ['PATH=/bin', 'HOME=/root'];
const images = {
  '*': {
    architecture: 'amd64',
    os: 'linux',
    config: { Env: env },
    rootfs: { type: 'layers', diff_ids: [] },
    history: [{}],
  },
};
const names = new Map(lintRules.map((rule) => [rule.name, rule.buildkit]));

/** Checks of BuildKit that this lint does not have: the first needs the base image, the second is an experiment. */
const OTHERS = ['InvalidBaseImagePlatform', 'InvalidDefinitionDescription'];

function ours(text: string): string[] {
  // Every image sets these.
  const environments = { get: () => env } as unknown as ReadonlyMap<string, readonly string[]>;
  const findings = lint(parseDockerfile(text, 'Dockerfile'), { environments });
  const shared = findings.flatMap(({ rule, lines }) => {
    const name = names.get(rule);
    // BuildKit points at the last line of an instruction with an empty line in it.
    return name === undefined ? [] : [`${name} ${rule === 'empty-continuation' ? lines.end : lines.start}`];
  });
  return [...new Set(shared)].sort();
}

describeWith("BuildKit's own checks find the same", { buildkit: await oracle() }, ({ buildkit }) => {
  async function compare(texts: readonly string[], least: number) {
    const question = { op: 'lint', platform: 'linux/amd64', buildPlatform: 'linux/amd64', images };
    const answers = await buildkit.ask<{ warnings?: { rule: string; line: number }[] }>(
      texts.map((dockerfile) => ({ ...question, dockerfile })),
    );
    let compared = 0;
    for (const [at, text] of texts.entries()) {
      const { warnings } = answers[at]!;
      if (warnings === undefined) continue;
      compared++;
      const theirs = warnings
        .filter(({ rule }) => !OTHERS.includes(rule))
        .map(({ rule, line }) => `${rule} ${line}`);
      expect(ours(text), text).toEqual([...new Set(theirs)].sort());
    }
    expect(compared).toBeGreaterThan(least);
  }

  it("in every Dockerfile of BuildKit's own tests", () =>
    compare([...buildkitCorpus(buildkit.sources).values()], 400));

  it('in random builds', () => {
    const from = random(6);
    const texts = Array.from({ length: 1_000 }, () =>
      // Whether a path in a variable is absolute is left to the build, and so are triggers.
      randomBuild(from)
        .replace(/^ARG GLOBAL$/m, 'ARG GLOBAL=base')
        .replace(/^WORKDIR \$A$/gm, 'WORKDIR /$A')
        .replace(/^ONBUILD .*$/gm, ''),
    );
    return compare(texts, 500);
  });
});
