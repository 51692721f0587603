import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { digestOf } from '../../shared/content/index.ts';
import { registrySource } from '../../shared/oci/index.ts';
import { describeWith, registry } from '../lab/index.ts';
import { startProxy } from './registry/proxy.ts';
import { chunked, clientOf, freshName, MIB, noise } from './registry/sample.ts';

const part = await registry();
const root = mkdtempSync(join(tmpdir(), 'slipway-download-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const file = join(root, 'blob');

describeWith('a blob that goes into a file', { registry: part }, ({ registry: { host } }) => {
  const bytes = noise(20 * MIB + 7);
  const blob = { digest: digestOf(bytes), size: bytes.length };
  const small = Buffer.from('small');
  const name = freshName(host);

  it('comes in ranges where it is large, and at once where it is not', async () => {
    await using client = clientOf();
    await client.put(name, blob, () => chunked(bytes));
    await client.put(name, { digest: digestOf(small), size: small.length }, () => chunked(small));
    await using proxy = await startProxy(host);
    const source = registrySource(client, { ...name, registry: proxy.host });
    await source.download!({ ...blob, mediaType: '' }, file);
    expect(readFileSync(file).equals(bytes)).toBe(true);
    const ranges = proxy.seen.map(({ headers }) => headers.range).filter(Boolean);
    expect(ranges.sort()).toEqual(
      [
        `bytes=${16 * MIB}-${20 * MIB + 6}`,
        `bytes=${8 * MIB}-${16 * MIB - 1}`,
        `bytes=0-${8 * MIB - 1}`,
      ].sort(),
    );
    proxy.seen.length = 0;
    await source.download!({ digest: digestOf(small), size: small.length, mediaType: '' }, file);
    expect(readFileSync(file, 'utf8')).toBe('small');
    expect(proxy.seen).toHaveLength(1);
  });

  it('goes on where a range broke off, and is refused where a bit is wrong or it is not there', async () => {
    await using client = clientOf();
    await using proxy = await startProxy(host, [
      { method: /GET/, path: /blobs/, fault: { kind: 'cut-answer', after: MIB }, times: 2 },
      { method: /GET/, path: /blobs/, fault: { kind: 'shorten', to: MIB }, times: 1 },
    ]);
    const at = { ...name, registry: proxy.host };
    await client.download(at, blob, file);
    expect(readFileSync(file).equals(bytes)).toBe(true);
    proxy.rules = [{ method: /GET/, path: /blobs/, fault: { kind: 'corrupt' }, times: 1 }];
    await expect(client.download(at, blob, file)).rejects.toThrow(/gave sha256:.* for the blob/);
    proxy.rules = [{ method: /GET/, path: /blobs/, fault: { kind: 'answer', status: 404 } }];
    await expect(client.download(at, blob, file)).rejects.toThrow(/^Cannot pull /);
  });

  it('comes whole from a registry that does not know ranges', async () => {
    await using client = clientOf();
    const server = http.createServer((_, response) => response.end(bytes));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const at = { ...name, registry: `127.0.0.1:${(server.address() as AddressInfo).port}` };
    await client.download(at, blob, file);
    expect(readFileSync(file).equals(bytes)).toBe(true);
    server.closeAllConnections();
    server.close();
  });
});
