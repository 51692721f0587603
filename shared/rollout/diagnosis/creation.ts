import type { ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import type { KubeObject, ObjectId } from '../../kubernetes/index.ts';
import type { Patience } from '../outcome.ts';
import { identify, type Notice, noticesOf, type WorkloadState } from '../watch/model.ts';
import { isLater } from '../watch/phase.ts';
import { newReplicaSet } from '../watch/revision.ts';
import { readMissing } from './config.ts';
import { patienceOf } from './patience.ts';
import type { Symptom } from './symptom.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

/** Pods that the API server does not let be made. `leaving`: pods of the rollout are on their way out, and free what they hold. */
export function creationSymptom(
  workload: WorkloadState,
  patience: Patience,
  leaving: boolean,
): Symptom | undefined {
  const refusal = refusalOf(workload);
  if (refusal === undefined) return undefined;
  const { said, object } = refusal;
  const base = { object, evidence: [said] };
  const who = `${workload.id.kind} ${workload.id.name}`;
  if (/exceeded quota|failed quota/.test(said))
    return leaving
      ? undefined
      : { ...base, code: 'quota', patience: patienceOf(patience, 'quota'), ...quotaText(who, said) };
  const missing = readMissing(said, workload.id.namespace);
  if (missing !== undefined)
    return {
      ...base,
      code: 'config-missing',
      message: `${who} can make no pods: ${missing.what} does not exist.`,
      next: missing.next,
      patience: patienceOf(patience, 'config-missing'),
    };
  const silent = /failed calling webhook|failed to call webhook/.test(said);
  const busy = /timeout|timed out|too many requests|etcdserver|connection refused|Internal error/i.test(said);
  return {
    ...base,
    code: 'admission',
    ...admissionText(who, said),
    patience: patienceOf(patience, 'admission', silent || busy ? 30_000 : undefined),
  };
}

/** The last refusal that no success came after. */
function refusalOf(
  workload: WorkloadState,
): { readonly said: string; readonly object: ObjectId } | undefined {
  if (workload.id.kind === 'Deployment') {
    const set = newReplicaSet(workload);
    const failing = failureOf(set) ?? (set === undefined ? failureOf(workload.live) : undefined);
    return failing === undefined
      ? undefined
      : { said: failing, object: set === undefined ? workload.id : identify(set) };
  }
  const uid = workload.live?.metadata.uid ?? '';
  const notices = noticesOf(workload, uid);
  const refused = notices.findLast(({ reason }) => reason === 'FailedCreate');
  const made = notices.findLast(({ reason }) => reason === 'SuccessfulCreate');
  if (refused === undefined || (made !== undefined && isLater(made, refused)) || isOlder(refused, workload))
    return undefined;
  return { said: refused.message, object: workload.id };
}

/** Events outlive rollouts: one from before the workload was applied is of another rollout. */
function isOlder(notice: Notice, { target }: WorkloadState): boolean {
  const applied = (target.metadata.managedFields ?? [])
    .filter(({ subresource }) => !subresource)
    .map(({ time }) => Date.parse(time ?? ''))
    .filter((time) => !Number.isNaN(time));
  return applied.length > 0 && notice.stamp < Math.max(...applied) - 1000;
}

function failureOf(object: KubeObject | ReplicaSet | undefined): string | undefined {
  const conditions = (object?.status as { conditions?: readonly Condition[] } | undefined)?.conditions;
  return conditions?.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')?.message;
}

function quotaText(who: string, said: string): Pick<Symptom, 'message' | 'next'> {
  const without = /failed quota: ([^:]+): must specify (.+)$/s.exec(said);
  if (without !== null)
    return {
      message: `${who} can make no pods: ResourceQuota ${without[1]} wants every pod to state ${without[2]}.`,
      next: `State ${without[2]} in the containers' resources, or set defaults with a LimitRange.`,
    };
  const [, name = '', figures = ''] = /exceeded quota: ([^,]+), (requested: .+)$/s.exec(said) ?? [];
  return {
    message: `${who} can make no more pods: ResourceQuota ${name} is used up (${figures}).`,
    next: `Raise ResourceQuota ${name}, ask for less, or roll with maxUnavailable 1 and maxSurge 0 so that no more is needed than before.`,
  };
}

const POLICIES: readonly (readonly [
  RegExp,
  (match: RegExpExecArray) => Pick<Symptom, 'message' | 'next'>,
])[] = [
  [
    /admission webhook "([^"]+)" denied the request:? ?([\s\S]*)/,
    ([, name, why]) => ({
      message: `the admission webhook ${name} refuses them${said(why)}`,
      next: `Change the pod as ${name} asks.`,
    }),
  ],
  [
    /fail(?:ed|ure) (?:calling|to call) webhook "([^"]+)":? ?([\s\S]*)/,
    ([, name, why]) => ({
      message: `the admission webhook ${name} does not answer${said(why)}`,
      next: `See whether the service behind the webhook ${name} is up.`,
    }),
  ],
  [
    /ValidatingAdmissionPolicy '([^']+)'[^:]*: ?([\s\S]*)/,
    ([, name, why]) => ({
      message: `the ValidatingAdmissionPolicy ${name} refuses them${said(why)}`,
      next: `Change the pod as policy ${name} asks.`,
    }),
  ],
  [
    /violates PodSecurity "([^"]+)": ?([\s\S]*)/,
    ([, level, why]) => ({
      message: `Pod Security ${level} of the namespace refuses them${said(why)}`,
      next: `Set the securityContext that Pod Security ${level} asks for, or give the namespace another level.`,
    }),
  ],
  [
    /((?:minimum|maximum) \S+ usage per (?:Container|Pod)[\s\S]*)/i,
    ([, why]) => ({
      message: `a LimitRange refuses them${said(why)}`,
      next: 'Keep resources within the LimitRange of the namespace.',
    }),
  ],
  [
    /because it is being terminated/,
    () => ({ message: 'the namespace is being deleted', next: 'Roll out to a namespace that stays.' }),
  ],
];

const said = (why: string | undefined): string => (why?.trim() ? `: ${why.trim().replace(/\.$/, '')}` : '');

function admissionText(who: string, text: string): Pick<Symptom, 'message' | 'next'> {
  for (const [pattern, words] of POLICIES) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const { message, next } = words(match);
    return { message: `${who} can make no pods: ${message}.`, next };
  }
  const plain = text.replace(/^.*? is forbidden: /s, '').replace(/\.$/, '');
  return { message: `${who} can make no pods: ${plain}.`, next: 'Change the pod as the API server asks.' };
}
