import { describe, expect, it } from 'vitest';
import { contextFacts } from '../../../actions/docker-multistage/build-facts.ts';

describe('named contexts in provenance', () => {
  const facts = (value: string, secrets: readonly string[] = []) =>
    contextFacts(
      { contexts: { one: value }, handedIn: {}, platforms: [] },
      (path) => `below ${path}`,
      secrets,
    ).one;

  it.each([
    ['https://user:token@host/r.git', 'https://host/r.git'],
    ['https://token@host:8443/r.git#main:sub', 'https://host:8443/r.git#main:sub'],
    ['https://a:b@c@host/r.git', 'https://host/r.git'],
    ['https://host/@scope/a.tar.gz?X-Amz-Signature=abc', 'https://host/@scope/a.tar.gz'],
    ['https://host/r.git?token=abc&ref=x#main', 'https://host/r.git#main'],
    ['ssh://git:pw@host/r.git', 'ssh://host/r.git'],
    ['git@host:org/r.git', 'git@host:org/r.git'],
  ])('says of %s where it is, and not how one gets in', (given, said) => expect(facts(given)).toBe(said));

  it.each([
    'docker-image://golang@sha256:abc',
    'docker-image://host:5000/org/a:v1@sha256:abc',
    'oci-layout:///srv/base@sha256:abc',
  ])('leaves %s as it is', (given) => expect(facts(given)).toBe(given));

  it('says nothing of secrets, also in paths', () => {
    expect(facts('https://host/s3cret/r.git', ['s3cret'])).toBe('https://host/***/r.git');
    expect(facts('/work/s3cret', ['s3cret'])).toBe('below /work/***');
    const handedIn = { two: () => '/tmp/s3cret' };
    const platforms = [{ os: 'linux', architecture: 'amd64' }];
    expect(contextFacts({ contexts: {}, handedIn, platforms }, (path) => path, ['s3cret'])).toEqual({
      two: '/tmp/***',
    });
  });
});
