import type { Verdict } from '../../shared/gate/index.ts';
import type { ApiTraffic, PinnedImage } from '../../shared/kubernetes/index.ts';
import type {
  AutoscalerState,
  Cause,
  Finding,
  MissingAccess,
  ObjectChange,
  Observation,
  WorkloadResources,
} from '../../shared/rollout/index.ts';

/** What became of a release in one cluster. `held`: an earlier wave failed, and nothing was asked of it. */
export type RunResult = 'complete' | 'failed' | 'undone' | 'unknown' | 'planned' | 'held';

/** All that is told of one cluster; the JSON report is made of these as they are. */
export interface ClusterRun {
  /** Name of the context. */
  readonly cluster: string;
  /** From 1. */
  readonly wave: number;
  readonly namespace: string;
  readonly release: string;
  readonly result: RunResult;
  /** One sentence where there is more to say than the causes do; empty where there is not. */
  readonly because: string;
  /** The revision that serves now, when it is a proven one. */
  readonly revision: number | undefined;
  readonly changed: boolean;
  readonly images: readonly PinnedImage[];
  readonly findings: readonly Finding[];
  readonly missing: readonly MissingAccess[];
  readonly changes: readonly ObjectChange[];
  readonly causes: readonly Cause[];
  /** How the rollout was watched; undefined when it did not come to that. */
  readonly observation: Observation | undefined;
  /** How the way back was watched. */
  readonly undo: Observation | undefined;
  readonly checks: readonly Verdict[];
  readonly resources: readonly WorkloadResources[];
  /** undefined: they may not be read. */
  readonly autoscalers: readonly AutoscalerState[] | undefined;
  readonly milliseconds: number;
  readonly traffic: ApiTraffic;
}

/** Whether a wave may go on after it. */
export const isPass = ({ result }: Pick<ClusterRun, 'result'>): boolean =>
  result === 'complete' || result === 'planned';

/** The file that the output `report` names. `version` counts up when a field changes its meaning or goes. */
export interface ReportFile {
  readonly version: 1;
  /** Of the run as a whole: the worst of its clusters. */
  readonly result: RunResult;
  /** Empty with gitops. */
  readonly clusters: readonly ClusterRun[];
  readonly gitops?: GitopsRun | undefined;
}

/** What was committed for Argo CD or Flux. */
export interface GitopsRun {
  readonly branch: string;
  readonly folder: string;
  readonly release: string;
  readonly result: 'complete' | 'planned' | 'failed';
  /** Why it failed; empty where it did not. */
  readonly because: string;
  /** The tip of the branch; undefined where there is none yet. */
  readonly commit: string | undefined;
  readonly changed: boolean;
  readonly pushed: boolean;
  readonly images: readonly PinnedImage[];
  readonly findings: readonly Finding[];
  readonly changes: readonly ObjectChange[];
  /** Files of this release that are not rendered any more, and stay because `prune` is off. */
  readonly left: readonly string[];
}

const WORST_FIRST: readonly RunResult[] = ['failed', 'unknown', 'undone', 'held', 'planned', 'complete'];

/** The result of a run over several clusters. */
export const worstOf = (runs: readonly Pick<ClusterRun, 'result'>[]): RunResult =>
  WORST_FIRST.find((result) => runs.some((run) => run.result === result)) ?? 'unknown';
