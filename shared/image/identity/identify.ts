import { Key, type KeyPart } from '../../content/index.ts';
import type { Dockerfile, ResolvedStage, StageGraph } from '../../dockerfile/index.ts';
import { Failure } from '../../host/index.ts';
import { formatPlatform } from '../../oci/index.ts';
import { isUnheld } from '../builder/pins.ts';
import type { ContentDigests } from '../files/digests.ts';
import type { Directory } from '../files/tree.ts';
import { Unmodelled } from '../files/unmodelled.ts';
import { stageName } from '../names.ts';
import { once } from '../once.ts';
import type { Because } from '../plan.ts';
import type { ImageRequest, ResolveImage } from '../request.ts';
import { MAX_AGE, period } from './age.ts';
import type { ContentOf, ImageIdentity, PlatformIdentity, StageIdentity } from './identity.ts';
import { imageKeyOf } from './image-key.ts';
import {
  concealed,
  handedIn,
  type KeyedStep,
  type KeySurroundings,
  keyFolder,
  keyStep,
  type Parts,
  Unkeyable,
  type Upstream,
} from './steps.ts';

/** Raised whenever the same parts would give other files than before. */
const EXECUTOR = 1;

/** What the identity of an image is found out from. */
export interface IdentityInputs {
  readonly request: ImageRequest;
  readonly dockerfile: Dockerfile;
  /** One for each platform of the request, in order. */
  readonly graphs: readonly StageGraph[];
  /** Finds bases and images that files are taken from; asked for the same one twice, it should not ask twice. */
  readonly images: ResolveImage;
  /** The build context, .dockerignore applied. */
  readonly context: Directory;
  /** A folder that stands for a stage or is a named context. */
  readonly directory: (path: string) => Directory;
  readonly digests: ContentDigests;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Finds out what decides about an image: manifests of bases and the files of the context are read, no layer of a base is, and nothing
 * is made. What cannot be found out makes no key, and is left to whoever makes the image to tell.
 */
export async function identifyImage(inputs: IdentityInputs): Promise<ImageIdentity> {
  const platforms = await Promise.all(inputs.graphs.map((graph) => identifyPlatform(inputs, graph)));
  const filesWith = (contents: readonly ContentOf[]) =>
    filesKey(
      inputs.request,
      platforms,
      platforms.map((platform, at) => targetOf(inputs.graphs[at]!, platform).keyWith(contents[at]!)),
    );
  const files = filesKey(
    inputs.request,
    platforms,
    platforms.map((platform) => platform.files),
  );
  return { platforms, files, filesWith, image: imageKeyOf(inputs.request, inputs.graphs, files) };
}

/** Everything that decides about the layers of the image: whoever has it in common has the layers in common. */
function filesKey(
  { epoch, compression, level, mediaTypes, builderOnly }: ImageRequest,
  platforms: readonly PlatformIdentity[],
  keys: readonly (Key | undefined)[],
): Key | undefined {
  // What BuildKit puts into an index beside the images is not modelled.
  if (builderOnly !== undefined) return undefined;
  const named: Record<string, KeyPart> = {};
  for (const [at, key] of keys.entries()) {
    if (key === undefined) return undefined;
    named[formatPlatform(platforms[at]!.platform)] = key.digest;
  }
  return Key.of({ platforms: named, epoch, compression, level: level ?? null, mediaTypes });
}

function targetOf(graph: StageGraph, { stages }: PlatformIdentity): StageIdentity {
  return stages.find(({ stage }) => stage.index === graph.target)!;
}

async function identifyPlatform(inputs: IdentityInputs, graph: StageGraph): Promise<PlatformIdentity> {
  const around: KeySurroundings = {
    ...inputs,
    graph,
    imageDigest: async (reference) => (await inputs.images(reference, graph.platform)).descriptor.digest,
  };
  const drafts = await Promise.all(graph.stages.map((stage) => draftStage(stage, inputs, around)));
  const known = new Map<number, StageIdentity>();
  const draftOf = (index: number) => drafts.find(({ stage }) => stage.index === index)!;
  const keys = (contents: ContentOf) => keysWith(draftOf, contents, inputs);
  const plain = keys(() => undefined);
  const identityOf = (index: number): StageIdentity =>
    once(known, index, () =>
      finish(draftOf(index), identityOf, plain(index), (contents) => keys(contents)(index)),
    );
  const stages = graph.stages.map(({ index }) => identityOf(index));
  return { platform: graph.platform, stages, files: identityOf(graph.target).key };
}

/** What a stage's key is made of, up to what stands in it for other stages. */
interface Draft {
  readonly stage: ResolvedStage;
  readonly parts: (base: Upstream, upstream: Upstream) => Parts;
  /** Why there is no key whatever the other stages are. */
  readonly unkeyed: Because | undefined;
  readonly aging: Because | undefined;
  readonly isHandedIn: boolean;
}

async function draftStage(
  stage: ResolvedStage,
  inputs: IdentityInputs,
  around: KeySurroundings,
): Promise<Draft> {
  const none = { stage, parts: () => ({}), aging: undefined, unkeyed: undefined, isHandedIn: false };
  const isTarget = stage.index === around.graph.target;
  if (handedIn(around.graph, stage.index) !== undefined && !isTarget) return { ...none, isHandedIn: true };
  const unkeyed = beyondKeys(stage, inputs, around.graph);
  if (unkeyed !== undefined) return { ...none, unkeyed };
  try {
    const base = await keyBase(stage, inputs, around);
    const steps = await keySteps(stage, around);
    const general = generalParts(stage, inputs, around.graph);
    const aging = steps.find((one) => one.aging !== undefined)?.aging;
    return {
      ...none,
      aging,
      unkeyed: aging === undefined ? undefined : tooOld(aging, inputs.request),
      parts: (below, upstream) => ({
        ...general,
        base: base(below),
        steps: Object.fromEntries(
          steps.map(({ name, parts }, at) => [`${at + 1} ${name}`, parts(upstream)] as const),
        ),
      }),
    };
  } catch (error) {
    return { ...none, unkeyed: becauseOf(error, stage) };
  }
}

/** With a max-age of 0 nothing that ages is believed. */
function tooOld(aging: Because, { maxAge = MAX_AGE }: ImageRequest): Because | undefined {
  return maxAge > 0 ? undefined : { ...aging, reason: `${aging.reason}, and max-age is 0` };
}

async function keySteps(stage: ResolvedStage, around: KeySurroundings): Promise<KeyedStep[]> {
  const keyed: KeyedStep[] = [];
  for (const step of stage.steps) {
    try {
      const one = await keyStep(step, around);
      if (one !== undefined) keyed.push(one);
    } catch (error) {
      throw new Unkeyable(becauseOf(error, step));
    }
  }
  return keyed;
}

/** A fault that whoever makes the image will meet again, and tell at its place. Anything else is a fault of ours. */
function becauseOf(error: unknown, { lines }: { readonly lines: Because['lines'] }): Because {
  if (error instanceof Unkeyable) return error.because;
  if (error instanceof Unmodelled) return { reason: error.reason, lines: error.lines ?? lines };
  if (error instanceof Failure) return { reason: error.message.replace(/\.$/, ''), lines };
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === undefined || path === undefined) throw error;
  return { reason: `${path} cannot be read: ${code}`, lines };
}

