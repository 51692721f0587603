import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../kubernetes/index.ts';
import type { Verdict } from '../verdict.ts';
import { type Answer, attempt, type CheckEnvironment } from './attempt.ts';
import type { Check, CheckScope } from './check.ts';

/** How long checks are asked, and how often. */
export interface CheckOptions {
  /** Milliseconds in which each check has to pass; it is asked again until then. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  /** Milliseconds between two attempts; default: 1000. */
  readonly pause?: number | undefined;
  /** Where checks from the runner look for HTTP_PROXY, HTTPS_PROXY and NO_PROXY; default: that of this process. */
  readonly env?: CheckEnvironment | undefined;
}

/** A single answer may take this long, unless less time is left. */
const ATTEMPT = 5_000;
/** Attempts whose answers are told: the first ones are all alike. */
const TOLD = 3;

/**
 * Runs checks side by side, each until it passes or its time is over. A check that asks a Service asks every ready pod behind it (at
 * most five), and all of them have to pass. `fail`: the last answer was a wrong one. `unknown`: there was no answer to judge, as
 * with a token that may not connect to pods, or when the signal was aborted.
 */
export async function runChecks(
  cluster: Cluster,
  checks: readonly Check[],
  scope: CheckScope,
  options: CheckOptions,
): Promise<readonly Verdict[]> {
  return await Promise.all(checks.map((check) => runCheck(cluster, check, scope, options)));
}

async function runCheck(
  cluster: Cluster,
  check: Check,
  scope: CheckScope,
  { timeout, signal, pause = 1000, env = process.env }: CheckOptions,
): Promise<Verdict> {
  const started = performance.now();
  const left = () => timeout - (performance.now() - started);
  const evidence: string[] = [];
  let last: Answer = { kind: 'unknown', message: 'It was not asked.' };
  let attempts = 0;
  while (!signal.aborted) {
    attempts++;
    const time = Math.min(ATTEMPT, left());
    const limit = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(Math.max(1, time)))]);
    const answer = await attempt(cluster, check, scope, { env, signal: limit });
    // The last attempt may be cut short; that says less than the answer before it.
    if (answer.late && time < ATTEMPT && attempts > 1) break;
    last = answer;
    const line = `${last.message}${last.evidence ? ` ${last.evidence}` : ''}`;
    if (evidence.at(-1) !== line) evidence.push(line);
    if (last.kind === 'pass' || last.final || left() <= pause) break;
    await sleep(pause, undefined, { signal }).catch(() => {});
  }
  const cancelled = signal.aborted && last.kind !== 'pass';
  return {
    kind: cancelled ? 'unknown' : last.kind,
    check: check.text,
    message: cancelled ? `It was cancelled; until then: ${last.message}` : last.message,
    evidence: evidence.slice(-TOLD),
    attempts,
    milliseconds: performance.now() - started,
  };
}
