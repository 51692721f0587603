import type { Digest } from '../content/index.ts';

/** What a statement is about: an artifact by name and digest (in-toto attestation framework, ResourceDescriptor). */
export interface Subject {
  readonly name: string;
  readonly digest: { readonly sha256: string };
}

/** A claim about artifacts (in-toto attestation framework, spec/v1/statement.md). */
export interface Statement<P = object> {
  readonly _type: 'https://in-toto.io/Statement/v1';
  readonly subject: readonly Subject[];
  readonly predicateType: string;
  readonly predicate: P;
}

/** The media type of a statement, and the payload type of its envelope when it is signed. */
export const STATEMENT_TYPE = 'application/vnd.in-toto+json';

/** What can be said of an image here, by its predicate type. */
export const PredicateType = {
  /** slsa.dev/spec/v1.0/provenance */
  provenance: 'https://slsa.dev/provenance/v1',
  /** The type under which BuildKit, cosign (`--type spdxjson`) and admission controllers look for an SPDX document. */
  spdx: 'https://spdx.dev/Document',
} as const;

/** Each name with each digest, sorted: what the same image is called does not depend on the order of the inputs. */
export function subjectsOf(names: readonly string[], digests: readonly Digest[]): Subject[] {
  return [...new Set(digests)].flatMap((digest) =>
    [...new Set(names)].sort().map((name) => ({ name, digest: { sha256: digest.slice('sha256:'.length) } })),
  );
}

export function statement<P extends object>(
  subject: readonly Subject[],
  predicateType: string,
  predicate: P,
): Statement<P> {
  return { _type: 'https://in-toto.io/Statement/v1', subject, predicateType, predicate };
}

/** The bytes of a statement. The same statement has the same ones: members stand in the order in which they are written here. */
export function statementBytes(of: Statement): Buffer {
  return Buffer.from(JSON.stringify(of));
}
