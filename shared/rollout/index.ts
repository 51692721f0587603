/** Rollouts: what would go wrong, what would change, applying it, watching it to its end, the cause where it has none, and the way back. */
export { type ApplyAllOptions, applyAll } from './apply/apply.ts';
export type { AppliedObject, Conflict, FieldChange, ObjectChange } from './apply/change.ts';
export { compareObjects, type Diff, type DiffOptions, diffAll } from './apply/diff.ts';
export { type ForcePattern, parseForcePatterns } from './apply/force.ts';
export { formatChange } from './apply/format-change.ts';
export { intentOf } from './apply/intent.ts';
export type { Live } from './apply/live.ts';
export { withoutPlainSecrets } from './apply/plain-secrets.ts';
export { pruneCandidates, type RemoveAllOptions, removeAll } from './apply/prune.ts';
export { ApplyFailure, type Refusal } from './apply/refusal.ts';
export type { CheckVerdict } from './checks.ts';
export { CAUSE_GUIDE, DEFAULT_PATIENCE, parsePatience } from './diagnosis/patience.ts';
export type { Follow, Phase } from './follow.ts';
export {
  CAUSES,
  type Cause,
  type CauseCode,
  type Observation,
  type Outcome,
  type Patience,
  type PodSpan,
  type PodTimeline,
  type WorkloadProgress,
} from './outcome.ts';
export { planRollout, type RolloutPlan, type RolloutRequest } from './plan.ts';
export {
  type Finding,
  type Level,
  type MissingAccess,
  type QosClass,
  RULES,
  type Rule,
} from './preflight/finding.ts';
export { lintManifests, parseRuleLevels, preflightRules, type RuleLevels } from './preflight/lint.ts';
export { type Preflight, type PreflightOptions, preflight } from './preflight/preflight.ts';
export { type PodResources, podResources, qosOf, type ResourceOptions } from './preflight/qos.ts';
export type { LiveFacts, RuleDefinition } from './preflight/rule.ts';
export type { Attempt, ReleaseRecord, Revision } from './release/record.ts';
export { type AutoscalerMetric, type AutoscalerState, readAutoscalers } from './resources/autoscalers.ts';
export { type ContainerResources, resourcesOf, type WorkloadResources } from './resources/resources.ts';
export type { RolloutResult, UndoResult } from './result.ts';
export { finishRollout, runRollout } from './rollout.ts';
export { type Target, type WatchOptions, WORKLOADS } from './watch/target.ts';
export { watchRollout } from './watch/watch.ts';
