import { isDeepStrictEqual } from 'node:util';
import type { DaemonSet, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from '../../kubernetes/index.ts';
import { controllerOf, type Live, type PodState, type WorkloadState } from './model.ts';

const HASH = 'pod-template-hash';
const REVISION = 'controller-revision-hash';

/** The ReplicaSet of the template that a Deployment has now: the oldest one with that template, as its controller decides. */
export function newReplicaSet(workload: WorkloadState): Live<ReplicaSet> | undefined {
  const template = templateOf(workload.live ?? workload.target);
  return [...workload.replicaSets.values()]
    .filter((set) => isDeepStrictEqual(withoutHash(set.spec?.template), withoutHash(template)))
    .sort(
      (a, b) =>
        Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? ''),
    )
    .at(0);
}

/** The name of the revision that is rolled out: a Deployment’s number, the hash of a StatefulSet’s or a DaemonSet’s revision. */
export function revisionOf(workload: WorkloadState): string | undefined {
  switch (workload.id.kind) {
    case 'Deployment':
      return newReplicaSet(workload)?.metadata.annotations?.['deployment.kubernetes.io/revision'];
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
  const template = withoutNulls(templateOf(workload.live ?? workload.target));
  return [...workload.revisions.values()]
    .filter((one) => {
      const { $patch: _, ...held } = ((one.data as { spec?: { template?: object } })?.spec?.template ??
        {}) as {
        $patch?: string;
      };
      return isDeepStrictEqual(withoutNulls(held), template);
    })
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

function withoutHash(template: PodTemplateSpec | undefined): unknown {
  const { [HASH]: _, ...labels } = template?.metadata?.labels ?? {};
  return withoutNulls({ ...template, metadata: { ...template?.metadata, labels } });
}

/** A template that was written by another version of the server differs in fields that say nothing. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, withoutNulls(field)]));
}
