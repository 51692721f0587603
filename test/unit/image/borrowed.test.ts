import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../../shared/content/index.ts';
import type { Task } from '../../../shared/host/index.ts';
import { noSettings } from '../../../shared/image/builder/arguments.ts';
import { candidatesOf, contentOf, keyByContent, keyOf } from '../../../shared/image/builder/demand.ts';
import { makeStages } from '../../../shared/image/builder/stages.ts';
import { emptyDirectory } from '../../../shared/image/files/tree.ts';
import type { FoundResult, StageResults } from '../../../shared/image/results/results.ts';
import { planOf } from './identities.ts';

const task: Task = { task: async (_, work) => await work(task), log: () => {}, note: () => {} };

/** Stages that are all found: those that are named by what the stages before them came out as, and the others by their own keys. */
async function found(lines: readonly string[], byContent: readonly string[]) {
  const plan = await planOf({ dockerfile: `${lines.join('\n')}\n`, bases: { [BASE]: { version: '1' } } });
  const platform = plan.platforms[0]!;
  const candidates = [...candidatesOf(platform).values()];
  const contents = new Map(
    candidates.map(({ index, paths }) => [index, Object.fromEntries(paths.map((path) => [path, CONTENT]))]),
  );
  const keys = candidates.map((one) => {
    const own = keyOf(one.identity?.key, one.paths)!;
    const key = byContent.includes(one.stage.name!) ? keyByContent(one, contentOf(contents))! : own;
    return { one, own, key };
  });
  const there = new Map<Digest, FoundResult>(
    keys.map(({ one, key }) => [
      key,
      { key, size: 1, content: CONTENT, contents: contents.get(one.index)!, where: 'a store' },
    ]),
  );
  const results: StageResults = {
    name: 'a store',
    writable: true,
    find: async (wanted) =>
      new Map(wanted.flatMap(({ key }) => (there.has(key) ? [[key, there.get(key)!] as const] : []))),
    fetch: async () => emptyDirectory(),
    previous: async () => undefined,
    recorded: async () =>
      new Map(keys.map(({ one, key }) => [one.name, { keys: [key], contents: contents.get(one.index)! }])),
    save: async () => {},
  };
  const temporary = mkdtempSync(join(tmpdir(), 'slipway-borrowed-'));
  const made = await makeStages(
    plan,
    platform,
    {
      builder: { settings: noSettings, temporary, signal: undefined },
      pins: plan.pinned,
      results,
      seeds: undefined,
      reuse: true,
      trusted: true,
      lifts: false,
    },
    task,
  );
  const kept = keys.map(({ one, own, key }) => {
    const result = made.results.find(({ name }) => name === one.name)!;
    if (!('found' in result) || result.found.key !== key) throw new Error(`${one.name} was not found so`);
    return [one.stage.name, result.keys.includes(own) ? 'own key' : 'no new key'] as const;
  });
  return { kept: Object.fromEntries(kept), isBorrowed: made.isBorrowed };
}

const BASE = 'docker.io/library/base:latest';
const CONTENT = digestOf('content');

describe('a result that is found by what the stages before it came out as', () => {
  const chain = (network: string) => [
    'FROM base AS dep',
    'RUN --network=none x',
    'FROM base AS build',
    'COPY --from=dep /d /d',
    `RUN ${network} x`,
    'FROM base AS last',
    'COPY --from=build /b /b',
    'RUN --network=none x',
    'FROM scratch',
    'COPY --from=last /l /l',
    'COPY --from=build /b /b',
  ];

  it('gets its own key where it does not age', async () => {
    expect(await found(chain('--network=none'), ['build', 'last'])).toEqual({
      kept: { dep: 'own key', build: 'own key', last: 'own key' },
      isBorrowed: false,
    });
  });

  it('gets none where it ages, nor does what is made of it: its period is that of the key it was made under', async () => {
    expect(await found(chain(''), ['build', 'last'])).toEqual({
      kept: { dep: 'own key', build: 'no new key', last: 'no new key' },
      isBorrowed: true,
    });
  });

  it('keeps its own key where it was found under that', async () => {
    expect(await found(chain(''), [])).toEqual({
      kept: { dep: 'own key', build: 'own key', last: 'own key' },
      isBorrowed: false,
    });
  });
});
