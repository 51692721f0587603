import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readTar } from '../../../shared/content/index.ts';
import { run } from '../../../shared/exec/index.ts';
import type { ImageConfig } from '../../../shared/oci/index.ts';
import { type BuildKit, docker, type Engine } from '../../lab/index.ts';

/** What an image is, as far as two builders must agree on it. */
export interface Made {
  /** By path: type, mode, owner, link target and digest of the content. */
  readonly tree: Readonly<Record<string, string>>;
  readonly config: Comparable;
}

export type Comparable = Omit<ImageConfig, 'rootfs' | 'created' | 'history'> & {
  readonly layers: number;
  readonly history: readonly (string | undefined)[];
};

/** A builder of the same Dockerfiles that is not ours. */
export interface Reference {
  readonly name: string;
  /** Builds a folder with a Dockerfile. Throws with the builder's words when it refuses. */
  build(folder: string, options: BuildArguments): Promise<Made>;
  /** Unpacks an image of a registry as engines do, and lists what is there. */
  flatten(image: string, folder: string): Promise<Made['tree']>;
}

export interface BuildArguments {
  readonly args?: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly contexts?: Readonly<Record<string, string>>;
}

export function buildkitReference({ address, buildctl }: BuildKit): Reference {
  const solve = (folder: string, options: BuildArguments, outputs: readonly string[]) => {
    const locals = Object.entries(options.contexts ?? {}).flatMap(([name, path]) => [
      '--local',
      `${name}=${path}`,
      '--opt',
      `context:${name}=local:${name}`,
    ]);
    return run({
      program: buildctl,
      // biome-ignore format: one flag with its value a line
      args: [
        '--addr', address, 'build', '--frontend', 'dockerfile.v0', '--progress', 'plain',
        '--local', `context=${folder}`, '--local', `dockerfile=${folder}`, ...locals,
        ...Object.entries(options.args ?? {}).flatMap(([name, value]) => ['--opt', `build-arg:${name}=${value}`]),
        ...(options.target === undefined ? [] : ['--opt', `target=${options.target}`]),
        ...outputs.flatMap((output) => ['--output', output]),
      ],
    });
  };
  return {
    name: 'BuildKit',
    build: async (folder, options) => {
      const out = await mkdtemp(`${folder}-out-`);
      await solve(folder, options, [`type=tar,dest=${out}/tree.tar`, `type=oci,tar=false,dest=${out}/image`]);
      return {
        tree: await listTar(`${out}/tree.tar`),
        config: comparable(await layoutConfig(join(out, 'image'))),
      };
    },
    flatten: async (image, folder) => {
      const out = await fromImage(image, folder);
      await solve(out, {}, [`type=tar,dest=${out}/tree.tar`]);
      return await listTar(`${out}/tree.tar`);
    },
  };
}

export function engineReference(engine: Engine): Reference {
  const build = (folder: string, options: BuildArguments, outputs: readonly string[]) =>
    docker(engine, [
      'buildx',
      'build',
      '--progress',
      'plain',
      '--provenance',
      'false',
      ...outputs,
      ...Object.entries(options.args ?? {}).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
      ...Object.entries(options.contexts ?? {}).flatMap(([name, path]) => [
        '--build-context',
        `${name}=${path}`,
      ]),
      ...(options.target === undefined ? [] : ['--target', options.target]),
      folder,
    ]);
  return {
    name: `Docker Engine ${engine.version}`,
    build: async (folder, options) => {
      const out = await mkdtemp(`${folder}-out-`);
      await build(folder, options, ['--output', `type=tar,dest=${out}/tree.tar`]);
      const tag = `slipway-test:${createHash('sha256').update(out).digest('hex').slice(0, 12)}`;
      await build(folder, options, ['--load', '--tag', tag]);
      await docker(engine, ['image', 'save', '--output', `${out}/image.tar`, tag]);
      mkdirSync(join(out, 'image'));
      await run({ program: 'tar', args: ['-xf', `${out}/image.tar`, '-C', join(out, 'image')] });
      return {
        tree: await listTar(`${out}/tree.tar`),
        config: comparable(await layoutConfig(join(out, 'image'))),
      };
    },
    flatten: async (image, folder) => {
      const out = await fromImage(image, folder);
      await build(out, {}, ['--output', `type=tar,dest=${out}/tree.tar`]);
      return await listTar(`${out}/tree.tar`);
    },
  };
}

async function fromImage(image: string, folder: string): Promise<string> {
  const out = await mkdtemp(`${folder}-flat-`);
  await run({ program: 'sh', args: ['-c', 'printf "FROM %s\\n" "$1" > "$2/Dockerfile"', 'sh', image, out] });
  return out;
}

async function layoutConfig(layout: string): Promise<ImageConfig> {
  const read = async (path: string) => JSON.parse(await readFile(join(layout, path), 'utf8'));
  const blob = (digest: string) => read(`blobs/${digest.replace(':', '/')}`);
  const index = await read('index.json');
  const manifest = await blob(index.manifests[0].digest);
  return await blob(manifest.config.digest);
}

/** A configuration without what depends on the moment of building. */
export function comparable({ rootfs, created: _, history, ...rest }: ImageConfig): Comparable {
  return {
    ...rest,
    // BuildKit writes null for an image without layers.
    layers: rootfs.diff_ids?.length ?? 0,
    history: (history ?? []).map(({ created: __, ...entry }) => JSON.stringify(entry)),
  };
}

/** What is in an archive of a root file system, by path, without times. */
export async function listTar(path: string): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  for await (const { entry, content } of readTar(createReadStream(path))) {
    const { type, mode, uid, gid, linkname = '', size } = entry;
    const hash = createHash('sha256');
    for await (const chunk of content) hash.update(chunk);
    // A link has no mode of its own, and a hard link's members are those of its first name.
    const own = type === 'symlink' || type === 'hardlink' ? '' : mode.toString(8);
    const digest = type === 'file' ? `${size} ${hash.digest('hex').slice(0, 16)}` : '';
    const xattrs = Object.entries(entry.xattrs ?? {}).map(
      ([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`,
    );
    tree[entry.name] = [type, own, `${uid}:${gid}`, linkname, digest, ...xattrs].filter(Boolean).join(' ');
  }
  return tree;
}
