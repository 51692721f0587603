import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { claimsOf, identityTokenOf } from '../../../shared/host/identity-token.ts';
import { identityToken } from '../../lab/sigstore.ts';

describe('the identity of a job', () => {
  const open: { close(): void }[] = [];
  afterEach(() => {
    for (const server of open.splice(0)) server.close();
  });
  async function runner(answers: readonly (readonly [number, object])[]) {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.headers.authorization} ${request.url}`);
      const [status, body] = answers[Math.min(asked.length, answers.length) - 1]!;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    open.push(server);
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token?api-version=2`;
    const secrets: string[] = [];
    const token = identityTokenOf(
      { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'bearer' },
      (value) => secrets.push(value),
    )!;
    return { token, asked, secrets };
  }

  it('is nothing without the permission', () =>
    expect(identityTokenOf({ ACTIONS_ID_TOKEN_REQUEST_URL: 'https://x' }, () => {})).toBeUndefined());

  it('is asked for an audience, and masked', async () => {
    const { token, asked, secrets } = await runner([[200, { value: 'a.b.c' }]]);
    expect(await token('sigstore')).toBe('a.b.c');
    expect(asked).toEqual(['Bearer bearer /token?api-version=2&audience=sigstore']);
    expect(secrets).toEqual(['a.b.c']);
  });

  it('is asked for again when the runner stumbles', async () => {
    const { token } = await runner([
      [502, {}],
      [200, { value: 'a.b.c' }],
    ]);
    expect(await token('sigstore')).toBe('a.b.c');
  });

  it.each([
    [[403, {}] as const, /no identity token: 127\.0\.0\.1:\d+ answered status 403\.$/],
    [[200, {}] as const, /answered an answer without a token\.$/],
  ])('is a sentence when there is none: %j', async (answer, says) => {
    const { token, asked } = await runner([answer]);
    await expect(token('sigstore')).rejects.toThrow(says);
    expect(asked).toHaveLength(1);
  });

  it('has claims', () => {
    expect(claimsOf(identityToken({ sub: 'me' }))).toMatchObject({ sub: 'me' });
    expect(claimsOf('nothing')).toEqual({});
    expect(claimsOf('a.bnVsbA.c')).toEqual({});
  });
});
