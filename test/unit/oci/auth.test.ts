import { describe, expect, it } from 'vitest';
import { parseChallenges } from '../../../shared/oci/auth.ts';

describe('parseChallenges', () => {
  it.each([
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"',
      [
        {
          scheme: 'bearer',
          parameters: {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:library/alpine:pull',
          },
        },
      ],
    ],
    ['Basic realm="lab"', [{ scheme: 'basic', parameters: { realm: 'lab' } }]],
    ['Basic', [{ scheme: 'basic', parameters: {} }]],
    [
      'BASIC Realm="a, b=c", Bearer realm=https://x.example/t , service = "s"',
      [
        { scheme: 'basic', parameters: { realm: 'a, b=c' } },
        { scheme: 'bearer', parameters: { realm: 'https://x.example/t', service: 's' } },
      ],
    ],
    [
      'Bearer realm="say \\"hi\\"", error="invalid_token"',
      [{ scheme: 'bearer', parameters: { realm: 'say "hi"', error: 'invalid_token' } }],
    ],
    [
      'Bearer scope="repository:a:pull,push repository:b:pull"',
      [{ scheme: 'bearer', parameters: { scope: 'repository:a:pull,push repository:b:pull' } }],
    ],
    ['', []],
    ['=?', []],
  ])('reads %j', (header, expected) => {
    expect(parseChallenges(header)).toEqual(expected);
  });
});
