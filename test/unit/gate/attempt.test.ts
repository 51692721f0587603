import { describe, expect, it } from 'vitest';
import { judge } from '../../../shared/gate/checks/attempt.ts';
import { lagBehind, readyEndpoints } from '../../../shared/gate/checks/endpoints.ts';
import { decodeResponse, encodeRequest } from '../../../shared/gate/checks/grpc.ts';

describe('judge', () => {
  const check = {
    status: [
      { from: 200, to: 299 },
      { from: 304, to: 304 },
    ],
    body: undefined,
  };
  it.each([
    [200, 'pass', 'Status 200.'],
    [304, 'pass', 'Status 304.'],
    [302, 'fail', 'Status 302 in place of 2xx or 304.'],
    [503, 'fail', 'Status 503 in place of 2xx or 304.'],
  ])('of status %d', (status, kind, message) =>
    expect(judge(check, { status, body: '' })).toEqual({
      kind,
      message,
      evidence: undefined,
      ...(kind === 'pass' && {}),
    }),
  );
  it('shows the start of a wrong answer on one line', () =>
    expect(judge({ ...check, body: 'v2' }, { status: 200, body: '  version\n v1 ' })).toEqual({
      kind: 'fail',
      message: 'Status 200, but the body does not hold "v2".',
      evidence: 'Body: version v1',
    }));
});

describe('readyEndpoints', () => {
  const pod = (name: string, ready?: boolean) => ({
    addresses: ['198.18.0.1'],
    targetRef: { kind: 'Pod', name, uid: `uid-${name}` },
    conditions: ready === undefined ? {} : { ready },
  });
  const slice = (ports: object[], endpoints: object[]) =>
    ({ addressType: 'IPv4', ports, endpoints }) as Parameters<typeof readyEndpoints>[0][number];
  it('takes each ready pod once, by the name of the port', () =>
    expect(
      readyEndpoints(
        [
          slice(
            [
              { name: 'http', port: 8080 },
              { name: 'grpc', port: 9090 },
            ],
            [pod('b', true), pod('a'), pod('c', false)],
          ),
          slice([{ name: 'grpc', port: 9090 }], [pod('b', true), { addresses: ['198.18.0.9'] }]),
          slice([{ name: 'other', port: 1 }], [pod('z', true)]),
        ],
        'shop',
        'grpc',
      ).map(({ pod: { name }, port }) => [name, port]),
    ).toEqual([
      ['a', 9090],
      ['b', 9090],
    ]));
  it('knows ports without a name', () =>
    expect(readyEndpoints([slice([{ port: 80 }], [pod('a')])], 'shop', '')).toHaveLength(1));
});

describe('slices that lag behind', () => {
  const slice = (...names: string[]) =>
    ({
      addressType: 'IPv4',
      endpoints: names.map((name) => ({
        addresses: [],
        targetRef: { kind: 'Pod', name, uid: `uid-${name}` },
      })),
    }) as Parameters<typeof lagBehind>[0][number];
  const pods = (...names: string[]) =>
    names.map((name) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, uid: `uid-${name}` },
    })) as Parameters<typeof lagBehind>[1];
  it.each([
    [['a', 'b'], ['a', 'b'], undefined],
    [['a'], ['a', 'b'], 'do not have b yet, ready as it is'],
    [['a', 'old'], ['a'], 'still have old, which is not ready any more'],
    [['a'], undefined, undefined],
  ])('%j beside the ready pods %j: %s', (named, ready, expected) =>
    expect(lagBehind([slice(...named)], ready === undefined ? undefined : pods(...ready))).toBe(expected),
  );
});

describe('the health protocol', () => {
  it('asks in frames', () => {
    expect(encodeRequest('')).toEqual(Buffer.from([0, 0, 0, 0, 0]));
    expect(encodeRequest('a.B')).toEqual(Buffer.from([0, 0, 0, 0, 5, 0x0a, 3, 0x61, 0x2e, 0x42]));
    expect(encodeRequest('x'.repeat(200)).subarray(0, 8)).toEqual(
      Buffer.from([0, 0, 0, 0, 203, 0x0a, 0xc8, 1]),
    );
  });
  it.each([
    [[0, 0, 0, 0, 2, 8, 1], 'SERVING'],
    [[0, 0, 0, 0, 2, 8, 2], 'NOT_SERVING'],
    [[0, 0, 0, 0, 2, 8, 3], 'SERVICE_UNKNOWN'],
    [[0, 0, 0, 0, 2, 8, 9], 'UNKNOWN'],
    [[0, 0, 0, 0, 0], 'UNKNOWN'],
  ])('reads %j', (bytes, health) => expect(decodeResponse(Buffer.from(bytes))).toBe(health));
});
