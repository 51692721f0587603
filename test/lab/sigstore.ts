import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bundleFromJSON } from '@sigstore/bundle';
import {
  fulcioHandler,
  type HandlerFn,
  initializeCA,
  initializeCTLog,
  initializeTLog,
  initializeTSA,
  rekorHandler,
  tsaHandler,
} from '@sigstore/mock';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';

/**
 * A stand-in for sigstore's services: a certificate authority, a transparency log and a timestamp authority on the loopback address,
 * with keys of their own, made of the sigstore project's test handlers. What they sign is verified by the project's own verifier
 * against those keys.
 */
export interface SigstoreStandIn extends AsyncDisposable {
  readonly fulcio: string;
  readonly rekor: string;
  readonly timestamps: string;
  /** What verifiers trust, as JSON (sigstore's protobuf-specs, TrustedRoot). */
  readonly trustedRoot: unknown;
  /** Paths that were asked for. */
  readonly seen: string[];
  /** Answers each request with this status until it is unset. */
  broken: number | undefined;
  /**
   * Verifies signature, certificate chain, and proof of time and transparency. Throws when one does not hold; gives the name that the
   * certificate was made out to.
   */
  verify(bundle: unknown, thresholds?: { readonly log: number; readonly time: number }): string | undefined;
}

/** An identity token as a runner gives it out, signed by nobody: the stand-in takes its word. */
export function identityToken(claims: Readonly<Record<string, string>>): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const own = {
    iss: 'https://token.actions.githubusercontent.com',
    aud: 'sigstore',
    exp: 4_000_000_000,
    ...claims,
  };
  return `${part({ alg: 'none' })}.${part(own)}.${Buffer.from('none').toString('base64url')}`;
}

export async function sigstoreStandIn(): Promise<SigstoreStandIn> {
  const key = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const [logKey, authorityKey, certificateLogKey, timeKey] = [key(), key(), key(), key()];
  const certificateLog = await initializeCTLog(certificateLogKey);
  const authority = await initializeCA(authorityKey, certificateLog);
  const log = await initializeTLog('https://rekor.stand-in', logKey);
  const clock = await initializeTSA(timeKey);
  // DER writes no zeros at the end of a fraction, and the verifier reads fractions of three digits alone: whole seconds suit both.
  const wholeSeconds = () => new Date(Math.floor(Date.now() / 1000) * 1000);
  Object.assign(clock, { getCurrentTime: wholeSeconds });
  const handlers = new Map<string, HandlerFn>();
  for (const { path, fn } of [fulcioHandler(authority), tsaHandler(clock)]) handlers.set(path, fn);
  const rekor = rekorHandler(log);
  handlers.set(rekor.path, (body) => rekor.fn(entryOf(body)));
  const state: { broken: number | undefined; readonly seen: string[] } = { broken: undefined, seen: [] };
  const server = await listen(handlers, state);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const trusted = trustedRoot({
    authority: bytes(authority.rootCertificate),
    clock: [bytes(clock.intCertificate), bytes(clock.rootCertificate)],
    log: der(logKey.publicKey),
    certificateLog: der(certificateLogKey.publicKey),
  });
  return Object.assign(state, {
    fulcio: url,
    rekor: url,
    timestamps: url,
    trustedRoot: TrustedRoot.toJSON(trusted),
    verify: (bundle: unknown, { log: logs, time } = { log: 1, time: 1 }) => {
      const verifier = new Verifier(toTrustMaterial(trusted), {
        tlogThreshold: logs,
        ctlogThreshold: 1,
        timestampThreshold: time,
      });
      return verifier.verify(toSignedEntity(bundleFromJSON(bundle))).identity?.subjectAlternativeName;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  });
}

/** What a transparency log keeps of a proposed entry of kind dsse 0.0.1: hashes and signatures. The test handler keeps it as it comes. */
function entryOf(body: string): string {
  const { spec, ...proposed } = JSON.parse(body) as {
    readonly spec: {
      readonly proposedContent: { readonly envelope: string; readonly verifiers: readonly string[] };
    };
  };
  const { envelope, verifiers } = spec.proposedContent;
  const { payload, signatures } = JSON.parse(envelope) as {
    readonly payload: string;
    readonly signatures: readonly { readonly sig: string }[];
  };
  const hash = (of: string | Buffer) => ({
    algorithm: 'sha256',
    value: createHash('sha256').update(of).digest('hex'),
  });
  return JSON.stringify({
    ...proposed,
    spec: {
      envelopeHash: hash(envelope),
      payloadHash: hash(Buffer.from(payload, 'base64')),
      signatures: signatures.map(({ sig }, index) => ({ signature: sig, verifier: verifiers[index] })),
    },
  });
}

/** What a verifier trusts, as sigstore's TUF repository gives it out for the real instances. */
function trustedRoot(keys: {
  readonly authority: Buffer;
  readonly clock: readonly Buffer[];
  readonly log: Buffer;
  readonly certificateLog: Buffer;
}) {
  const since = { start: new Date(Date.now() - 3_600_000).toISOString() };
  const log = (baseUrl: string, key: Buffer) => ({
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: key.toString('base64'), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor: since },
    logId: { keyId: createHash('sha256').update(key).digest('base64') },
  });
  const authority = (uri: string, certificates: readonly Buffer[]) => ({
    subject: { organization: 'stand-in', commonName: 'stand-in' },
    uri,
    certChain: { certificates: certificates.map((one) => ({ rawBytes: one.toString('base64') })) },
    validFor: since,
  });
  return TrustedRoot.fromJSON({
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [log('https://rekor.stand-in', keys.log)],
    certificateAuthorities: [authority('https://fulcio.stand-in', [keys.authority])],
    ctlogs: [log('https://ctfe.stand-in', keys.certificateLog)],
    timestampAuthorities: [authority('https://timestamp.stand-in', keys.clock)],
  });
}

function bytes(of: ArrayBufferView<ArrayBuffer>): Buffer {
  return Buffer.from(of.buffer, of.byteOffset, of.byteLength);
}

function der(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' });
}

async function listen(
  handlers: ReadonlyMap<string, HandlerFn>,
  state: { readonly broken: number | undefined; readonly seen: string[] },
): Promise<Server> {
  const server = createServer(async (request, response) => {
    state.seen.push(request.url!);
    const handler = handlers.get(request.url!);
    if (state.broken !== undefined || handler === undefined) {
      response.writeHead(state.broken ?? 404).end();
      return;
    }
    const { statusCode, response: body, contentType } = await handler(await bodyOf(request));
    response.writeHead(statusCode, { 'content-type': contentType ?? 'text/plain' }).end(body);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return server;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
