import { Readable } from 'node:stream';
import type Dockerode from 'dockerode';
import { type TarMember, writeTar } from '../content/index.ts';
import { Failure, type Task } from '../host/index.ts';
import {
  type Descriptor,
  type ImageSource,
  type Platform,
  parseDocument,
  platformMatches,
} from '../oci/index.ts';
import type { PlatformResult } from './result.ts';

/** An image for one platform, in the form of `docker save` (docker/docker image/spec v1.2): every engine reads it. */
export async function* dockerArchive(
  source: ImageSource,
  manifest: Descriptor,
  tags: readonly string[],
): AsyncGenerator<Buffer> {
  const { bytes } = await source.manifest(manifest.digest);
  const document = parseDocument(bytes, source.name, manifest.mediaType);
  if (document.kind !== 'image') throw new Error('An archive for an engine holds an image for one platform.');
  const { config, layers } = document.manifest;
  const hex = (descriptor: Descriptor) => descriptor.digest.slice('sha256:'.length);
  const unique = [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
  const list = [
    {
      Config: `${hex(config)}.json`,
      RepoTags: tags.length === 0 ? null : tags,
      Layers: layers.map((layer) => `${hex(layer)}.tar`),
    },
  ];
  const json = Buffer.from(JSON.stringify(list));
  const members: TarMember[] = [
    member(`${hex(config)}.json`, config.size, () => source.blob(config)),
    ...unique.map((layer) => member(`${hex(layer)}.tar`, layer.size, () => source.blob(layer))),
    member('manifest.json', json.length, async function* () {
      yield json;
    }),
  ];
  yield* writeTar(members);
}

function member(name: string, size: number, content: () => AsyncIterable<Uint8Array>): TarMember {
  return { entry: { name, type: 'file', mode: 0o644, uid: 0, gid: 0, size, mtime: 0 }, content };
}

/** Which engine, and when to stop. */
export interface LoadOptions {
  /** As DOCKER_HOST; default: that of this process, or the engine's socket. */
  readonly host?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads an image into the Docker engine under its tags: the one for the engine's own platform where there are several. One that is
 * there already is only tagged.
 */
export async function loadIntoEngine(
  source: ImageSource,
  platforms: readonly PlatformResult[],
  tags: readonly string[],
  options: LoadOptions,
  task: Task,
): Promise<{ readonly id: string; readonly platform: string }> {
  const engine = await connect(options.host);
  const chosen = choose(platforms, await version(engine));
  const id = chosen.config.digest;
  if (await has(engine, id)) {
    task.note('there already');
    for (const tag of tags) await tagImage(engine, id, tag);
    return { id, platform: chosen.platform };
  }
  const archive = Readable.from(dockerArchive(source, chosen.manifest, tags), { objectMode: false });
  await finish(
    engine,
    await engine.loadImage(archive as unknown as NodeJS.ReadableStream, { quiet: true }),
    task,
  );
  return { id, platform: chosen.platform };
}

async function connect(host: string | undefined): Promise<Dockerode> {
  const { default: Docker } = await import('dockerode');
  if (host === undefined) return new Docker();
  if (host.startsWith('unix://')) return new Docker({ socketPath: host.slice('unix://'.length) });
  const url = new URL(host);
  return new Docker({ host: url.hostname, port: url.port || '2375' });
}

async function version(engine: Dockerode): Promise<Platform> {
  try {
    const { Os, Arch } = (await engine.version()) as { Os: string; Arch: string };
    return { os: Os, architecture: Arch };
  } catch (error) {
    throw new Failure(
      `The image cannot be loaded: no Docker engine answers (${(error as Error).message}). Start Docker, or leave the input "load" off.`,
      { cause: error },
    );
  }
}

function choose(platforms: readonly PlatformResult[], own: Platform): PlatformResult {
  const parse = (text: string): Platform => {
    const [os, architecture, variant] = text.split('/');
    return { os: os!, architecture: architecture!, ...(variant !== undefined && { variant }) };
  };
  const fitting = platforms.find(({ platform }) => platformMatches(own, parse(platform)));
  if (fitting !== undefined) return fitting;
  if (platforms.length === 1) return platforms[0]!;
  throw new Failure(
    `The engine runs ${own.os}/${own.architecture}, and the image is for ${platforms.map(({ platform }) => platform).join(', ')}; build that platform too to load it.`,
  );
}

async function has(engine: Dockerode, id: string): Promise<boolean> {
  try {
    await engine.getImage(id).inspect();
    return true;
  } catch {
    return false;
  }
}

async function tagImage(engine: Dockerode, id: string, tag: string): Promise<void> {
  const colon = tag.lastIndexOf(':');
  const hasTag = colon > tag.lastIndexOf('/');
  await engine
    .getImage(id)
    .tag({ repo: hasTag ? tag.slice(0, colon) : tag, tag: hasTag ? tag.slice(colon + 1) : 'latest' });
}

/** The engine answers 200 and tells of errors in the stream behind it. */
async function finish(engine: Dockerode, stream: NodeJS.ReadableStream, task: Task): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    engine.modem.followProgress(
      stream,
      (error: Error | null, told: readonly { readonly error?: string }[] = []) => {
        const failed = error?.message ?? told.find((one) => one.error !== undefined)?.error;
        if (failed === undefined) resolve();
        else reject(new Failure(`The engine did not take the image: ${failed}.`));
      },
      (event: { readonly stream?: string }) => {
        if (event.stream !== undefined) task.log(event.stream.trimEnd());
      },
    );
  });
}
