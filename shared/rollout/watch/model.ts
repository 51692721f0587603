import type { ControllerRevision, ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Event, Pod } from 'kubernetes-types/core/v1.d.ts';
import { type KubeObject, keyOf, type ObjectId, type WatchEvent } from '../../kubernetes/index.ts';
import type { PodSpan } from '../outcome.ts';
import { conditionOf, phaseOf } from './phase.ts';
import type { Target } from './target.ts';

/** Objects as the API serves them, known by the type of their kind. */
export type Live<T> = T & KubeObject;

/** An event of the cluster about an object of ours, or several of them that say the same. */
export interface Notice {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly object: ObjectId;
  readonly container: string | undefined;
  readonly count: number;
  /** When it last happened as its reporter says, and in which order we were told: clocks of reporters have seconds only. */
  readonly stamp: number;
  readonly order: number;
  /** When we were first told of it. */
  readonly seen: number;
}

export interface PodState {
  readonly uid: string;
  readonly id: ObjectId;
  readonly pod: Live<Pod>;
  readonly spans: readonly PodSpan[];
  /** What the kubelet last said of a failed pull, by container: some versions say only “Back-off” after it. */
  readonly pullErrors: ReadonlyMap<string, string>;
  /** Since when it is ready without a break; undefined where it is not. */
  readonly ready: number | undefined;
  /** When we first saw it being deleted. */
  readonly deleting: number | undefined;
  /** When we first saw the instance of each container that runs now. */
  readonly running: ReadonlyMap<string, { readonly id: string; readonly since: number }>;
}

/** All that is known of one workload that rolls. */
export interface WorkloadState {
  readonly id: ObjectId;
  readonly target: Target;
  /** As it was last told; undefined before the first telling. */
  live: KubeObject | undefined;
  deleted: boolean;
  readonly replicaSets: Map<string, Live<ReplicaSet>>;
  readonly revisions: Map<string, Live<ControllerRevision>>;
  /** By uid, also those that are gone (without their object's details) for the picture. */
  readonly pods: Map<string, PodState>;
  readonly gone: Map<string, PodState>;
  /** By the uid of the object that they are about. */
  readonly notices: Map<string, Map<string, Notice>>;
}

/** What diagnosis learns beside the watches, asked for by the shell once something looks wrong. */
export interface Findings {
  /** Last lines of a container, by `podUid/container`. */
  readonly logs: Map<string, readonly string[]>;
  /** Bytes in use by a container, by `podUid/container`. */
  readonly memory: Map<string, number>;
  /** undefined: not asked, or not readable. */
  nodes: readonly KubeObject[] | undefined;
  budgets: readonly KubeObject[] | undefined;
}

export interface Model {
  readonly workloads: ReadonlyMap<string, WorkloadState>;
  /** Which workload an object belongs to, by uid. */
  readonly owners: Map<string, WorkloadState>;
  /** Pods that came before their ReplicaSet, by its uid. */
  readonly early: Map<string, Live<Pod>[]>;
  /** Events that came before their object, by its uid. */
  readonly earlyEvents: Map<string, Live<Event>[]>;
  readonly findings: Findings;
  /** Objects of custom kinds that were applied with the workloads: operators make other objects of them. */
  readonly makers: readonly KubeObject[];
  /** What the token may not see, in words. */
  readonly unseen: string[];
  told: number;
}

export type Feed = 'workload' | 'replica-set' | 'revision' | 'pod' | 'event';

export function createModel(targets: readonly Target[], makers: readonly KubeObject[] = []): Model {
  const workloads = targets.map((target): WorkloadState => {
    const { apiVersion, kind, metadata } = target;
    return {
      id: { apiVersion, kind, namespace: metadata.namespace, name: metadata.name },
      target,
      live: undefined,
      deleted: false,
      replicaSets: new Map(),
      revisions: new Map(),
      pods: new Map(),
      gone: new Map(),
      notices: new Map(),
    };
  });
  return {
    workloads: new Map(workloads.map((one) => [keyOf(one.id), one])),
    owners: new Map(workloads.map((one) => [one.target.metadata.uid ?? '', one])),
    early: new Map(),
    earlyEvents: new Map(),
    findings: { logs: new Map(), memory: new Map(), nodes: undefined, budgets: undefined },
    makers,
    unseen: [],
    told: 0,
  };
}

/**
 * Takes what a watch told into the model and gives the workload that it changed. The model is the sum of what was told and of
 * nothing else: no clock, no network. It is changed in place, because thousands of pods tell ten times each. What is not of our
 * workloads is not kept, however much of it the namespace has.
 */
