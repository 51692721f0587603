import { Failure, type Host, type Inputs, type Task } from '../../shared/host/index.ts';
import type { Manifest, PinnedManifests } from '../../shared/kubernetes/index.ts';
import { type Finding, finishRollout } from '../../shared/rollout/index.ts';
import { annotateFindings, countFindings, noticeLines, placeOfCause } from './annotations.ts';
import { type ClusterRun, isPass } from './cluster-run.ts';
import { enterCluster, nameRun, readAttempts, rememberAttempts, runName } from './clusters.ts';
import type { definition } from './definition.ts';
import { endDeployment, withDeployment } from './deployment.ts';
import { readDesired } from './desired.ts';
import { commitManifests } from './gitops.ts';
import { LiveRun } from './live.ts';
import {
  brokenRun,
  heldRun,
  inWords,
  type PlannedCluster,
  planCluster,
  plannedRun,
  refuse,
  refusedRun,
  refuseTwice,
  rollOut,
} from './one-cluster.ts';
import { tell } from './outputs.ts';
import { verdict } from './report.ts';
import { type ClusterTarget, type Request, readRolloutRequest } from './request.ts';
import { runWaves } from './waves.ts';

export type RolloutInputs = Inputs<typeof definition>;

/** From the manifests to proof in every cluster, or to the named cause and the last proven revision back in service. */
export async function main(host: Host, inputs: RolloutInputs): Promise<void> {
  const request = readRolloutRequest(inputs);
  // What a later step finds where this one ends before it has more to say.
  host.output('result', 'failed');
  const desired = await read(host, request);
  const { target } = request;
  if (target.kind === 'gitops')
    return await commitManifests(host, { ...request, target }, desired, inputs['github-token']);
  await using clusters = new AsyncDisposableStack();
  const waves = await planWaves(host, { ...request, target }, desired, clusters);
  const plans = waves.flat();
  annotateFindings(
    host,
    plans.flatMap(({ plan }) => plan.findings),
  );
  if (request.plan) {
    await tell(host, plans.map(plannedRun));
    return refuse(plans, ({ faults }) => faults);
  }
  if (plans.some(({ plan }) => plan.blocked.length > 0)) await tell(host, plans.map(refusedRun));
  refuse(plans, ({ blocked }) => blocked);
  rememberAttempts(
    host,
    plans.map(({ context, plan }) => ({ context, namespace: plan.request.namespace, release: plan.release })),
  );
  // What a later step finds where this one is killed.
  host.output('result', 'unknown');
  const runs = await withDeployment(host, request, inputs['github-token'], () => rollOutWaves(host, waves));
  await tell(host, runs);
  judge(host, runs, desired.manifests);
}

async function read(host: Host, request: Request): Promise<PinnedManifests> {
  return await host.task('Read the manifests', async (task) => {
    const desired = await readDesired(host, request);
    const { manifests, pinned } = desired;
    for (const { object, container, to } of pinned)
      task.log(`${object.kind} ${object.name}, container ${container}: ${to}`);
    const images = pinned.length === 0 ? '' : `, ${count(pinned.length, 'image')} pinned`;
    task.note(`${count(manifests.length, 'object')}${images}`);
    return desired;
  });
}

const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;

/** The same preflight for all clusters, before anything is changed in the first. */
async function planWaves(
  host: Host,
  request: Request & { readonly target: ClusterTarget },
  desired: PinnedManifests,
  clusters: AsyncDisposableStack,
): Promise<readonly (readonly PlannedCluster[])[]> {
  const { access, waves } = request.target;
  const run = nameRun(host);
  const one = async (context: string | undefined, wave: number) => {
    const cluster = clusters.use(await enterCluster(host, access, context));
    const reasons = ({ plan }: PlannedCluster) => (request.plan ? plan.faults : plan.blocked);
    const passes = (planned: PlannedCluster) => reasons(planned).length === 0;
    return await shown(host, `Preflight on ${cluster.name}`, passes, async (task) => {
      const planned = await planCluster(host, request, desired, { cluster, context, wave, run });
      tellPreflight(host, task, planned.plan.findings, reasons(planned));
      return planned;
    });
  };
  const planned = await Promise.all(
    waves.map((contexts, index) => Promise.all(contexts.map((context) => one(context, index + 1)))),
  );
  refuseTwice(planned.flat());
  return planned;
}

