import { type ProvenanceMode, type SigstoreInstance, sigstoreInstance } from '../../shared/attest/index.ts';
import { didYouMean, Failure, type Host } from '../../shared/host/index.ts';
import type { ImageInputs } from './run.ts';

/** What is to be said of the image by ourselves, as OCI referrers. */
export interface AttestInputs {
  readonly provenance: ProvenanceInputs | undefined;
  readonly sbom: boolean;
  readonly sign: 'auto' | 'always' | 'never';
  /** undefined: the one that suits the repository. */
  readonly sigstore: SigstoreInstance | undefined;
}

/** How much provenance says, and who is said to build. */
export interface ProvenanceInputs {
  readonly mode: ProvenanceMode;
  /** undefined: the workflow. */
  readonly builderId: string | undefined;
}

type Given = Pick<ImageInputs, 'provenance' | 'sbom' | 'sign' | 'sigstore' | 'attests'>;

/** Reads what the inputs ask for. Every wrong one is a Failure that names it. */
export function readAttestInputs(inputs: Given, host: Pick<Host, 'identityToken' | 'run'>): AttestInputs {
  const provenance = readProvenance(inputs.provenance);
  const sbom = readSbom(inputs.sbom) === 'ours';
  const { sign } = inputs;
  if (sign === 'always') checkSigning(provenance !== undefined || sbom, host);
  return { provenance, sbom, sign, sigstore: readSigstore(inputs.sigstore, host) };
}

/** What BuildKit is asked to attest, in the words of `docker buildx build --attest`. */
export function builderAttestations(inputs: Pick<Given, 'attests' | 'sbom'>): string[] {
  const sbom = readSbom(inputs.sbom);
  const all = [...(typeof sbom === 'object' ? [`type=sbom,${sbom.attributes}`] : []), ...inputs.attests];
  return all.filter((attest) => !/(^|,)disabled=true(,|$)/i.test(attest));
}

function readProvenance(text: string): AttestInputs['provenance'] {
  if (/^(false|)$/i.test(text)) return undefined;
  if (/^true$/i.test(text)) return { mode: 'min', builderId: undefined };
  const fields = fieldsOf('provenance', text);
  if (fields.disabled === 'true') return undefined;
  const { mode = 'min', version = 'v1', 'builder-id': builderId } = fields;
  if (mode !== 'min' && mode !== 'max')
    throw new Failure(`Input "provenance" has the mode "${mode}"; accepted are min and max.`);
  if (version !== 'v1')
    throw new Failure(
      `Input "provenance" asks for version ${version}; ours is SLSA v1. BuildKit makes others: attests: type=provenance,version=${version}.`,
    );
  return { mode, builderId };
}

const FIELDS = ['mode', 'version', 'builder-id', 'disabled'];

function fieldsOf(input: string, text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text.split(',').map((field) => {
      const equals = field.indexOf('=');
      const key = field.slice(0, equals).trim().toLowerCase();
      if (equals <= 0 || !FIELDS.includes(key))
        throw new Failure(
          `Input "${input}" has "${field}"; accepted are true, false, and ${FIELDS.join(', ')} as key=value.${didYouMean(key || field, FIELDS)} What BuildKit knows beyond that goes to "attests".`,
        );
      return [key, field.slice(equals + 1).trim()];
    }),
  );
}

/** A generator is an image that BuildKit runs; without one the bill of materials is ours. */
function readSbom(text: string): 'none' | 'ours' | { readonly attributes: string } {
  if (/^(false|)$/i.test(text)) return 'none';
  if (/^true$/i.test(text)) return 'ours';
  if (/(^|,)disabled=true(,|$)/i.test(text)) return 'none';
  if (/(^|,)generator=[^,]/i.test(text)) return { attributes: text };
  throw new Failure(`Input "sbom" is "${text}"; accepted are true, false and generator=IMAGE.`);
}

function checkSigning(something: boolean, { identityToken, run }: Pick<Host, 'identityToken' | 'run'>): void {
  if (!something)
    throw new Failure(
      'Input "sign" is always, and there is nothing to sign; give provenance: true or sbom: true.',
    );
  if (identityToken === undefined)
    throw new Failure(
      'Input "sign" is always, and this run has no identity to sign with; give its job the permission id-token: write.',
    );
  if (!run.trusted)
    throw new Failure(
      'Input "sign" is always, and this run carries code that nobody has merged; a signature in the name of the workflow would vouch for it. Use sign: auto.',
    );
}

function readSigstore(text: string, { run }: Pick<Host, 'run'>): SigstoreInstance | undefined {
  const server = run.workflow?.server ?? 'https://github.com';
  if (text === 'auto') return undefined;
  if (text === 'public' || text === 'github')
    return sigstoreInstance(text === 'public' ? 'public' : undefined, server);
  const fields = Object.fromEntries(
    text
      .split(',')
      .map((field) => [
        field.slice(0, field.indexOf('=')).trim(),
        field.slice(field.indexOf('=') + 1).trim(),
      ]),
  );
  const { fulcio, rekor, timestamps, ...others } = fields;
  const wrong = [fulcio, rekor, timestamps].find((url) => url !== undefined && !/^https?:\/\/[^/]/.test(url));
  if (fulcio === undefined || Object.keys(others).length > 0 || wrong !== undefined)
    throw new Failure(
      `Input "sigstore" is "${text}"; accepted are auto, public, github, and fulcio=URL with rekor=URL, timestamps=URL or both, separated by commas.`,
    );
  if (rekor === undefined && timestamps === undefined)
    throw new Failure(
      `Input "sigstore" is "${text}"; a signature needs proof of its time, from rekor=URL, timestamps=URL or both.`,
    );
  return { name: `the sigstore instance at ${new URL(fulcio).host}`, fulcio, rekor, timestamps };
}
