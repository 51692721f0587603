import { fork } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../shared/content/index.ts';
import { Failure } from '../../../shared/host/index.ts';
import {
  copyImage,
  describe as descriptorOf,
  type Layout,
  MediaType,
  openLayout,
  resolveFrom,
} from '../../../shared/oci/index.ts';

let directory: string;
let layout: Layout;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-layout-'));
  layout = await openLayout(directory, 'images');
});
afterEach(async () => {
  await chmod(join(directory, 'blobs', 'sha256'), 0o755).catch(() => {});
  await rm(directory, { recursive: true, force: true });
});

const once = (bytes: Uint8Array) =>
  async function* () {
    yield bytes;
  };

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** An image with one layer of this text, in a layout. */
async function image(
  into: Layout,
  text: string,
  tags: readonly string[],
  annotations?: Record<string, string>,
) {
  const layer = Buffer.from(text);
  const config = json({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: descriptorOf(config, MediaType.ociConfig),
    layers: [descriptorOf(layer, MediaType.ociLayer)],
  });
  for (const bytes of [layer, config]) await into.put(descriptorOf(bytes, ''), once(bytes));
  return await into.putManifest(manifest, MediaType.ociManifest, tags, annotations);
}

const files = async () => (await readdir(join(directory, 'blobs', 'sha256'))).sort();
const index = async () => JSON.parse(await readFile(join(directory, 'index.json'), 'utf8'));
const refName = 'org.opencontainers.image.ref.name';

