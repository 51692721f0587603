import { didYouMean, Failure } from '../host/index.ts';
import type { ImageConfig } from '../oci/index.ts';
import type { Lines } from './model.ts';
import { parseInstructions, placed, within } from './parse.ts';
import type { Resolution } from './resolution.ts';
import { type Command, type Outline, type PlannedStage, toCommand } from './stages.ts';

/** Fetches base configurations until their triggers name no further stages; gives the stages needed, in order. */
export async function settle(resolution: Resolution, target: number): Promise<number[]> {
  for (;;) {
    const needed = reachable(resolution.outline.stages, target);
    await Promise.all(needed.map((index) => fetchConfig(resolution, resolution.outline.stages[index]!)));
    const grown = needed.filter((index) => addTriggers(resolution, resolution.outline.stages[index]!));
    if (grown.length === 0) return needed;
  }
}

function reachable(stages: readonly PlannedStage[], target: number): number[] {
  const found = new Set<number>();
  const visit = (index: number): void => {
    if (found.has(index)) return;
    found.add(index);
    for (const need of needsOf(stages[index]!)) visit(need);
  };
  visit(target);
  return [...found].sort((a, b) => a - b);
}

/** The stages that a stage builds on or reads from. */
export function needsOf({ base, commands }: PlannedStage): number[] {
  const needs = base.kind === 'stage' ? [base.index] : [];
  for (const { sources } of commands)
    for (const source of sources) if (source?.kind === 'stage') needs.push(source.index);
  return [...new Set(needs)].sort((a, b) => a - b);
}

async function fetchConfig(resolution: Resolution, planned: PlannedStage): Promise<void> {
  const { base, stage } = planned;
  if (base.kind !== 'image' || resolution.configs.has(planned)) return;
  try {
    resolution.configs.set(
      planned,
      await resolution.options.configOf(base.reference, planned.platform ?? resolution.platform),
    );
  } catch (error) {
    if (!(error instanceof Failure) || error.location !== undefined) throw error;
    const hint = /[/:@.]/.test(stage.from) ? '' : didYouMean(stage.from, resolution.outline.names.keys());
    throw placed(
      new Failure(error.message + hint, { cause: error }),
      resolution.outline.dockerfile.path,
      stage.opening.lines,
    );
  }
}

/** Puts the ONBUILD triggers of the base in front of a stage's commands; says whether they name stages or images. */
function addTriggers(resolution: Resolution, planned: PlannedStage): boolean {
  if (planned.replaced || resolution.triggered.has(planned)) return false;
  resolution.triggered.add(planned);
  const { dockerfile, stages } = resolution.outline;
  const { lines } = planned.stage.opening;
  const triggers = triggersOf(planned, stages, resolution.configs.get(planned));
  const commands = triggers.map((trigger) => toTrigger(resolution.outline, trigger, dockerfile.path, lines));
  planned.commands = [...commands, ...planned.commands];
  return commands.some((command) => command.sources.length > 0);
}

function triggersOf(
  { base }: PlannedStage,
  stages: readonly PlannedStage[],
  config: ImageConfig | undefined,
): readonly string[] {
  if (base.kind !== 'stage') return config?.config?.OnBuild ?? [];
  return stages[base.index]!.commands.flatMap(({ statement }) =>
    statement.kind === 'onbuild' ? [statement.text] : [],
  );
}

function toTrigger(outline: Outline, trigger: string, path: string, lines: Lines): Command {
  const instructions = parseInstructions(trigger, path, lines);
  return within(path, lines, () => {
    const [instruction] = instructions;
    if (instruction === undefined || instructions.length !== 1 || instruction.keyword === 'FROM')
      throw new Failure(`The base image has the ONBUILD trigger "${trigger}", which is not one instruction.`);
    return toCommand(outline, instruction);
  });
}
