import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** A module proxy over the folder that writeModuleProxy fills; it notes what it is asked for. */
export class CountingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #asked: string[] = [];

  private constructor(folder: string) {
    this.#server = createServer((request, response) => {
      const path = decodeURIComponent(request.url ?? '');
      this.#asked.push(path);
      const file = join(folder, path);
      if (path.includes('..') || !existsSync(file)) response.writeHead(404).end();
      else response.end(readFileSync(file));
    });
  }

  static async start(folder: string): Promise<CountingProxy> {
    const proxy = new CountingProxy(folder);
    await new Promise<void>((done) => proxy.#server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  /** Settings of a go command that knows no other source of modules. */
  get environment(): Record<string, string> {
    const { port } = this.#server.address() as AddressInfo;
    return { GOPROXY: `http://127.0.0.1:${port}`, GOSUMDB: 'off', GOPRIVATE: '', GONOPROXY: '' };
  }

  /** What was asked for since the last time. */
  take(): string[] {
    return this.#asked.splice(0);
  }
}
