import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import { type Cluster, formatId, formatSelector, idOf } from '../../kubernetes/index.ts';
import type { Answer } from './attempt.ts';
import type { CheckScope, ExecCheck } from './check.ts';
import { isReady, type PodObject } from './pods.ts';

/** Runs the command of a check in a pod, once. */
export async function execOnce(
  cluster: Cluster,
  check: ExecCheck,
  scope: CheckScope,
  signal: AbortSignal,
): Promise<Answer> {
  const pod = await podOf(cluster, check, scope);
  if (typeof pod === 'string') return { kind: 'fail', message: pod };
  const { code, stdout, stderr } = await cluster.exec(
    idOf(pod),
    check.container ?? mainContainer(pod),
    check.command,
    signal,
  );
  const said = (stderr.trim() || stdout.trim()).split('\n').slice(-3).join(' | ').slice(0, 300);
  return {
    kind: code === 0 ? 'pass' : 'fail',
    message: `Exit code ${code} in ${formatId(idOf(pod))}.`,
    evidence: said === '' ? undefined : said,
  };
}

/** The newest ready pod of the workload that the check names, or why there is none. */
async function podOf(cluster: Cluster, check: ExecCheck, scope: CheckScope): Promise<PodObject | string> {
  const workload = scope.workloads.find(({ name }) => name === check.workload);
  if (workload === undefined)
    return `No workload of this release is called ${check.workload}; there ${
      scope.workloads.length === 1 ? 'is' : 'are'
    } ${scope.workloads.map(({ name }) => name).join(', ') || 'none'}.`;
  const found = await cluster.get(workload);
  const selector = (found?.spec as { selector?: LabelSelector } | undefined)?.selector;
  if (selector === undefined) return `${formatId(workload)} has no pods to run a command in.`;
  const namespace = workload.namespace ?? scope.namespace;
  const pods = await cluster.list<PodObject>({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace,
    labelSelector: formatSelector(selector),
  });
  const [newest] = pods
    .filter(isReady)
    .sort((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? 1 : -1));
  if (newest === undefined) return `No pod of ${formatId(workload)} is ready.`;
  return { ...newest, apiVersion: 'v1', kind: 'Pod' };
}

/** The container that is meant where none is named, as kubectl takes it: the first, or that of an annotation. */
const mainContainer = ({ metadata, spec }: PodObject): string | undefined =>
  metadata.annotations?.['kubectl.kubernetes.io/default-container'] ?? spec?.containers[0]?.name;
