import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { KubeObject } from '../../kubernetes/index.ts';
import { completionOf } from '../watch/completion.ts';
import type { Live, Model, WorkloadState } from '../watch/model.ts';
import { conditionOf } from '../watch/phase.ts';
import { belongsToRevision } from '../watch/revision.ts';
import { type ContainerView, findingKey, type PodView } from './symptom.ts';

/** How long a pod may wait for what its rollout brings beside it: restarts and mounts are tried again up to minutes apart. */
export const COMPANY_TIME = 300_000;

/** What programs say before they end because another one does not answer yet. */
const UNREACHABLE =
  /connection refused|connection reset|no such host|no route to host|network is unreachable|i\/o timeout|timed ?out|name or service not known|name resolution|could not translate host name|unknown ?host|ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ConnectException|(?:could not|cannot|can't|unable to|failed to) (?:connect|reach)|starting up/i;

/**
 * Whether a container ends because another workload of the same rollout is not there yet: its log says that something cannot be
 * reached, and since its last instance began another workload is still coming up, or has only just come.
 */
export function waitsForPeer(view: PodView, { name, lastEnd }: ContainerView): boolean {
  const { model, workload } = view;
  if (model.workloads.size < 2) return false;
  const logs = [...workload.pods.values()].flatMap(
    (pod) => model.findings.logs.get(findingKey(pod, name)) ?? [],
  );
  if (!logs.some((line) => UNREACHABLE.test(line))) return false;
  const began = Date.parse(lastEnd?.startedAt ?? '');
  return [...model.workloads.values()].some(
    // A Service sends to a pod a moment after it got ready, and these clocks have seconds only.
    (other) => other !== workload && !(readyAt(other) + 2000 < began),
  );
}

/** When the last of a workload's new pods got ready, by the cluster's clock; Infinity while it is not complete. */
function readyAt(workload: WorkloadState): number {
  if (completionOf(workload).kind !== 'complete') return Number.POSITIVE_INFINITY;
  if (workload.id.kind === 'Job')
    return Date.parse((workload.live as Live<Job>).status?.completionTime ?? '') || 0;
  const isNew = belongsToRevision(workload);
  const moments = [...workload.pods.values()]
    .filter(isNew)
    .map(({ pod }) => Date.parse(conditionOf(pod, 'Ready')?.lastTransitionTime ?? '') || 0);
  return Math.max(0, ...moments);
}

/** What may be about to make an object that is missing, in words: an operator, from an object that names it, or a Job. */
export function makerOf(model: Model, name: string): string | undefined {
  const job = [...model.workloads.values()].find(
    (one) => one.id.kind === 'Job' && [...one.pods.values()].some(({ running }) => running.size > 0),
  );
  return operatorOf(model, name) ?? (job && `Job ${job.id.name}, which was applied with it, still runs`);
}

/** The object that names a missing one, in words. */
export function operatorOf({ makers }: Model, name: string): string | undefined {
  const maker = makers.find(({ metadata, spec }) => metadata.name === name || hasText(spec, name));
  return maker && `${maker.kind} ${maker.metadata.name}, which was applied with it, names it`;
}

/** Whether an object is of a kind that somebody added to the cluster: only those have operators that make other objects of them. */
export function isOfCustomKind({ apiVersion }: KubeObject): boolean {
  const group = apiVersion.slice(0, Math.max(0, apiVersion.indexOf('/')));
  return group.includes('.') && !/(?:^|\.)k8s\.io$/.test(group);
}

function hasText(value: unknown, text: string): boolean {
  if (typeof value !== 'object' || value === null) return value === text;
  return Object.values(value).some((one) => hasText(one, text));
}
