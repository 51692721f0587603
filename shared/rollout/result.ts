import type { ApiTraffic } from '../kubernetes/index.ts';
import type { AppliedObject } from './apply/change.ts';
import type { CheckVerdict } from './checks.ts';
import type { Cause, Observation } from './outcome.ts';

/** How a run ended. */
export interface RolloutResult {
  /**
   * `complete`: the new revision is proven. `undone`: it is not, and the last proven one serves again. `failed`: it is not, and what
   * serves is not proven either. `unknown`: it could not be seen to its end.
   */
  readonly result: 'complete' | 'failed' | 'undone' | 'unknown';
  /** Why it is not complete, one sentence; undefined when it is. */
  readonly because: string | undefined;
  readonly causes: readonly Cause[];
  /** Number of the proven revision that serves at the end; undefined where there is none. */
  readonly revision: number | undefined;
  /** false when nothing had to be applied. */
  readonly changed: boolean;
  readonly applied: readonly AppliedObject[];
  /** What was seen of the rollout; undefined where it did not come to be watched. */
  readonly observation: Observation | undefined;
  readonly verdicts: readonly CheckVerdict[];
  readonly undo: UndoResult;
  /** What this run cost the API. */
  readonly traffic: ApiTraffic;
  readonly milliseconds: number;
}

/** What became of the way back. */
export type UndoResult =
  /** Nothing had to be undone. */
  | { readonly kind: 'none' }
  /** What was rolled out stays as it is, for inspection. */
  | { readonly kind: 'left'; readonly because: string }
  /** Applied and not watched to its end; a post step or the next run finishes it. */
  | { readonly kind: 'begun'; readonly to: number }
  | { readonly kind: 'complete'; readonly to: number; readonly observation: Observation }
  | {
      readonly kind: 'failed';
      readonly to: number;
      readonly because: string;
      readonly observation: Observation | undefined;
    };
