import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createPlainServer, type Server as PlainServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { parseChecks, runChecks } from '../../../shared/gate/index.ts';
import type { Cluster } from '../../../shared/kubernetes/index.ts';

const servers: (Server | PlainServer)[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server | PlainServer): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A cluster that no check from the runner asks. */
const none = { within: () => none } as unknown as Cluster;

async function ask(line: string, env: Record<string, string> = {}, timeout = 500) {
  const [verdict] = await runChecks(
    none,
    parseChecks([line]),
    { namespace: 'shop', workloads: [] },
    { timeout, signal: new AbortController().signal, pause: 1_000, env },
  );
  return verdict!;
}

it('asks an address', async () => {
  const port = await listen(createServer((_, answer) => answer.end('well')));
  expect(await ask(`http://127.0.0.1:${port}/ body=well from=runner`)).toMatchObject({ kind: 'pass' });
  expect(await ask(`tcp://127.0.0.1:${port} from=runner`)).toMatchObject({ kind: 'pass' });
});

it('asks through the proxy of its environment, but not for this machine', async () => {
  const asked: string[] = [];
  const proxy = await listen(
    createServer(({ url }, answer) => {
      asked.push(url!);
      answer.end('by proxy');
    }),
  );
  const env = { HTTP_PROXY: `http://127.0.0.1:${proxy}` };
  expect(await ask('http://shop.invalid/a?b body="by proxy" from=runner', env)).toMatchObject({
    kind: 'pass',
  });
  expect(asked).toEqual(['http://shop.invalid/a?b']);
  expect(await ask(`http://127.0.0.1:${proxy}/own from=runner`, env)).toMatchObject({ kind: 'pass' });
  expect(asked.at(-1)).toBe('/own');
});

it('says in plain words what broke', async () => {
  const plain = await listen(
    createPlainServer((socket) => socket.on('error', () => {}).on('data', () => socket.write('no TLS\n'))),
  );
  const gone = createServer();
  const free = await listen(gone);
  gone.close();
  const message = async (line: string) => (await ask(`${line} from=runner`)).message;
  expect(await message(`http://127.0.0.1:${free}/`)).toBe(
    'Nothing listens there: the connection was refused.',
  );
  expect(await message(`tcp://127.0.0.1:${free}`)).toBe('Nothing listens there: the connection was refused.');
  expect(await message(`https://127.0.0.1:${plain}/`)).toBe('It does not speak TLS.');
  expect(await message(`http://127.0.0.1:${plain}/`)).toBe('It does not speak HTTP.');
});

it.each(['grpcs', 'grpc', 'http', 'https'])(
  'ends in time with what takes a %s connection and never answers',
  async (scheme) => {
    const silent = createPlainServer((socket) => socket.on('error', () => {}));
    const port = await listen(silent);
    const verdict = await ask(`${scheme}://127.0.0.1:${port} from=runner`, {}, 300);
    expect(verdict).toMatchObject({ kind: 'fail', message: 'No answer in time.' });
  },
);

it('keeps the answer before an attempt that is cut short', async () => {
  let asked = 0;
  const port = await listen(
    createServer((_, answer) => void (asked++ === 0 && answer.writeHead(503).end('busy'))),
  );
  const [verdict] = await runChecks(
    none,
    parseChecks([`http://127.0.0.1:${port}/ from=runner`]),
    { namespace: 'shop', workloads: [] },
    { timeout: 600, signal: new AbortController().signal, pause: 100, env: {} },
  );
  expect(verdict).toMatchObject({ kind: 'fail', message: 'Status 503 in place of 2xx.', attempts: 2 });
});
