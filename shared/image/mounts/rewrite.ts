import { type Dockerfile, type Edit, editDockerfile, type ResolvedStage } from '../../dockerfile/index.ts';
import { type CacheMount, mountOptions, type SeedSource } from './cache-mount.ts';

/** A mount with what it starts from; undefined for one that starts with what the builder has of it, which may be nothing. */
export interface SeededMount {
  readonly mount: CacheMount;
  readonly seed: SeedSource | undefined;
  /** A file of this run that is laid over one of the mount; see trim.ts. */
  readonly overlay: string | undefined;
}

/** The Dockerfile with the mounts' flags changed, and with names for stages that have none: every instruction stays on its lines. */
export function seededSource(
  dockerfile: Dockerfile,
  mounts: readonly SeededMount[],
  unnamed: readonly ResolvedStage[],
): string {
  const names = unnamed.map(
    (stage): Edit => ({
      line: dockerfile.stages[stage.index]!.opening.lines.start,
      behind: 'end',
      text: ` AS ${placeholder(stage)}`,
    }),
  );
  return editDockerfile(dockerfile, [...mounts.flatMap(editsOf), ...names]);
}

/** The name of a stage that the Dockerfile gives none. */
export function placeholder({ index }: Pick<ResolvedStage, 'index'>): string {
  return `slipway-stage-${index}`;
}

function editsOf({ mount, seed, overlay }: SeededMount): Edit[] {
  return mount.uses.flatMap(({ step, nth, mount: { target } }): Edit[] => {
    const line = step.lines.start;
    const over = overlay === undefined ? '' : ` ${overlay.replace('{target}', target!)}`;
    if (nth === undefined) {
      const added = ` --mount=type=cache,target=${target},${mountOptions(mount, seed)}`;
      return [{ line, behind: 'keyword', text: added + over }];
    }
    const behind = { flag: 'mount', nth };
    const options = seed === undefined ? '' : `,${mountOptions(mount, seed)}`;
    return options + over === '' ? [] : [{ line, behind, text: options + over }];
  });
}
