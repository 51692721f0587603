import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';

/** A proxy that makes tunnels; it notes for whom. */
export class Tunnel implements AsyncDisposable {
  readonly #server: Server | net.Server;
  readonly #scheme: string;
  readonly #sockets = new Set<Socket>();
  readonly targets: string[] = [];

  private constructor(scheme: string, server: Server | net.Server) {
    this.#scheme = scheme;
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    });
  }

  /** CONNECT (RFC 9110, 9.3.6). */
  static async http(): Promise<Tunnel> {
    const server = createServer();
    const tunnel = new Tunnel('http', server);
    server.on('connect', ({ url = '' }: { url?: string }, socket: Socket) => {
      const [host, port] = url.split(':');
      tunnel.#join(socket, host!, Number(port), () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    });
    return await tunnel.#listen();
  }

  /** SOCKS 5 with the user `me` and the password `p@ss` (RFC 1928, RFC 1929). */
  static async socks(): Promise<Tunnel> {
    const tunnel: Tunnel = new Tunnel(
      'socks5',
      net.createServer((socket) => void tunnel.#serveSocks(socket).catch(() => {})),
    );
    return await tunnel.#listen();
  }

  get url(): string {
    const login = this.#scheme === 'socks5' ? 'me:p%40ss@' : '';
    return `${this.#scheme}://${login}127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  async #listen(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    return this;
  }

  async #serveSocks(socket: Socket): Promise<void> {
    const next = async () => ((await once(socket, 'data')) as [Buffer])[0];
    const methods = await next();
    socket.write(Buffer.of(5, methods.includes(2, 2) ? 2 : 255));
    const login = await next();
    const accepted = login.subarray(1).equals(Buffer.from('\u0002me\u0004p@ss'));
    socket.write(Buffer.of(1, accepted ? 0 : 1));
    if (!accepted) return;
    const asked = await next();
    const named = asked[3] === 3;
    const host = named ? asked.subarray(5, 5 + asked[4]!).toString() : asked.subarray(4, 8).join('.');
    this.#join(socket, host, asked.readUInt16BE(asked.length - 2), () =>
      socket.write(Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0)),
    );
  }

  #join(socket: Socket, host: string, port: number, ready: () => void): void {
    this.targets.push(`${host}:${port}`);
    const other = net.connect(port, host, () => {
      ready();
      socket.pipe(other).pipe(socket);
    });
    other.on('error', () => socket.destroy());
    socket.on('close', () => other.destroy());
  }
}
