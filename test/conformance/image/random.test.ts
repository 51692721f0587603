import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { run } from '../../../shared/exec/index.ts';
import { Failure } from '../../../shared/host/index.ts';
import { buildkit, crane, describeWith, registry } from '../../lab/index.ts';
import { makeContext } from './context.ts';
import { assemble, plan, requestFor } from './native.ts';
import { randomCase } from './random.ts';
import { buildkitReference, comparable } from './reference.ts';

const [kit, craneTool, lab] = await Promise.all([buildkit(), crane(), registry()]);

/** `SLIPWAY_RANDOM=5000-5200` tries other seeds. */
const [first, end] = (process.env.SLIPWAY_RANDOM ?? '1-26').split('-').map(Number) as [number, number];

describeWith(
  'random Dockerfiles give what BuildKit gives, or are refused by both',
  { buildkit: kit, crane: craneTool, registry: lab },
  (have) => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-random-'));
    afterAll(() => rmSync(root, { recursive: true, force: true }));
    const noImages = () => Promise.reject(new Error('no case has a base image'));

    for (let seed = first; seed < end; seed++)
      it(`seed ${seed}`, async ({ skip }) => {
        const reference = buildkitReference(have.buildkit);
        const folder = join(root, String(seed));
        const { dockerfile, files } = randomCase(seed);
        makeContext(folder, files);
        writeFileSync(join(folder, 'Dockerfile'), dockerfile);
        const planned = await plan(requestFor(folder), noImages).catch((error: unknown) => error);
        if (planned instanceof Error) {
          expect(planned).toBeInstanceOf(Failure);
          await expect(reference.build(folder, {})).rejects.toMatchObject({
            stderr: expect.stringContaining('failed to solve'),
          });
          return;
        }
        const mine = planned as Awaited<ReturnType<typeof plan>>;
        if (mine.platforms[0]!.final === undefined)
          skip(`left to a builder: ${mine.because?.reason ?? 'a stage'}`);
        const [theirs, made] = [await reference.build(folder, {}), await assemble(mine)];
        const image = `${have.registry.host}/random:${seed}`;
        await run({ program: have.crane.program, args: ['push', made.layout.directory, image] });
        expect(comparable(made.config)).toEqual(theirs.config);
        expect(await reference.flatten(image, folder)).toEqual(theirs.tree);
      });
  },
);
