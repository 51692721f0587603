import type { Digest } from '../../content/index.ts';
import { didYouMean, Failure } from '../../host/index.ts';
import { parseReference, type Reference, type RegistryClient, type Repository } from '../../oci/index.ts';
import { idOf, type ObjectId } from '../objects.ts';
import type { FieldPath, Manifest } from './manifest.ts';
import { containersOf, podTemplateOf, withField } from './pod-template.ts';

/** An image that containers are given. */
interface Pin {
  /** Of a container, or a repository. */
  readonly name: string;
  readonly reference: Reference;
  /** The reference as it was given. */
  readonly text: string;
}

/** What a pin did to one container. */
export interface PinnedImage {
  readonly object: ObjectId;
  readonly container: string;
  /** As the manifest had it; undefined where it named none. */
  readonly from: string | undefined;
  /** With its digest, and with the tag where one was given. */
  readonly to: string;
  /** The name in the pin. */
  readonly pin: string;
}

/** Manifests with their images set, and what that changed. */
export interface PinnedManifests {
  readonly manifests: Manifest[];
  readonly pinned: readonly PinnedImage[];
}

/** The digest under a tag; a Failure where there is none. */
export type ResolveDigest = (reference: Reference) => Promise<Digest>;

/** Asks the registry: of an image for several platforms it is the digest of the index, so that every node finds its own. */
export const digestIn =
  (client: Pick<RegistryClient, 'head' | 'manifest'>): ResolveDigest =>
  async (reference) =>
    ((await client.head(reference)) ?? (await client.manifest(reference)).descriptor).digest;

/**
 * Sets images, each given as `name=reference`: in the containers and init containers of that name, and in those whose image is of
 * that repository, wherever pods are made. A tag is resolved, once, and kept beside its digest. A name that no container has, one
 * that stands for different images, and two pins for one container are Failures.
 */
export async function pinImages(
  manifests: readonly Manifest[],
  images: readonly string[],
  resolve: ResolveDigest,
): Promise<PinnedManifests> {
  const pins = images.map(parsePin);
  const uses = manifests.flatMap(usesIn);
  const matches = pins.map((pin) => ({ pin, uses: match(pin, uses) }));
  refuseRivals(matches);
  refusePlaceholders(uses.filter((use) => !matches.some((one) => one.uses.includes(use))));
  const texts = await pinnedTexts(pins, resolve);
  const pinned = matches.flatMap(({ pin, uses }) =>
    uses.map((use) => ({ use, pin: pin.name, to: texts.get(pin.text)! })),
  );
  return {
    manifests: manifests.map((manifest) => {
      const object = pinned
        .filter(({ use }) => use.manifest === manifest)
        .reduce((object, { use, to }) => withField(object, [...use.path, 'image'], to), manifest.object);
      return object === manifest.object ? manifest : { ...manifest, object };
    }),
    pinned: pinned.map(({ use, pin, to }) => ({
      object: idOf(use.manifest.object),
      container: use.name,
      from: use.image,
      to,
      pin,
    })),
  };
}

function parsePin(given: string): Pin {
  const equals = given.indexOf('=');
  const name = given.slice(0, Math.max(equals, 0)).trim();
  const text = given.slice(equals + 1).trim();
  if (name === '' || text === '')
    throw new Failure(
      `images: "${given}" is no pin; accepted is name=reference, such as storefront=ghcr.io/shop/storefront:1.2.`,
    );
  const repository = tryParse(name);
  if (repository?.tag !== undefined || repository?.digest !== undefined)
    throw new Failure(
      `images: "${name}" has a tag or a digest before the "="; there stands the name of a container or a repository.`,
    );
  return { name, text, reference: parseReference(text) };
}

/** A container of a manifest and the image that it has there. */
interface Use {
  readonly manifest: Manifest;
  readonly path: FieldPath;
  readonly name: string;
  readonly image: string | undefined;
  /** undefined where the image is a placeholder or missing. */
  readonly repository: string | undefined;
}

