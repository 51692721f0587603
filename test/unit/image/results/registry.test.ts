import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { digestOf, Key } from '../../../../shared/content/index.ts';
import { Failure, type Task } from '../../../../shared/host/index.ts';
import { openDigests } from '../../../../shared/image/files/digests.ts';
import { type Directory, emptyDirectory, lookup } from '../../../../shared/image/files/tree.ts';
import { contentDigest } from '../../../../shared/image/results/members.ts';
import { type ResultsRun, resultKey } from '../../../../shared/image/results/record.ts';
import { recordTag, registryResults, stageTag } from '../../../../shared/image/results/registry.ts';
import { type ImageSource, type ImageTarget, type Layout, openLayout } from '../../../../shared/oci/index.ts';
import { sampleTree } from './sample.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-results-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let layout: Layout;
let folder: string;
let lines: string[];
let asked: string[];
const task: Task = { task: (_, work) => work(task), log: (line) => lines.push(line), note: () => {} };

beforeEach(async () => {
  folder = mkdtempSync(join(root, 'one-'));
  layout = await openLayout(join(folder, 'layout'));
  lines = [];
  asked = [];
});

/** The layout as a repository of a registry, of which a missing tag can be asked. */
function repository(more: Partial<ImageSource & ImageTarget> = {}) {
  const findManifest = async (tag: string) => {
    asked.push(tag);
    const tags = await layout.tags();
    return tags.some((one) => one.tag === tag) ? await layout.manifest(tag) : undefined;
  };
  const bound = Object.assign(Object.create(layout), { findManifest, ...more }) as Layout;
  for (const name of ['blob', 'has', 'put', 'stream', 'putManifest', 'manifest'] as const)
    if (!(name in more)) Object.assign(bound, { [name]: layout[name].bind(layout) });
  return { source: bound, target: bound };
}

