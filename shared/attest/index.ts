/**
 * What is said of an image, for others to check: where it comes from (SLSA provenance) and what is in it (SPDX), as in-toto statements
 * that refer to its digest, signed through sigstore where the run has an identity.
 */
export type { AttestationPlace, SignedStatement } from './attach.ts';
export {
  type Attestation,
  type AttestedImage,
  Attester,
  type AttestRequest,
  type AttestResult,
} from './attest.ts';
export type { BaseFacts, BuildFacts, ProvenanceMode, RunFacts, SourceFacts } from './provenance.ts';
export { type SigstoreInstance, signStatement, sigstoreInstance } from './sign.ts';
export type { Statement } from './statement.ts';
