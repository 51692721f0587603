import { expect, it } from 'vitest';
import { reportPlan } from '../../../actions/docker-multistage/report.ts';
import type { Story } from '../../../shared/image/index.ts';
import { changesSince } from '../../../shared/image/reuse/changes.ts';
import { keysOf } from '../../../shared/image/reuse/key-memory.ts';
import { summary } from '../../../shared/report/index.ts';
import { type Project, planOf } from '../image/identities.ts';

const project: Project = {
  dockerfile: [
    'FROM golang:1 AS deps',
    'RUN --network=none true',
    'FROM golang:1 AS build',
    'COPY src /src',
    'RUN --network=none go build -o /app /src',
    'FROM golang:1 AS gpu',
    'RUN --security=insecure true',
    'FROM scratch',
    'COPY --from=deps /deps /deps',
    'COPY --from=build /app /app',
    'COPY --from=gpu /gpu /gpu',
    '',
  ].join('\n'),
  files: { 'src/a': 'a', 'src/b': 'b' },
  bases: { 'docker.io/library/golang:1': { version: '1' } },
};

/** The lines of a plan as a terminal shows them, spaces apart. */
async function told(story: (on: Awaited<ReturnType<typeof planOf>>) => Partial<Story>, explain = false) {
  const before = await planOf(project);
  const plan = await planOf({ ...project, files: { 'src/a': 'changed', 'src/c': 'c' } });
  const changes = changesSince(plan, { stages: keysOf(before.identity), image: before.key });
  const { text } = summary(reportPlan(plan, { changes, ...story(plan) }, explain));
  return text
    .replaceAll(/\s*\n\s{2,}/g, ' ')
    .split('\n')
    .map((line) => line.replaceAll(/\s+/g, ' ').trim());
}

it('says of each stage what becomes of it, and what decides first about that', async () => {
  const lines = await told(({ platforms }) => ({
    there: 'no',
    outcomes: [
      {
        platform: platforms[0]!.platform,
        stage: 0,
        how: 'restored',
        where: 'ghcr.io/org/app',
        size: 2_000_000,
      },
      { platform: platforms[0]!.platform, stage: 1, how: 'built' },
      { platform: platforms[0]!.platform, stage: 2, how: 'built' },
    ],
  }));
  const row = (start: string) => lines.find((line) => line.startsWith(start));
  expect(row('deps 1')).toBe('deps 1 restored, 2.0 MB from ghcr.io/org/app nothing changed');
  expect(row('build 3')).toMatch(
    /^build 3 built src\/a: content changed, and 2 more \(line 5: RUN needs a container/,
  );
  expect(row('gpu 6')).toMatch(/^gpu 6 built always made: Dockerfile, line 7: RUN --security=insecure/);
  expect(row('3 8')).toMatch(/^3 8 assembled always made: Dockerfile, line 7: it takes from stage "gpu"/);
  expect(lines.join('\n')).toContain('Changed since the last time: stage "build": src/a: content changed; ');
});

it('says that an image, or its layers, are there', async () => {
  expect((await told(() => ({ there: 'image' }))).join('\n')).toContain('only gets its names');
  const lines = await told(() => ({ there: 'layers' }));
  expect(lines.join('\n')).toContain('only configuration and manifest are written');
  expect(lines.find((line) => line.startsWith('deps 1'))).toBe(
    'deps 1 reused with the image nothing changed',
  );
});

it('tells all that is known of each stage when it is asked to', async () => {
  const lines = (await told(() => ({}), true)).join('\n');
  expect(lines).toMatch(/Stage build.*Key: sha256:[0-9a-f]{12}/s);
  for (const change of ['src/a: content changed', 'src/b is gone', 'src/c is new'])
    expect(lines).toContain(change);
  expect(lines).toMatch(/Stage gpu.*Key: none.*Made in any case: Dockerfile, line 7/s);
});
