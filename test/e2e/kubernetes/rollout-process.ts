/**
 * A program that rolls out as the action does, for tests that end it at a chosen change or run two of it at once: reads an Order as
 * JSON from its argument and prints an Answer as JSON for each step.
 */
import { type Cluster, type KubeObject, openCluster } from '../../../shared/kubernetes/index.ts';
import {
  DEFAULT_PATIENCE,
  parsePatience,
  planRollout,
  type RolloutRequest,
  type RolloutResult,
  runRollout,
} from '../../../shared/rollout/index.ts';

export interface Order {
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly run: string;
  readonly steps: readonly Step[];
}

export interface Step {
  readonly objects: readonly KubeObject[];
  readonly configuration?: RolloutRequest['configuration'];
  readonly patience?: readonly string[];
  readonly prune?: boolean;
  readonly waitForOthers?: number;
  /** This process ends itself by SIGKILL at a change of the cluster: one counted from 0, or one of a kind counted from 1. */
  readonly kill?: Kill;
}

export interface Kill {
  readonly change: number | { readonly what: string; readonly time: number };
  /** `sent`: as soon as the request was handed over, whether the server takes it or not. */
  readonly when: 'before' | 'sent' | 'after';
}

export interface Answer {
  readonly result: RolloutResult['result'];
  readonly because: string | undefined;
  readonly undo: RolloutResult['undo']['kind'];
  readonly revision: number | undefined;
  readonly lines: readonly string[];
  readonly changes: readonly Change[];
}

/** A request that changes the cluster, with the time at which it was sent (milliseconds since 1970). */
export interface Change {
  readonly what: string;
  readonly at: number;
}

const CHANGES: ReadonlySet<PropertyKey> = new Set(['apply', 'create', 'replace', 'patch', 'remove']);

/** The cluster, each change of which is written down, and at one of which the process ends. */
function counted(cluster: Cluster, changes: Change[], kill: Kill | undefined): Cluster {
  return new Proxy(cluster, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name === 'within') return (signal: AbortSignal) => counted(target.within(signal), changes, kill);
      if (!CHANGES.has(name)) return value.bind(target);
      return async (...given: unknown[]) => {
        const { kind, metadata, name: called } = given[0] as KubeObject & { readonly name?: string };
        const isRenewal = name === 'replace' && kind === 'Lease';
        const isDryRun = given.some((one) => (one as { readonly dryRun?: boolean } | undefined)?.dryRun);
        if (isRenewal || isDryRun) return value.apply(target, given);
        const now =
          changes.push({ what: `${String(name)} ${kind}/${metadata?.name ?? called}`, at: Date.now() }) - 1;
        const mine = isAt(kill?.change, changes, now) ? kill?.when : undefined;
        if (mine === 'before') process.kill(process.pid, 'SIGKILL');
        const answer = value.apply(target, given) as Promise<unknown>;
        if (mine === 'sent') setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1);
        const result = await answer;
        if (mine === 'after') process.kill(process.pid, 'SIGKILL');
        return result;
      };
    },
  });
}

function isAt(wanted: Kill['change'] | undefined, changes: readonly Change[], now: number): boolean {
  if (typeof wanted !== 'object') return wanted === now;
  return (
    changes[now]?.what === wanted.what &&
    changes.slice(0, now + 1).filter(({ what }) => what === wanted.what).length === wanted.time
  );
}

async function roll(open: Cluster, order: Order, step: Step): Promise<Answer> {
  const changes: Change[] = [];
  const lines: string[] = [];
  const cluster = counted(open, changes, step.kill);
  const { signal } = new AbortController();
  const request: RolloutRequest = {
    manifests: step.objects.map((object) => ({ object, locate: () => undefined })),
    namespace: order.namespace,
    run: order.run,
    configuration: step.configuration ?? 'annotation',
    forceConflicts: [],
    prune: step.prune ?? true,
    rules: {},
    timeout: 90_000,
    patience: step.patience === undefined ? DEFAULT_PATIENCE : parsePatience(step.patience),
    undo: true,
    waitForOthers: step.waitForOthers ?? 60_000,
  };
  const plan = await planRollout(cluster, request, signal);
  const { result, because, undo, revision } = await runRollout(cluster, plan, {
    signal,
    onPhase: (phase, sentence) => void lines.push(`${phase}: ${sentence}`),
    onProgress: () => undefined,
    onLine: (_, line) => void lines.push(line),
  });
  return { result, because, undo: undo.kind, revision, lines, changes };
}

if (import.meta.main) {
  const order = JSON.parse(process.argv[2]!) as Order;
  await using cluster = await openCluster({
    kubeconfig: order.kubeconfig,
    env: { PATH: process.env.PATH },
    signal: AbortSignal.timeout(170_000),
    secret: () => undefined,
  });
  for (const step of order.steps) console.log(JSON.stringify(await roll(cluster, order, step)));
}
