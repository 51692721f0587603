import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../../../shared/kubernetes/index.ts';
import { type Diagnosis, diagnose } from '../../../shared/rollout/diagnosis/diagnose.ts';
import { type CauseCode, DEFAULT_PATIENCE, type Patience } from '../../../shared/rollout/index.ts';
import {
  createModel,
  type Feed,
  fold,
  type Model,
  type WorkloadState,
} from '../../../shared/rollout/watch/model.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/kubernetes');

/** A fault as a real cluster (Kubernetes 1.34, containerd 1.6) told it at the moment of the verdict. */
export interface Recorded {
  readonly case: string;
  readonly cause: CauseCode;
  readonly workload: KubeObject;
  readonly replicaSets: readonly KubeObject[];
  readonly revisions: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
  readonly events: readonly KubeObject[];
  readonly nodes?: readonly KubeObject[];
  /** Last lines of containers. */
  readonly logs?: Readonly<Record<string, readonly string[]>>;
}

export const recorded: readonly Recorded[] = readdirSync(FOLDER)
  .map((file): Recorded => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')))
  .filter((one) => one.case !== undefined);

export const recordedCase = (name: string): Recorded => recorded.find((one) => one.case === name)!;

/** A model that was told all of it at one moment. */
export function told(
  record: Recorded,
  now: number,
): { readonly model: Model; readonly workload: WorkloadState } {
  const model = createModel([record.workload]);
  const tell = (feed: Feed, objects: readonly KubeObject[]) => {
    for (const object of objects) fold(model, feed, { type: 'added', object }, now);
  };
  tell('workload', [record.workload]);
  tell('replica-set', record.replicaSets);
  tell('revision', record.revisions);
  tell('pod', record.pods);
  tell('event', record.events);
  model.findings.nodes = record.nodes;
  for (const { metadata } of record.pods)
    for (const [container, lines] of Object.entries(record.logs ?? {}))
      model.findings.logs.set(`${metadata.uid}/${container}`, lines);
  return { model, workload: [...model.workloads.values()][0]! };
}

/** Diagnoses at one moment and again some time later. */
export function diagnosed(
  { model, workload }: ReturnType<typeof told>,
  now: number,
  milliseconds: number,
  patience: Patience = DEFAULT_PATIENCE,
): Diagnosis {
  const first = diagnose(model, workload, new Map(), now, patience);
  return diagnose(model, workload, first.sightings, now + milliseconds, patience);
}
