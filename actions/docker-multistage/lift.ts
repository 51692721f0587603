import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { actionsStore, directoryStore, type Store } from '../../shared/cache/index.ts';
import { makeOwnFolder, OWN_FOLDER } from '../../shared/content/index.ts';
import { modulesCache, objectsCacheOf } from '../../shared/go/index.ts';
import { Failure, type Host, type Inputs, type Task } from '../../shared/host/index.ts';
import {
  type Because,
  type ImageRequest,
  type LiftedStage,
  type ResolveImage,
  readDockerfile,
} from '../../shared/image/index.ts';
import { type GoBuilds, liftStages } from '../../shared/lift/index.ts';
import { hasStepCaches, StepCaches, saveStepCaches } from '../go-build/caches.ts';
import type { definition } from './definition.ts';
import { parseStore } from './stores.ts';

type Given = Inputs<typeof definition>;
type Environment = Readonly<Record<string, string | undefined>>;

const STATE = 'lifted-go-caches';

/** Bytes that Go's caches may take in a folder. */
const FOLDER_LIMIT = 10e9;

/** Go's caches for the stages that one run lifts, of all its images together: they compile into one folder. */
export class LiftCaches {
  readonly #host: Host;
  readonly #inputs: Given;
  readonly #caches: StepCaches;

  constructor(host: Host, inputs: Given) {
    this.#host = host;
    this.#inputs = inputs;
    this.#caches = new StepCaches(host, openGoStore(host, inputs), STATE);
  }

  async restore({ environment, version, modules }: GoBuilds, task: Task): Promise<void> {
    const folder = join(this.#host.workspace, OWN_FOLDER);
    makeOwnFolder(folder);
    const { context, file, target, platforms, images } = this.#inputs;
    await this.#caches.restoreOnce(
      (run) => [
        objectsCacheOf(
          ['lifted', modules.map(({ path }) => path)],
          { ...environment, GOVERSION: version },
          run,
          [context, file, target, platforms, images],
        ),
        ...modules.map((module) => modulesCache({ module, flags: { mod: '' } }, environment)),
      ],
      folder,
      task,
    );
  }

  built(): void {
    this.#caches.built();
  }
}

/**
 * Where Go's caches of lifted stages are kept: a folder that `store` names, else the Actions cache, since its entries need no names in a
 * registry. In a terminal they are there from the last time.
 */
function openGoStore(host: Host, inputs: Given, env: Environment = process.env): Store | undefined {
  const choice = parseStore(inputs.store, host.workspace);
  if (choice.kind === 'none') return undefined;
  if (choice.kind === 'folder') return directoryStore(join(choice.path, 'go'), { limit: FOLDER_LIMIT });
  return host.kind === 'github' || choice.kind === 'actions' ? actionsStore(env) : undefined;
}

/** The request with the stages that this machine may make without a container, as the input `lift` allows it. */
export function withLifts(
  host: Host,
  inputs: Given,
  request: ImageRequest,
  images: ResolveImage,
  caches: LiftCaches,
  planOnly: boolean,
): ImageRequest {
  // What is wrong with context or Dockerfile is the plan's to say.
  if (inputs.lift === 'never' || !existsSync(request.dockerfile) || !existsSync(request.context))
    return request;
  const lifted = liftStages(request, {
    env: process.env,
    signal: host.signal,
    temporary: join(host.temporary, 'lift'),
    planOnly,
    images,
    beforeBuild: (builds, task) => caches.restore(builds, task),
    afterBuild: () => caches.built(),
  });
  return { ...request, lifted: inputs.lift === 'always' ? insisted(lifted, request) : lifted };
}

/** Stages that have to be lifted: the reason why one is not is a mistake in the Dockerfile. */
function insisted(
  lifted: Readonly<Record<string, LiftedStage>>,
  request: ImageRequest,
): Readonly<Record<string, LiftedStage>> {
  const file = readDockerfile(request).path;
  const insist = (name: string, stage: LiftedStage): LiftedStage => ({
    ...stage,
    prove: async (platform) => {
      const because = await stage.prove(platform);
      if (because !== undefined) throw refused(name, because, file);
      return undefined;
    },
  });
  return Object.fromEntries(Object.entries(lifted).map(([name, stage]) => [name, insist(name, stage)]));
}

function refused(name: string, { reason, lines }: Because, file: string): Failure {
  return new Failure(
    `Stage ${name} cannot be built without a container, which lift: always asks for: ${reason}. Change that, or set "lift" to auto.`,
    { location: { file, ...(lines !== undefined && { line: lines.start, endLine: lines.end }) } },
  );
}

/** Whether a stage was lifted, so that there is something to save. */
export function hasLiftCaches(host: Host): boolean {
  return hasStepCaches(host, STATE);
}

/** The post step: saves what Go's caches gained, also when a later step failed. */
export async function saveLiftCaches(host: Host, inputs: Given): Promise<void> {
  await saveStepCaches(host, () => openGoStore(host, inputs), STATE);
}
