import type { BundleBuilder, Witness } from '@sigstore/sign';
import { Failure } from '../host/index.ts';
import type { SignedStatement } from './attach.ts';
import { STATEMENT_TYPE, type Statement, statementBytes } from './statement.ts';

/** The services of sigstore that sign: a certificate authority, and what proves the time of the signature. */
export interface SigstoreInstance {
  /** How messages call it. */
  readonly name: string;
  readonly fulcio: string;
  /** Transparency log. Public for everybody to read: names of repositories and workflows are in it for ever. */
  readonly rekor: string | undefined;
  /** Timestamp authority (RFC 3161). */
  readonly timestamps: string | undefined;
}

/** How long one of its services may take to answer, in ms, and how often it is asked again. */
const TIMEOUT = 10_000;
const RETRIES = 3;

/**
 * The instance for a repository, as actions/attest chooses it: the public one, whose log everybody can read, for public repositories
 * alone; GitHub's own for all others and where nothing is known.
 */
export function sigstoreInstance(visibility: string | undefined, server: string): SigstoreInstance {
  if (visibility === 'public')
    return {
      name: 'the public sigstore instance',
      fulcio: 'https://fulcio.sigstore.dev',
      rekor: 'https://rekor.sigstore.dev',
      timestamps: undefined,
    };
  const host = new URL(server).hostname;
  const domain = host === 'github.com' ? 'githubapp.com' : host;
  return {
    name: 'GitHub’s sigstore instance',
    fulcio: `https://fulcio.${domain}`,
    rekor: undefined,
    timestamps: `https://timestamp.${domain}`,
  };
}

/** Signs a statement in the name of the identity that a token proves. Nothing that signs outlives the call. */
export async function signStatement(
  of: Statement,
  instance: SigstoreInstance,
  token: string,
): Promise<SignedStatement> {
  const builder = await bundleBuilder(instance, token);
  try {
    const bundle = await builder.create({ data: statementBytes(of), type: STATEMENT_TYPE });
    const { bundleToJSON } = await import('@sigstore/bundle');
    return {
      predicateType: of.predicateType,
      mediaType: bundle.mediaType,
      bundle: Buffer.from(JSON.stringify(bundleToJSON(bundle))),
    };
  } catch (error) {
    throw new Failure(`Cannot sign with ${instance.name}: ${reasonOf(error)}.`, { cause: error });
  }
}

async function bundleBuilder(
  { fulcio, rekor, timestamps }: SigstoreInstance,
  token: string,
): Promise<BundleBuilder> {
  const { DSSEBundleBuilder, FulcioSigner, RekorWitness, TSAWitness } = await import('@sigstore/sign');
  const asked = { timeout: TIMEOUT, retry: RETRIES };
  const identityProvider = { getToken: async () => token };
  const signer = new FulcioSigner({ identityProvider, fulcioBaseURL: fulcio, ...asked });
  const witnesses: Witness[] = [];
  if (rekor !== undefined)
    witnesses.push(new RekorWitness({ rekorBaseURL: rekor, fetchOnConflict: true, ...asked }));
  if (timestamps !== undefined) witnesses.push(new TSAWitness({ tsaBaseURL: timestamps, ...asked }));
  return new DSSEBundleBuilder({ signer, witnesses });
}

/** What @sigstore/sign says, with the reason below it, which says more. Its message for a token that is none holds the token. */
function reasonOf(error: unknown): string {
  const { code, message, cause } = error as { code?: string; message?: string; cause?: unknown };
  if (code === 'IDENTITY_TOKEN_PARSE_ERROR') return 'the identity token of the run is none';
  const below = cause instanceof Error ? `: ${cause.message}` : '';
  return `${message ?? String(error)}${below}`.replaceAll(/\s+/g, ' ').replace(/\.$/, '');
}
