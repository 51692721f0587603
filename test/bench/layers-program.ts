// Writes layers from files of this machine: `compression bytes layers [registry/repository]`. Prints what it took as JSON.
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TarMember } from '../../shared/content/index.ts';
import { createContents } from '../../shared/image/files/contents.ts';
import { type Compression, type ImageTarget, writeLayer } from '../../shared/oci/index.ts';

const [compression, bytes, layers, folder] = process.argv.slice(2) as [Compression, string, string, string];
const contents = createContents(tmpdir(), () => {
  throw new Error('There are no archives here.');
});
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .sort()
  .map((path) => ({ path, size: statSync(path).size }));

/** The files over and over, up to the size that is wanted. */
function* members(): Generator<TarMember> {
  let left = Number(bytes);
  for (let round = 0; left > 0; round++)
    for (const { path, size } of files) {
      if (size > left) continue;
      left -= size + 512;
      const own = { type: 'file', mode: 0o644, uid: 0, gid: 0, size } as const;
      const open = compression === 'none' ? contents.open : contents.lend;
      yield {
        entry: { ...own, name: `${round}${path}`, mtime: 0 },
        content: () => open({ ...own, content: { kind: 'disk', path } }),
      };
      if (left <= 0) return;
    }
}

/** Digests what it is given, as every target does; standard output takes the archive for the other tools. */
const target: Pick<ImageTarget, 'stream'> = {
  async stream(content) {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of content) {
      if (compression !== 'none') hash.update(chunk);
      else if (!process.stdout.write(chunk))
        await new Promise((resolve) => process.stdout.once('drain', resolve));
      size += chunk.length;
    }
    return { digest: `sha256:${hash.digest('hex')}`, size };
  },
};

const started = performance.now();
const written = await Promise.all(
  Array.from({ length: Number(layers) }, () =>
    writeLayer(members(), { compression, target: target as ImageTarget }),
  ),
);
if (compression !== 'none')
  console.log(
    JSON.stringify({
      milliseconds: performance.now() - started,
      bytes: written.reduce((sum, { uncompressedSize }) => sum + uncompressedSize, 0),
      compressed: written[0]!.descriptor.size,
      resident: process.resourceUsage().maxRSS * 1024,
    }),
  );
