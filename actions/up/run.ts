import { isAbsolute, relative, sep } from 'node:path';
import { isOwn } from '../../shared/content/index.ts';
import type { GoBuildResult, GoPlan } from '../../shared/go/index.ts';
import type { Host } from '../../shared/host/index.ts';
import { describePlan, imageId } from '../../shared/image/index.ts';
import { differences, factsOf } from '../../shared/lift/index.ts';
import { parsePlatform } from '../../shared/oci/index.ts';
import { summary } from '../../shared/report/index.ts';
import { hasLiftCaches, saveLiftCaches } from '../docker-multistage/lift.ts';
import { type ImageRun, referenceOf, runImage } from '../docker-multistage/run.ts';
import { hasStepCaches, StepCaches, saveStepCaches } from '../go-build/caches.ts';
import { buildWithCaches, planWithCaches } from '../go-build/run.ts';
import { openStore } from '../go-build/store.ts';
import { hasRollout } from '../k8s-rollout/clusters.ts';
import { post as finishRollout } from '../k8s-rollout/run.ts';
import { buildRequests, layOutStages, plannedFor, stageFolder } from './programs.ts';
import { reportPlan, reportRun } from './report.ts';
import { rollOut } from './rollout.ts';
import { openService, type Service, type ServiceImage, type UpInputs } from './service.ts';
import { readStages, type StagesReading } from './stages.ts';

/** From the checkout to the published image: binaries, lifted stages, image, in this order, each only as far as something changed. */
export async function main(host: Host, inputs: UpInputs): Promise<void> {
  const started = performance.now();
  const service = await openService(host, inputs);
  const reading = await readService(service);
  const caches = new StepCaches(host, openStore(host, service.build));
  const plans = await host.task('Plan the binaries', () => planAll(host, service, reading, caches));
  tellDifferences(host, service, reading, plans);
  if (inputs.plan) return await showPlan(host, service, reading, plans);
  const builds = await host.task('Build the binaries', async (task) => {
    const results: GoBuildResult[] = [];
    for (const plan of plans) results.push(await buildWithCaches(host, plan, caches, task));
    task.note(noteOf(results));
    return results;
  });
  layOutStages(service, reading, plans);
  const image =
    service.image.kind === 'image'
      ? await makeImage(host, service, service.image, reading, false)
      : undefined;
  tell(host, service, builds, plans, image);
  const milliseconds = performance.now() - started;
  await host.summarize(summary(reportRun({ service, reading, builds, image, milliseconds })));
  await rollOut(host, service, image);
}

/** Saves what the run gained for the next one, also after a failure. */
export async function post(host: Host, inputs: UpInputs): Promise<void> {
  if (!hasRollout(host) && !hasStepCaches(host) && !hasLiftCaches(host)) return;
  const { build, image, rollout } = await openService(host, inputs);
  if (rollout.kind === 'rollout' && hasRollout(host)) await finishRollout(host, rollout.inputs);
  await saveStepCaches(host, () => openStore(host, build));
  if (image.kind === 'image') await saveLiftCaches(host, image.inputs);
}

const NO_STAGES: StagesReading = { file: '', lifted: [], kept: [] };

async function readService({ image }: Service): Promise<StagesReading> {
  if (image.kind === 'none') return NO_STAGES;
  const { request } = image;
  return await readStages({
    ...request,
    replaced: [...Object.keys(request.handedIn), ...Object.keys(request.contexts)],
  });
}

async function planAll(
  host: Host,
  service: Service,
  reading: StagesReading,
  caches: StepCaches,
): Promise<GoPlan[]> {
  const plans: GoPlan[] = [];
  for (const request of buildRequests(host, service, reading))
    plans.push(await planWithCaches(host, request, caches));
  return plans;
}

