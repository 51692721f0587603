import { describe, expect, it } from 'vitest';
import { Failure } from '../../../shared/host/index.ts';
import { formatReference, parseReference, tagOrDigest } from '../../../shared/oci/index.ts';

const digest = `sha256:${'ab'.repeat(32)}` as const;

describe('parseReference', () => {
  it.each([
    ['alpine', 'docker.io/library/alpine'],
    ['alpine:3.22', 'docker.io/library/alpine:3.22'],
    ['org/app', 'docker.io/org/app'],
    ['docker.io/alpine', 'docker.io/library/alpine'],
    ['index.docker.io/library/alpine:3', 'docker.io/library/alpine:3'],
    ['ghcr.io/org/app:1.2', 'ghcr.io/org/app:1.2'],
    ['localhost/app', 'localhost/app'],
    ['localhost:5000/app', 'localhost:5000/app'],
    ['127.0.0.1:5000/a/b/c:x', '127.0.0.1:5000/a/b/c:x'],
    ['[::1]:5000/app', '[::1]:5000/app'],
    ['Registry/app', 'Registry/app'],
    ['a__b/c-d.e', 'docker.io/a__b/c-d.e'],
    ['host.example/a---b', 'host.example/a---b'],
    [`alpine@${digest}`, `docker.io/library/alpine@${digest}`],
    [`ghcr.io/org/app:1@${digest}`, `ghcr.io/org/app:1@${digest}`],
    ['app:5000', 'docker.io/library/app:5000'],
    ['scratchpad:latest_1.x-Y', 'docker.io/library/scratchpad:latest_1.x-Y'],
  ])('reads %s', (text, expected) => {
    expect(formatReference(parseReference(text))).toBe(expected);
  });

  it.each([
    ['', 'An image reference is empty; accepted is one such as ghcr.io/org/app:1.2.'],
    ['https://ghcr.io/org/app', 'leave out https://, as in ghcr.io/org/app.'],
    ['ghcr.io/org/app one', 'it holds a blank.'],
    ['ghcr.io/org/${APP}', 'a variable in it was not expanded.'],
    ['ghcr.io/Org/App:1', 'the name of a repository is in lower case, as in ghcr.io/org/app:1.'],
    ['ghcr.io/org//app', 'a part between two slashes is empty.'],
    ['ghcr.io/org/app/', 'a part between two slashes is empty.'],
    ['ghcr.io/', 'the name of the repository is missing.'],
    ['ghcr.io/org/-app', '"-app" may hold a to z, 0 to 9 and, between them, one dot'],
    ['ghcr.io/org/a..b', '"a..b" may hold'],
    ['ghcr.io/org/app:', 'the tag after the colon is empty.'],
    [
      'ghcr.io/org/app:feature/x',
      'the tag "feature/x" may hold letters, digits, underscores, dots and hyphens, as in feature-x.',
    ],
    ['ghcr.io/org/app:+1', 'the tag "+1" may hold letters, digits, underscores, dots and hyphens, as in 1.'],
    [`ghcr.io/org/app:${'t'.repeat(129)}`, 'the tag has 129 characters, of at most 128.'],
    [`ghcr.io/${'a/'.repeat(140)}b`, 'the name of the repository has 281 characters, of at most 255.'],
    [
      'ghcr.io/org/app@sha256:abc',
      '"sha256:abc" is no digest; accepted is sha256: and 64 hexadecimal digits',
    ],
    [`ghcr.io/org/app@sha512:${'ab'.repeat(64)}`, 'is no digest; accepted is sha256:'],
    ['ab'.repeat(32), 'it is an identifier; put sha256: or a repository before it.'],
    ['localhost:port/app', '"port" is no port of the registry localhost.'],
    ['-bad-.example/app', '"-bad-.example" is no host name.'],
  ])('refuses %j', (text, sentence) => {
    expect(() => parseReference(text)).toThrow(Failure);
    expect(() => parseReference(text)).toThrow(sentence);
  });

  it('asks for the digest before the tag, and for latest without either', () => {
    expect(tagOrDigest(parseReference(`app:1@${digest}`))).toBe(digest);
    expect(tagOrDigest(parseReference('app:1'))).toBe('1');
    expect(tagOrDigest(parseReference('app'))).toBe('latest');
  });
});
