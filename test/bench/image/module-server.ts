import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join, normalize } from 'node:path';

/** Serves Go's download cache as a module proxy: it has that layout. What is not in it is not found, and Go says which. */
export async function serveModules(directory: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = join(directory, normalize(decodeURIComponent(request.url!.split('?')[0]!)));
    stat(path).then(
      (found) => {
        if (!found.isFile()) return response.writeHead(404).end();
        response.writeHead(200, { 'content-length': found.size });
        return createReadStream(path, { highWaterMark: 1 << 18 }).pipe(response);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
