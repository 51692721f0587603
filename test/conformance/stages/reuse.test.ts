import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BuildKit,
  baseImages,
  buildkit,
  crane,
  describeWith,
  engine,
  forgetSteps,
  freshBuildkit,
  registry,
} from '../../lab/index.ts';
import { type MovingBases, preparedBases } from './bases.ts';
import { cases } from './cases.ts';
import { History } from './history.ts';
import { editsFor } from './matrix.ts';
import { buildByOracle } from './oracle.ts';
import { Ours } from './ours.ts';
import { stateOf } from './stage-case.ts';
import { checkOut, type State } from './state.ts';

const [bases, kit, docker, craneTool, lab] = await Promise.all([
  baseImages(),
  buildkit(),
  engine(),
  crane(),
  registry(),
]);

/** `SLIPWAY_STAGES` takes the cases whose name holds a word. */
const chosen = cases
  .map((one, index) => ({ one, index }))
  .filter(({ one }) => one.name.includes(process.env.SLIPWAY_STAGES ?? ''));

describeWith(
  'stages are reused where BuildKit would reuse them, and nowhere else',
  { bases, buildkit: kit, crane: craneTool, engine: docker, registry: lab },
  (have) => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-stages-'));
    let empty: (BuildKit & AsyncDisposable) | undefined;
    let ours: Ours;
    let basesFor: (id: string) => MovingBases;

    beforeAll(async () => {
      empty = await freshBuildkit();
      const { crane: tool, engine: client } = have;
      ours = new Ours({ kit: empty, reader: have.buildkit, crane: tool, engine: client, folder: root });
      await ours.open();
      basesFor = await preparedBases(have, root);
    });
    afterAll(async () => {
      await ours?.close();
      await empty?.[Symbol.asyncDispose]();
      rmSync(root, { recursive: true, force: true });
    });

    for (const { one, index } of chosen)
      describe(one.name, () => {
        const id = `case-${index}`;
        const history = new History(one);
        let count = 0;

        /** Both build the same state, each in a checkout of its own. */
        const build = async (
          state: State,
          edit: string,
        ): Promise<{ wrong: string[]; allCached: boolean }> => {
          const { references, moveTo } = basesFor(id);
          await moveTo(state.bases);
          const folder = join(root, `${id}-${count++}`);
          const [theirs, mine] = [
            checkOut(state, `${folder}-a`, references),
            checkOut(state, `${folder}-b`, references),
          ];
          const image = `${have.registry.host}/stages/${id}:latest`;
          const [oracle, our] = await Promise.all([
            buildByOracle(have.buildkit, state, theirs),
            ours.build(state, mine, image, one.inputs),
          ]);
          const wrong = history.add({ state, oracle, ours: our }, edit);
          return {
            wrong: wrong.length === 0 ? [] : [...wrong, ...our.log],
            allCached: oracle.steps.allCached,
          };
        };

        it('cold', async () => {
          // What another case has left there is not in our store of this one.
          await forgetSteps(have.buildkit);
          expect((await build(stateOf(one), 'none')).wrong).toEqual([]);
        });

        for (const edit of editsFor(one, index)) {
          const state = edit.apply(stateOf(one), one);
          if (state === undefined) continue;
          it(edit.name, async () => {
            const { wrong, allCached } = await build(state, edit.name);
            expect(wrong).toEqual([]);
            if (edit.touches !== 'files') expect(allCached).toBe(true);
          });
        }

        it('back to what it was', async () => {
          expect((await build(stateOf(one), 'none')).wrong).toEqual([]);
        });
      });
  },
);
