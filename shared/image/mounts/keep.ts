import type { Dockerfile, ResolvedStage } from '../../dockerfile/index.ts';
import { formatBytes, type Task } from '../../host/index.ts';
import type { BuilderSettings } from '../builder/arguments.ts';
import { canExport } from '../builder/engine.ts';
import { stageName } from '../names.ts';
import { called, holdsObjects, lastStage } from './cache-mount.ts';
import type { SeedCarrier } from './carrier.ts';
import type { SeedRequest, SolveAgain } from './mounts.ts';
import { placeholder } from './rewrite.ts';
import { saveMount, surveyMounts, type UsedMount } from './save.ts';
import { decideSaving, type Survey } from './survey.ts';

/** What keeping the mounts of a solve needs to know. */
export interface Keeping {
  readonly carrier: SeedCarrier;
  readonly builder: BuilderSettings;
  /** Bytes above which a mount is not kept. */
  readonly limit: number;
  /** Seconds since 1970. */
  readonly now: () => number;
  readonly report: ReportMount;
  readonly request: SeedRequest;
  /** The own context of the solve; see script.ts. */
  readonly folder: string;
}

/** Tells what belongs into the report; `line` is one of the Dockerfile. */
export type ReportMount = (level: 'error' | 'warning', message: string, line: number) => void;

/** Milliseconds that looking into mounts, and storing one, may take. */
const PATIENCE = { look: 120_000, save: 900_000 };

/** Keeps what mounts gained, stage by stage: first a look at what they hold, then those that are worth it, side by side. */
export async function keepMounts(
  again: SolveAgain,
  used: readonly UsedMount[],
  keeping: Keeping,
  task: Task,
): Promise<void> {
  const pushes = await canExport(keeping.builder, keeping.request.signal);
  for (const [stage, mounts] of Map.groupBy(used, ({ mount }) => lastStage(mount)))
    await task.task(`Keep the cache mounts of stage ${stageName(stage)}`, (child) =>
      keepOfStage(again, stage, mounts, pushes, keeping, child),
    );
}

async function keepOfStage(
  again: SolveAgain,
  stage: ResolvedStage,
  mounts: readonly UsedMount[],
  pushes: boolean,
  keeping: Keeping,
  task: Task,
): Promise<void> {
  const from = referenceTo(keeping.request.dockerfile, stage);
  if (from === undefined) return task.note('not kept: a later stage has the same name');
  const surveys = await surveyed(again, from, mounts, keeping, task);
  if (surveys === undefined) return task.note('not kept');
  await Promise.all(
    mounts.map((used, at) =>
      task.task(called(used.mount), (child) =>
        keepOne(again, { used, survey: surveys[at]!, from, pushes }, keeping, child),
      ),
    ),
  );
}

async function surveyed(
  again: SolveAgain,
  from: string,
  mounts: readonly UsedMount[],
  keeping: Keeping,
  task: Task,
): Promise<readonly Survey[] | undefined> {
  const looked = await tried(PATIENCE.look, keeping.request.signal, () =>
    surveyMounts(again, from, mounts, keeping.folder),
  );
  if ('value' in looked) return looked.value;
  const needs = 'they are looked into by sh, find, awk, xargs and cp of the stage itself';
  task.log(looked.because);
  const names = mounts.map(({ mount }) => mount.target).join(', ');
  keeping.report(
    'warning',
    `Cache mounts (${names}) cannot be kept; ${needs}: ${looked.because}`,
    lineOf(mounts[0]!),
  );
  return undefined;
}

interface Kept {
  readonly used: UsedMount;
  readonly survey: Survey;
  readonly from: string;
  readonly pushes: boolean;
}

async function keepOne(again: SolveAgain, kept: Kept, keeping: Keeping, task: Task): Promise<void> {
  const { used, survey } = kept;
  const { carrier, limit, now, report, request, folder } = keeping;
  const state = { layers: used.found?.manifest.layers.length, filled: holdsObjects(used.mount) };
  const saving = decideSaving(survey, state, limit);
  if (saving.kind === 'fault')
    report('error', `Nothing is kept of ${called(used.mount)}: ${saving.because}.`, lineOf(used));
  if (saving.kind !== 'save') return task.note(`not kept: ${saving.because}`);
  task.log(`Kept because ${saving.because}: ${survey.kept.files} of ${survey.all.files} files.`);
  const { delta } = saving;
  const work = { ...kept, delta, carrier, platform: request.platform, now: now(), folder };
  const saved = await tried(PATIENCE.save, request.signal, () => saveMount(again, work, task));
  if (!('value' in saved)) {
    task.log(saved.because);
    report('error', `${capital(called(used.mount))} was not kept: ${saved.because}`, lineOf(used));
    return task.note('not kept');
  }
  const what = delta ? survey.fresh : survey.kept;
  const beside = delta ? ', beside what was there' : '';
  task.note(`${formatBytes(saved.value)} of ${formatBytes(what.bytes)} in ${what.files} files${beside}`);
}

/** The result of work that may fail or hang, or why there is none. A run that was cancelled ends. */
async function tried<T>(
  patience: number,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly because: string }> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${patience / 60_000} minutes`)), patience);
  });
  try {
    return { value: await Promise.race([work(), over]) };
  } catch (error) {
    if (signal?.aborted) throw error;
    return { because: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

function lineOf({ mount }: UsedMount): number {
  return mount.uses.at(-1)!.step.lines.start;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The name by which a FROM reaches a stage; undefined where a later stage took it. */
function referenceTo({ stages }: Dockerfile, stage: ResolvedStage): string | undefined {
  if (stage.name === undefined) return placeholder(stage);
  return stages.findLast(({ name }) => name === stage.name)?.index === stage.index ? stage.name : undefined;
}
