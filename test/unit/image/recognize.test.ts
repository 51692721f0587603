import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../../shared/content/index.ts';
import type { ImagePlan } from '../../../shared/image/index.ts';
import { imageParts, platformParts } from '../../../shared/image/parts.ts';
import { type FoundManifest, recognize } from '../../../shared/image/reuse/recognize.ts';
import { type Descriptor, describe as describeBytes, type ImageSource } from '../../../shared/oci/index.ts';
import { type Project, planOf } from './identities.ts';

const project: Project = {
  dockerfile: 'FROM debian:1\nCOPY a /a\nWORKDIR /srv\nLABEL a=b\n',
  files: { a: 'a' },
  bases: { 'docker.io/library/debian:1': { version: '1' } },
};
const own = [digestOf('one'), digestOf('two')];

/** A registry that holds what a plan makes around layers with these digests. */
function registryOf(plan: ImagePlan, layers: readonly Digest[] = own, edit = (config: string) => config) {
  const blobs = new Map<string, Buffer>();
  const store = (bytes: Buffer, mediaType: string): Descriptor => {
    const descriptor = describeBytes(bytes, mediaType);
    blobs.set(descriptor.digest, bytes);
    return descriptor;
  };
  const made = plan.platforms.map((platform) =>
    platformParts(
      plan.request,
      platform,
      layers.map((digest) => ({
        descriptor: { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 10 },
        diffId: digest,
        origin: 'made',
        createdBy: undefined,
        source: undefined,
      })),
    ),
  );
  for (const { config, manifest } of made) {
    const own = store(Buffer.from(edit(config.bytes.toString())), config.descriptor.mediaType);
    const text = manifest.bytes.toString().replace(config.descriptor.digest, own.digest);
    store(
      Buffer.from(text.replace(`"size": ${config.descriptor.size}`, `"size": ${own.size}`)),
      manifest.descriptor.mediaType,
    );
  }
  const { top } = imageParts(plan.request, made);
  const root = made.length === 1 ? [...blobs.entries()].at(-1)! : undefined;
  const bytes = root?.[1] ?? top.bytes;
  const found: FoundManifest = { bytes, descriptor: describeBytes(bytes, top.mediaType) };
  const source: ImageSource = {
    name: 'registry.example/app',
    manifest: async (name) => {
      const stored = blobs.get(name);
      if (stored === undefined) throw new Error(`${name} is not there`);
      return { bytes: stored, descriptor: describeBytes(stored, made[0]!.manifest.descriptor.mediaType) };
    },
    async *blob({ digest }) {
      yield blobs.get(digest)!;
    },
  };
  return { source, found };
}

async function recognized(
  of: Project,
  has: Project,
  ...more: [layers?: readonly Digest[], edit?: (config: string) => string]
) {
  const { source, found } = registryOf(await planOf(has), ...more);
  return await recognize(await planOf(of), source, found);
}

const two = {
  request: {
    platforms: [
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
    ],
  },
};

describe('what is found under the key of an image’s files', () => {
  it.each<[string, Project]>([
    ['for one platform', project],
    ['for two', { ...project, ...two }],
  ])('is the image where all around its layers is the plan’s, %s', async (_, one) => {
    const found = await recognized(one, one);
    expect(found?.kind).toBe('image');
    const layers = found!.parts.flatMap(({ result }) => result.layers.map(({ origin }) => origin));
    expect(layers.filter((origin) => origin === 'reused')).toHaveLength(2 * found!.parts.length);
  });

  it.each<[string, Project]>([
    ['a label', { ...project, dockerfile: project.dockerfile.replace('a=b', 'a=c') }],
    [
      'an annotation',
      {
        ...project,
        request: { annotations: [{ kind: 'manifest', platform: undefined, key: 'a', value: 'b' }] },
      },
    ],
    ['the time', { ...project, request: { epoch: 5 } }],
  ])('has the layers for another image that differs by %s', async (_, other) => {
    const found = await recognized(other, project);
    expect(found?.kind).toBe('layers');
    const parts = found!.parts[0]!;
    expect(parts.layers.map(({ descriptor }) => descriptor.digest)).toEqual([
      ...(await planOf(project)).platforms[0]!.base!.manifest.layers.map(({ digest }) => digest),
      ...own,
    ]);
    // All of them are where the image was found, and none is fetched from the base's place.
    expect(parts.layers.every(({ source }) => source === undefined)).toBe(true);
    // What is written is what the other plan makes around these layers.
    const { found: fresh } = registryOf(await planOf(other));
    expect(imageParts((await planOf(other)).request, found!.parts).root.digest).toBe(fresh.descriptor.digest);
  });

  it('has the layers although its configuration was written by somebody else', async () => {
    const found = await recognized(project, project, own, (config) => ` ${config}`);
    expect(found?.kind).toBe('layers');
  });

  it.each<[string, Promise<unknown>]>([
    [
      'another base',
      recognized({ ...project, bases: { 'docker.io/library/debian:1': { version: '2' } } }, project),
    ],
    [
      'no base',
      recognized({ ...project, dockerfile: project.dockerfile.replace('debian:1', 'scratch') }, project),
    ],
    ['a layer less', recognized(project, project, own.slice(1))],
    ['a layer more', recognized(project, project, [...own, digestOf('three')])],
    ['another compression', recognized({ ...project, request: { compression: 'zstd' } }, project)],
    ['more platforms', recognized(project, { ...project, ...two })],
    ['fewer platforms', recognized({ ...project, ...two }, project)],
  ])('is of no use where it has %s', async (_, found) => {
    expect(await found).toBeUndefined();
  });
});