/** Says, at its line, whatever the Dockerfile would have built differently, and what of it is not run. */
function tellDifferences(
  host: Host,
  service: Service,
  reading: StagesReading,
  plans: readonly GoPlan[],
): void {
  const told = new Set<string>();
  const tellOnce = (line: number, message: string, level: 'warning' | 'notice' = 'notice') => {
    if (told.has(`${line} ${message}`)) return;
    told.add(`${line} ${message}`);
    host.annotate({ level, message, location: { file: reading.file, line } });
  };
  for (const stage of reading.lifted) {
    for (const { command, lines } of stage.leftOut)
      tellOnce(lines.start, `Stage ${stage.name} is not run in a container: "${command}" is left out.`);
    for (const [platform, programs] of stage.programs) {
      for (const program of programs) {
        const planned = plannedFor(service, program, platform, plans);
        const plan = plans.find((one) => one.programs.includes(planned))!;
        const found = differences(program, stage.base, factsOf(plan), parsePlatform(platform));
        if (found.length > 0)
          tellOnce(
            program.lines.start,
            `Stage ${stage.name} is compiled by go-build, whose settings win: ${found.join(', ')}. Set them under build: in slipway.yml to change that.`,
            // Who asks for cgo by name has C code, and a program without it may lack what it does.
            program.command.env.CGO_ENABLED === '1' && !plan.flags.cgo ? 'warning' : 'notice',
          );
      }
    }
  }
  for (const { name, because, lines } of reading.kept.filter(({ liftable }) => !liftable))
    tellOnce(
      lines.start,
      `Stage ${name} needs a builder: ${because}. Hand its files in with image.stages in slipway.yml to do without.`,
    );
}

async function showPlan(
  host: Host,
  service: Service,
  reading: StagesReading,
  plans: readonly GoPlan[],
): Promise<void> {
  const unchanged = plans.every((plan) => plan.programs.every(({ decision }) => decision.kind === 'reuse'));
  const ready = unchanged || !takesPrograms(service, reading);
  if (ready) layOutStages(service, reading, plans);
  const image =
    ready && service.image.kind === 'image'
      ? await makeImage(host, service, service.image, reading, true)
      : undefined;
  host.output(
    'plan',
    JSON.stringify({
      binaries: plans.flatMap(binariesOf),
      image: image === undefined ? null : describePlan(image.plan, image.story),
    }),
  );
  await host.summarize(summary(reportPlan({ service, reading, plans, image })));
}

/** Whether the image is made of what go-build writes: for lifted stages, or into the context or a folder that is handed in. */
function takesPrograms({ image, build }: Service, { lifted }: StagesReading): boolean {
  if (image.kind === 'none') return false;
  const { context, handedIn, platforms } = image.request;
  const folders = Object.values(handedIn).flatMap((folder) => platforms.map(folder));
  return lifted.length > 0 || [context, ...folders].some((folder) => holds(folder, build.output));
}

function holds(folder: string, path: string): boolean {
  const way = relative(folder, path).split(sep).join('/');
  return way !== '..' && !way.startsWith('../') && !isAbsolute(way) && !isOwn(way);
}

function binariesOf(plan: GoPlan) {
  return plan.programs.map(({ package: { importPath }, platform, decision }) => ({
    package: importPath,
    target: platform,
    decision: decision.kind,
    because: decision.because,
  }));
}

async function makeImage(
  host: Host,
  service: Service,
  { inputs, request, spareLayout }: ServiceImage,
  reading: StagesReading,
  planOnly: boolean,
): Promise<ImageRun> {
  const lifted = reading.lifted.map((stage) => [
    stage.name,
    (platform: Parameters<typeof stageFolder>[2]) => stageFolder(service, stage, platform),
  ]);
  const handedIn = { ...request.handedIn, ...Object.fromEntries(lifted) };
  return await runImage(host, inputs, { ...request, handedIn }, planOnly, spareLayout);
}

function noteOf(results: readonly GoBuildResult[]): string {
  const programs = results.flatMap((result) => result.programs);
  const built = programs.filter(({ reused }) => !reused).length;
  return built === 0 ? 'nothing changed' : `${built} built, ${programs.length - built} reused`;
}

function tell(
  host: Host,
  service: Service,
  builds: readonly GoBuildResult[],
  plans: readonly GoPlan[],
  image: ImageRun | undefined,
): void {
  const programs = builds.flatMap((build) => build.programs);
  const made = image?.made;
  host.output('binaries', JSON.stringify(programs.map(({ buildInfo: _, ...shown }) => shown)));
  host.output(
    'plan',
    JSON.stringify({
      binaries: plans.flatMap(binariesOf),
      image: image === undefined ? null : describePlan(image.plan, image.story),
    }),
  );
  host.output('changed', String(programs.some(({ reused }) => !reused) || made?.result.reused === false));
  if (made === undefined) return;
  host.output('digest', made.result.descriptor.digest);
  host.output('imageid', imageId(made.result));
  host.output(
    'reference',
    referenceOf(made.names, made.result) ?? `${service.name}@${made.result.descriptor.digest}`,
  );
  host.output('layout', made.layout ?? '');
}