describe('a layout', () => {
  it('says what it is', async () => {
    expect(JSON.parse(await readFile(join(directory, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
    expect(await layout.tags()).toEqual([]);
  });

  it('is whole from the start, though empty, and opening it again changes nothing', async () => {
    expect(await index()).toEqual({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] });
    const before = await stat(join(directory, 'index.json'));
    await openLayout(directory);
    expect((await stat(join(directory, 'index.json'))).ino).toBe(before.ino);
    expect((await readdir(directory)).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
  });

  it('keeps an image under its tags, with annotations of its entry', async () => {
    const stored = await image(layout, 'one', ['v1', 'latest'], { 'dev.slipway.key': 'sha256:k' });
    const tags = await layout.tags();
    expect(tags.map(({ tag }) => tag)).toEqual(['v1', 'latest']);
    expect(await layout.resolve('v1')).toEqual({
      ...stored,
      annotations: { 'dev.slipway.key': 'sha256:k', [refName]: 'v1' },
    });
    expect((await layout.resolve(stored.digest))!.digest).toBe(stored.digest);
    expect(await layout.resolve('v2')).toBeUndefined();
  });

  it('moves a tag and keeps the others', async () => {
    await image(layout, 'one', ['v1', 'latest']);
    const two = await image(layout, 'two', ['v2', 'latest']);
    const tags = Object.fromEntries(
      (await layout.tags()).map(({ tag, descriptor }) => [tag, descriptor.digest]),
    );
    expect(Object.keys(tags).sort()).toEqual(['latest', 'v1', 'v2']);
    expect(tags.latest).toBe(two.digest);
    await layout.untag(['latest', 'v1']);
    expect((await layout.tags()).map(({ tag }) => tag)).toEqual(['v2']);
  });

  it('finds the member of an index for a platform', async () => {
    const member = await image(layout, 'one', []);
    const list = json({
      schemaVersion: 2,
      mediaType: MediaType.ociIndex,
      manifests: [{ ...member, platform: { os: 'linux', architecture: 'arm64' } }],
    });
    const root = await layout.putManifest(list, MediaType.ociIndex, ['multi']);
    const found = await resolveFrom(layout, 'multi', { os: 'linux', architecture: 'arm64', variant: 'v8' });
    expect(found.descriptor.digest).toBe(member.digest);
    expect(found.root.digest).toBe(root.digest);
    expect(found.config.architecture).toBe('amd64');
    await expect(resolveFrom(layout, 'multi', { os: 'linux', architecture: 'amd64' })).rejects.toThrow(
      'images:multi has no image for linux/amd64; it has linux/arm64.',
    );
  });

  it('is copied whole, digests kept', async () => {
    const stored = await image(layout, 'one', ['v1']);
    const other = await mkdtemp(join(tmpdir(), 'slipway-layout-'));
    try {
      const target = await openLayout(other);
      expect(await copyImage(layout, 'v1', target, { tags: ['copy'] })).toEqual(stored);
      const how: string[] = [];
      await copyImage(layout, 'v1', target, { onBlob: (_, one) => how.push(one) });
      expect(how).toEqual(['present', 'present']);
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });

  it('holds nothing of content that is not what it should be', async () => {
    const blob = descriptorOf(Buffer.from('right'), '');
    await expect(layout.put(blob, once(Buffer.from('wrong')))).rejects.toThrow('the content is damaged');
    await expect(layout.put(blob, once(Buffer.from('rig')))).rejects.toThrow('gave only 3 of the 5 bytes');
    await expect(layout.put(blob, once(Buffer.from('right and more')))).rejects.toThrow(
      'gave more than the 5 bytes',
    );
    expect(await files()).toEqual([]);
    expect(await layout.has(blob)).toBe(false);
  });

  it('holds nothing of content that fails, and tells its error as it is', async () => {
    async function* failing() {
      yield Buffer.from('some');
      throw Object.assign(new Error('EACCES'), { code: 'EACCES', syscall: 'open', path: '/elsewhere' });
    }
    await expect(layout.stream(failing())).rejects.toThrow('EACCES');
    expect(await files()).toEqual([]);
  });

  it('refuses a manifest whose layers are not there, and does not tag it', async () => {
    const config = json({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } });
    const layer = descriptorOf(Buffer.from('gone'), MediaType.ociLayer);
    const manifest = json({
      schemaVersion: 2,
      config: descriptorOf(config, MediaType.ociConfig),
      layers: [layer],
    });
    await layout.put(descriptorOf(config, ''), once(config));
    await expect(layout.putManifest(manifest, MediaType.ociManifest, ['v1'])).rejects.toThrow(
      `The image layout images is damaged: the blob ${layer.digest} is missing or has another size.`,
    );
    expect(await layout.tags()).toEqual([]);
  });

  it('tells when a blob was damaged on the disk', async () => {
    const blob = descriptorOf(Buffer.from('right'), MediaType.ociLayer);
    await layout.put(blob, once(Buffer.from('right')));
    await writeFile(join(directory, 'blobs', 'sha256', blob.digest.slice(7)), 'wrong');
    const read = async () => {
      for await (const _ of layout.blob(blob));
    };
    await expect(read()).rejects.toThrow('the content is damaged');
    await rm(join(directory, 'blobs', 'sha256', blob.digest.slice(7)));
    await expect(read()).rejects.toThrow(`the blob ${blob.digest} is missing`);
  });

  it('names a tag that is close', async () => {
    await image(layout, 'one', ['v1.2.3']);
    await expect(layout.manifest('v1.2.4')).rejects.toThrow(
      'images has no image "v1.2.4"; it has v1.2.3. Did you mean "v1.2.3"?',
    );
  });

  it('is refused when it is something else', async () => {
    await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');
    await expect(openLayout(directory, 'images')).rejects.toThrow(
      'does not say that images is an image layout of version 1',
    );
    const file = join(directory, 'file');
    await writeFile(file, '');
    await expect(openLayout(file)).rejects.toThrow(`Cannot write to ${file}`);
    await writeFile(join(directory, 'index.json'), '{}');
    await expect(layout.tags()).rejects.toThrow(Failure);
  });

  it.skipIf(process.getuid?.() === 0)(
    'says so when it cannot be written [needs a user other than root]',
    async () => {
      await chmod(join(directory, 'blobs', 'sha256'), 0o555);
      await expect(layout.stream(once(Buffer.from('x'))())).rejects.toThrow(
        'Cannot write to images: permission was denied',
      );
    },
  );
});

describe('garbage collection', () => {
  const old = new Date(Date.now() - 2 * 60 * 60 * 1000);
  const age = async (...names: string[]) => {
    for (const name of names) await utimes(join(directory, 'blobs', 'sha256', name), old, old);
  };

  it('removes what no tag reaches and what killed processes left', async () => {
    await image(layout, 'one', ['v1']);
    await image(layout, 'two', []);
    await writeFile(join(directory, 'blobs', 'sha256', '.123-left-behind'), 'half');
    await age(...(await files()));
    const removed = await layout.collectGarbage();
    expect(removed.blobs).toBe(4);
    expect(await files()).toHaveLength(3);
    expect(
      (await resolveFrom(layout, 'v1', { os: 'linux', architecture: 'amd64' })).manifest.layers,
    ).toHaveLength(1);
  });

  it('keeps what is young, for its manifest may be on its way', async () => {
    await image(layout, 'two', []);
    expect(await layout.collectGarbage()).toEqual({ blobs: 0, bytes: 0 });
    expect((await layout.collectGarbage(0)).blobs).toBe(3);
  });

  it('keeps what somebody has just asked for', async () => {
    const blob = descriptorOf(Buffer.from('base layer'), '');
    await layout.put(blob, once(Buffer.from('base layer')));
    await age(...(await files()));
    expect(await layout.has(blob)).toBe(true);
    expect((await layout.collectGarbage()).blobs).toBe(0);
  });
});

// A lock that is not seen to be stale is waited for, for 15 s.
describe('the lock of a layout', { timeout: 10_000 }, () => {
  it('lets writers of several processes in one after the other', async () => {
    const stored = await image(layout, 'one', ['first']);
    const writer = fileURLToPath(import.meta.resolve('./layout-writer.ts'));
    const codes = await Promise.all(
      ['a', 'b', 'c'].map(
        (name) =>
          new Promise((resolve) => {
            const child = fork(writer, [directory, stored.digest, name, '10'], { execArgv: [] });
            child.on('exit', resolve);
          }),
      ),
    );
    expect(codes).toEqual([0, 0, 0]);
    expect(await layout.tags()).toHaveLength(31);
    expect((await readdir(directory)).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
  });

  const lock = () => join(directory, 'index.json.lock');

  it('is taken over from a process that is gone', async () => {
    await writeFile(lock(), JSON.stringify({ token: 't', host: hostname(), pid: 2 ** 22 - 1, born: '1' }));
    await image(layout, 'one', ['v1']);
    expect(await layout.tags()).toHaveLength(1);
    await expect(stat(lock())).rejects.toThrow('ENOENT');
  });

  it('is taken over from a process whose number another has now', async () => {
    await writeFile(lock(), JSON.stringify({ token: 't', host: hostname(), pid: process.pid, born: '1' }));
    await image(layout, 'one', ['v1']);
    expect(await layout.tags()).toHaveLength(1);
  });

  it('is taken over from another machine when it is old', async () => {
    await writeFile(lock(), JSON.stringify({ token: 't', host: 'elsewhere', pid: 1, born: '' }));
    const before = new Date(Date.now() - 60_000);
    await utimes(lock(), before, before);
    await image(layout, 'one', ['v1']);
    expect(await layout.tags()).toHaveLength(1);
  });

  it('that nobody can read is taken over when it is old', async () => {
    await writeFile(lock(), 'half of a hol');
    const before = new Date(Date.now() - 60_000);
    await utimes(lock(), before, before);
    await image(layout, 'one', ['v1']);
    expect((await index()).manifests).toHaveLength(1);
  });

  it('leaves an index.json that another tool wrote as it was, beside its own entries', async () => {
    await mkdir(join(directory, 'extra'));
    const foreign = { mediaType: MediaType.ociManifest, digest: `sha256:${'0'.repeat(64)}`, size: 3 };
    await writeFile(
      join(directory, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [foreign], annotations: { a: 'b' } }),
    );
    await image(layout, 'one', ['v1']);
    expect(await index()).toMatchObject({
      annotations: { a: 'b' },
      manifests: [foreign, { annotations: { [refName]: 'v1' } }],
    });
  });
});
