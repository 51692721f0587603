import type { ObjectId } from '../../kubernetes/index.ts';
import { keyOf } from '../../kubernetes/index.ts';
import type { Cause, CauseCode, Patience } from '../outcome.ts';
import { completionOf } from '../watch/completion.ts';
import type { Model, WorkloadState } from '../watch/model.ts';
import { belongsToRevision } from '../watch/revision.ts';
import { configSymptom } from './config.ts';
import { endSymptom } from './container.ts';
import { creationSymptom } from './creation.ts';
import { imageSymptom } from './image.ts';
import { initSymptom } from './init.ts';
import {
  evictionSymptom,
  gateSymptom,
  goesInOrder,
  holdingUp,
  leavingSymptom,
  nodeSymptom,
} from './lifecycle.ts';
import { readinessSymptom, startupSymptom } from './probe.ts';
import { scheduleSymptom } from './schedule.ts';
import { type PodView, type Symptom, viewOf } from './symptom.ts';
import { volumeSymptom } from './volume.ts';
import { deadlineSymptom, workloadSymptoms } from './workload.ts';

/** Since when each symptom has shown without a break, by what it is about. */
export type Sightings = ReadonlyMap<string, number>;

/** What is wrong with a workload. */
export interface Diagnosis {
  /** Causes that showed for their patience: the verdict, when there is one. */
  readonly causes: readonly Cause[];
  /** All that shows, ripe or not: the evidence when time is over. */
  readonly suspected: readonly Cause[];
  /** When the next of them would be ripe. */
  readonly due: number | undefined;
  readonly sightings: Sightings;
}

/**
 * Tells why a workload does not get done, from what is known of it. Pure: `before` is what the last diagnosis of it saw, and a
 * symptom that is gone is forgotten, so that what was healed does not count.
 */
export function diagnose(
  model: Model,
  workload: WorkloadState,
  before: Sightings,
  now: number,
  patience: Patience,
): Diagnosis {
  const symptoms = symptomsOf(model, workload, patience);
  const seen = symptoms.map((symptom) => {
    const key = `${symptom.code} ${keyOf(symptom.object)} ${symptom.container ?? ''}`;
    const since = Math.max(before.get(key) ?? now, symptom.from ?? 0);
    return { key, symptom, since, first: before.get(key) ?? now, due: since + symptom.patience };
  });
  const ripe = seen.filter(({ due }) => due <= now);
  const leading = ripe.some(({ symptom: { code } }) => code === 'deadline' || code === 'job-failed');
  const later = seen.filter(({ due }) => due > now && due < Number.POSITIVE_INFINITY).map(({ due }) => due);
  return {
    // A deadline and a Job's failure are the end of something else: all that shows belongs to them.
    causes: causesOf(workload.id, leading ? seen : ripe, seen),
    suspected: causesOf(workload.id, seen),
    due: later.length === 0 ? undefined : Math.min(...later),
    sightings: new Map(seen.map(({ key, first }) => [key, first])),
  };
}

/** All that is wrong with a workload at this moment; nothing, once it is complete. */
export function symptomsOf(model: Model, workload: WorkloadState, patience: Patience): readonly Symptom[] {
  if (completionOf(workload).kind === 'complete') return [];
  const all = [...workload.pods.values()];
  const isNew = belongsToRevision(workload);
  const views = all.map((state) => ({
    isNew: isNew(state),
    view: viewOf(model, workload, state, patience),
  }));
  const ours = views
    .filter((one) => one.isNew && one.view.state.deleting === undefined)
    .map(({ view }) => view);
  const evicted = ours.filter(({ state }) => state.pod.status?.reason === 'Evicted').length;
  const leaving = [...model.workloads.values()].some(({ pods }) =>
    [...pods.values()].some(
      ({ deleting, pod }) => deleting !== undefined && !pod.metadata.finalizers?.length,
    ),
  );
  const creation = creationSymptom(workload, patience, leaving);
  return [
    ...workloadSymptoms(workload, patience, model.unseen),
    ...(creation === undefined ? [] : [creation]),
    ...ours.flatMap((view) => podSymptoms(view, evicted)),
    // Of old pods, only those count whose place a new one needs, and those that hold up all others.
    ...(needsPlaces(workload) ? views.flatMap(({ view }) => leavingSymptom(view) ?? []) : []),
    ...(goesInOrder(workload)
      ? views
          .filter(({ isNew, view }) => !isNew && view.state.deleting === undefined)
          .flatMap(({ view }) => podSymptoms(view, 0).map((symptom) => holdingUp(view, symptom)))
      : []),
  ];
}

