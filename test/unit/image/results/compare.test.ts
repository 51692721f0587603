import { expect, it } from 'vitest';
import { openDigests } from '../../../../shared/image/files/digests.ts';
import { type Directory, emptyDirectory } from '../../../../shared/image/files/tree.ts';
import { differences, factsOfTree } from '../../../../shared/image/results/compare.ts';
import { fileOf, sampleTree } from './sample.ts';

async function told(change: (children: Directory['children']) => void): Promise<string[]> {
  const after = sampleTree();
  change((after.children.get('out') as Directory).children);
  const digests = openDigests();
  return differences((await factsOfTree(sampleTree(), digests))!, (await factsOfTree(after, digests))!);
}

it('trees differ by path, in words', async () => {
  expect(await told(() => {})).toEqual([]);
  expect(await told((out) => out.set('large', fileOf('other', { mode: 0o600, uid: 3 })))).toEqual([
    '/out/large: mode 600 in place of 644, owner 3:0 in place of 0:0, another content',
  ]);
  expect(await told((out) => out.set('link', { type: 'symlink', uid: 5, gid: 6, target: 'x' }))).toEqual([
    '/out/link: link x in place of /etc/passwd',
  ]);
  expect(await told((out) => out.delete('link'))).toEqual(['/out/link is gone']);
  expect(await told((out) => out.set('new', fileOf('')))).toEqual(['/out/new is new']);
  expect(await told((out) => out.set('capable', fileOf('c')))).toEqual(['/out/capable: other attributes']);
  expect(
    await told((out) => {
      for (let at = 0; at < 9; at++) out.set(`more${at}`, fileOf(''));
    }),
  ).toHaveLength(6);
});

it('trees with devices are not compared', async () => {
  const tree = emptyDirectory();
  tree.children.set('pipe', { type: 'fifo', mode: 0o644, uid: 0, gid: 0 });
  expect(await factsOfTree(tree, openDigests())).toBeUndefined();
});