export function fold(model: Model, feed: Feed, event: WatchEvent, now: number): WorkloadState | undefined {
  if (event.type === 'synced') return undefined;
  model.told++;
  const gone = event.type === 'deleted';
  const { object } = event;
  switch (feed) {
    case 'workload':
      return foldWorkload(model, object, gone);
    case 'replica-set':
      return foldReplicaSet(model, object as Live<ReplicaSet>, gone, now);
    case 'revision':
      return foldRevision(model, object as Live<ControllerRevision>, gone);
    case 'pod':
      return foldPod(model, object as Live<Pod>, gone, now);
    case 'event':
      return gone ? undefined : foldEvent(model, object as Live<Event>, now);
  }
}

function foldWorkload(model: Model, object: KubeObject, gone: boolean): WorkloadState | undefined {
  const workload = model.workloads.get(keyOf(identify(object)));
  if (workload === undefined) return undefined;
  workload.deleted = gone;
  workload.live = object;
  if (object.metadata.uid !== undefined) model.owners.set(object.metadata.uid, workload);
  return workload;
}

function foldReplicaSet(model: Model, set: Live<ReplicaSet>, gone: boolean, now: number) {
  const workload = ownerOf(model, set);
  const uid = set.metadata.uid ?? '';
  if (workload === undefined) return undefined;
  if (gone) workload.replicaSets.delete(uid);
  else {
    workload.replicaSets.set(uid, trimmed(set));
    adopt(model, uid, workload, now);
  }
  return workload;
}

function foldRevision(model: Model, revision: Live<ControllerRevision>, gone: boolean) {
  const workload = ownerOf(model, revision);
  const uid = revision.metadata.uid ?? '';
  if (workload === undefined) return undefined;
  if (gone) workload.revisions.delete(uid);
  else workload.revisions.set(uid, revision);
  return workload;
}

/** An object that is now known to be ours: what came before it is taken in. */
function adopt(model: Model, uid: string, workload: WorkloadState, now: number): void {
  if (model.owners.has(uid)) return;
  model.owners.set(uid, workload);
  const events = model.earlyEvents.get(uid) ?? [];
  model.earlyEvents.delete(uid);
  for (const event of events) foldEvent(model, event, now);
  const pods = model.early.get(uid) ?? [];
  model.early.delete(uid);
  for (const pod of pods) foldPod(model, pod, false, now);
}

function foldPod(model: Model, pod: Live<Pod>, gone: boolean, now: number): WorkloadState | undefined {
  const uid = pod.metadata.uid ?? '';
  const workload = ownerOf(model, pod);
  if (workload === undefined) {
    keepEarly(model, pod, gone);
    return undefined;
  }
  const before = workload.pods.get(uid);
  const state = podState(workload, before, trimmed(pod), now);
  if (gone) {
    workload.pods.delete(uid);
    workload.notices.delete(uid);
    workload.gone.set(uid, { ...state, spans: closed(state.spans, now) });
  } else {
    workload.pods.set(uid, state);
    adopt(model, uid, workload, now);
  }
  return workload;
}

/** Only a pod whose ReplicaSet is named as our Deployments name theirs can turn out to be ours. */
function keepEarly(model: Model, pod: Live<Pod>, gone: boolean): void {
  const owner = controllerOf(pod);
  if (owner?.kind !== 'ReplicaSet') return;
  const deployment = owner.name.replace(/-[^-]+$/, '');
  const id = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    namespace: pod.metadata.namespace,
    name: deployment,
  };
  if (!model.workloads.has(keyOf(id))) return;
  const others = (model.early.get(owner.uid) ?? []).filter((one) => one.metadata.uid !== pod.metadata.uid);
  model.early.set(owner.uid, gone ? others : [...others, pod]);
}

function podState(
  workload: WorkloadState,
  before: PodState | undefined,
  pod: Live<Pod>,
  now: number,
): PodState {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const pullErrors = new Map(before?.pullErrors);
  const running = new Map<string, { id: string; since: number }>();
  for (const { name, containerID = '', state } of statuses) {
    if (state?.waiting?.reason === 'ErrImagePull' && state.waiting.message)
      pullErrors.set(name, state.waiting.message);
    if (state?.running === undefined) continue;
    const known = before?.running.get(name);
    running.set(name, known?.id === containerID ? known : { id: containerID, since: now });
  }
  const uid = pod.metadata.uid ?? '';
  const { phase, detail } = phaseOf(pod, [...(workload.notices.get(uid)?.values() ?? [])]);
  return {
    uid,
    id: identify(pod),
    pod,
    spans: extended(before?.spans ?? [], phase, detail, before === undefined ? born(pod, now) : now),
    pullErrors,
    ready: readySince(pod, before, now),
    deleting: before?.deleting ?? (pod.metadata.deletionTimestamp === undefined ? undefined : now),
    running,
  };
}

