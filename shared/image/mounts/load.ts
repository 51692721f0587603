import { Readable } from 'node:stream';
import { type TarMember, writeTar } from '../../content/index.ts';
import { run } from '../../exec/index.ts';
import type { Task } from '../../host/index.ts';
import type { Descriptor } from '../../oci/index.ts';
import type { BuilderSettings } from '../builder/arguments.ts';
import type { FoundSeed } from './carrier.ts';

/**
 * Gives a seed to an engine that keeps images in a graph driver, for its builder knows no layouts: in the form of `docker save`, whose
 * layers may be compressed in any way. Gives the context under which a build of that engine finds it, and the way to be rid of it.
 */
export async function loadSeed(
  { manifest, digest, source }: FoundSeed,
  builder: BuilderSettings,
  signal: AbortSignal | undefined,
  task: Task,
): Promise<Pick<FoundSeed, 'context' | 'release'>> {
  const name = `slipway-mount:${digest.slice('sha256:'.length, 19)}`;
  const path = ({ digest: of }: Descriptor) => `blobs/sha256/${of.slice('sha256:'.length)}`;
  const index = [{ Config: path(manifest.config), RepoTags: [name], Layers: manifest.layers.map(path) }];
  const blob = (of: Descriptor): TarMember => ({
    entry: fileEntry(path(of), of.size),
    content: () => source.blob(of),
  });
  const list = Buffer.from(JSON.stringify(index));
  const members: TarMember[] = [
    blob(manifest.config),
    ...manifest.layers.map(blob),
    {
      entry: fileEntry('manifest.json', list.length),
      content: async function* () {
        yield list;
      },
    },
  ];
  await run({
    program: builder.program ?? 'docker',
    args: ['image', 'load', '--quiet'],
    input: Readable.from(writeTar(members)),
    ...(signal !== undefined && { signal }),
  });
  task.log(`Loaded ${name} into the engine.`);
  const release = async () => {
    const args = ['image', 'rm', '--no-prune', name];
    await run({ program: builder.program ?? 'docker', args, accept: [0, 1] });
  };
  return { context: `docker-image://${name}`, release };
}

function fileEntry(name: string, size: number): TarMember['entry'] {
  return { name, type: 'file', mode: 0o644, uid: 0, gid: 0, size, mtime: 0 };
}
