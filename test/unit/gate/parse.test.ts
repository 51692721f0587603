import { expect, it } from 'vitest';
import { parseChecks } from '../../../shared/gate/index.ts';

const one = (line: string) => {
  const [check] = parseChecks([line]);
  const { text: _, ...rest } = check!;
  return rest;
};

it.each([
  [
    'http://storefront/readyz',
    {
      kind: 'http',
      tls: false,
      host: 'storefront',
      namespace: undefined,
      port: undefined,
      path: '/readyz',
      status: [{ from: 200, to: 299 }],
      body: undefined,
      headers: {},
      from: 'pod',
    },
  ],
  [
    `https://api.shop:web?full=1 status=204,3xx body="all is well" 'header=Host: shop.example' header=X-A:b`,
    {
      kind: 'http',
      tls: true,
      host: 'api',
      namespace: 'shop',
      port: 'web',
      path: '/?full=1',
      status: [
        { from: 204, to: 204 },
        { from: 300, to: 399 },
      ],
      body: 'all is well',
      headers: { Host: 'shop.example', 'X-A': 'b' },
      from: 'pod',
    },
  ],
  [
    'http://api.shop.svc.cluster.local:80/ from=cluster',
    {
      kind: 'http',
      tls: false,
      host: 'api',
      namespace: 'shop',
      port: '80',
      path: '/',
      status: [{ from: 200, to: 299 }],
      body: undefined,
      headers: {},
      from: 'cluster',
    },
  ],
  [
    'https://shop.example.com:8443/a from=runner',
    {
      kind: 'http',
      tls: true,
      host: 'shop.example.com',
      namespace: undefined,
      port: '8443',
      path: '/a',
      status: [{ from: 200, to: 299 }],
      body: undefined,
      headers: {},
      from: 'runner',
    },
  ],
  [
    'grpc://api:50051/shop.v1.Cart',
    {
      kind: 'grpc',
      tls: false,
      host: 'api',
      namespace: undefined,
      port: '50051',
      service: 'shop.v1.Cart',
      from: 'pod',
    },
  ],
  [
    'grpcs://api',
    { kind: 'grpc', tls: true, host: 'api', namespace: undefined, port: undefined, service: '', from: 'pod' },
  ],
  [
    'tcp://[::1]:5432 from=runner',
    { kind: 'tcp', host: '[::1]', namespace: undefined, port: '5432', from: 'runner' },
  ],
  [
    `exec://web/app /bin/check --name 'two words'`,
    { kind: 'exec', workload: 'web', container: 'app', command: ['/bin/check', '--name', 'two words'] },
  ],
])('reads %s', (line, expected) => expect(one(line)).toEqual(expected));

it.each([
  [
    'htp://web',
    'starts with the scheme "htp"; accepted are http, https, grpc, grpcs, tcp, exec, as in http://storefront/readyz. Did you mean "http"?',
  ],
  ['web/readyz', 'starts with "web/readyz"; accepted are http'],
  ['http://web status=20', 'wants status=20; accepted are statuses such as 200, 2xx or 200,204.'],
  ['http://web status=200 status=201', 'gives status twice.'],
  ['http://web stauts=200', 'sets "stauts"; accepted are status, body, header, from. Did you mean "status"?'],
  ['http://web from=pods', 'asks from=pods; accepted are pod, cluster, runner. Did you mean "pod"?'],
  ['grpc://web:1 from=cluster', 'asks from=cluster; accepted are pod, runner.'],
  [
    'http://web.example.com/',
    'asks "web.example.com", which is no Service; add from=runner to ask an address outside of the cluster.',
  ],
  [
    'http://web.example.com:http/ from=runner',
    'names the port "http", which only a Service has; from the runner give its number.',
  ],
  ['tcp://db from=runner', 'names no port; write it behind the host, as in tcp://db:50051.'],
  ['tcp://db:1/path', 'has a path; a TCP check only connects.'],
  ['exec://web', 'has no command; write it behind the workload.'],
  ['exec://a/b/c true', 'names "a/b/c"; accepted is a workload, or workload/container'],
  [`http://web body="all`, 'has a quote that is not closed.'],
  ['http://web:70000/', 'names the port 70000; accepted are 1 to 65535.'],
  ['http://web ok', 'has "ok"; what follows the address is name=value, as in status=204.'],
])('refuses %s', (line, message) =>
  expect(() => parseChecks([line])).toThrow(`The check "${line}" ${message}`),
);

it.each([
  ['http://web header=hunter2', 'http://web header=…', 'sets a header that is none'],
  [
    'http://web from=cluster header=A:hunter2',
    'http://web from=cluster header=A:…',
    'sets a header, which the',
  ],
  ['http://web "header=A: hunter2\u1234"', 'http://web header=A:…', 'sets the header A to a text'],
  ['http://web headers=A:hunter2', 'http://web headers=A:…', 'sets "headers"'],
  ['http://web header=A:"hunter2', 'http://web header=A:…', 'has a quote that is not closed.'],
  ['http://web header="A:hunter2', 'http://web header="A:…', 'has a quote that is not closed.'],
  ['http://me:hunter2@web/', 'http://…@web/', 'has a user before the host'],
  ['me:hunter2@web/', '…@web/', 'starts with "…@web/"'],
])('refuses %s without showing what may be a secret', (line, shown, message) =>
  expect(() => parseChecks([line])).toThrow(`The check "${shown}" ${message}`),
);

it('shows no values of headers, and all else as it was written', () => {
  const [check] = parseChecks([`http://web/ body="all is well" 'header=Authorization: Bearer hunter2'`]);
  expect(check?.text).toBe('http://web/ "body=all is well" header=Authorization:…');
  expect(check).toMatchObject({ headers: { Authorization: 'Bearer hunter2' } });
});

it('asks for paths in the characters that HTTP has', () =>
  expect(parseChecks(['http://web/größe'])[0]).toMatchObject({ path: '/gr%C3%B6%C3%9Fe' }));
