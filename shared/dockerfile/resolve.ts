import { didYouMean, Failure } from '../host/index.ts';
import {
  formatPlatform,
  type ImageConfig,
  machinePlatform,
  normalizePlatform,
  type Platform,
} from '../oci/index.ts';
import { closeDraft, type Draft, draftOf, emptyDraft, inherit, openDraft } from './draft.ts';
import { readInstruction } from './instruction.ts';
import type { Base, Dockerfile, Lines, ResolvedStage, StageGraph, Step, Warning } from './model.ts';
import { parseInstructions, placed, within } from './parse.ts';
import { resolveDirectory, type Scene } from './scene.ts';
import {
  type Command,
  expandText,
  findTarget,
  type NamedContext,
  type Outline,
  outline,
  type PlannedStage,
  stageTitle,
  toCommand,
} from './stages.ts';
import { applyCommand } from './steps.ts';
import { unmodelled } from './unmodelled.ts';

/** What a build is asked for: the flags of `docker build` that decide what a Dockerfile means. */
export interface ResolveOptions {
  /** Name or number of a stage; the last one by default. */
  readonly target?: string | undefined;
  /** The platform of the image. */
  readonly platform: Platform;
  /** What BUILDPLATFORM says; Linux on this machine's processor by default. */
  readonly buildPlatform?: Platform | undefined;
  readonly buildArgs?: Readonly<Record<string, string>> | undefined;
  /** Added to those of the target. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** By name of the stage or image that each one replaces; a name can end in `::os/architecture`. */
  readonly contexts?: ReadonlyMap<string, NamedContext> | undefined;
  /** The configuration of a base image, by its canonical reference. Called once for each that the target needs. */
  readonly configOf: (reference: string, platform: Platform) => Promise<ImageConfig>;
}

/**
 * What has to be executed for a target, for one platform: the stages that it needs, every variable filled in, with the
 * configuration and history that BuildKit would write.
 *
 * @throws Failure with the line, for what BuildKit refuses when it plans: an unknown target, stages in a circle, a stage that is
 * copied from before it is built, a bad reference, port, mode or mount.
 */
export async function resolveGraph(dockerfile: Dockerfile, options: ResolveOptions): Promise<StageGraph> {
  const resolution = begin(dockerfile, options);
  const target = within(dockerfile.path, undefined, () => findTarget(resolution.outline, options.target));
  const needed = await settle(resolution, target);
  const stages = needed.map((index) => resolveStage(resolution, index, index === target));
  const epoch = within(dockerfile.path, undefined, () => sourceDateEpoch(resolution));
  return {
    platform: resolution.platform,
    target,
    stages,
    sourceDateEpoch: epoch.seconds,
    warnings: [...unusedArgs(resolution), ...mistakenImages(resolution)],
    unmodelled: [...epoch.unmodelled, ...unmodelled(dockerfile, stages)],
  };
}

interface Resolution {
  readonly options: ResolveOptions;
  readonly platform: Platform;
  readonly outline: Outline;
  readonly globals: ReadonlyMap<string, string>;
  readonly configs: Map<PlannedStage, ImageConfig>;
  /** Stages that got the triggers of their base. */
  readonly triggered: Set<PlannedStage>;
  readonly scenes: Map<number, Scene>;
}

function begin(dockerfile: Dockerfile, options: ResolveOptions): Resolution {
  const platform = normalizePlatform(options.platform);
  const globals = globalArgs(dockerfile, platform, options);
  return {
    options,
    platform,
    globals,
    outline: outline(dockerfile, globals, options.contexts ?? new Map(), platform),
    configs: new Map(),
    triggered: new Set(),
    scenes: new Map(),
  };
}

/** Predefined arguments, then those that stand before the first FROM. */
function globalArgs(
  dockerfile: Dockerfile,
  platform: Platform,
  options: ResolveOptions,
): Map<string, string> {
  const given = options.buildArgs ?? {};
  const build = normalizePlatform(options.buildPlatform ?? { ...machinePlatform(), os: 'linux' });
  const stage = options.target || dockerfile.stages.at(-1)!.name || 'default';
  const predefined = {
    ...platformArgs('BUILD', build),
    ...platformArgs('TARGET', platform),
    TARGETSTAGE: stage,
  };
  const globals = new Map(Object.entries(predefined).map(([name, value]) => [name, given[name] ?? value]));
  for (const instruction of dockerfile.globalArgs)
    within(dockerfile.path, instruction.lines, () => {
      const statement = readInstruction(instruction, dockerfile.directives.escape);
      for (const { key, value } of statement.kind === 'arg' ? statement.args : []) {
        const expanded =
          given[key] ??
          (value === undefined ? undefined : expandText(dockerfile, value, (name) => globals.get(name)));
        if (expanded !== undefined) globals.set(key, expanded);
      }
    });
  return globals;
}

