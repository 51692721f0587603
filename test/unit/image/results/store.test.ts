import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { directoryStore, type Store } from '../../../../shared/cache/index.ts';
import { Key } from '../../../../shared/content/index.ts';
import type { Task } from '../../../../shared/host/index.ts';
import { openDigests } from '../../../../shared/image/files/digests.ts';
import { type Directory, emptyDirectory } from '../../../../shared/image/files/tree.ts';
import { contentDigest } from '../../../../shared/image/results/members.ts';
import { type ResultsRun, resultKey } from '../../../../shared/image/results/record.ts';
import { stageEntry, storedResults } from '../../../../shared/image/results/store.ts';
import { fileOf, sampleTree } from './sample.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-stored-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folder: string;
let entries: string;
let lines: string[];
let asked: string[];
const task: Task = { task: (_, work) => work(task), log: (line) => lines.push(line), note: () => {} };

beforeEach(() => {
  folder = mkdtempSync(join(root, 'one-'));
  entries = join(folder, 'entries');
  lines = [];
  asked = [];
});

function store(more: Partial<Store> = {}): Store {
  const inner = directoryStore(entries, { limit: 1e9 });
  return {
    ...inner,
    has: (keys) => {
      asked.push(...keys.map((key) => `has ${key}`));
      return inner.has(keys);
    },
    fetch: (query, file) => {
      asked.push(`fetch ${query.key}`);
      return inner.fetch(query, file);
    },
    ...more,
  };
}

function runOf(more: Partial<ResultsRun> = {}): ResultsRun {
  return {
    subject: ['Dockerfile'],
    branch: 'topic',
    defaultBranch: 'main',
    readable: true,
    writable: true,
    temporary: join(folder, 'tmp'),
    signal: undefined,
    ...more,
  };
}

const keyOf = (text: string) => Key.of({ text });
const key = resultKey(keyOf('a'), ['/out']);
const name = 'build linux/amd64';
const keys = new Map([[name, keyOf('a')]]);
const made = (files: Directory = sampleTree()) => ({ name, keys: [key], paths: ['/out'], files });
const wanted = [{ name, key }];
const content = (tree: Directory) => contentDigest(tree, openDigests());
const bring = async (results = storedResults(store(), runOf())) => {
  const found = (await results.find(wanted, task)).get(key);
  return found === undefined ? undefined : await results.fetch(found, task);
};

describe('results in a store', () => {
  it('come back as they were, and the record says which there are', async () => {
    await storedResults(store(), runOf()).save([made()], keys, task);
    const results = storedResults(store(), runOf());
    const found = (await results.find(wanted, task)).get(key)!;
    expect(asked.filter((one) => one.startsWith('has'))).toEqual([]);
    expect(found.content).toBe(await content(sampleTree()));
    expect(await content((await results.fetch(found, task))!)).toBe(await content(sampleTree()));
    expect((await results.previous(task))?.get(name)?.parts).toEqual({ text: 'a' });
    expect((await results.recorded(task)).get(name)).toEqual({
      keys: [key],
      contents: found.contents,
    });
    expect(found.contents).toEqual({ '/out': found.content });
    expect(lines).toEqual([]);
  });

  it('are found without a record, and held to what they say of themselves', async () => {
    await storedResults(store(), runOf()).save([made()], keys, task);
    const results = storedResults(store(), runOf({ subject: ['another'] }));
    const found = (await results.find(wanted, task)).get(key)!;
    expect(found.content).toBeUndefined();
    expect(await content((await results.fetch(found, task))!)).toBe(await content(sampleTree()));
  });

  it('are not found in the record of a branch that is neither own, base nor default', async () => {
    await storedResults(store(), runOf({ branch: 'foreign' })).save([made()], keys, task);
    const results = storedResults(store(), runOf());
    expect(await results.previous(task)).toBeUndefined();
    expect(await results.recorded(task)).toEqual(new Map());
  });

  it('that were made anew do not stand back behind what is there under their key', async () => {
    await storedResults(store(), runOf()).save([made()], keys, task);
    const other = emptyDirectory();
    other.children.set('new', fileOf('new'));
    await storedResults(store(), runOf({ readable: false })).save([made(other)], keys, task);
    expect(await content((await bring())!)).toBe(await content(other));
  });

  it('are saved under several keys as one entry', async () => {
    const second = resultKey(keyOf('by content'), ['/out']);
    await storedResults(store(), runOf()).save([{ ...made(), keys: [key, second] }], keys, task);
    expect(readdirSync(entries).filter((one) => one.startsWith('slipway-stage-'))).toHaveLength(1);
    const results = storedResults(store(), runOf());
    const found = (await results.find([{ name, key: second }], task)).get(second)!;
    expect(await results.fetch(found, task)).toBeDefined();
  });

  it('add no record where nothing has changed', async () => {
    await storedResults(store(), runOf()).save([made()], keys, task);
    const before = readdirSync(entries);
    const results = storedResults(store(), runOf());
    const found = (await results.find(wanted, task)).get(key)!;
    await results.save([{ name, keys: [key], found }], keys, task);
    expect(readdirSync(entries)).toEqual(before);
  });

  it('are not kept by a run that others do not believe', async () => {
    await storedResults(store(), runOf({ writable: false })).save([made()], keys, task);
    expect(existsSync(entries)).toBe(false);
  });
});

describe('a store that fails', () => {
  const path = (of = key) => join(entries, `${stageEntry(of)}.tar.zst`);

  it('is asked no second time', async () => {
    const fail = async () => {
      asked.push('asked');
      throw new Error('the service is down');
    };
    const results = storedResults(store({ has: fail, fetch: fail }), runOf());
    expect(await results.find(wanted, task)).toEqual(new Map());
    expect(await results.previous(task)).toBeUndefined();
    expect(asked).toHaveLength(1);
    expect(lines).toHaveLength(1);
  });

  it('with truncated, changed and lost entries makes no result', async () => {
    await storedResults(store(), runOf()).save([made()], keys, task);
    const whole = readFileSync(path());
    const flipped = Buffer.from(whole);
    flipped[40]! ^= 1;
    for (const bytes of [whole.subarray(0, whole.length >> 1), flipped]) {
      writeFileSync(path(), bytes);
      expect(await bring()).toBeUndefined();
    }
    rmSync(path());
    expect(await bring()).toBeUndefined();
    expect(lines).toHaveLength(3);
    expect(lines[2]).toMatch(/It is not there any more\.$/);
  });

  it('with another entry’s bytes makes no result', async () => {
    const other = resultKey(keyOf('other'), ['/out']);
    const tree = emptyDirectory();
    tree.children.set('other', fileOf('other'));
    await storedResults(store(), runOf()).save([made()], keys, task);
    const run = runOf({ subject: ['another'] });
    await storedResults(store(), run).save(
      [{ name, keys: [other], paths: ['/out'], files: tree }],
      keys,
      task,
    );
    renameSync(path(other), path());
    expect(await bring()).toBeUndefined();
    expect(await bring(storedResults(store(), runOf({ subject: ['third'] })))).toBeUndefined();
    expect(lines.map((line) => line.replace(/^.*?: /, ''))).toEqual([
      'It holds other files than it says.',
      'It is the result of another stage.',
    ]);
  });

  it('that takes nothing costs lines in the log', async () => {
    const put = async () => {
      throw new Error('the disk is full');
    };
    await storedResults(store({ put }), runOf()).save([made()], keys, task);
    expect(lines).toEqual([
      `The result of ${name} is not kept: the disk is full.`,
      'The record of this build is not kept: the disk is full.',
    ]);
  });
});
