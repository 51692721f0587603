import type { Digest } from '../content/index.ts';
import {
  type Descriptor,
  formatPlatform,
  type ImageSource,
  type Platform,
  type Reference,
} from '../oci/index.ts';

/** What names the way in which externalParameters and internalParameters are to be read. It is the address of their description. */
export const BUILD_TYPE =
  'https://github.com/slipway-dev/slipway/blob/main/docs/attestations.md#build-type-v1';

/** Who builds where no workflow does: a person at a terminal, who vouches for nothing. */
const TERMINAL_BUILDER = 'https://github.com/slipway-dev/slipway/blob/main/docs/attestations.md#terminal';

/** How much is told: `min` leaves out values of build arguments and the course of the build, as BuildKit's does. */
export type ProvenanceMode = 'min' | 'max';

/** All that provenance is made of. Values of secrets have no place in it. */
export interface BuildFacts {
  readonly mode: ProvenanceMode;
  readonly source: SourceFacts;
  /** Paths from the top of the repository. */
  readonly context: string;
  readonly dockerfile: string;
  readonly target: string | undefined;
  readonly platforms: readonly Platform[];
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Named contexts and stages that were handed in, with what was given for them. */
  readonly contexts: Readonly<Record<string, string>>;
  readonly bases: readonly BaseFacts[];
  /** The image whose layers this one has, where this run has made its documents alone. */
  readonly layersFrom?: { readonly source: ImageSource; readonly image: Descriptor } | undefined;
  /** Told with mode max only. */
  readonly course: Readonly<Record<string, unknown>>;
  readonly run: RunFacts;
}

/** Where the sources are from, as far as it is known. */
export interface SourceFacts {
  /** Address of the repository, without logins. */
  readonly repository: string | undefined;
  readonly ref: string | undefined;
  readonly commit: string | undefined;
  /** Files differ from the commit. */
  readonly dirty: boolean;
}

/** A base image as it was found. */
export interface BaseFacts {
  readonly reference: Reference;
  readonly digest: Digest;
  readonly platform: Platform;
}

/** The run that builds; all of it undefined in a terminal. */
export interface RunFacts {
  readonly builderId: string | undefined;
  readonly invocationId: string | undefined;
  /** What GitHub's own generator tells of a run. */
  readonly github: Readonly<Record<string, string>> | undefined;
}

/** SLSA provenance (slsa.dev/spec/v1.0/provenance). */
export interface Provenance {
  readonly buildDefinition: {
    readonly buildType: string;
    readonly externalParameters: Readonly<Record<string, unknown>>;
    readonly internalParameters?: Readonly<Record<string, unknown>>;
    readonly resolvedDependencies: readonly ResourceDescriptor[];
  };
  readonly runDetails: {
    readonly builder: { readonly id: string };
    readonly metadata?: { readonly invocationId: string };
  };
}

interface ResourceDescriptor {
  readonly uri: string;
  readonly digest: Readonly<Record<string, string>>;
}

/**
 * Says what an image was made from, and by whom. There is no time in it: two runs over the same inputs differ in what identifies the
 * run, and in nothing else.
 */
export async function provenance(facts: BuildFacts): Promise<Provenance> {
  const internal = internalParameters(facts);
  const { builderId, invocationId } = facts.run;
  return {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: externalParameters(facts),
      ...(Object.keys(internal).length > 0 && { internalParameters: internal }),
      resolvedDependencies: await dependencies(facts),
    },
    runDetails: {
      builder: { id: builderId ?? TERMINAL_BUILDER },
      ...(invocationId !== undefined && { metadata: { invocationId } }),
    },
  };
}

function externalParameters(facts: BuildFacts): Readonly<Record<string, unknown>> {
  const { source, mode, buildArgs } = facts;
  const uri = sourceUri(source);
  const named = Object.entries(facts.contexts).length > 0;
  return {
    ...(uri !== undefined && { source: { uri, ...(source.dirty && { modified: true }) } }),
    context: facts.context,
    dockerfile: facts.dockerfile,
    ...(facts.target !== undefined && { target: facts.target }),
    platforms: facts.platforms.map(formatPlatform),
    // BuildKit leaves values out unless everything is asked for: people pass in what they should not.
    ...(mode === 'max' ? { buildArgs: sorted(buildArgs) } : { buildArgNames: Object.keys(buildArgs).sort() }),
    ...(Object.keys(facts.labels).length > 0 && { labels: sorted(facts.labels) }),
    ...(named && { contexts: sorted(facts.contexts) }),
  };
}

function internalParameters({ mode, course, run }: BuildFacts): Record<string, unknown> {
  return { ...(run.github !== undefined && { github: run.github }), ...(mode === 'max' && course) };
}

function sourceUri({ repository, ref }: SourceFacts): string | undefined {
  return repository === undefined ? undefined : `git+${repository}${ref === undefined ? '' : `@${ref}`}`;
}

async function dependencies({ source, bases, layersFrom }: BuildFacts): Promise<ResourceDescriptor[]> {
  const uri = sourceUri(source);
  const own =
    uri === undefined || source.commit === undefined ? [] : [{ uri, digest: { gitCommit: source.commit } }];
  const images = await Promise.all(
    bases.map(async (base) => ({
      uri: await imageUri(base),
      digest: { sha256: base.digest.slice('sha256:'.length) },
    })),
  );
  const distinct = new Map(images.map((image) => [`${image.uri} ${image.digest.sha256}`, image]));
  const layers = layersFrom === undefined ? [] : [await imageLayers(layersFrom)];
  return [...own, ...layers, ...[...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, image]) => image)];
}

/** A package URL of type docker (purl-spec), in the form in which BuildKit writes it. */
async function imageUri({ reference, digest, platform }: BaseFacts): Promise<string> {
  const { PackageURL } = await import('packageurl-js');
  const { registry, repository, tag } = reference;
  const familiar =
    registry === 'docker.io' ? repository.replace(/^library\//, '') : `${registry}/${repository}`;
  const slash = familiar.lastIndexOf('/');
  const namespace = slash === -1 ? undefined : familiar.slice(0, slash);
  const version = tag ?? (reference.digest === undefined ? 'latest' : undefined);
  const qualifiers = { digest, platform: formatPlatform(platform) };
  return new PackageURL('docker', namespace, familiar.slice(slash + 1), version, qualifiers).toString();
}

/** A package URL of type oci (purl-spec), which names an image by its digest. */
async function imageLayers({
  source,
  image,
}: NonNullable<BuildFacts['layersFrom']>): Promise<ResourceDescriptor> {
  const { PackageURL } = await import('packageurl-js');
  const name = source.name.slice(source.name.lastIndexOf('/') + 1);
  const qualifiers = { repository_url: source.name };
  return {
    uri: new PackageURL('oci', undefined, name, image.digest, qualifiers).toString(),
    digest: { sha256: image.digest.slice('sha256:'.length) },
  };
}

function sorted(record: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
