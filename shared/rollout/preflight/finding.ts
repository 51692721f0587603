import type { Location } from '../../host/index.ts';
import type { ObjectId } from '../../kubernetes/index.ts';

/** The rules of the preflight; the tables in the documentation follow this order. */
export const RULES = [
  'capacity-drop',
  'selector-template',
  'selector-service',
  'resources',
  'qos',
  'probes',
  'drain',
  'disruption-budget',
  'autoscaler-replicas',
  'autoscaler-request',
  'node-port',
  'plain-secret',
  'secret-base64',
  'repeated-key',
  'latest-tag',
  'privileged',
  'api-version',
  'prune',
  'quota',
  'access',
] as const;
/** Name of a rule. */
export type Rule = (typeof RULES)[number];

/** How much a finding weighs: an error stops the run before anything changes. */
export type Level = 'error' | 'warning' | 'notice' | 'off';

/** Something that would go wrong, or may, seen before anything changes. */
export interface Finding {
  readonly rule: Rule;
  readonly level: Exclude<Level, 'off'>;
  readonly object: ObjectId;
  /** One sentence that says what follows from it, with figures where there are some. */
  readonly message: string;
  /** The few lines of YAML that mend it. */
  readonly fix?: string | undefined;
  readonly location?: Location | undefined;
}

/** The service level that the kubelet gives a pod, which decides who is evicted first. */
export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** What a verb is needed for; `verb resource.group` in a namespace. */
export interface MissingAccess {
  readonly verb: string;
  /** `deployments.apps`, `pods/log`. */
  readonly resource: string;
  readonly namespace: string | undefined;
  /** What Slipway does without it: `required` stops the run, `optional` loses what `loses` names. */
  readonly need: 'required' | 'optional';
  readonly loses: string;
}
