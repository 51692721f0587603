import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SigstoreInstance, signStatement, sigstoreInstance } from '../../../shared/attest/sign.ts';
import { statement, subjectsOf } from '../../../shared/attest/statement.ts';
import { identityToken, type SigstoreStandIn, sigstoreStandIn } from '../../lab/sigstore.ts';

const NAME = 'https://github.com/org/app/.github/workflows/release.yml@refs/heads/main';
const token = identityToken({ sub: NAME });
const said = statement(
  subjectsOf(['ghcr.io/org/app'], [`sha256:${'ab'.repeat(32)}`]),
  'https://example.com/said',
  {
    said: true,
  },
);

interface Envelope {
  readonly mediaType: string;
  readonly dsseEnvelope: { readonly payload: string; readonly payloadType: string };
  readonly verificationMaterial: {
    readonly certificate?: unknown;
    readonly tlogEntries?: readonly unknown[];
  };
}

/** The services of sigstore are a stand-in made of its own test handlers; the verifier is the real one. */
describe('a signed statement', () => {
  let services: SigstoreStandIn;
  beforeAll(async () => {
    services = await sigstoreStandIn();
  });
  afterAll(() => services[Symbol.asyncDispose]());
  const instance = (more: Partial<SigstoreInstance> = {}): SigstoreInstance => ({
    name: 'the stand-in',
    fulcio: services.fulcio,
    rekor: services.rekor,
    timestamps: undefined,
    ...more,
  });
  const signed = async (of: SigstoreInstance): Promise<Envelope> => {
    const { bundle } = await signStatement(said, of, token);
    return JSON.parse(bundle.toString()) as Envelope;
  };

  it('is a bundle of version 0.3 with the statement in it, and verifies', async () => {
    const bundle = await signed(instance());
    expect(bundle.mediaType).toBe('application/vnd.dev.sigstore.bundle.v0.3+json');
    expect(bundle.dsseEnvelope.payloadType).toBe('application/vnd.in-toto+json');
    expect(JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString())).toEqual(said);
    expect(bundle.verificationMaterial.certificate).toBeDefined();
    expect(services.verify(bundle)).toBe(NAME);
  });

  it('verifies with a timestamp in the place of the log, as GitHub’s instance gives it', async () => {
    const bundle = await signed(instance({ rekor: undefined, timestamps: services.timestamps }));
    expect(bundle.verificationMaterial.tlogEntries ?? []).toEqual([]);
    expect(services.verify(bundle, { log: 0, time: 1 })).toBe(NAME);
  });

  it('does not verify when a byte of it is another', async () => {
    const bundle = await signed(instance());
    const other = { ...said, subject: subjectsOf(['ghcr.io/org/app'], [`sha256:${'cd'.repeat(32)}`]) };
    const payload = Buffer.from(JSON.stringify(other)).toString('base64');
    const forged = { ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, payload } };
    expect(() => services.verify(forged)).toThrow();
  });

  it('does not verify against another authority', async () => {
    await using others = await sigstoreStandIn();
    const bundle = await signed(instance());
    expect(() => others.verify(bundle)).toThrow();
  });

  it('is a sentence when a service refuses, without the token', async () => {
    services.broken = 403;
    const error = await signStatement(said, instance(), token).catch((one: unknown) => one);
    services.broken = undefined;
    expect(String(error)).toMatch(/^Failure: Cannot sign with the stand-in: .*403.*\.$/);
    expect(String(error)).not.toContain(token);
  });

  it('is a sentence when the token is none, which is not told', async () => {
    const error = await signStatement(said, instance(), 'no-token-at-all').catch((one: unknown) => one);
    expect(String(error)).toBe(
      'Failure: Cannot sign with the stand-in: the identity token of the run is none.',
    );
  });
});

describe('the sigstore instance', () => {
  it.each([
    ['public', 'https://github.com', 'https://fulcio.sigstore.dev', 'https://rekor.sigstore.dev', undefined],
    [
      'private',
      'https://github.com',
      'https://fulcio.githubapp.com',
      undefined,
      'https://timestamp.githubapp.com',
    ],
    ['internal', 'https://x.ghe.com', 'https://fulcio.x.ghe.com', undefined, 'https://timestamp.x.ghe.com'],
    // Nothing of a repository that may be private goes to a public log.
    [
      undefined,
      'https://github.com',
      'https://fulcio.githubapp.com',
      undefined,
      'https://timestamp.githubapp.com',
    ],
  ])('of a repository that is %s at %s', (visibility, server, fulcio, rekor, timestamps) =>
    expect(sigstoreInstance(visibility, server)).toMatchObject({ fulcio, rekor, timestamps }),
  );
});
