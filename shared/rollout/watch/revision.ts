import type { DaemonSet, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from '../../kubernetes/index.ts';
import { controllerOf, type Live, type PodState, type WorkloadState } from './model.ts';

const HASH = 'pod-template-hash';
const REVISION = 'controller-revision-hash';
const NUMBER = 'deployment.kubernetes.io/revision';

/** The ReplicaSet of the template that a Deployment has now: the oldest one with that template, as its controller decides. */
export function newReplicaSet(workload: WorkloadState): Live<ReplicaSet> | undefined {
  const wanted = fingerprint(templateOf(workload.live ?? workload.target));
  const created = (set: Live<ReplicaSet>) => Date.parse(set.metadata.creationTimestamp ?? '');
  return [...workload.replicaSets.values()]
    .filter(({ spec }) => fingerprint(spec?.template) === wanted)
    .reduce<Live<ReplicaSet> | undefined>(
      (oldest, set) => (oldest === undefined || created(set) < created(oldest) ? set : oldest),
      undefined,
    );
}

/** The name of the revision that is rolled out: a Deployment’s number, the hash of a StatefulSet’s or a DaemonSet’s revision. */
export function revisionOf(workload: WorkloadState): string | undefined {
  switch (workload.id.kind) {
    case 'Deployment':
      return newReplicaSet(workload)?.metadata.annotations?.[NUMBER];
    case 'StatefulSet':
      return statefulRevision(workload);
    case 'DaemonSet':
      return daemonRevision(workload)?.metadata.name;
    default:
      return undefined;
  }
}

function statefulRevision({ live }: WorkloadState): string | undefined {
  const set = live as Live<StatefulSet> | undefined;
  if ((set?.status?.observedGeneration ?? 0) < (set?.metadata.generation ?? 1)) return undefined;
  return set?.status?.updateRevision;
}

/** The ControllerRevision that holds the template of now; they are numbered, and a template that comes back gets a new number. */
function daemonRevision(workload: WorkloadState) {
  const wanted = fingerprint(templateOf(workload.live ?? workload.target));
  return [...workload.revisions.values()]
    .filter(({ data }) => fingerprint((data as { spec?: { template?: object } })?.spec?.template) === wanted)
    .sort((a, b) => a.revision - b.revision)
    .at(-1);
}

/** Tells the pods of the revision that is rolled out from those of others; while it is not known, no pod is of it. */
export function belongsToRevision(workload: WorkloadState): (pod: PodState) => boolean {
  switch (workload.id.kind) {
    case 'Deployment': {
      const uid = newReplicaSet(workload)?.metadata.uid;
      return ({ pod }) => uid !== undefined && controllerOf(pod)?.uid === uid;
    }
    case 'StatefulSet': {
      const revision = statefulRevision(workload);
      return ({ pod }) => revision !== undefined && pod.metadata.labels?.[REVISION] === revision;
    }
    case 'DaemonSet': {
      const hash = daemonRevision(workload)?.metadata.labels?.[REVISION];
      const generation = (workload.live as Live<DaemonSet> | undefined)?.metadata.annotations?.[
        'deprecated.daemonset.template.generation'
      ];
      return ({ pod: { metadata } }) =>
        hash === undefined
          ? generation !== undefined && metadata.labels?.['pod-template-generation'] === generation
          : metadata.labels?.[REVISION] === hash;
    }
    default:
      return () => true;
  }
}

/** The pod template of a workload. */
export const templateOf = (workload: KubeObject): PodTemplateSpec | undefined =>
  (workload.spec as { template?: PodTemplateSpec } | undefined)?.template;

const prints = new WeakMap<object, string>();

/** One text for templates that mean the same. Objects do not change once they are told, so each is read once. */
export function fingerprint(template: PodTemplateSpec | undefined): string {
  if (template === undefined) return '';
  const known = prints.get(template);
  if (known !== undefined) return known;
  const { [HASH]: _, ...labels } = template.metadata?.labels ?? {};
  const { $patch: __, ...fields } = template as { $patch?: string } & PodTemplateSpec;
  const print = JSON.stringify({ ...fields, metadata: { ...template.metadata, labels } }, inOrder);
  prints.set(template, print);
  return print;
}

/** Names in one order, and without nulls: another version of the server writes them so. */
const inOrder = (_: string, value: unknown): unknown =>
  typeof value !== 'object' || value === null || Array.isArray(value)
    ? value
    : Object.fromEntries(
        Object.entries(value)
          .filter(([, field]) => field !== null)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      );