function runOf(more: Partial<ResultsRun> = {}): ResultsRun {
  return {
    subject: ['Dockerfile'],
    branch: 'topic',
    baseBranch: 'release',
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
const keys = new Map([['build linux/amd64', keyOf('a')]]);
const made = (files: Directory = sampleTree()) => ({
  name: 'build linux/amd64',
  keys: [key],
  paths: ['/out'],
  files,
});
const wanted = [{ name: 'build linux/amd64', key }];
const content = (tree: Directory) => contentDigest(tree, openDigests());

describe('results in a repository', () => {
  it('are not fetched where they say that they are larger than any that is kept', async () => {
    await registryResults(repository(), runOf()).save([made()], keys, task);
    const findManifest = async (tag: string) => {
      if (tag !== stageTag(key)) return undefined;
      const { bytes, descriptor } = await layout.manifest(tag);
      const text = bytes.toString().replace(/("layers":\[.*?"size":)\d+/, `$1${2 ** 42}`);
      return { bytes: Buffer.from(text), descriptor };
    };
    const blob = () => {
      throw new Error('it is fetched');
    };
    const results = registryResults(repository({ findManifest, blob }), runOf());
    const found = await results.find(wanted, task);
    expect(found.get(key)).toMatchObject({ size: 2 ** 42 });
    expect(await results.fetch(found.get(key)!, task)).toBeUndefined();
    expect(lines.join()).toContain('of at most 4');
  });

  it('come back as they were, owners, modes, links and attributes too', async () => {
    await registryResults(repository(), runOf()).save([made()], keys, task);
    asked = [];
    const results = registryResults(repository(), runOf());
    const found = await results.find(wanted, task);
    expect(asked).toEqual([recordTag(runOf(), 'topic')]);
    const tree = (await results.fetch(found.get(key)!, task))!;
    expect(await content(tree)).toBe(await content(sampleTree()));
    expect(lookup(tree, 'out/app')).toMatchObject({ mode: 0o4750, uid: 12, gid: 34 });
    expect(lookup(tree, 'out/hard')).toBe(lookup(tree, 'out/app'));
    expect(lines).toEqual([]);
  });

  it('are the same bytes whenever they are made', async () => {
    await registryResults(repository(), runOf()).save([made()], keys, task);
    const blobs = () => readdirSync(join(layout.directory, 'blobs/sha256')).sort();
    const before = blobs();
    await registryResults(repository(), runOf({ readable: false })).save([made()], keys, task);
    expect(blobs()).toEqual(before);
  });

  it('are asked for one by one where no record has them, on own branch, base and default branch', async () => {
    await registryResults(repository(), runOf()).save([made()], keys, task);
    asked = [];
    const other = runOf({ branch: 'other', baseBranch: 'main', defaultBranch: 'main' });
    const found = await registryResults(repository(), other).find(wanted, task);
    expect([...found.keys()]).toEqual([key]);
    expect(asked).toEqual([recordTag(other, 'other'), recordTag(other, 'main'), stageTag(key)]);
  });

  it('say what the last build knew', async () => {
    await registryResults(repository(), runOf({ branch: 'main' })).save([made()], keys, task);
    const results = registryResults(repository(), runOf());
    expect((await results.previous(task))?.get('build linux/amd64')?.parts).toEqual({ text: 'a' });
    expect((await results.recorded(task)).get('build linux/amd64')).toEqual({
      keys: [key],
      contents: { '/out': await content(sampleTree()) },
    });
  });

  it('are found under a further key without being stored again', async () => {
    await registryResults(repository(), runOf()).save([made()], keys, task);
    const results = registryResults(repository(), runOf());
    const found = (await results.find(wanted, task)).get(key)!;
    const second = resultKey(keyOf('b'), ['/out']);
    await results.save([{ name: 'build linux/amd64', keys: [second], found }], keys, task);
    const again = registryResults(repository(), runOf());
    const both = [...wanted, { name: 'build linux/amd64', key: second }];
    expect((await again.find(both, task)).size).toBe(2);
    expect((await layout.tags()).map(({ tag }) => tag)).toContain(stageTag(second));
  });

  it('are not kept by a run that others do not believe', async () => {
    await registryResults(repository(), runOf({ writable: false })).save([made()], keys, task);
    expect(await layout.tags()).toEqual([]);
  });

  it('are not kept where they have devices', async () => {
    const tree = sampleTree();
    tree.children.set('null', {
      type: 'character',
      mode: 0o666,
      uid: 0,
      gid: 0,
      device: { major: 1, minor: 3 },
    });
    await registryResults(repository(), runOf()).save([made(tree)], keys, task);
    expect(lines).toEqual(['The result of build linux/amd64 is not kept: It has devices, pipes or sockets.']);
  });
});

describe('a repository that fails', () => {
  it('is asked no second time, and nothing is found', async () => {
    const findManifest = async (tag: string) => {
      asked.push(tag);
      throw new Failure('The registry is down.');
    };
    const results = registryResults(repository({ findManifest }), runOf());
    expect(await results.find(wanted, task)).toEqual(new Map());
    expect(await results.previous(task)).toBeUndefined();
    expect(asked).toHaveLength(1);
    expect(lines).toHaveLength(1);
  });

  it('with a lost blob makes no result', async () => {
    await registryResults(repository(), runOf()).save([made()], keys, task);
    const results = registryResults(repository(), runOf());
    const found = (await results.find(wanted, task)).get(key)!;
    rmSync(join(layout.directory, 'blobs'), { recursive: true });
    expect(await results.fetch(found, task)).toBeUndefined();
    expect(lines[0]).toMatch(/^The result of build linux\/amd64 cannot be had from .*: /);
  });

  it('with a damaged or truncated blob makes no result', async () => {
    await registryResults(repository(), runOf()).save([made()], keys, task);
    for (const damage of [
      (bytes: Buffer) => bytes.subarray(0, -20),
      (bytes: Buffer) => Buffer.alloc(bytes.length),
    ]) {
      const results = registryResults(repository(), runOf());
      const found = (await results.find(wanted, task)).get(key)!;
      const manifest = JSON.parse((await layout.manifest(stageTag(key))).bytes.toString());
      const path = join(layout.directory, 'blobs', manifest.layers[0].digest.replace(':', '/'));
      const whole = readFileSync(path);
      rmSync(path);
      writeFileSync(path, damage(whole));
      expect(await results.fetch(found, task)).toBeUndefined();
      rmSync(path);
      writeFileSync(path, whole);
    }
    expect(lines).toHaveLength(2);
  });

  it('with another stage under the tag finds none', async () => {
    const other = resultKey(keyOf('other'), ['/out']);
    await registryResults(repository(), runOf()).save([{ ...made(), keys: [other] }], keys, task);
    const { bytes, descriptor } = await layout.manifest(stageTag(other));
    await layout.putManifest(bytes, descriptor.mediaType, [stageTag(key)]);
    const results = registryResults(repository(), runOf({ subject: ['another'] }));
    expect(await results.find(wanted, task)).toEqual(new Map());
  });

  it('with another content than its manifest says makes no result', async () => {
    await registryResults(repository(), runOf()).save([made()], keys, task);
    const { bytes } = await layout.manifest(stageTag(key));
    const planted = JSON.parse(bytes.toString());
    planted.annotations['dev.slipway.stage.content'] = digestOf('something else');
    await layout.putManifest(Buffer.from(JSON.stringify(planted)), planted.mediaType, [stageTag(key)]);
    const results = registryResults(repository(), runOf({ subject: ['another'] }));
    const found = (await results.find(wanted, task)).get(key)!;
    expect(await results.fetch(found, task)).toBeUndefined();
    expect(lines[0]).toMatch(/It holds other files than it says\.$/);
  });

  it('that takes no artifacts gets images', async () => {
    const putManifest: ImageTarget['putManifest'] = (bytes, type, tags) => {
      if (Buffer.from(bytes).includes('artifactType')) throw new Failure('Unknown media type.');
      return layout.putManifest(bytes, type, tags);
    };
    await registryResults(repository({ putManifest }), runOf()).save([made()], keys, task);
    expect(lines[0]).toMatch(/^Unknown media type\. .* image in place of an artifact/);
    const results = registryResults(repository(), runOf());
    const found = (await results.find(wanted, task)).get(key)!;
    expect(await content((await results.fetch(found, task))!)).toBe(await content(sampleTree()));
  });

  it('that may not be written to costs a line in the log', async () => {
    const refuse = async () => {
      throw new Failure('Denied.');
    };
    const results = registryResults(
      repository({ put: refuse, stream: refuse, putManifest: refuse }),
      runOf(),
    );
    await results.save([made()], keys, task);
    expect(lines).toEqual([
      'The result of build linux/amd64 is not kept: Denied.',
      'The record of this build is not kept: Denied.',
    ]);
  });

  it('ends a run that was cancelled', async () => {
    const stop = new AbortController();
    const findManifest = async () => {
      stop.abort(new Error('cancelled'));
      throw new Failure('Stopped.');
    };
    const results = registryResults(repository({ findManifest }), runOf({ signal: stop.signal }));
    await expect(results.find(wanted, task)).rejects.toThrow('Stopped.');
  });
});

it('an empty result is one too', async () => {
  await registryResults(repository(), runOf()).save([made(emptyDirectory())], keys, task);
  const results = registryResults(repository(), runOf());
  const found = (await results.find(wanted, task)).get(key)!;
  expect((await results.fetch(found, task))?.children.size).toBe(0);
});
