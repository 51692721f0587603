import { describe, expect, it } from 'vitest';
import type { Digest } from '../../../shared/content/index.ts';
import type { Descriptor, Index } from '../../../shared/oci/index.ts';
import { addReferrers, NO_REFERRERS, ReferrersQueue } from '../../../shared/oci/referrers-tag.ts';

const entry = (name: string): Descriptor => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: `sha256:${name.padEnd(64, '0')}` as Digest,
  size: 1,
});
const names = (index: Index) =>
  index.manifests.map(({ digest }) => digest.slice('sha256:'.length).replace(/0+$/, ''));
const clock = { now: () => 0, sleep: async () => {}, random: () => 0.5 };

/** A list that another writer writes over, between our reading and our writing, with what `other` makes of what it has read. */
function contested(others: readonly ((read: Index) => Index)[], first: Index = NO_REFERRERS) {
  const left = [...others];
  const list = {
    index: first,
    writes: 0,
    read: async () => list.index,
    write: async (index: Index) => {
      list.writes += 1;
      const read = list.index;
      list.index = index;
      const other = left.shift();
      if (other !== undefined) list.index = other(read);
    },
  };
  return list;
}

const add = (name: string) => (read: Index) => ({ ...read, manifests: [...read.manifests, entry(name)] });

describe('the list of what refers to a manifest', () => {
  it('gets an entry once', async () => {
    const list = contested([]);
    await addReferrers(list, [entry('a')], 'add', { clock });
    await addReferrers(list, [entry('a')], 'add', { clock });
    expect(names(list.index)).toEqual(['a']);
    expect(list.writes).toBe(1);
  });

  it('keeps the entry of another who wrote over ours, and gets ours again', async () => {
    const list = contested([add('b'), add('c')]);
    await addReferrers(list, [entry('a')], 'add', { clock });
    expect(names(list.index).sort()).toEqual(['a', 'b', 'c']);
  });

  it('gets back what was in it before another wrote an older list over it', async () => {
    const before: Index = { ...NO_REFERRERS, manifests: [entry('old')] };
    const list = contested([() => ({ ...NO_REFERRERS, manifests: [entry('b')] })], before);
    await addReferrers(list, [entry('a')], 'add', { clock });
    expect(names(list.index).sort()).toEqual(['a', 'b', 'old']);
  });

  it('is given up with a sentence when others never stop', async () => {
    const list = contested(Array.from({ length: 99 }, () => () => NO_REFERRERS));
    await expect(addReferrers(list, [entry('a')], 'push a/b:sha256-1', { clock })).rejects.toThrow(
      /^Cannot push a\/b:sha256-1: others wrote the list/,
    );
  });
});

describe('what one process adds to a list', () => {
  it('goes in rounds, of which each takes all that waits', async () => {
    const rounds: string[][] = [];
    let free = () => {};
    const queue = new ReferrersQueue(async (entries) => {
      rounds.push(names({ ...NO_REFERRERS, manifests: entries }));
      if (rounds.length === 1) await new Promise<void>((done) => (free = done));
    });
    const first = queue.add(entry('a'));
    await Promise.resolve();
    await new Promise((done) => setTimeout(done, 0));
    const later = [queue.add(entry('b')), queue.add(entry('c'))];
    free();
    await Promise.all([first, ...later]);
    expect(rounds).toEqual([['a'], ['b', 'c']]);
  });

  it('fails for those of the round that failed, and goes on with the next', async () => {
    let round = 0;
    const queue = new ReferrersQueue(async () => {
      if (++round === 1) throw new Error('no');
    });
    await expect(queue.add(entry('a'))).rejects.toThrow('no');
    await expect(queue.add(entry('b'))).resolves.toBeUndefined();
  });
});
