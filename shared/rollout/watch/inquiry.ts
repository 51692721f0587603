import { type Cluster, type KubeObject, keyOf } from '../../kubernetes/index.ts';
import { quantity } from '../diagnosis/node-fit.ts';
import { findingKey } from '../diagnosis/symptom.ts';
import type { Cause, CauseCode } from '../outcome.ts';
import type { Model, PodState, WorkloadState } from './model.ts';

/** Causes that a container’s own words explain; after an end, those of the instance that ended. */
const SPEAKING: Readonly<Partial<Record<CauseCode, 'previous' | 'current'>>> = {
  crash: 'previous',
  'oom-killed': 'previous',
  'init-failed': 'previous',
  liveness: 'previous',
  startup: 'previous',
  readiness: 'current',
  'init-stuck': 'current',
};

const LINES = 12;
/** Questions beside the watches are few, however many pods fail: logs of one container of a workload, and of all. */
const MOST_LOGS = { same: 3, all: 30 };

/** Asks the cluster what the watches do not tell, once something looks wrong, and puts it into the model. */
export interface Inquiry {
  /** Asks what the causes at hand need; `answered` is called when an answer changes what is known. */
  ask(workload: WorkloadState, causes: readonly Cause[]): void;
  /** Until the answers that are under way are there. */
  readonly underWay: () => Promise<void>;
  readonly isBusy: () => boolean;
}

export function createInquiry(
  cluster: Cluster,
  model: Model,
  answered: (workload: WorkloadState) => void,
): Inquiry {
  const asked = new Set<string>();
  const running = new Set<Promise<void>>();
  const logs: string[] = [];
  // What cannot be had (no access, no metrics, a container that is gone) is only less evidence.
  const start = (workload: WorkloadState, key: string, question: () => Promise<void>) => {
    if (asked.has(key)) return;
    asked.add(key);
    const answer = question()
      .catch(() => {})
      .then(() => {
        running.delete(answer);
        answered(workload);
      });
    running.add(answer);
  };
  const askLog = (
    workload: WorkloadState,
    pod: PodState,
    container: string,
    which: 'previous' | 'current',
  ) => {
    const key = findingKey(pod, container);
    const sort = `${keyOf(workload.id)} ${container}`;
    const same = logs.filter((one) => one === sort).length;
    if (asked.has(`log ${which} ${key}`) || same >= MOST_LOGS.same || logs.length >= MOST_LOGS.all) return;
    logs.push(sort);
    start(workload, `log ${which} ${key}`, async () => {
      const text = await readLog(cluster, pod, container, which);
      const lines = text
        .split('\n')
        .map((line) => line.trimEnd())
        .filter((line) => line !== '');
      if (lines.length > 0) model.findings.logs.set(key, lines.slice(-LINES));
    });
  };
  return {
    ask(workload, causes) {
      for (const { code, object, container } of causes) {
        const pod = [...workload.pods.values()].find(
          ({ id }) => object.kind === 'Pod' && id.name === object.name,
        );
        const which = SPEAKING[code];
        if (pod !== undefined && container !== undefined && which !== undefined)
          askLog(workload, pod, container, which);
        if (code === 'oom-killed' && pod !== undefined)
          start(workload, `memory ${pod.uid}`, () => askMemory(cluster, model, pod));
        if (code === 'unschedulable')
          start(workload, 'nodes', async () => {
            model.findings.nodes = await cluster.list({ apiVersion: 'v1', kind: 'Node' });
          });
        if (code === 'unschedulable' && workload.id.namespace !== undefined)
          start(workload, `budgets ${workload.id.namespace}`, async () => {
            const query = {
              apiVersion: 'policy/v1',
              kind: 'PodDisruptionBudget',
              namespace: workload.id.namespace,
            };
            model.findings.budgets = [...(model.findings.budgets ?? []), ...(await cluster.list(query))];
          });
      }
    },
    underWay: async () => {
      await Promise.all(running);
    },
    isBusy: () => running.size > 0,
  };
}

async function readLog(
  cluster: Cluster,
  { id, pod }: PodState,
  container: string,
  which: 'previous' | 'current',
): Promise<string> {
  const options = { container, tail: LINES };
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  // An instance that ended and has no successor yet is the current one.
  const ended = statuses.find(({ name }) => name === container)?.state?.running === undefined;
  if (which === 'current' || ended) {
    const text = await cluster.logs(id, options).catch(() => '');
    if (text !== '' || which === 'current') return text;
  }
  return await cluster.logs(id, { ...options, previous: true });
}

/** The usage that the metrics API saw last, where there is one. */
async function askMemory(cluster: Cluster, model: Model, pod: PodState): Promise<void> {
  const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${pod.id.namespace}/pods/${pod.id.name}`;
  const { containers } = await cluster.request<
    KubeObject & { containers: readonly { name: string; usage: { memory?: string } }[] }
  >('GET', path);
  for (const { name, usage } of containers)
    if (usage.memory !== undefined) model.findings.memory.set(findingKey(pod, name), quantity(usage.memory));
}