function platformArgs(prefix: 'BUILD' | 'TARGET', platform: Platform): Record<string, string> {
  return {
    [`${prefix}PLATFORM`]: formatPlatform(platform),
    [`${prefix}OS`]: platform.os,
    [`${prefix}OSVERSION`]: platform['os.version'] ?? '',
    [`${prefix}ARCH`]: platform.architecture,
    [`${prefix}VARIANT`]: platform.variant ?? '',
  };
}

/** Fetches base configurations until their triggers name no further stages; gives the stages needed, in order. */
async function settle(resolution: Resolution, target: number): Promise<number[]> {
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

function needsOf({ base, commands }: PlannedStage): number[] {
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

function resolveStage(resolution: Resolution, index: number, isTarget: boolean): ResolvedStage {
  const planned = resolution.outline.stages[index]!;
  const scene = openScene(resolution, planned);
  resolution.scenes.set(index, scene);
  const steps = planned.commands.flatMap((command) => applyPlaced(resolution, planned, scene, command) ?? []);
  if (isTarget) finish(resolution, scene.draft);
  return {
    index,
    name: planned.stage.name,
    platform: scene.platform,
    base: toBase(planned),
    steps,
    config: closeDraft(scene.draft),
    needs: needsOf(planned),
    args: scene.args,
    lines: planned.stage.lines,
  };
}

function toBase({ base }: PlannedStage): Base {
  return base.kind === 'image' && base.reference === 'scratch' ? { kind: 'scratch' } : base;
}

function applyPlaced(
  resolution: Resolution,
  planned: PlannedStage,
  scene: Scene,
  command: Command,
): Step | undefined {
  return within(resolution.outline.dockerfile.path, command.instruction.lines, () => {
    for (const source of command.sources)
      if (source?.kind === 'stage') checkOrder(resolution, planned, source.index);
    return applyCommand(scene, command);
  });
}

/** A stage can read from stages before it, and from those that were handed in. */
function checkOrder({ outline }: Resolution, planned: PlannedStage, index: number): void {
  const source = outline.stages[index]!;
  if (source.replaced || index < planned.stage.index) return;
  throw new Failure(
    `The stage "${stageTitle(planned.stage)}" reads from the stage "${stageTitle(source.stage)}", which stands behind it; move "${stageTitle(source.stage)}" before it.`,
  );
}

function openScene(resolution: Resolution, planned: PlannedStage): Scene {
  const { dockerfile } = resolution.outline;
  const { draft, platform } = startDraft(resolution, planned);
  const buildArgs = resolution.options.buildArgs ?? {};
  const { globals } = resolution;
  const scene: Scene = { dockerfile, platform, draft, buildArgs, globals, args: {}, cmdIsSet: false };
  if (planned.replaced) return scene;
  delete draft.config.OnBuild;
  openDraft(draft, platform.os);
  const workdir = draft.config.WorkingDir;
  if (workdir) draft.config.WorkingDir = resolveDirectory(workdir, workdir);
  return scene;
}

function startDraft(resolution: Resolution, planned: PlannedStage): { draft: Draft; platform: Platform } {
  const platform = planned.platform ?? resolution.platform;
  const { base } = planned;
  switch (base.kind) {
    case 'scratch':
      return { draft: emptyDraft(resolution.platform), platform: resolution.platform };
    case 'stage': {
      const scene = resolution.scenes.get(base.index)!;
      return { draft: inherit(scene.draft), platform: scene.platform };
    }
    case 'image':
      return { draft: draftOf(resolution.configs.get(planned)!), platform };
    case 'directory':
      return { draft: planned.replaced ? bareDraft(platform) : emptyDraft(platform), platform };
  }
}

/** A directory that replaces a stage brings no configuration along. */
function bareDraft({ os, architecture }: Platform): Draft {
  const draft = emptyDraft({ os, architecture });
  delete draft.config.WorkingDir;
  delete draft.config.Env;
  return draft;
}

/** The image is for the platform that was asked for, whatever the platform of its base. */
function finish(resolution: Resolution, draft: Draft): void {
  const { labels } = resolution.options;
  if (labels !== undefined && Object.keys(labels).length > 0)
    draft.config.Labels = { ...draft.config.Labels, ...labels };
  const { image } = draft;
  const wanted = resolution.platform;
  const same = image.os === wanted.os && image.architecture === wanted.architecture;
  Object.assign(image, { os: wanted.os, architecture: wanted.architecture });
  replace(image, 'variant', wanted.variant, same);
  replace(image, 'os.version', wanted['os.version'], same);
  if (wanted['os.features'] !== undefined) image['os.features'] = wanted['os.features'];
  const normal = normalizePlatform(image);
  Object.assign(image, { os: normal.os, architecture: normal.architecture });
  replace(image, 'variant', normal.variant, false);
}

function replace(
  image: Draft['image'],
  field: 'variant' | 'os.version',
  value: string | undefined,
  keep: boolean,
): void {
  if (value) image[field] = value;
  else if (!keep) delete image[field];
}

/** A number of seconds; BuildKit also takes the time from a source that is named, which it alone can ask. */
function sourceDateEpoch({ options, globals, outline }: Resolution): {
  readonly seconds: number | undefined;
  readonly unmodelled: readonly Warning[];
} {
  const text = options.buildArgs?.SOURCE_DATE_EPOCH ?? globals.get('SOURCE_DATE_EPOCH') ?? '';
  if (text === '') return { seconds: undefined, unmodelled: [] };
  if (/^[+-]?\d{1,18}$/.test(text)) return { seconds: Number(text), unmodelled: [] };
  const known = text === 'context' || outline.names.has(text.toLowerCase()) || options.contexts?.has(text);
  if (!known)
    throw new Failure(
      `SOURCE_DATE_EPOCH is "${text}"; accepted are seconds since 1970, "context", or the name of a stage or context.`,
    );
  const message = `SOURCE_DATE_EPOCH asks for the time of "${text}"`;
  return { seconds: undefined, unmodelled: [{ message, lines: undefined }] };
}

/** Arguments that BuildKit knows without ARG. */
const PREDEFINED = /^(?:https?_proxy|ftp_proxy|no_proxy|all_proxy|SOURCE_DATE_EPOCH|BUILDKIT_.*)$/i;

function unusedArgs({ options, outline, globals }: Resolution): Warning[] {
  const declared = new Set(globals.keys());
  const { dockerfile, stages } = outline;
  const commands = [
    ...dockerfile.globalArgs.map((one) => readInstruction(one, dockerfile.directives.escape)),
    ...dockerfile.stages.flatMap((stage) =>
      stage.instructions.map((one) => readInstruction(one, dockerfile.directives.escape)),
    ),
    ...stages.flatMap((stage) => stage.commands.map((command) => command.statement)),
  ];
  for (const statement of commands)
    if (statement.kind === 'arg') for (const { key } of statement.args) declared.add(key);
  return Object.keys(options.buildArgs ?? {})
    .filter((name) => !declared.has(name) && !PREDEFINED.test(name))
    .map((name) => ({
      message: `The build argument ${name} is given, but no ARG of ${dockerfile.path} declares it.${didYouMean(name, declared)}`,
      lines: undefined,
    }));
}

/** A source that is nearly the name of a stage is an image to BuildKit, and a riddle to who reads that it cannot be pulled. */
function mistakenImages({ outline }: Resolution): Warning[] {
  return outline.stages.flatMap(({ commands }) =>
    commands.flatMap(({ statement, sources, instruction }) => {
      const from = statement.kind === 'copy' ? (statement.from ?? '') : '';
      const hint =
        sources[0]?.kind === 'image' && /^[a-z-]+$/.test(from) ? didYouMean(from, outline.names.keys()) : '';
      if (hint === '') return [];
      return [
        {
          message: `COPY --from=${from} names no stage, so it means the image ${from}.${hint}`,
          lines: instruction.lines,
        },
      ];
    }),
  );
}
