import type WebSocket from 'ws';
import { Failure } from '../../host/index.ts';
import { unauthorised, type Way } from './call.ts';
import { connectionFailure } from './connection-fault.ts';
import { errorOf } from './status.ts';
import { KEEP_ALIVE } from './transport.ts';

/**
 * A WebSocket to a subresource of a pod, whose messages each begin with the number of their channel. All API servers speak
 * `v4.channel.k8s.io`, for exec as for port-forward; the tunnel of SPDY that kubectl prefers came with 1.30.
 */
export interface Channels {
  send(channel: number, data: Buffer): void;
  close(): void;
  /** Takes no more messages while it is true. */
  pause(paused: boolean): void;
  onMessage(take: (channel: number, data: Buffer) => void): void;
  /** Called once, with the fault where the end was none that was asked for. */
  onClose(take: (fault: Error | undefined) => void): void;
  /** Bytes that wait to be sent. */
  readonly waiting: number;
}

export interface ChannelsCall {
  readonly path: string;
  /** For messages: `EXEC in web-1`. */
  readonly what: string;
  readonly signal: AbortSignal;
}

const PROTOCOL = 'v4.channel.k8s.io';
/** Milliseconds for the handshake: the API server has to reach the node first. */
const HANDSHAKE = 30_000;

/** Opens the socket; new credentials are taken once when those at hand are refused. */
export async function openChannels(way: Way, call: ChannelsCall): Promise<Channels> {
  for (let refused = false; ; refused = true) {
    call.signal.throwIfAborted();
    const credentials = await way.credentials.current();
    const target = await way.transport.upgrade(call.path, credentials);
    const outcome = await handshake(way, call, target);
    if (!('status' in outcome)) return outcome;
    const error = errorOf(outcome.status, outcome.body, call.what);
    if (outcome.status !== 401) throw error;
    if (refused || !(await way.credentials.renew(credentials))) throw unauthorised(error, way);
  }
}

type Target = Awaited<ReturnType<Way['transport']['upgrade']>>;

async function handshake(
  way: Way,
  { signal }: ChannelsCall,
  { url, ...options }: Target,
): Promise<Channels | { readonly status: number; readonly body: string }> {
  const { default: Socket } = await import('ws');
  signal.throwIfAborted();
  const socket = new Socket(url, [PROTOCOL], {
    ...options,
    handshakeTimeout: HANDSHAKE,
    perMessageDeflate: false,
  });
  const abort = () => socket.terminate();
  signal.addEventListener('abort', abort, { once: true });
  socket.once('close', () => signal.removeEventListener('abort', abort));
  socket.once('upgrade', (answer) => answer.socket.setKeepAlive(true, KEEP_ALIVE));
  // Messages may come in the same packet as the answer to the handshake.
  const channels = channelsOf(socket, signal);
  return await new Promise((resolve, reject) => {
    socket.once('open', () => resolve(channels));
    socket.once('error', (error) => reject(signal.aborted ? signal.reason : connectionFailure(error, way)));
    socket.once('unexpected-response', (request, answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        request.destroy();
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') });
      });
    });
  });
}

function channelsOf(socket: WebSocket, signal: AbortSignal): Channels {
  const early: [number, Buffer][] = [];
  let take: ((channel: number, data: Buffer) => void) | undefined;
  let fault: Error | undefined;
  let asked = false;
  socket.on('message', (message: Buffer) => {
    if (message.length === 0) return;
    const [channel, data] = [message[0]!, message.subarray(1)];
    if (take === undefined) early.push([channel, data]);
    else take(channel, data);
  });
  socket.on('error', (error) => {
    fault ??= error;
  });
  return {
    send: (channel, data) => socket.send(Buffer.concat([Buffer.of(channel), data])),
    close: () => {
      asked = true;
      socket.close();
    },
    pause: (paused) => (paused ? socket.pause() : socket.resume()),
    onMessage(taker) {
      take = taker;
      for (const [channel, data] of early.splice(0)) taker(channel, data);
    },
    onClose(taker) {
      const tell = (code: number) =>
        taker(signal.aborted ? signal.reason : (fault ?? (asked || code === 1000 ? undefined : broken())));
      if (socket.readyState === socket.CLOSED) queueMicrotask(() => tell(1006));
      else socket.once('close', tell);
    },
    get waiting() {
      return socket.bufferedAmount;
    },
  };
}

const broken = (): Error =>
  Object.assign(new Failure('The connection to the cluster broke.'), { code: 'ECONNRESET' });
