import type { Dockerfile, ResolvedStage, StageGraph } from '../../dockerfile/index.ts';
import { formatReference, isLayoutReference, type Platform, parseReference } from '../../oci/index.ts';
import { placeholder } from '../mounts/rewrite.ts';
import type { ImagePlan } from '../plan.ts';
import type { ImageRequest } from '../request.ts';
import type { PinnedDigest } from './run.ts';

/**
 * Named contexts that hold the images of these stages to the digests that their keys are made of, so that a tag which moves meanwhile
 * does not put other files under a key: `golang:1.26=docker-image://docker.io/library/golang:1.26@sha256:…`.
 */
export async function pinnedContexts(
  { request, dockerfile }: ImagePlan,
  stages: readonly ResolvedStage[],
  platform: Platform,
  digestOf: PinnedDigest,
): Promise<Readonly<Record<string, string>>> {
  const pinned: Record<string, string> = {};
  await Promise.all(
    imagesOf(stages, platform).map(async ({ reference, on }) => {
      const digest = await unpinned(reference, on, digestOf);
      if (digest === undefined) return;
      const given = contextsOf(request.contexts, reference);
      const scheme = isLayoutReference(reference) ? '' : 'docker-image://';
      for (const name of given.length > 0 ? given : freeName(reference, dockerfile))
        pinned[name] = `${scheme}${reference}@${digest}`;
    }),
  );
  return pinned;
}

/**
 * The bases of stages that no context can hold to their digests, `FROM golang AS golang`: one with the name of the base would stand for
 * the stage. They are written into the Dockerfile, see `holdBases`. A base that is another one for each platform has no one line, see
 * `isUnheld`.
 */
export async function pinnedBases(
  { request, dockerfile }: ImagePlan,
  stages: readonly ResolvedStage[],
  digestOf: PinnedDigest,
): Promise<ReadonlyMap<number, string>> {
  const pinned = await Promise.all(
    stages.map(async ({ base, platform }) => {
      if (!needsLine(base, request, dockerfile)) return undefined;
      const digest = await unpinned(base.reference, platform, digestOf);
      return digest === undefined ? undefined : `${base.reference}@${digest}`;
    }),
  );
  const found = new Map<number, string>();
  for (const [at, { index }] of stages.entries()) {
    const reference = pinned[at];
    // The line is that of all platforms, also of those whose base needs none.
    const isOne = stages.every((other, i) => other.index !== index || pinned[i] === reference);
    if (reference !== undefined && isOne) found.set(index, reference);
  }
  return found;
}

/** Whether a stage starts from another base on each of several platforms, and one of them could be held by a line of its own alone. */
export function isUnheld(
  index: number,
  graphs: readonly StageGraph[],
  request: Pick<ImageRequest, 'contexts'>,
  dockerfile: Dockerfile,
): boolean {
  const bases = graphs.flatMap(({ stages }) => stages.filter((stage) => stage.index === index));
  const names = bases.map(({ base }) =>
    base.kind === 'image' ? base.reference : base.kind === 'stage' ? `stage ${base.index}` : base.kind,
  );
  return new Set(names).size > 1 && bases.some(({ base }) => needsLine(base, request, dockerfile));
}

type Base = ResolvedStage['base'];

/** Whether a base can be held to a digest, and no context can do it. */
function needsLine(
  base: Base,
  { contexts }: Pick<ImageRequest, 'contexts'>,
  dockerfile: Dockerfile,
): base is Extract<Base, { kind: 'image' }> {
  if (base.kind !== 'image' || isHeld(base.reference) || isLayoutReference(base.reference)) return false;
  if (contextsOf(contexts, base.reference).length > 0) return false;
  return freeName(base.reference, dockerfile).length === 0;
}

/** A Dockerfile in which stages start from other references, on the lines where they started before. */
export function holdBases(
  source: string,
  { stages }: Dockerfile,
  references: ReadonlyMap<number, string>,
): string {
  const lines = source.split('\n');
  for (const [index, reference] of references) {
    const stage = stages[index]!;
    const { start, end } = stage.opening.lines;
    const platform = stage.platform === undefined ? '' : `--platform=${stage.platform} `;
    lines.fill('', start - 1, end);
    lines[start - 1] = `FROM ${platform}${reference} AS ${stage.name ?? placeholder(stage)}`;
  }
  return lines.join('\n');
}

/** The digest to hold a reference to; undefined for one that says it itself, and where it is not known. */
async function unpinned(reference: string, on: Platform, digestOf: PinnedDigest) {
  return isHeld(reference) ? undefined : await digestOf(reference, on);
}

function isHeld(reference: string): boolean {
  return isLayoutReference(reference)
    ? /@sha256:[0-9a-f]{64}$/.test(reference)
    : parseReference(reference).digest !== undefined;
}

/** The name by which a builder looks up whether a context stands for the reference, unless that is the name of a stage. */
function freeName(reference: string, { stages }: Dockerfile): string[] {
  const name = familiar(reference);
  return stages.some((stage) => stage.name === name.toLowerCase()) ? [] : [name];
}

/** Names of the given contexts that stand for a reference. */
function contextsOf(contexts: ImageRequest['contexts'], reference: string): string[] {
  return Object.entries(contexts).flatMap(([name, value]) => (means(value, reference) ? [name] : []));
}

interface UsedImage {
  readonly reference: string;
  readonly on: Platform;
}

/** Images that stages start from, or take files from: the latter for the platform of the image that is made. */
function imagesOf(stages: readonly ResolvedStage[], platform: Platform): UsedImage[] {
  const all = stages.flatMap(({ base, steps, platform: own }): UsedImage[] => [
    ...(base.kind === 'image' ? [{ reference: base.reference, on: own }] : []),
    ...steps
      .flatMap((step) => {
        if (step.kind === 'copy' || step.kind === 'add') return [step.from];
        return step.kind === 'run' ? step.mounts.flatMap(({ from }) => from ?? []) : [];
      })
      .flatMap((source) =>
        source.kind === 'image' && source.reference !== 'scratch'
          ? [{ reference: source.reference, on: platform }]
          : [],
      ),
  ]);
  return [...new Map(all.map((one) => [one.reference, one])).values()];
}

function means(context: string, reference: string): boolean {
  if (isLayoutReference(reference)) return context === reference;
  if (!context.startsWith('docker-image://')) return false;
  const named = parseReference(context.slice('docker-image://'.length));
  return formatReference({ tag: 'latest', ...named }) === reference;
}

/** The name by which BuildKit looks a context up that stands for an image. */
function familiar(reference: string): string {
  return reference.replace(/^docker\.io\/(?:library\/(?=[^/]+$))?/, '').replace(/:latest$/, '');
}
