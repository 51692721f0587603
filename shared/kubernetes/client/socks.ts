import net from 'node:net';

/** What a SOCKS proxy answers a request with (RFC 1928, 6). */
const REPLIES: Readonly<Record<number, string>> = {
  2: 'it does not allow this connection',
  3: 'the network cannot be reached from it',
  4: 'the host cannot be reached from it',
  5: 'nothing listens there',
};

const PATIENCE = 10_000;

/**
 * A connection to a host through a SOCKS 5 proxy, such as `ssh -D` opens (RFC 1928; user and password: RFC 1929). The proxy looks the
 * name up, as its users expect who reach a private network through it.
 */
export async function connectThroughSocks(proxy: URL, host: string, port: number): Promise<net.Socket> {
  const socket = net.connect({
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: Number(proxy.port || 1080),
  });
  socket.setTimeout(PATIENCE, () =>
    socket.destroy(Object.assign(new Error('it did not answer in time'), { code: 'ETIMEDOUT' })),
  );
  const reader = new Reader(socket);
  try {
    const login = proxy.username !== '';
    socket.write(Buffer.from(login ? [5, 2, 0, 2] : [5, 1, 0]));
    const [, method] = await reader.take(2);
    if (method === 2 && login) await logIn(socket, reader, proxy);
    else if (method !== 0) throw refusal('it wants another login');
    socket.write(Buffer.concat([Buffer.of(5, 1, 0), addressOf(host), Buffer.of(port >> 8, port & 255)]));
    const [, reply, , type] = await reader.take(4);
    if (reply !== 0) throw new Error(REPLIES[reply!] ?? `it answered ${reply}`);
    // The address that it connects from, and its port.
    await reader.take(type === 1 ? 6 : type === 4 ? 18 : (await reader.take(1))[0]! + 2);
    reader.release();
    socket.setTimeout(0);
    return socket;
  } catch (cause) {
    socket.destroy();
    throw Object.assign(new Error(`the proxy ${proxy.host}: ${(cause as Error).message}`, { cause }), {
      code: (cause as NodeJS.ErrnoException).code ?? 'ERR_PROXY_TUNNEL',
    });
  }
}

const refusal = (message: string): Error => Object.assign(new Error(message), { code: 'ERR_PROXY_LOGIN' });

async function logIn(socket: net.Socket, reader: Reader, { username, password }: URL): Promise<void> {
  const [user, pass] = [username, password].map((text) => Buffer.from(decodeURIComponent(text)));
  socket.write(Buffer.concat([Buffer.of(1, user!.length), user!, Buffer.of(pass!.length), pass!]));
  const [, status] = await reader.take(2);
  if (status !== 0) throw refusal('it does not accept the login');
}

function addressOf(host: string): Buffer {
  if (net.isIPv4(host)) return Buffer.from([1, ...host.split('.').map(Number)]);
  const bare = host.replace(/^\[|\]$/g, '');
  if (net.isIPv6(bare)) return Buffer.from([4, ...wordsOf(bare).flatMap((word) => [word >> 8, word & 255])]);
  const name = Buffer.from(bare);
  return Buffer.concat([Buffer.of(3, name.length), name]);
}

/** The eight words of an IPv6 address, whose URL is in the short form that has no dots (RFC 5952). */
function wordsOf(address: string): number[] {
  const [start = [], end = []] = address
    .split('::')
    .map((side) => side.split(':').filter((word) => word !== ''));
  const middle = Array.from({ length: 8 - start.length - end.length }, () => '0');
  return [...start, ...middle, ...end].map((word) => Number.parseInt(word, 16));
}

/** Takes exact numbers of bytes, and leaves what comes after them in the socket. */
class Reader {
  readonly #socket: net.Socket;
  #wake: (() => void) | undefined;
  #fault: Error | undefined;
  readonly #onReadable = () => this.#wake?.();
  readonly #onFault = (error?: Error) => {
    this.#fault ??= error ?? Object.assign(new Error('it closed the connection'), { code: 'ECONNRESET' });
    this.#wake?.();
  };

  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('readable', this.#onReadable).on('error', this.#onFault).on('end', this.#onFault);
  }

  async take(count: number): Promise<Buffer> {
    for (;;) {
      if (this.#fault !== undefined) throw this.#fault;
      const bytes = this.#socket.read(count) as Buffer | null;
      if (bytes !== null) return bytes;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  release(): void {
    this.#socket.off('readable', this.#onReadable).off('error', this.#onFault).off('end', this.#onFault);
  }
}
