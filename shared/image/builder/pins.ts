import type { ResolvedStage } from '../../dockerfile/index.ts';
import { formatReference, type Platform, parseReference } from '../../oci/index.ts';
import type { ImagePlan } from '../plan.ts';
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
  const taken = new Set(dockerfile.stages.map(({ name }) => name));
  const pinned: Record<string, string> = {};
  await Promise.all(
    imagesOf(stages, platform).map(async ({ reference, on }) => {
      if (parseReference(reference).digest !== undefined) return;
      const digest = await digestOf(reference, on);
      if (digest === undefined) return;
      const given = Object.entries(request.contexts).filter(([, value]) => means(value, reference));
      // A context named like a stage would stand for the stage.
      const names = given.length > 0 ? given.map(([name]) => name) : [familiar(reference)];
      for (const name of names.filter((one) => given.length > 0 || !taken.has(one.toLowerCase())))
        pinned[name] = `docker-image://${reference}@${digest}`;
    }),
  );
  return pinned;
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
  if (!context.startsWith('docker-image://')) return false;
  const named = parseReference(context.slice('docker-image://'.length));
  return formatReference({ tag: 'latest', ...named }) === reference;
}

/** The name by which BuildKit looks a context up that stands for an image. */
function familiar(reference: string): string {
  return reference.replace(/^docker\.io\/(?:library\/(?=[^/]+$))?/, '').replace(/:latest$/, '');
}
