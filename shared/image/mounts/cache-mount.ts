import type { Dockerfile, ResolvedStage, RunMount, RunStep } from '../../dockerfile/index.ts';
import { isWritten } from '../../dockerfile/index.ts';

/** A cache mount as BuildKit knows it: by its id. RUNs of any stage that name the same id share one content. */
export interface CacheMount {
  readonly id: string;
  /** Absolute path in the container, of the first RUN that has it. */
  readonly target: string;
  /** `uid`, `gid` and `mode` of the folder, which are part of what tells mounts apart; empty for the default. */
  readonly owner: Readonly<Record<string, string>>;
  readonly uses: readonly MountUse[];
  /** Why it cannot be carried from run to run. */
  readonly unfit: string | undefined;
}

/** One `--mount` flag that names a cache mount. */
export interface MountUse {
  readonly stage: ResolvedStage;
  readonly step: RunStep;
  readonly mount: RunMount;
  /** Which of the RUN's `--mount` flags it is, counted from 0; undefined where the Dockerfile has none and one is added. */
  readonly nth: number | undefined;
}

/** The cache mounts of stages, in order of appearance. One that starts from an image or a stage already is left to its author. */
export function cacheMounts(dockerfile: Dockerfile, uses: readonly MountUse[]): CacheMount[] {
  const byId = new Map<string, MountUse[]>();
  for (const use of uses) {
    const id = idOf(use.mount);
    byId.set(id, [...(byId.get(id) ?? []), use]);
  }
  return [...byId].map(([id, all]) => ({
    id,
    target: all[0]!.mount.target!,
    owner: ownerOf(all[0]!.mount),
    uses: all,
    unfit: unfitness(dockerfile, id, all),
  }));
}

/** Every cache mount without a source that RUNs of the stages name. */
export function writtenUses(stages: readonly ResolvedStage[]): MountUse[] {
  return stages.flatMap((stage) =>
    stage.steps.flatMap((step) =>
      step.kind !== 'run'
        ? []
        : step.mounts.flatMap((mount, nth) =>
            mount.type === 'cache' && mount.from === undefined ? [{ stage, step, mount, nth }] : [],
          ),
    ),
  );
}

/** BuildKit takes the target for the id where none is given. */
function idOf({ options, target }: RunMount): string {
  return options.id || target!;
}

function ownerOf({ options }: RunMount): Record<string, string> {
  return Object.fromEntries(
    (['uid', 'gid', 'mode'] as const).flatMap((name) =>
      options[name] === undefined ? [] : [[name, options[name]]],
    ),
  );
}

function unfitness(dockerfile: Dockerfile, id: string, uses: readonly MountUse[]): string | undefined {
  const { mount, stage } = uses[0]!;
  if (stage.platform.os !== 'linux') return `its stage is for ${stage.platform.os}`;
  if (!isPlain(id)) return 'its id has characters that a flag cannot hold plainly';
  if (uses.some((use) => !isWritten(dockerfile, use.step.lines, 'RUN')))
    return 'a trigger (ONBUILD) of a base image names it';
  if (uses.every((use) => use.mount.options.readonly === 'true')) return 'it is only read';
  if (uses.some((use) => JSON.stringify(ownerOf(use.mount)) !== JSON.stringify(ownerOf(mount))))
    return 'RUNs give it different owners or modes, so it is several mounts';
  if (uses.some((use) => use.mount.options.source !== undefined && use.mount.options.source !== '/'))
    return 'it has a source of its own';
  return undefined;
}

/** Whether a text is one value of a flag as it stands: what else there is would end the value, the flag, or the line. */
export function isPlain(text: string): boolean {
  return /^[\w./:@+=~%-]+$/.test(text);
}

/** The options that name the mount in a flag, in the words of `--mount`; `seed` is what it starts from. */
export function mountOptions({ id, owner }: CacheMount, seed: SeedSource | undefined): string {
  if (seed !== undefined) return `id=${seed.id},from=${seed.context},source=${SEED_FOLDER}`;
  return [`id=${id}`, ...Object.entries(owner).map(([name, value]) => `${name}=${value}`)].join(',');
}

/** Where in a seed's image the content of the mount lies. */
export const SEED_FOLDER = '/mount';

/** What a mount starts from. */
export interface SeedSource {
  /** Name of the context that has it. */
  readonly context: string;
  /** The mount's id together with the seed's digest: so a builder's list of mounts tells which of them came from which seed. */
  readonly id: string;
}

/** How messages call a mount. */
export function called({ id, target }: CacheMount): string {
  return `the cache mount ${id === target ? target : `${id} at ${target}`}`;
}

/** The last of the stages that use it: what it holds then is what the build left. */
export function lastStage({ uses }: CacheMount): ResolvedStage {
  return uses.reduce((last, { stage }) => (stage.index > last.index ? stage : last), uses[0]!.stage);
}

/** Whether Go keeps compiled packages there: in GOCACHE, by default below the user's caches. */
export function holdsObjects({ uses, target }: CacheMount): boolean {
  return uses.some(({ step }) => step.env.GOCACHE === target) || /(^|\/)go-build$/.test(target);
}
