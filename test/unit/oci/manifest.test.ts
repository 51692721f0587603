import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../../shared/content/index.ts';
import { Failure } from '../../../shared/host/index.ts';
import {
  copyImage,
  type Descriptor,
  describe as descriptorOf,
  type Layout,
  MediaType,
  openLayout,
  parseConfig,
  parseDocument,
  resolveFrom,
} from '../../../shared/oci/index.ts';

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const descriptor = (text: string): Descriptor => descriptorOf(Buffer.from(text), MediaType.ociLayer);
const config = json({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } });

describe('parseDocument', () => {
  const manifest = { schemaVersion: 2, config: descriptor('c'), layers: [descriptor('l')] };
  const index = { schemaVersion: 2, manifests: [descriptor('m')] };

  it.each([
    ['a manifest of OCI', { ...manifest, mediaType: MediaType.ociManifest }, undefined, 'image'],
    ['a manifest of Docker', { ...manifest, mediaType: MediaType.dockerManifest }, undefined, 'image'],
    ['a manifest that does not say what it is', manifest, MediaType.ociManifest, 'image'],
    ['an index of OCI', { ...index, mediaType: MediaType.ociIndex }, undefined, 'index'],
    ['a list of Docker', index, MediaType.dockerIndex, 'index'],
    ['an index that nobody calls one', index, 'application/json', 'index'],
  ])('knows %s', (_, value, type, kind) => {
    expect(parseDocument(json(value), 'it', type).kind).toBe(kind);
  });

  it.each([
    ['text', Buffer.from('hello'), 'it is no JSON object; its 5 bytes were damaged or are no manifest.'],
    ['bytes that are no text', Buffer.from([0x7b, 0xff, 0x7d]), 'it is no JSON object'],
    ['a list', json([]), 'it is no JSON object'],
    ['null', json(null), 'it is no JSON object'],
    ['another object', json({ schemaVersion: 2 }), 'it is no image manifest or index.'],
    ['schema 1', json({ schemaVersion: 1, fsLayers: [] }), "it is an image of Docker's schema 1"],
    [
      'a layer without a digest',
      json({ ...manifest, layers: [{ mediaType: 'x', size: 1 }] }),
      'it, layers[0] has the digest "undefined"',
    ],
    [
      'a layer without a size',
      json({ ...manifest, layers: [{ ...descriptor('x'), size: -1 }] }),
      'it, layers[0] has the size -1',
    ],
    ['a member that is text', json({ ...index, manifests: ['x'] }), 'it, manifests[0] has no media type.'],
    ['a configuration that is null', json({ ...manifest, config: null }), 'it, config has no media type.'],
  ])('refuses %s', (_, bytes, sentence) => {
    expect(() => parseDocument(bytes, 'it')).toThrow(Failure);
    expect(() => parseDocument(bytes, 'it')).toThrow(sentence);
  });

  it('knows a configuration by its layers', () => {
    expect(parseConfig(config, 'it').os).toBe('linux');
    expect(() => parseConfig(json({ os: 'linux' }), 'it')).toThrow(
      'it is no image configuration: it lists no layers.',
    );
  });
});

describe('copyImage', () => {
  const directories: string[] = [];
  let source: Layout;
  let target: Layout;
  const layout = async (name: string) => {
    const directory = await mkdtemp(join(tmpdir(), 'slipway-copy-'));
    directories.push(directory);
    return await openLayout(directory, name);
  };
  const store = (bytes: Buffer) =>
    source.put(descriptorOf(bytes, ''), async function* () {
      yield bytes;
    });

  beforeAll(async () => {
    [source, target] = [await layout('source'), await layout('target')];
  });
  afterAll(async () => {
    for (const directory of directories) await rm(directory, { recursive: true, force: true });
  });

  it('takes an index with its attestations, and leaves foreign layers where they are', async () => {
    const layer = Buffer.from('layer');
    const foreign = { ...descriptor('elsewhere'), urls: ['https://example.com/layer'] };
    const statement = Buffer.from('{"in-toto":1}');
    for (const bytes of [config, layer, statement]) await store(bytes);
    const image = await source.putManifest(
      json({
        schemaVersion: 2,
        config: descriptorOf(config, MediaType.ociConfig),
        layers: [descriptorOf(layer, MediaType.ociLayer), foreign],
      }),
      MediaType.ociManifest,
      [],
    );
    const attestation = await source.putManifest(
      json({
        schemaVersion: 2,
        config: descriptorOf(config, MediaType.ociConfig),
        layers: [descriptorOf(statement, 'application/vnd.in-toto+json')],
      }),
      MediaType.ociManifest,
      [],
    );
    const members = [
      { ...image, platform: { os: 'linux', architecture: 'amd64' } },
      { ...attestation, platform: { os: 'unknown', architecture: 'unknown' } },
    ];
    const root = await source.putManifest(
      json({ schemaVersion: 2, manifests: members }),
      MediaType.ociIndex,
      ['v1'],
    );
    expect(await copyImage(source, 'v1', target, { tags: ['v1'] })).toEqual(root);
    for (const bytes of [config, layer, statement])
      expect(await target.has(descriptorOf(bytes, ''))).toBe(true);
    expect(await target.has(foreign)).toBe(false);
    const found = await resolveFrom(target, 'v1', { os: 'linux', architecture: 'amd64' });
    expect(found.descriptor.digest).toBe(image.digest);
    expect(found.root.digest).toBe(root.digest);
  });

  it('tags nothing and leaves nothing running when a layer cannot be had', async () => {
    const lost = Array.from({ length: 8 }, (_, i) => descriptor(`lost ${i}`));
    const manifest = json({
      schemaVersion: 2,
      config: descriptorOf(config, MediaType.ociConfig),
      layers: lost,
    });
    let asked = 0;
    const broken = {
      name: 'broken',
      manifest: async () => ({ bytes: manifest, descriptor: descriptorOf(manifest, MediaType.ociManifest) }),
      blob: (blob: Descriptor) =>
        (async function* () {
          asked += 1;
          if (blob.digest !== digestOf(config)) throw new Failure(`${blob.digest} is gone.`);
          yield config;
        })(),
    };
    await expect(copyImage(broken, 'v2', target, { tags: ['v2'], parallel: 2 })).rejects.toThrow('is gone.');
    const before = asked;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asked).toBe(before);
    expect(asked).toBeLessThanOrEqual(3);
    expect((await target.tags()).map(({ tag }) => tag)).toEqual(['v1']);
  });
});