/** A pod is ill with one thing at a time in each container; what is wrong with the pod as a whole comes before all of them. */
function podSymptoms(view: PodView, evicted: number): readonly Symptom[] {
  const whole =
    evictionSymptom(view, evicted) ?? scheduleSymptom(view) ?? nodeSymptom(view) ?? volumeSymptom(view);
  if (whole !== undefined) return [whole];
  const parts = view.containers.flatMap(
    (container) =>
      imageSymptom(view, container) ??
      configSymptom(view, container) ??
      endSymptom(view, container) ??
      initSymptom(view, container) ??
      startupSymptom(view, container) ??
      readinessSymptom(view, container) ??
      [],
  );
  return parts.length > 0 ? parts : [gateSymptom(view) ?? []].flat();
}

/** Whether a new pod waits until an old one has left: its name, its node or its turn. */
function needsPlaces({ id, live }: WorkloadState): boolean {
  if (id.kind === 'StatefulSet' || id.kind === 'DaemonSet') return true;
  return (live?.spec as { strategy?: { type?: string } } | undefined)?.strategy?.type === 'Recreate';
}

/** The most telling first: what somebody did, then what is wrong with the pods, from their making to their serving, then the clock. */
const ORDER: readonly CauseCode[] = [
  'superseded',
  'job-failed',
  'image-invalid',
  'image-platform',
  'image-unauthorized',
  'image-not-found',
  'config-missing',
  'command-failed',
  'oom-killed',
  'init-failed',
  'liveness',
  'startup',
  'crash',
  'volume-not-mounted',
  'admission',
  'quota',
  'disruption-budget',
  'unschedulable',
  'registry-unreachable',
  'evicted',
  'node-lost',
  'readiness',
  'init-stuck',
  'finalizer',
  'paused',
  'check-failed',
  'deadline',
];

interface Seen {
  readonly symptom: Symptom;
  readonly since: number;
}

const sortOf = ({ symptom: { code, container } }: Seen): string => `${code} ${container ?? ''}`;

/** One cause for each sort of symptom. Of `all`, those of its sort are counted too, for which it is too early to be a cause. */
function causesOf(workload: ObjectId, seen: readonly Seen[], all: readonly Seen[] = seen): readonly Cause[] {
  return [...Map.groupBy(seen, sortOf)]
    .map(([sort, members]): Cause => {
      const [first] = [...members].sort((a, b) => a.since - b.since);
      const { code, object, container, message, evidence, next } = first!.symptom;
      const pods = new Set(
        all
          .filter((one) => sortOf(one) === sort && one.symptom.object.kind === 'Pod')
          .map(({ symptom }) => symptom.object.name),
      );
      return {
        code,
        workload,
        object,
        ...(container !== undefined && { container }),
        message,
        evidence: evidence.filter((line) => line !== ''),
        next,
        since: first!.since,
        pods: pods.size,
      };
    })
    .sort((a, b) => ORDER.indexOf(a.code) - ORDER.indexOf(b.code) || a.since - b.since);
}

/** Several workloads’ causes, the most telling first. */
export const inOrder = (causes: readonly Cause[]): readonly Cause[] =>
  [...causes].sort((a, b) => ORDER.indexOf(a.code) - ORDER.indexOf(b.code) || a.since - b.since);

/** The cause when the time that was given for everything is over. */
export const deadlineCause = (
  workload: WorkloadState,
  words: string,
  now: number,
  unseen: readonly string[],
): Cause => causesOf(workload.id, [{ symptom: deadlineSymptom(workload, words, unseen), since: now }])[0]!;
