import type { Digest, TarEntry } from '../../content/index.ts';
import type { ContentDigests } from '../files/digests.ts';
import type { Directory } from '../files/tree.ts';
import { membersOf } from './members.ts';

/** What counts of a member when two trees are compared, in words; times do not. */
export type MemberFacts = Readonly<
  Record<'type' | 'mode' | 'owner' | 'link' | 'attributes' | 'content', string>
>;

/** The facts of a member of an archive. */
export function factsOf(entry: TarEntry, digest: Digest | undefined): MemberFacts {
  const attributes = Object.entries(entry.xattrs ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`);
  return {
    type: entry.type,
    // A link has no mode of its own.
    mode: entry.type === 'symlink' ? '' : entry.mode.toString(8),
    owner: `${entry.uid}:${entry.gid}`,
    link: entry.linkname ?? '',
    attributes: attributes.join(' '),
    content: digest ?? '',
  };
}

/** The facts of a tree by path; undefined for a tree with devices or pipes, which are not compared. */
export async function factsOfTree(
  root: Directory,
  digests: ContentDigests,
): Promise<Map<string, MemberFacts> | undefined> {
  const members = membersOf(root);
  if (members === undefined) return undefined;
  const facts = members.map(async ({ entry, file }) => {
    const digest = file === undefined ? undefined : await digests.of(file);
    return [entry.name, factsOf(entry, digest)] as const;
  });
  return new Map(await Promise.all(facts));
}

const MOST_TOLD = 5;

/** What differs between two trees, path by path, in words; empty when nothing does. */
export function differences(
  before: ReadonlyMap<string, MemberFacts>,
  after: ReadonlyMap<string, MemberFacts>,
): string[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  const all = paths.flatMap((path) => difference(path, before.get(path), after.get(path)) ?? []);
  const more = all.length - MOST_TOLD;
  return more > 1 ? [...all.slice(0, MOST_TOLD), `and ${more} more`] : all;
}

function difference(
  path: string,
  before: MemberFacts | undefined,
  after: MemberFacts | undefined,
): string | undefined {
  if (before === undefined) return `/${path} is new`;
  if (after === undefined) return `/${path} is gone`;
  const fields = (Object.keys(before) as (keyof MemberFacts)[]).filter(
    (name) => before[name] !== after[name],
  );
  if (fields.length === 0) return undefined;
  return `/${path}: ${fields.map((name) => told(name, before[name], after[name])).join(', ')}`;
}

function told(name: keyof MemberFacts, before: string, after: string): string {
  if (name === 'content') return 'another content';
  if (name === 'attributes') return 'other attributes';
  return `${name} ${after || 'none'} in place of ${before || 'none'}`;
}
