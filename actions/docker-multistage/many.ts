import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { OWN_FOLDER } from '../../shared/content/index.ts';
import { Failure, formatDuration, type Host, type Task } from '../../shared/host/index.ts';
import { describePlan, type ImageRequest, imageId } from '../../shared/image/index.ts';
import { openLayout } from '../../shared/oci/index.ts';
import { summary } from '../../shared/report/index.ts';
import { type ImageSpec, inOrder, inputsOf, requestOf } from './images.ts';
import { reportImages, reportPlans } from './report.ts';
import { readRequest } from './request.ts';
import {
  cacheFolder,
  type ImageInputs,
  type ImageRun,
  openRegistries,
  type Registries,
  referenceOf,
  runImage,
} from './run.ts';

/** An image of a run of several, as it ended. */
export interface NamedRun {
  readonly name: string;
  readonly run: ImageRun;
  readonly milliseconds: number;
}

/**
 * Makes several images side by side over the same registries and bases. An image that takes files from another waits for it; all
 * others do not wait, and a failure of one lets the others come to their end, for what they make is of use the next time.
 */
export async function runImages(host: Host, inputs: ImageInputs, specs: readonly ImageSpec[]): Promise<void> {
  const started = performance.now();
  const images = inOrder(specs).map((spec) => ({ spec, inputs: inputsOf(host, spec) }));
  // All wrong inputs are told before anything is done.
  for (const { inputs: own } of images) readRequest(host, own, cacheFolder(), process.env);
  const registries = await openRegistries(host, inputs);
  try {
    const running = new Map<string, Promise<NamedRun>>();
    for (const { spec, inputs: own } of images)
      running.set(spec.name, runOne(host, spec, own, registries, running));
    const runs = await allDone([...running.values()]);
    tell(host, runs, inputs.plan);
    const effort = { milliseconds: performance.now() - started, traffic: registries.client.traffic() };
    await host.summarize(summary(inputs.plan ? reportPlans(runs) : reportImages(runs, effort)));
    await cleanUp(runs);
  } finally {
    registries.client.close();
  }
}

async function runOne(
  host: Host,
  spec: ImageSpec,
  inputs: ImageInputs,
  registries: Registries,
  running: ReadonlyMap<string, Promise<NamedRun>>,
): Promise<NamedRun> {
  const contexts = await linked(spec, inputs.plan, running);
  const started = performance.now();
  return await host.task(spec.name, async (task) => {
    const own = partOf(host, task, spec.name);
    const request = requestOf(readRequest(own, inputs, cacheFolder(), process.env), spec);
    const run = await runImage(
      own,
      inputs,
      { ...request, ...stateOf(request, spec), contexts: { ...request.contexts, ...contexts } },
      inputs.plan,
      false,
      registries,
    );
    const milliseconds = performance.now() - started;
    task.note(run.made?.result.reused ? 'unchanged' : formatDuration(milliseconds));
    return { name: spec.name, run, milliseconds };
  });
}

/** What is remembered of an image is kept apart from that of the others, which are being written at the same time. */
function stateOf({ state }: ImageRequest, { name }: ImageSpec): Pick<ImageRequest, 'state'> {
  return { state: state === undefined ? undefined : join(state, 'state', name.replace(/[^\w.-]/g, '_')) };
}

/** The named contexts that other images of the run are, from the layouts that have them. */
async function linked(
  { name, contexts }: ImageSpec,
  planOnly: boolean,
  running: ReadonlyMap<string, Promise<NamedRun>>,
): Promise<Record<string, string>> {
  const found = await Promise.all(
    Object.entries(contexts).map(async ([context, image]) => {
      const { run } = await running.get(image)!;
      if (run.made?.layout !== undefined)
        return [context, `oci-layout://${run.made.layout}@${run.made.result.descriptor.digest}`] as const;
      const reference = run.made === undefined ? undefined : referenceOf(run.made.names, run.made.result);
      if (reference !== undefined) return [context, `docker-image://${reference}`] as const;
      if (planOnly) return [context, `oci-layout://${OWN_FOLDER}/images`] as const;
      throw new Failure(
        `"${name}" takes files from "${image}", which has no name to be found by; give it a tag.`,
      );
    }),
  );
  return Object.fromEntries(found);
}

/** Waits for all of them, so that nothing goes on behind a failure, and throws what failed first. */
async function allDone<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

/** The host as one image of several sees it: its work is a part of a task, its outputs and its summary are the run's to write. */
function partOf(host: Host, task: Task, name: string): Host {
  const temporary = join(host.temporary, 'images', name.replace(/[^\w.-]/g, '_'));
  mkdirSync(temporary, { recursive: true });
  return {
    kind: host.kind,
    signal: host.signal,
    workspace: host.workspace,
    temporary,
    run: host.run,
    input: (input) => host.input(input),
    output: () => {},
    secret: (value) => host.secret(value),
    mask: (text) => host.mask(text),
    annotate: (annotation) => host.annotate({ ...annotation, title: annotation.title ?? name }),
    summarize: async () => {},
    saveState: (key, value) => host.saveState(`${key}.${name}`, value),
    state: (key) => host.state(`${key}.${name}`),
    task: (title, work) => task.task(title, work),
    log: (line) => task.log(line),
    note: (text) => task.note(text),
  };
}

function tell(host: Host, runs: readonly NamedRun[], planOnly: boolean): void {
  const byName = <T>(of: (run: NamedRun) => T) =>
    JSON.stringify(Object.fromEntries(runs.map((run) => [run.name, of(run)])));
  host.output(
    'plan',
    byName(({ run }) => describePlan(run.plan, run.story)),
  );
  if (planOnly) return;
  host.output(
    'images',
    byName(({ run: { made } }) => ({
      digest: made!.result.descriptor.digest,
      imageid: imageId(made!.result),
      reference: referenceOf(made!.names, made!.result) ?? null,
      reused: made!.result.reused,
    })),
  );
  host.output('reused', String(runs.every(({ run }) => run.made!.result.reused)));
}

/** Layouts that images share are cleaned up when the last of them is whole. */
async function cleanUp(runs: readonly NamedRun[]): Promise<void> {
  const made = runs.flatMap(({ run }) =>
    run.made === undefined || run.made.result.reused ? [] : [run.made.layout],
  );
  for (const layout of new Set(made))
    if (layout !== undefined) await (await openLayout(layout)).collectGarbage();
}
