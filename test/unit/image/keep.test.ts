import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../shared/content/index.ts';
import type { Task } from '../../../shared/host/index.ts';
import { keepStages } from '../../../shared/image/builder/keep.ts';
import type { MadeStages } from '../../../shared/image/builder/stages.ts';
import { emptyDirectory } from '../../../shared/image/files/tree.ts';
import type { MadeResult, StageResults } from '../../../shared/image/results/results.ts';

const task: Task = { task: async (_, work) => await work(task), log: () => {}, note: () => {} };

const result = (name: string): MadeResult => ({
  name,
  keys: [digestOf(name)],
  paths: ['/a'],
  files: emptyDirectory(),
});

/** Names of what is kept of stages of which one was taken out of the builder after the image was made. */
async function keptWhere(isStill: boolean): Promise<string[]> {
  const kept: string[] = [];
  const results: StageResults = {
    name: 'a store',
    writable: true,
    find: async () => new Map(),
    fetch: async () => undefined,
    previous: async () => undefined,
    recorded: async () => new Map(),
    save: async (made) => {
      kept.push(...made.map(({ name }) => name));
    },
  };
  let taken = false;
  const made: MadeStages = {
    files: new Map(),
    contents: new Map(),
    outcomes: [],
    steps: [],
    results: [result('early')],
    keys: new Map(),
    keepMounts: [],
    late: async () => {
      taken = true;
      return [result('late')];
    },
    release: async () => {},
  };
  const confirm = async () => {
    if (!taken) throw new Error('asked before the builder was given the files');
    return isStill;
  };
  await keepStages([made], { results, confirm, signal: undefined }, task);
  return kept;
}

describe('stages that are taken out of a builder afterwards', () => {
  it('are kept where the build context is what the keys are made from, and else are not', async () => {
    expect(await keptWhere(true)).toEqual(['early', 'late']);
    expect(await keptWhere(false)).toEqual(['early']);
  });
});