function usesIn(manifest: Manifest): Use[] {
  const template = podTemplateOf(manifest.object);
  if (template === undefined) return [];
  return containersOf(template).map(({ path, container: { name, image } }) => {
    const reference = typeof image === 'string' ? tryParse(image) : undefined;
    return { manifest, path, name, image, repository: reference && nameOf(reference) };
  });
}

const nameOf = ({ registry, repository }: Repository) => `${registry}/${repository}`;

function tryParse(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}

function match({ name }: Pin, uses: readonly Use[]): readonly Use[] {
  const repository = tryParse(name);
  const wanted = repository && nameOf(repository);
  const found = uses.filter(
    (use) => use.name === name || (wanted !== undefined && use.repository === wanted),
  );
  const [first] = found;
  if (first === undefined) throw nothing(name, uses);
  const other = found.find((use) => (use.repository ?? use.image) !== (first.repository ?? first.image));
  if (other === undefined) return found;
  throw new Failure(
    `images: "${name}" stands for containers with different images, ${show(first)} and ${show(other)}; name the repository that is meant.`,
    { location: other.manifest.locate([...other.path, 'image']) },
  );
}

const show = ({ manifest, image }: Use) =>
  `${image} in ${manifest.object.kind} ${manifest.object.metadata.name}`;

function nothing(name: string, uses: readonly Use[]): Failure {
  const names = [
    ...new Set(
      uses.flatMap((use) => [use.name, ...(use.image === undefined ? [] : [withoutTag(use.image)])]),
    ),
  ];
  if (names.length === 0)
    return new Failure(`images: "${name}" matches nothing: no manifest has a container.`);
  const guess = didYouMean(name, names);
  const few = names.slice(0, 10).join(', ');
  return new Failure(
    `images: "${name}" matches no container and no repository; there are ${few}${names.length > 10 ? ' …' : ''}.${guess}`,
  );
}

/** The repository as it is written. */
const withoutTag = (image: string) => image.replace(/@.*$/, '').replace(/:[^:/]*$/, '');

function refuseRivals(matches: readonly { readonly pin: Pin; readonly uses: readonly Use[] }[]): void {
  const taken = new Map<Use, Pin>();
  for (const { pin, uses } of matches)
    for (const use of uses) {
      const other = taken.get(use);
      if (other !== undefined)
        throw new Failure(
          `images: "${other.name}" and "${pin.name}" both stand for container ${use.name} of ${use.manifest.object.kind} ${use.manifest.object.metadata.name}; keep one of them.`,
          { location: use.manifest.locate([...use.path, 'image']) },
        );
      taken.set(use, pin);
    }
}

/** An image that no pin replaces has to be one. */
function refusePlaceholders(uses: readonly Use[]): void {
  const use = uses.find(({ image }) => typeof image === 'string' && /[\s{}$<>()]/.test(image));
  if (use === undefined) return;
  throw new Failure(
    `The image of container ${use.name} is "${use.image}", a placeholder; give it with images: ${use.name}=…`,
    { location: use.manifest.locate([...use.path, 'image']) },
  );
}

/** Each reference with its digest, in the user's spelling. */
async function pinnedTexts(pins: readonly Pin[], resolve: ResolveDigest): Promise<Map<string, string>> {
  const byText = new Map(pins.map((pin) => [pin.text, pin.reference] as const));
  const texts = [...byText].map(async ([text, reference]) => {
    if (reference.digest !== undefined) return [text, text] as const;
    const tagged = reference.tag === undefined ? `${text}:latest` : text;
    try {
      return [text, `${tagged}@${await resolve(reference)}`] as const;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const name = pins.find((pin) => pin.text === text)!.name;
      throw new Failure(
        `images: the digest of "${text}" is not known. ${error.message} Where the registry cannot be asked from here, give the digest too: ${name}=${text}@sha256:….`,
        { cause: error },
      );
    }
  });
  return new Map(await Promise.all(texts));
}
