import { Readable } from 'node:stream';
import type Dockerode from 'dockerode';
import { Failure, type Task } from '../../host/index.ts';
import { type ImageSource, type Platform, platformMatches } from '../../oci/index.ts';
import type { PlatformResult } from '../result.ts';
import { dockerArchive, ociArchive } from './archives.ts';

/** Which engine, and when to stop. */
export interface LoadOptions {
  /** As DOCKER_HOST; default: that of this process, or the engine's socket. */
  readonly host?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads an image into the Docker engine under its tags: the one for the engine's own platform where there are several. One that is
 * there already is only tagged. The id is the engine's own for it.
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
  const { id, archive } = formFor(await hasContainerdStore(engine), source, chosen, tags);
  if (await has(engine, id)) task.note('there already');
  else {
    const body = Readable.from(archive, { objectMode: false }) as unknown as NodeJS.ReadableStream;
    await finish(engine, await engine.loadImage(body, { quiet: true }), task);
  }
  for (const tag of tags) await tagImage(engine, id, tag);
  return { id, platform: chosen.platform };
}

/**
 * The form in which an engine keeps an image as it is, with the id that it then has there. An engine with the containerd image store
 * knows images by their manifests, and would write a manifest of its own for a `docker save` archive; with a graph driver it knows
 * them by their configurations.
 */
function formFor(
  containerd: boolean,
  source: ImageSource,
  { manifest, config }: PlatformResult,
  tags: readonly string[],
): { readonly id: string; readonly archive: AsyncGenerator<Buffer> } {
  return containerd
    ? { id: manifest.digest, archive: ociArchive(source, manifest, []) }
    : { id: config.digest, archive: dockerArchive(source, manifest, tags) };
}

async function hasContainerdStore(engine: Dockerode): Promise<boolean> {
  const { DriverStatus } = (await engine.info()) as {
    readonly DriverStatus?: readonly (readonly string[])[];
  };
  return DriverStatus?.some(([, value]) => value?.startsWith('io.containerd.snapshotter')) === true;
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
