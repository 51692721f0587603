import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import { formatSelector, type Query } from '../../kubernetes/index.ts';
import type { Feed } from './model.ts';
import type { Target } from './target.ts';

/** One watch, and what is lost where the token may not have it: undefined where nothing can be said without it. */
export interface Source {
  readonly feed: Feed;
  readonly query: Query;
  readonly loses: string | undefined;
}

/** More workloads than this in a namespace share one watch of all; fewer get one each that tells of nothing else. */
const FEW = 3;

const KINDS = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'];

/** As few watches as show the workloads and all that belongs to them. */
export function sourcesFor(targets: readonly Target[]): Source[] {
  const namespaces = Map.groupBy(targets, ({ metadata }) => metadata.namespace);
  return [...namespaces].flatMap(([namespace, members]) => {
    const having = (kind: string) => members.filter((target) => target.kind === kind);
    const owned = (
      feed: Feed,
      apiVersion: string,
      kind: string,
      of: readonly Target[],
      loses?: string,
    ): Source[] =>
      selectorsFor(of).map((labelSelector) => ({
        feed,
        query: { apiVersion, kind, namespace, ...(labelSelector !== undefined && { labelSelector }) },
        loses,
      }));
    return [
      ...KINDS.flatMap((kind) => workloadSources(namespace, having(kind))),
      ...owned(
        'replica-set',
        'apps/v1',
        'ReplicaSet',
        having('Deployment'),
        'which pods are of the new revision',
      ),
      ...owned(
        'revision',
        'apps/v1',
        'ControllerRevision',
        having('DaemonSet'),
        'which pods are of the new revision',
      ),
      ...owned('pod', 'v1', 'Pod', members, 'pods and what is wrong with them'),
      {
        feed: 'event',
        query: { apiVersion: 'v1', kind: 'Event', namespace },
        loses: 'events, such as failed mounts and answers to probes',
      },
    ];
  });
}

function workloadSources(namespace: string | undefined, targets: readonly Target[]): Source[] {
  const [first] = targets;
  if (first === undefined) return [];
  const { apiVersion, kind } = first;
  const query = { apiVersion, kind, namespace };
  if (targets.length > FEW) return [{ feed: 'workload', query, loses: undefined }];
  return targets.map(({ metadata }) => ({
    feed: 'workload',
    query: { ...query, fieldSelector: `metadata.name=${metadata.name}` },
    loses: undefined,
  }));
}

/** The label selectors that show what belongs to workloads; one that is undefined shows all. */
function selectorsFor(targets: readonly Target[]): readonly (string | undefined)[] {
  const selectors = targets.map((target) =>
    formatSelector((target.spec as { selector?: LabelSelector } | undefined)?.selector),
  );
  if (targets.length > FEW || selectors.includes('')) return [undefined];
  return [...new Set(selectors)];
}