/** Of what cannot be rolled out, what is only worth knowing is not told. */
function tellPreflight(
  host: Host,
  task: Task,
  findings: readonly Finding[],
  reasons: readonly string[],
): void {
  const notices = host.kind === 'terminal' ? noticeLines(findings) : [];
  for (const line of reasons.length > 0 ? reasons : notices) task.log(line);
  task.note(reasons.length > 0 ? 'cannot be rolled out' : countFindings(findings));
}

/** A task that is shown as failed when what came of it is no pass, which is no error for those beside it. */
async function shown<T>(
  host: Host,
  title: string,
  passes: (value: T) => boolean,
  work: (task: Task) => Promise<T>,
): Promise<T> {
  let made: { readonly value: T } | undefined;
  try {
    return await host.task(title, async (task) => {
      const value = await work(task);
      made = { value };
      if (!passes(value)) throw new Failure(title);
      return value;
    });
  } catch (error) {
    if (made === undefined) throw error;
    return made.value;
  }
}

async function rollOutWaves(
  host: Host,
  waves: readonly (readonly PlannedCluster[])[],
): Promise<readonly ClusterRun[]> {
  const results = await runWaves(
    waves,
    (planned) => {
      const { plan, cluster } = planned;
      const title = `Roll out ${plan.release} to ${plan.request.namespace} on ${cluster.name}`;
      return shown(host, title, isPass, (task) => rollOut(host, planned, task));
    },
    isPass,
  );
  const faults = results.flatMap((result) =>
    result.kind === 'broken' && !(result.error instanceof Failure) ? [result.error] : [],
  );
  if (faults.length > 0) throw new AggregateError(faults);
  return results.map((result) => {
    if (result.kind === 'done') return result.value;
    return result.kind === 'held' ? heldRun(result.target) : brokenRun(result.target, result.error);
  });
}

/** Fails the step where a cluster did not pass; every cause but the first, which the failure itself tells, is an annotation. */
function judge(host: Host, runs: readonly ClusterRun[], manifests: readonly Manifest[]): void {
  const bad = runs.filter((run) => !isPass(run) && run.result !== 'held');
  const [first] = bad;
  if (first === undefined) return;
  for (const run of bad)
    for (const cause of run.causes.slice(run === first ? 1 : 0))
      host.annotate({
        level: 'error',
        title: cause.code,
        message: `${runs.length === 1 ? '' : `${run.cluster}: `}${cause.message} ${cause.next}`,
        location: placeOfCause(cause, manifests),
      });
  const [cause] = first.causes;
  throw new Failure(
    `${first.release}: ${verdict(first)}${cause === undefined ? '' : ` Next: ${cause.next}`}`,
    {
      location: cause && placeOfCause(cause, manifests),
    },
  );
}

/** Sees an undo to its end that a cancelled run began; what was done is read from the clusters' own records. */
export async function post(host: Host, inputs: RolloutInputs): Promise<void> {
  // In a terminal nobody ends a cancelled run within seconds: there main has seen to it.
  if (host.kind === 'terminal') return;
  await endDeployment(host, inputs['github-token']);
  const attempts = readAttempts(host);
  if (attempts.length === 0) return;
  const request = readRolloutRequest(inputs);
  const { timeout, patience, undo, waitForOthers, target } = request;
  await Promise.all(
    attempts.map(async ({ context, namespace, release }) => {
      await using cluster = await enterCluster(host, target.access, context);
      const own = { timeout, patience, undo, waitForOthers, namespace, release, run: runName(host) };
      await host.task(`See what is left of ${release} in ${namespace} on ${cluster.name}`, async (task) => {
        const live = new LiveRun(task);
        const result = await inWords(cluster, () => finishRollout(cluster, own, live.follow(host.signal)));
        await live.end(result?.result === 'undone');
        task.note(
          result === undefined ? 'nothing' : `${result.result}: revision ${result.revision ?? 'none'} serves`,
        );
        if (result !== undefined && result.result !== 'undone')
          throw new Failure(`The undo of ${release} did not come to its end: ${result.because}`);
      });
    }),
  );
}
