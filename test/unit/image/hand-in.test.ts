import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { digestOf, readTar } from '../../../shared/content/index.ts';
import { noSettings } from '../../../shared/image/builder/arguments.ts';
import { handIn } from '../../../shared/image/builder/hand-in.ts';
import { openDigests } from '../../../shared/image/files/digests.ts';
import { emptyDirectory, type Node } from '../../../shared/image/files/tree.ts';
import { openLayout, resolveLayoutImage } from '../../../shared/oci/index.ts';

/** Times of the files that a builder gets, with an image of that time. */
async function timesFor(epoch: number): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-hand-in-'));
  const bytes = Buffer.from('x');
  const content = { kind: 'bytes', bytes, digest: digestOf(bytes) } as const;
  const file: Node = { type: 'file', mode: 0o644, uid: 0, gid: 0, size: 1, content };
  const files = { ...emptyDirectory(), children: new Map([['a', file]]) };
  const platform = { os: 'linux', architecture: 'amd64' };
  // A program that says nothing of its driver stands for a builder that reads layouts.
  const builder = { settings: { ...noSettings, program: 'true' }, temporary: folder, signal: undefined };
  const { context } = await handIn([{ platform, files }], folder, openDigests(), epoch, builder);
  const { manifest } = await resolveLayoutImage(context, platform);
  const layout = await openLayout(folder);
  const times: number[] = [];
  for await (const { entry } of readTar(Readable.from(layout.blob(manifest.layers[0]!))))
    times.push(entry.mtime);
  return times;
}

it('gives files that are handed in the time of the image, and none that a ZIP cannot hold', async () => {
  expect(await timesFor(1_700_000_000)).toEqual([1_700_000_000]);
  expect(await timesFor(0)).toEqual([Date.UTC(1980, 0, 2) / 1000]);
});
