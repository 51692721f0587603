import { Duplex } from 'node:stream';
import { formatId, type ObjectId } from '../objects.ts';
import type { Way } from './call.ts';
import { type Channels, openChannels } from './channels.ts';
import { Closed } from './connection-fault.ts';

/** Channels of the one port that is asked for (kubelet, portforward over WebSocket). */
const [DATA, ERROR] = [0, 1];
/** Bytes that wait to be sent before the writer is held. */
const MOST_WAITING = 256 * 1024;

/**
 * A connection to a port of a pod. The stream is destroyed with an error when nothing listens there: the node tries only after the
 * connection to it is open. The protocol has no half-closed connections: ending the stream ends both ways.
 */
export async function forwardPort(
  way: Way,
  { path, pod, port, signal }: { path: string; pod: ObjectId; port: number; signal: AbortSignal },
): Promise<Duplex> {
  const channels = await openChannels(way, { path, what: `PORT-FORWARD to ${formatId(pod)}`, signal });
  return streamOf(channels, `port ${port} of ${formatId(pod)}`);
}

function streamOf(channels: Channels, target: string): Duplex {
  // The first message of each channel is the number of its port.
  const begun = new Set<number>();
  let refusal = '';
  const stream = new Duplex({
    allowHalfOpen: false,
    read: () => channels.pause(false),
    write(data: Buffer, _encoding, done) {
      channels.send(DATA, data);
      drained(channels, done);
    },
    final(done) {
      channels.close();
      done();
    },
    destroy(error, done) {
      channels.close();
      done(error);
    },
  });
  channels.onMessage((channel, data) => {
    if (!begun.has(channel)) begun.add(channel);
    else if (channel === DATA && !stream.push(data)) channels.pause(true);
    else if (channel === ERROR) {
      refusal += data.toString('utf8');
      stream.destroy(refused(refusal, target));
    }
  });
  channels.onClose((fault) => {
    if (fault === undefined) stream.push(null);
    else if (fault instanceof Closed) stream.destroy();
    else stream.destroy(fault);
  });
  return stream;
}

/** Writes on when little enough waits to be sent. */
function drained(channels: Channels, done: () => void): void {
  if (channels.waiting <= MOST_WAITING) done();
  else setTimeout(() => drained(channels, done), 5);
}

/** What the node says of a port that it could not reach; its own words name network namespaces and addresses. */
export function refused(text: string, target: string): Error {
  const nobody = /connection refused/i.test(text);
  const why = nobody ? 'nothing listens there' : text.trim().split('\n')[0]!.slice(0, 300);
  return Object.assign(new Error(`Cannot connect to ${target}: ${why}.`), {
    code: nobody ? 'ECONNREFUSED' : 'ECONNABORTED',
  });
}