/** What no key models, so that the stage is made in any case. */
function beyondKeys(
  stage: ResolvedStage,
  { request, dockerfile, graphs }: IdentityInputs,
  { unmodelled }: StageGraph,
): Because | undefined {
  // Remarks without a place are about the Dockerfile as a whole: a frontend that may mean anything by it.
  const whole = unmodelled.find(({ lines }) => lines === undefined);
  if (whole !== undefined) return { reason: whole.message, lines: undefined };
  const frontend = request.buildArgs.BUILDKIT_SYNTAX;
  if (frontend !== undefined)
    return { reason: `the build argument BUILDKIT_SYNTAX names the frontend ${frontend}`, lines: undefined };
  const remote = remoteContext(request);
  if (remote !== undefined) return remote;
  if (stage.platform.os !== 'linux')
    return { reason: `the stage is for ${stage.platform.os}`, lines: stage.lines };
  const again = request.runs?.again.map((name) => name.toLowerCase()) ?? [];
  if (again.includes(stage.name ?? String(stage.index)) || again.includes(String(stage.index)))
    return { reason: 'no-cache-filters names it', lines: stage.lines };
  if (isUnheld(stage.index, graphs, request, dockerfile))
    return {
      reason:
        'its base differs by platform and has the name of a stage, so that a builder cannot be held to it',
      lines: stage.lines,
    };
  if (dockerfile.stages[stage.index] === undefined) throw new Error('a stage of another Dockerfile');
  return undefined;
}

/** A named context at an address, which BuildKit alone reads. */
export function remoteContext(request: Pick<ImageRequest, 'contexts'>): Because | undefined {
  const remote = Object.entries(request.contexts).find(([, value]) =>
    /^(?!docker-image:|oci-layout:)[a-z][a-z0-9+.-]*:\/\/|^git@/i.test(value),
  );
  if (remote === undefined) return undefined;
  return { reason: `the build context "${remote[0]}" is at ${concealed(remote[1])}`, lines: undefined };
}

