import { Failure, type Task } from '../../host/index.ts';
import { type Descriptor, type ImageSource, readLayer } from '../../oci/index.ts';
import { indexMembers } from '../files/layer-index.ts';
import type { PlatformResult } from '../result.ts';
import { differences, factsOf, type MemberFacts } from '../results/compare.ts';
import type { Reusable, ReusableLayers } from './reuse.ts';

/** An image that was made again to see whether it comes out the same. */
export interface MadeAgain {
  readonly source: ImageSource;
  readonly platforms: readonly PlatformResult[];
}

/**
 * Holds an image that would be reused to what came out when it was made again: the members of the layers that they do not have in
 * common, path by path. Throws a Failure that names the first paths which differ.
 */
export async function verifyImage(
  there: Reusable | ReusableLayers,
  again: MadeAgain,
  task: Task,
): Promise<void> {
  const source = there.kind === 'image' ? there.source : there.holder.source;
  const reused = there.kind === 'image' ? there.platforms : there.parts;
  for (const [at, { platform, layers }] of again.platforms.entries()) {
    const before = (reused[at]?.layers ?? []).map(({ descriptor }) => descriptor);
    const after = layers.map(({ descriptor }) => descriptor);
    const common = before.findIndex(({ digest }, index) => digest !== after[index]?.digest);
    const from = common === -1 ? before.length : common;
    const found = differences(
      await membersOfLayers(before.slice(from), source),
      await membersOfLayers(after.slice(from), again.source),
    );
    if (found.length > 0)
      throw new Failure(
        `The image for ${platform} that ${source.name} has under this key came out differently when it was made again (input "verify-reuse"): ${found.join('; ')}. A RUN that depends on more than its inputs cannot be reused: make it repeatable, name its stage in "no-cache-filters", or set "max-age" to 0.`,
      );
  }
  task.note('the image came out the same when it was made again');
}

/** Members of layers by path, those of upper ones in the place of those of lower ones; what deletes is a member like any other. */
async function membersOfLayers(
  layers: readonly Descriptor[],
  source: ImageSource,
): Promise<Map<string, MemberFacts>> {
  const members = new Map<string, MemberFacts>();
  for (const layer of layers)
    for (const entry of await indexMembers(readLayer(layer, source)))
      members.set(entry.name, factsOf(entry, entry.digest));
  return members;
}
