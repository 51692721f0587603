import { connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { secure } from './tls.ts';

/** As grpc.health.v1 names them, or the status of the call where it failed. */
export type Health = 'SERVING' | 'NOT_SERVING' | 'UNKNOWN' | 'SERVICE_UNKNOWN' | `gRPC status ${string}`;

export interface HealthQuestion {
  readonly tls: boolean;
  readonly host: string;
  readonly verify: boolean;
  /** Empty: the server as a whole. */
  readonly service: string;
}

/** One call of grpc.health.v1.Health/Check (gRPC health checking protocol) over a connection. */
export async function askHealth(
  question: HealthQuestion,
  connection: Duplex,
  signal: AbortSignal,
): Promise<Health> {
  const { tls, host, verify, service } = question;
  const over = tls ? await secure(connection, { host, verify, protocols: ['h2'], signal }) : connection;
  const session = connect(`${tls ? 'https' : 'http'}://${host}`, { createConnection: () => over });
  signal.throwIfAborted();
  const cancel = () => session.destroy(signal.reason as Error);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await call(session, encodeRequest(service));
  } finally {
    signal.removeEventListener('abort', cancel);
    session.destroy();
  }
}

function call(session: ReturnType<typeof connect>, message: Buffer): Promise<Health> {
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    session.once('close', () => reject(new Error('The connection was closed before there was an answer.')));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let status: string | undefined;
    let http = 0;
    const note = (headers: Record<string, unknown>) => {
      const given = headers['grpc-status'];
      if (given === undefined) return;
      status = `${given}${headers['grpc-message'] ? `: ${decoded(String(headers['grpc-message']))}` : ''}`;
    };
    stream.on('response', (headers) => {
      http = Number(headers[':status']);
      note(headers);
    });
    stream.on('trailers', note);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.once('end', () => {
      if (status === '0') return resolve(decodeResponse(Buffer.concat(chunks)));
      if (status !== undefined) return resolve(`gRPC status ${status}`);
      reject(new Error(`It answered HTTP status ${http}, which is no gRPC.`));
    });
    stream.end(message);
  });
}

/** Percent-encoded, by the protocol; servers that do not hold to it are read as they are. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

/** HealthCheckRequest{service = 1}, in gRPC's frame: a byte for compression, four for the length. */
export function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message =
    name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

const STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

/** HealthCheckResponse{status = 1}; an empty message is the enum's zero. */
export function decodeResponse(frame: Buffer): Health {
  const message = frame.subarray(5);
  return STATUS[message[0] === 0x08 ? (message[1] ?? 0) : 0] ?? 'UNKNOWN';
}
