import { Failure } from '../host/index.ts';
import { normalizePlatform, type Platform } from '../oci/index.ts';
import { mistakenImages, sourceDateEpoch, unusedArgs, unusedContexts } from './advice.ts';
import { closeDraft, type Draft, draftOf, emptyDraft, inherit, openDraft } from './draft.ts';
import { globalArgs } from './global-args.ts';
import type { Base, Dockerfile, ResolvedStage, StageGraph, Step } from './model.ts';
import { within } from './parse.ts';
import type { Resolution, ResolveOptions } from './resolution.ts';
import { resolveDirectory, type Scene } from './scene.ts';
import { needsOf, settle } from './settle.ts';
import { type Command, findTarget, outline, type PlannedStage, stageTitle } from './stages.ts';
import { applyCommand } from './steps.ts';
import { unmodelled } from './unmodelled.ts';

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
    warnings: [...unusedArgs(resolution), ...unusedContexts(resolution), ...mistakenImages(resolution)],
    unmodelled: [...epoch.unmodelled, ...unmodelled(dockerfile, stages)],
  };
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
