import { join } from 'node:path';
import { readTar } from '../../content/index.ts';
import type { Task } from '../../host/index.ts';
import { treeOfMembers } from '../files/base.ts';
import { Shelf } from '../files/shelf.ts';
import type { Directory } from '../files/tree.ts';
import { instructionOf } from '../names.ts';
import type { ImagePlan, PlatformPlan } from '../plan.ts';
import { withoutPattern } from '../steps.ts';
import { cacheArguments } from './arguments.ts';
import type { DerivedBuild } from './derived.ts';
import {
  HANDOVER,
  handedOver,
  handoverStage,
  linesBefore,
  type WantedPath,
  wantedPaths,
} from './handover.ts';
import type { BuildStep } from './progress.ts';

/** What is taken out of a builder. */
export interface Extraction {
  readonly plan: ImagePlan;
  readonly platform: PlatformPlan;
  /** Paths of stages, by number. */
  readonly wanted: ReadonlyMap<number, readonly string[]>;
  /** Folder for the files. */
  readonly folder: string;
  /** The stages have run already. */
  readonly again?: boolean;
}

/** What came of it. */
export interface Extracted {
  readonly files: ReadonlyMap<number, Directory>;
  readonly steps: readonly BuildStep[];
}

/**
 * Runs stages in a builder and takes from them what is wanted, not their layers: the Dockerfile gets one more stage, which copies just
 * that into an empty image, and that comes back as a tar stream, so that owners, modes and links survive.
 */
export async function extract(
  derived: DerivedBuild,
  { plan, platform, wanted: asked, folder, again = false }: Extraction,
  task: Task,
): Promise<Extracted> {
  const wanted = wantedPaths(asked);
  const shelf = new Shelf(join(folder, 'files'));
  const members: Parameters<typeof treeOfMembers>[0][number][] = [];
  const steps = await derived.call(
    {
      appended: handoverStage(wanted, plan.dockerfile.directives.escape),
      args: [
        '--provenance=false',
        ...(again ? [] : cacheArguments(derived.settings, 'files')),
        ...['--target', HANDOVER, '--output', 'type=tar,dest=-'],
      ],
      only: platform.platform,
      again,
      place: (line) => placeOf(plan, platform, wanted, line),
      consume: async (stdout) => {
        members.length = 0;
        for await (const { entry, content } of readTar(stdout))
          members.push(
            entry.type === 'file' ? { entry, content: await shelf.take(content, entry.size) } : { entry },
          );
      },
    },
    task,
  );
  const all = treeOfMembers(members);
  const files = new Map([...asked.keys()].map((stage) => [stage, handedOver(all, wanted, stage)] as const));
  return { files, steps };
}

/** The user's COPY that a line of the added stage carries out in part. */
function placeOf(
  { dockerfile }: ImagePlan,
  { stages }: PlatformPlan,
  wanted: readonly WantedPath[],
  line: number,
): { readonly instruction: string; readonly line: number } | undefined {
  const asked = wanted[line - linesBefore(dockerfile.source) - 2];
  if (asked === undefined) return undefined;
  const step = stages
    .flatMap(({ stage }) => stage.steps)
    .find(
      (one) =>
        (one.kind === 'copy' || one.kind === 'add') &&
        one.from.kind === 'stage' &&
        one.from.index === asked.stage &&
        one.sources.some((source) => withoutPattern(source) === asked.path),
    );
  if (step === undefined) return undefined;
  return { instruction: instructionOf(step), line: step.lines.start };
}
