import { expect, test } from 'vitest';
import {
  type Ending,
  type Repeatable,
  retryAfter,
  waitBefore,
} from '../../../../shared/kubernetes/client/retry.ts';

const first = { attempt: 0, elapsed: 0, most: 60_000, random: 0 };
const answer = (status: number, reason = '', after?: number): Ending => ({
  kind: 'answer',
  status,
  reason,
  retryAfter: after,
});
const broken: Ending = { kind: 'broken', code: 'ECONNRESET' };
const unreached = (code: string): Ending => ({ kind: 'unreached', code });

test.each<[string, Ending, Repeatable, boolean]>([
  ['a server that is too busy has not begun', answer(429), 'untaken', true],
  ['a server that asks to come back has not begun', answer(503, '', 0), 'untaken', true],
  ['503 of a load balancer says nothing of what was behind it', answer(503), 'untaken', false],
  ['503 for a read', answer(503), 'always', true],
  ['504 for a change', answer(504), 'untaken', false],
  ['504 for a read', answer(504), 'always', true],
  ['a webhook that failed', answer(500, 'InternalError'), 'always', true],
  ['a webhook that failed, for a change', answer(500, 'InternalError'), 'untaken', false],
  ['what the server cannot make sense of', answer(500), 'always', false],
  ['a conflict', answer(409, 'Conflict'), 'always', false],
  ['a refusal', answer(403, 'Forbidden'), 'always', false],
  ['a connection that broke in a read', broken, 'always', true],
  ['a connection that broke in a change', broken, 'untaken', false],
  ['a server that does not listen yet, for a change', unreached('ECONNREFUSED'), 'untaken', true],
  ['a host that is not there', unreached('ENOTFOUND'), 'always', false],
  ['a certificate that is not trusted', unreached('SELF_SIGNED_CERT_IN_CHAIN'), 'always', false],
  ['a certificate of another host', unreached('ERR_TLS_CERT_ALTNAME_INVALID'), 'always', false],
])('%s', (_, ending, repeatable, repeated) => {
  expect(waitBefore(ending, repeatable, first) !== undefined).toBe(repeated);
});

test('waits twice as long each time, up to 8 s, with half left to chance', () => {
  const waits = (random: number) =>
    [0, 1, 2, 5, 9].map((attempt) => waitBefore(answer(503), 'always', { ...first, attempt, random }));
  expect(waits(0)).toEqual([125, 250, 500, 4000, 4000]);
  expect(waits(1)).toEqual([250, 500, 1000, 8000, 8000]);
});

test('waits for as long as the server asks, and a little longer, so that not all come back at once', () => {
  expect(waitBefore(answer(429, '', 10_000), 'untaken', { ...first, random: 0 })).toBe(10_000);
  expect(waitBefore(answer(429, '', 10_000), 'untaken', { ...first, random: 1 })).toBe(11_000);
});

test('gives up when the wait would be too long, and on a webhook after four attempts', () => {
  expect(waitBefore(answer(429, '', 30_000), 'untaken', { ...first, elapsed: 30_001 })).toBeUndefined();
  expect(waitBefore(answer(500, 'InternalError'), 'always', { ...first, attempt: 2 })).toBeDefined();
  expect(waitBefore(answer(500, 'InternalError'), 'always', { ...first, attempt: 3 })).toBeUndefined();
});

test('reads Retry-After as seconds and as a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(retryAfter('2', now)).toBe(2000);
  expect(retryAfter('Thu, 01 Jan 2026 00:00:05 GMT', now)).toBe(5000);
  expect(retryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0);
  expect(retryAfter('soon', now)).toBeUndefined();
  expect(retryAfter(undefined, now)).toBeUndefined();
});
