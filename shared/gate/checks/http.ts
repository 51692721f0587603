import { Agent, type ClientRequest, request } from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { isLoopback } from '../../oci/index.ts';
import { authorities, secure } from './tls.ts';

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
}

const BODY = 64 * 1024;

/**
 * One GET over a connection to a pod. Redirects are answers like any other. A certificate is made for the address that users know,
 * and through a connection to a pod nobody could ask for that one: it is not judged.
 */
export async function askHttp(
  question: HttpQuestion,
  connection: Duplex,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { tls, host } = question;
  const over = tls
    ? await secure(connection, { host, verify: false, protocols: ['http/1.1'], signal })
    : connection;
  return await answerTo(request({ ...get(question, signal), createConnection: () => over }));
}

/** One GET from this machine, through the proxy that its environment names. */
export async function askAddress(
  question: HttpQuestion,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { tls, host, port, headers } = question;
  const proxy = isLoopback(host) ? {} : { proxyEnv: env as NodeJS.ProcessEnv };
  const agent = tls ? new https.Agent({ ...proxy, ca: authorities() }) : new Agent(proxy);
  // Node asks for the certificate of the Host header, which may name one of many sites behind an address.
  const servername = Object.entries(headers).find(([name]) => name.toLowerCase() === 'host')?.[1] ?? host;
  try {
    return await answerTo(
      (tls ? https : { request }).request({
        ...get(question, signal),
        agent,
        host: host.replace(/^\[|\]$/g, ''),
        ...(port !== undefined && { port }),
        ...(tls && isIP(servername) === 0 && { servername: servername.replace(/:\d+$/, '') }),
      }),
    );
  } finally {
    agent.destroy();
  }
}

const get = ({ host, port, path, headers }: HttpQuestion, signal: AbortSignal) => ({
  method: 'GET',
  path,
  headers: {
    host: port === undefined || !/^\d+$/.test(port) ? host : `${host}:${port}`,
    'user-agent': 'slipway-check',
    accept: '*/*',
    connection: 'close',
    ...headers,
  },
  signal,
});

async function answerTo(sent: ClientRequest): Promise<HttpAnswer> {
  return await new Promise((resolve, reject) => {
    sent.on('error', reject);
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
