import type { Digest, TarMember } from '../../content/index.ts';
import { createContents } from '../files/contents.ts';
import type { ContentDigests } from '../files/digests.ts';
import type { Directory } from '../files/tree.ts';
import { contentDigest, membersOf, pathContents } from './members.ts';
import type { PathContents } from './results.ts';

/** A tree as the members of an archive that can be written. */
export interface PackedTree {
  readonly members: readonly TarMember[];
  /** Of all that a copy out of the tree could see (see contentDigest). */
  readonly content: Digest;
  readonly contents: PathContents;
  /** Bytes of all files. */
  readonly size: number;
}

/** The members of a tree, ready to be written. Undefined for a tree that is not kept, such as one with devices. */
export async function packTree(
  root: Directory,
  paths: readonly string[],
  digests: ContentDigests,
): Promise<PackedTree | undefined> {
  const members = membersOf(root);
  const content = await contentDigest(root, digests);
  const pathwise = await pathContents(root, paths, digests);
  if (members === undefined || content === undefined || pathwise === undefined) return undefined;
  const contents = createContents('', () => {
    throw new Error('a stage’s files lie in no archive');
  });
  return {
    content,
    contents: pathwise,
    size: members.reduce((sum, { entry }) => sum + entry.size, 0),
    members: members.map(({ entry, file }) => {
      if (file === undefined) return { entry };
      async function* open() {
        yield* contents.open(file!, await digests.of(file!));
      }
      return { entry, content: open };
    }),
  };
}