async function keyBase(
  stage: ResolvedStage,
  inputs: IdentityInputs,
  around: KeySurroundings,
): Promise<(below: Upstream) => KeyPart> {
  const { base } = stage;
  switch (base.kind) {
    case 'scratch':
      return () => 'scratch';
    case 'image': {
      const { descriptor } = await inputs.images(base.reference, stage.platform);
      return () => descriptor.digest;
    }
    case 'directory': {
      const files = keyFolder(stage, around);
      return () => files;
    }
    case 'stage': {
      const folder = handedIn(around.graph, base.index);
      if (folder === undefined) return (below) => below(base.index);
      const files = keyFolder(around.graph.stages.find(({ index }) => index === base.index)!, around);
      return () => files;
    }
  }
}

/** What decides about the stage beside its base and its steps. */
function generalParts(
  stage: ResolvedStage,
  { request, dockerfile }: IdentityInputs,
  { stages }: StageGraph,
): Parts {
  const parts = {
    executor: EXECUTOR,
    platform: formatPlatform(stage.platform),
    osVersion: stage.platform['os.version'] ?? '',
    frontend: dockerfile.directives.syntax ?? '',
  };
  if (!stage.steps.some(({ kind }) => kind === 'run')) return parts;
  const { addHosts = [], ulimit = [], shmSize = '', cgroupParent = '' } = request.runs ?? {};
  const settings = Object.entries(request.buildArgs).filter(([name]) => name.startsWith('BUILDKIT_'));
  // A builder that makes the whole image gets the epoch as an argument, which a stage may ask for.
  const asked = stages.some((one) =>
    one.steps.some((step) => step.kind === 'config' && /^ARG .*SOURCE_DATE_EPOCH/s.test(step.createdBy)),
  );
  const epoch = asked ? request.epoch : null;
  const surroundings = { addHosts, ulimit, shmSize, cgroupParent, epoch };
  return { ...parts, runs: { ...surroundings, buildkit: Object.fromEntries(settings) } };
}

/** The keys of stages by what is known of what others came out as; each is made once, however many take from it. */
function keysWith(
  draftOf: (index: number) => Draft,
  contents: ContentOf,
  { request, now }: IdentityInputs,
): (index: number) => Key | undefined {
  const { maxAge = MAX_AGE } = request;
  const made = new Map<number, { readonly key: Key | undefined }>();
  const keyOf = (index: number) => once(made, index, () => ({ key: make(draftOf(index)) })).key;
  const byKey = (index: number) => filled(keyOf(index));
  const byContent: Upstream = (index, paths) => {
    const digest = paths === undefined ? undefined : contents(index, paths);
    return digest === undefined ? byKey(index) : `content ${digest}`;
  };
  const make = (draft: Draft): Key | undefined => {
    if (draft.isHandedIn || draft.unkeyed !== undefined) return undefined;
    try {
      const parts = draft.parts(byKey, byContent);
      if (draft.aging === undefined) return Key.of(parts);
      return Key.of({ ...parts, period: period(Key.of(parts).digest, maxAge, now) });
    } catch (error) {
      if (error instanceof Missing) return undefined;
      throw error;
    }
  };
  return keyOf;
}

function finish(
  { stage, unkeyed, aging }: Draft,
  identityOf: (index: number) => StageIdentity,
  key: Key | undefined,
  keyWith: StageIdentity['keyWith'],
): StageIdentity {
  const needs = stage.needs.map(identityOf);
  const source = needs.find((one) => one.unkeyed !== undefined);
  const inherited = needs.find((one) => one.aging !== undefined)?.aging;
  return {
    stage,
    key,
    unkeyed: unkeyed ?? (key === undefined && source !== undefined ? taken(source) : undefined),
    aging: aging ?? (key === undefined ? undefined : inherited),
    keyWith,
  };
}

function taken({ stage, unkeyed }: StageIdentity): Because {
  const { reason, lines } = unkeyed!;
  return reason.startsWith(TAKEN) ? unkeyed! : { reason: `${TAKEN} ${stageName(stage)}: ${reason}`, lines };
}

const TAKEN = 'it takes from stage';

/** Another stage has neither key nor content. */
class Missing extends Error {}

function filled(key: Key | undefined): string {
  if (key === undefined) throw new Missing();
  return `key ${key.digest}`;
}
