import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure, formatBytes, type Task } from '../../host/index.ts';
import { formatPlatform } from '../../oci/index.ts';
import type { BuilderSettings } from '../builder/arguments.ts';
import { attempt } from '../results/attempt.ts';
import {
  type CacheMount,
  cacheMounts,
  called,
  holdsObjects,
  lastStage,
  type SeedSource,
  writtenUses,
} from './cache-mount.ts';
import type { FoundSeed, SeedCarrier } from './carrier.ts';
import { goCacheMounts } from './go-cache.ts';
import { keepMounts, type ReportMount } from './keep.ts';
import type { MountSeeds, SeededDockerfile, SeedRequest } from './mounts.ts';
import { type SeedRun, seedNames } from './names.ts';
import { seededSource } from './rewrite.ts';
import type { UsedMount } from './save.ts';
import { OWN_CONTEXT } from './script.ts';
import { needsTrimNote, TRIM_NOTE, TRIM_OVERLAY } from './trim.ts';
import { mountsOfBuilder } from './warm.ts';

/** How cache mounts are carried from run to run. */
export interface MountSeedOptions {
  /** Undefined where nothing is carried and mounts are only added. */
  readonly carrier: SeedCarrier | undefined;
  readonly run: SeedRun;
  readonly builder: BuilderSettings;
  /** Bytes above which the content of a mount is not kept. */
  readonly limit: number;
  /** Whether mounts start from nothing whatever there is, and are kept. */
  readonly fresh: boolean;
  /** Whether RUNs of Go without cache mounts get them. */
  readonly goCache: boolean;
  readonly report: ReportMount;
  /** Seconds since 1970. */
  readonly now: () => number;
}

/** Milliseconds that a seed may take to be found: a question, or a transfer where it has to come to this machine. */
const PATIENCE = { question: 20_000, fetch: 120_000 };

/**
 * Cache mounts from a carrier. A mount that the builder holds already is left as it is, and is not kept either: the builder keeps it,
 * and a seed would put it aside, for what a mount starts from is part of what tells it apart from others.
 */
export function openMountSeeds(options: MountSeedOptions): MountSeeds {
  return { prepare: (request, task) => prepare(options, request, task) };
}

async function prepare(
  options: MountSeedOptions,
  request: SeedRequest,
  task: Task,
): Promise<SeededDockerfile | undefined> {
  const { dockerfile, graph, stages } = request;
  const { carrier, goCache } = options;
  const running = new Set(stages.map(({ index }) => index));
  const added = goCache
    ? goCacheMounts(dockerfile, graph).uses.filter(({ stage }) => running.has(stage.index))
    : [];
  const all = cacheMounts(dockerfile, [...writtenUses(stages), ...added]);
  if (all.length === 0) return undefined;
  const used = carrier === undefined ? [] : await findSeeds(all, carrier, options, request, task);
  const folder = join(request.temporary, 'cache-mounts');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, TRIM_NOTE), String(options.now()));
  return derive({ options, request, all, used, folder });
}

/** What the Dockerfile of a solve is derived from. */
interface Derivation {
  readonly options: MountSeedOptions;
  readonly request: SeedRequest;
  readonly all: readonly CacheMount[];
  /** Those of them that are carried. */
  readonly used: readonly UsedMount[];
  /** The own context of the solve. */
  readonly folder: string;
}

function derive(derivation: Derivation): SeededDockerfile {
  const { options, request, all, used, folder } = derivation;
  const overlay = (one: UsedMount) => (isOld(one, options.now()) ? TRIM_OVERLAY : undefined);
  const others = all.filter((mount) => !used.some((one) => one.mount === mount));
  const mounts = [
    ...used.map((one) => ({ ...one, overlay: overlay(one) })),
    ...others.map((mount) => ({ mount, seed: undefined, overlay: undefined })),
  ];
  const unnamed = new Set(used.map(({ mount }) => lastStage(mount)).filter(({ name }) => name === undefined));
  const seeds = used.flatMap(({ seed, found }) =>
    seed === undefined || found === undefined ? [] : [[seed.context, found.context] as const],
  );
  return {
    source: seededSource(request.dockerfile, mounts, [...unnamed]),
    contexts: { ...Object.fromEntries(seeds), ...(used.length > 0 && { [OWN_CONTEXT]: folder }) },
    blamed: (error) => seeds.length > 0 && error instanceof Failure && OWN_STEP.test(error.message),
    plain: () =>
      derive({ ...derivation, used: used.map((one) => ({ ...one, found: undefined, seed: undefined })) }),
    save: async (again, task) => {
      const { carrier } = options;
      if (carrier === undefined || used.length === 0) return;
      try {
        await keepMounts(again, used, { ...options, carrier, request, folder }, task);
      } finally {
        await Promise.all(used.map(({ found }) => found?.release?.()));
      }
    },
  };
}

/** BuildKit names the step that fetches a named context after it. */
const OWN_STEP = /^\[context slipway-mount|slipway-mount-\d+|slipway-mount:/;

/** Finds what each mount starts from. Mounts that the builder holds, and those that cannot be carried, are left out. */
async function findSeeds(
  all: readonly CacheMount[],
  carrier: SeedCarrier,
  options: MountSeedOptions,
  request: SeedRequest,
  task: Task,
): Promise<UsedMount[]> {
  const held = await mountsOfBuilder(options.builder, request.signal);
  const mounts = all.filter((mount) => {
    const why = mount.unfit ?? (held.has(mount.id) ? 'the builder has it from an earlier build' : undefined);
    if (why !== undefined) task.log(`Not carried: ${called(mount)}: ${why}.`);
    return why === undefined;
  });
  return await Promise.all(
    mounts.map(async (mount, at) => {
      const names = seedNames(options.run, mount.id, formatPlatform(request.platform));
      const found = options.fresh ? undefined : await findSeed(mount, names, carrier, request, task);
      task.log(
        found === undefined
          ? `No seed in ${carrier.name} for ${called(mount)}.`
          : `A seed of ${formatBytes(sizeOf(found))} for ${called(mount)}: ${found.digest.slice(0, 19)}.`,
      );
      return { mount, found, seed: found && sourceOf(mount, found, at), name: names[0]! };
    }),
  );
}

async function findSeed(
  mount: CacheMount,
  names: readonly string[],
  carrier: SeedCarrier,
  { signal }: SeedRequest,
  task: Task,
): Promise<FoundSeed | undefined> {
  const patience = carrier.reference('any') === undefined ? PATIENCE.fetch : PATIENCE.question;
  const otherwise = `Nothing to start ${called(mount)} from`;
  return await attempt({ otherwise, patience, signal }, task, () => carrier.find(names, signal, task));
}

function sizeOf({ manifest }: FoundSeed): number {
  return manifest.layers.reduce((sum, { size }) => sum + size, 0);
}

function sourceOf({ id }: CacheMount, { digest }: FoundSeed, at: number): SeedSource {
  return { context: `slipway-mount-${at}`, id: `slipway-${digest.slice('sha256:'.length, 19)}-${id}` };
}

/** Whether Go would trim what the seed holds. */
function isOld({ found, mount }: UsedMount, now: number): boolean {
  return found !== undefined && holdsObjects(mount) && needsTrimNote(found.saved, now);
}