function foldEvent(model: Model, event: Live<Event>, now: number): WorkloadState | undefined {
  const about = event.involvedObject;
  const uid = about.uid ?? '';
  const workload = model.owners.get(uid);
  if (workload === undefined) {
    if (mayBeOurs(model, event))
      model.earlyEvents.set(uid, [...(model.earlyEvents.get(uid) ?? []), event].slice(-20));
    return undefined;
  }
  const notice = noticeOf(event, model.told, now);
  const notices = workload.notices.get(uid) ?? new Map<string, Notice>();
  const key = `${notice.reason}/${notice.container ?? ''}/${notice.message}`;
  const before = notices.get(key);
  notices.set(key, {
    ...notice,
    seen: before?.seen ?? now,
    count: Math.max(before?.count ?? 0, notice.count),
  });
  workload.notices.set(uid, notices);
  const pod = workload.pods.get(uid);
  if (pod !== undefined) workload.pods.set(uid, podState(workload, pod, pod.pod, now));
  return workload;
}

/** Objects of a workload are named after it; how many events wait for theirs is bounded by what a namespace makes in moments. */
function mayBeOurs(model: Model, { involvedObject: { kind, name = '', namespace } }: Live<Event>): boolean {
  if (model.earlyEvents.size > 2000 || (kind !== 'Pod' && kind !== 'ReplicaSet')) return false;
  for (const { id } of model.workloads.values())
    if (id.namespace === namespace && name.startsWith(`${id.name}-`)) return true;
  return false;
}

/** An event as it is shown. */
export const readNotice = (event: KubeObject): Notice => noticeOf(event as Live<Event>, 0, Date.now());

function noticeOf(event: Live<Event>, order: number, now: number): Notice {
  const about = event.involvedObject;
  const time =
    event.series?.lastObservedTime ??
    event.lastTimestamp ??
    event.eventTime ??
    event.firstTimestamp ??
    undefined;
  return {
    type: event.type ?? 'Normal',
    reason: event.reason ?? '',
    message: (event.message ?? '').trim(),
    object: {
      apiVersion: about.apiVersion ?? 'v1',
      kind: about.kind ?? '',
      namespace: about.namespace,
      name: about.name ?? '',
    },
    container: /\{(.+)\}$/.exec(about.fieldPath ?? '')?.[1],
    count: event.series?.count ?? event.count ?? 1,
    stamp: time ? Date.parse(time) : now,
    order,
    seen: now,
  };
}

/** As far as the clocks of cluster and runner may be apart. */
const CLOCKS = 300_000;

/** By our clock, except for a pod that was ready so long before we looked that no clocks are so far apart. */
function readySince(pod: Live<Pod>, before: PodState | undefined, now: number): number | undefined {
  const ready = conditionOf(pod, 'Ready');
  if (ready?.status !== 'True') return undefined;
  if (before !== undefined) return before.ready ?? now;
  const turned = Date.parse(ready.lastTransitionTime ?? '');
  return now - turned > CLOCKS ? turned : now;
}

/** A later span ends the earlier one where the phase or its detail is another. */
function extended(
  spans: readonly PodSpan[],
  phase: PodSpan['phase'],
  detail: string | undefined,
  at: number,
): readonly PodSpan[] {
  const last = spans.at(-1);
  if (last?.phase === phase && last.detail === detail) return spans;
  const span: PodSpan = { phase, from: at, to: undefined, ...(detail !== undefined && { detail }) };
  return [...closed(spans, at), span];
}

const closed = (spans: readonly PodSpan[], at: number): readonly PodSpan[] =>
  spans.map((span) => (span.to === undefined ? { ...span, to: at } : span));

/** A pod that we first see is as old as it says, by its own clock where that is not ahead of ours. */
function born(pod: Live<Pod>, now: number): number {
  const created = Date.parse(pod.metadata.creationTimestamp ?? '');
  return Number.isNaN(created) ? now : Math.min(created, now);
}

/** Without what we never read and what is half of an object's size. */
function trimmed<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** The owner that controls an object. */
export const controllerOf = (object: KubeObject) =>
  object.metadata.ownerReferences?.find(({ controller }) => controller === true);

const ownerOf = (model: Model, object: KubeObject) => model.owners.get(controllerOf(object)?.uid ?? '');

export const identify = ({ apiVersion, kind, metadata }: KubeObject): ObjectId => ({
  apiVersion,
  kind,
  namespace: metadata.namespace,
  name: metadata.name,
});

/** The events about an object, latest last. */
export const noticesOf = (workload: WorkloadState, uid: string): readonly Notice[] =>
  [...(workload.notices.get(uid)?.values() ?? [])].sort((a, b) => a.stamp - b.stamp || a.order - b.order);
