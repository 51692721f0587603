import {
  type Attestation,
  Attester,
  type SignedStatement,
  type Statement,
  signStatement,
  sigstoreInstance,
} from '../../shared/attest/index.ts';
import { Failure, type Host, type IdentityToken } from '../../shared/host/index.ts';
import type { BuilderSecret, Delivery, ImagePlan, ResolveImage } from '../../shared/image/index.ts';
import { formatReference, parseReference } from '../../shared/oci/index.ts';
import { type Block, heading, mono, shortDigest, table } from '../../shared/report/index.ts';
import { type AttestInputs, readAttestInputs } from './attest-inputs.ts';
import { buildFacts } from './build-facts.ts';
import type { Places } from './deliveries.ts';
import type { ImageInputs } from './run.ts';

/** The attestations of a run: made as its deliveries come to the point where the image gets its names. */
export interface Evidence {
  readonly deliveries: readonly Delivery[];
  /** What was attached, once the deliveries are done. */
  readonly attached: readonly Attestation[];
}

/** Puts the making of attestations before the names of each place that has room for them. */
export function withEvidence(
  host: Host,
  inputs: ImageInputs,
  plan: ImagePlan,
  places: Places,
  images: ResolveImage,
  secrets: readonly BuilderSecret[],
): Evidence {
  const asked = readAttestInputs(inputs, host);
  const { deliveries } = places;
  if (asked.provenance === undefined && !asked.sbom) return { deliveries, attached: [] };
  const attached: Attestation[] = [];
  const sign = signer(host, asked);
  const { provenance } = asked;
  const attester = new Attester({
    facts:
      provenance === undefined
        ? undefined
        : () => buildFacts(host, plan, images, secrets, provenance, sign && (() => sign.identity(AUDIENCE))),
    sbom: asked.sbom,
    sign: sign?.sign,
    names: subjectNames(places),
    epoch: plan.request.epoch,
    cache: plan.request.cache,
  });
  const attestHere = (delivery: Delivery): Delivery => {
    // A layout that is only a step on the way to an engine or a file has no readers.
    if (delivery.kind === 'layout' && places.layout === undefined) return delivery;
    const place = delivery.kind === 'layout' ? delivery.target : { ...delivery.source, ...delivery.target };
    return {
      ...delivery,
      beforeNames: (image, task) =>
        task.task('Attest', async (child) => {
          const result = await attester.attest(image, place, child);
          if (result.kind === 'attached') attached.push(...result.attestations);
          child.note(noteOf(result));
          return result.kind === 'unknown origin' ? 'make it again' : 'name it';
        }),
    };
  };
  const all = deliveries.map(attestHere);
  if (!all.some(({ beforeNames }) => beforeNames !== undefined))
    host.annotate({
      level: 'warning',
      message: 'Attestations need a registry or a layout, and this image goes to neither: there are none.',
    });
  return { deliveries: all, attached };
}

function noteOf(result: Awaited<ReturnType<Attester['attest']>>): string {
  switch (result.kind) {
    case 'attached': {
      const signed = result.attestations.filter((one) => one.signed).length;
      return `${result.attestations.length - signed} attached, ${signed} signed`;
    }
    case 'present':
      return 'there already';
    case 'unknown origin':
      return 'this run has not made all of this image, and cannot say where it comes from: it is made again';
  }
}

/** The repositories that the image goes to; a name without one where it goes to none. */
function subjectNames({ deliveries, names }: Places): string[] {
  const pushed = deliveries.flatMap((delivery) =>
    delivery.kind === 'registry' ? [delivery.target.name] : [],
  );
  if (pushed.length > 0) return pushed;
  const own = names.map((name) => {
    const { registry, repository } = parseReference(name);
    return formatReference({ registry, repository });
  });
  return own.length > 0 ? own : ['image'];
}

interface Signer {
  readonly identity: IdentityToken;
  sign(of: Statement): Promise<SignedStatement | undefined>;
}

const AUDIENCE = 'sigstore';

function signer(host: Host, { sign, sigstore }: AttestInputs): Signer | undefined {
  const { identityToken: identity, run } = host;
  if (sign === 'never') return undefined;
  if (identity === undefined || !run.trusted) {
    host.log(
      identity === undefined
        ? 'Attestations are not signed: the job has no identity (permission id-token: write).'
        : 'Attestations are not signed: this run carries code that nobody has merged.',
    );
    return undefined;
  }
  const server = run.workflow?.server ?? 'https://github.com';
  const instance = sigstore ?? sigstoreInstance(run.workflow?.visibility, server);
  return {
    identity,
    sign: async (of) => {
      try {
        return await signStatement(of, instance, await identity(AUDIENCE));
      } catch (error) {
        if (!(error instanceof Failure) || sign === 'always' || host.signal.aborted) throw error;
        host.annotate({ level: 'warning', message: `${error.message} The attestation is not signed.` });
        return undefined;
      }
    },
  };
}

/** What was attached, as a table of the summary. */
export function reportAttestations(attested: readonly Attestation[]): Block[] {
  if (attested.length === 0) return [];
  return [
    heading('Attestations', 3),
    table(
      ['Of', 'What', 'Signed', 'Artifact', 'Where'],
      attested.map((one) => [
        mono(shortDigest(one.subject)),
        one.predicateType,
        one.signed ? 'yes' : 'no',
        mono(shortDigest(one.digest)),
        one.place,
      ]),
    ),
  ];
}
