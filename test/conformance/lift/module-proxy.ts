import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import { run } from '../../../shared/exec/index.ts';

/** The modules that this machine has, served as a module proxy does: what `go mod download` keeps is laid out like one. */
export async function moduleProxy(): Promise<{ readonly address: string } & AsyncDisposable> {
  const { stdout } = await run({ program: 'go', args: ['env', 'GOMODCACHE'] });
  const root = join(stdout.toString().trim(), 'cache', 'download');
  const server = createServer((request, response) => {
    const file = join(root, normalize(`/${decodeURIComponent(request.url ?? '')}`));
    createReadStream(file)
      .on('error', () => response.writeHead(404).end())
      .pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
