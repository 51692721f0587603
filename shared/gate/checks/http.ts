import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { secure } from './tls.ts';

export interface HttpAnswer {
  readonly status: number;
  /** At most the first 64 KiB. */
  readonly body: string;
}

export interface HttpQuestion {
  readonly tls: boolean;
  readonly host: string;
  readonly port: string | undefined;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly verify: boolean;
}

const BODY = 64 * 1024;

/** One GET over a connection. Redirects are answers like any other. */
export async function askHttp(
  question: HttpQuestion,
  connection: Duplex,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { tls, host, port, path, headers, verify } = question;
  const over = tls ? await secure(connection, { host, verify, protocols: ['http/1.1'] }) : connection;
  const sent = request({
    method: 'GET',
    path,
    createConnection: () => over,
    setDefaultHeaders: true,
    headers: {
      host: port === undefined || !/^\d+$/.test(port) ? host : `${host}:${port}`,
      'user-agent': 'slipway-check',
      accept: '*/*',
      connection: 'close',
      ...headers,
    },
    signal,
  });
  return await new Promise((resolve, reject) => {
    sent.once('error', reject);
    sent.once('response', async (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      try {
        for await (const chunk of response) {
          chunks.push(chunk as Buffer);
          size += (chunk as Buffer).length;
          // The rest may be endless, as a stream of events is.
          if (size >= BODY) break;
        }
        resolve({ status: response.statusCode!, body: Buffer.concat(chunks).subarray(0, BODY).toString() });
      } catch (error) {
        reject(error);
      }
    });
    sent.end();
  });
}
