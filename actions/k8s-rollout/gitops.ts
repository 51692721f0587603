import { type BranchFolder, commitToBranch, gitState, readBranchFolder } from '../../shared/content/index.ts';
import { Failure, type Host, type Task } from '../../shared/host/index.ts';
import {
  containersOf,
  formatId,
  idOf,
  type Manifest,
  type PinnedManifests,
  podTemplateOf,
  withConfiguration,
  withNamespace,
} from '../../shared/kubernetes/index.ts';
import { type Finding, lintManifests, WORKLOADS } from '../../shared/rollout/index.ts';
import { annotateFindings, countFindings, noticeLines } from './annotations.ts';
import { countChanges } from './changes.ts';
import type { GitopsRun } from './cluster-run.ts';
import { enterCluster } from './clusters.ts';
import { planCluster } from './one-cluster.ts';
import { summarize, writeReport } from './outputs.ts';
import { changeFolder, describeChange, plainSecrets, render } from './rendered.ts';
import { reportGitops } from './report.ts';
import type { GitopsTarget, Request } from './request.ts';

type GitopsRequest = Request & { readonly target: GitopsTarget };

/** Commits what would be applied to the branch that Argo CD or Flux reads. Whether the cluster takes it is not this run's to say. */
export async function commitManifests(
  host: Host,
  request: GitopsRequest,
  desired: PinnedManifests,
  token: string,
): Promise<void> {
  const judged = await host.task('Preflight', async (task) => {
    const found = await judge(host, request, desired);
    if (host.kind === 'terminal') for (const line of noticeLines(found.findings)) task.log(line);
    task.note(countFindings(found.findings));
    return found;
  });
  const { manifests, release, findings } = judged;
  annotateFindings(host, findings);
  const at = await branchOf(host, request, token);
  const rendered = render(manifests, release);
  const present = await readBranchFolder(at);
  const change = changeFolder(rendered, release, present, request.prune);
  const changes = await describeChange(rendered, change, present);
  const blocked = blockedBy(request, judged);
  const run: GitopsRun = {
    branch: at.branch,
    folder: at.folder,
    release,
    result: blocked.length > 0 ? 'failed' : 'planned',
    because: blocked.join(' '),
    commit: undefined,
    changed: false,
    pushed: false,
    images: desired.pinned,
    findings,
    changes,
    left: change.left,
  };
  if (blocked.length > 0) {
    await tellGitops(host, run);
    throw new Failure(`Nothing was committed. ${blocked.join('\n')}`);
  }
  if (request.plan) return await tellGitops(host, run);
  const commit = (task: Task) =>
    toldWhenRefused(host, run, async () => {
      const result = await commitToBranch({
        ...at,
        message: messageOf(host, release, desired),
        author: host.run.actor,
        change: (now) => changeFolder(rendered, release, now, request.prune).files,
      });
      task.note(
        result.kind === 'unchanged'
          ? 'nothing changed'
          : `${result.commit.slice(0, 12)}, ${countChanges(changes)}`,
      );
      return result;
    });
  const done = await host.task(`Commit to ${at.branch}`, commit);
  const changed = done.kind === 'committed';
  await tellGitops(host, {
    ...run,
    result: 'complete',
    commit: done.commit,
    changed,
    pushed: changed && at.remote,
  });
}

/** A branch that does not take the commit is a result too, with a report for later steps. */
async function toldWhenRefused<T>(host: Host, run: GitopsRun, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Failure && !host.signal.aborted)
      await tellGitops(host, { ...run, result: 'failed', because: error.message });
    throw error;
  }
}

interface Judged {
  readonly manifests: readonly Manifest[];
  readonly release: string;
  readonly findings: readonly Finding[];
  /** Why the cluster would not take it, where it could be asked. */
  readonly refusals: readonly string[];
}

/**
 * What is rendered follows from the manifests alone, whether a cluster could be asked or not; one that is named says what it would
 * refuse.
 */
async function judge(host: Host, request: GitopsRequest, desired: PinnedManifests): Promise<Judged> {
  const { target, rules } = request;
  const asked = target.context !== undefined || target.access.server !== undefined;
  await using cluster = asked ? await enterCluster(host, target.access, target.context) : undefined;
  const namespace = request.namespace ?? cluster?.namespace;
  const placed =
    namespace === undefined
      ? desired.manifests
      : await withNamespace(desired.manifests, namespace, () => undefined);
  const manifests = withConfiguration(placed, request.configuration);
  const first = manifests.find(({ object }) => WORKLOADS.some((kind) => kind === object.kind));
  const release = request.release ?? (first ?? manifests[0]!).object.metadata.name;
  const alone = { manifests, release, findings: lintManifests(manifests, rules), refusals: [] };
  if (cluster === undefined) return alone;
  try {
    const place = { cluster, context: target.context, wave: 1, run: 'gitops' };
    const { plan } = await planCluster(host, request, desired, place);
    const { findings, refusals } = plan;
    return { manifests, release, findings, refusals: refusals.map(({ message }) => message) };
  } catch (error) {
    if (!(error instanceof Failure) || host.signal.aborted) throw error;
    const message = `The preflight goes by the manifests alone, because the cluster cannot be asked: ${error.message}`;
    host.annotate({ level: 'warning', message });
    return alone;
  }
}

function blockedBy({ rules }: Request, { manifests, findings, refusals }: Judged): readonly string[] {
  const plain = rules['plain-secret'] === 'off' ? [] : plainSecrets(manifests);
  return [
    ...plain.map(
      ({ object }) =>
        `${formatId(idOf(object))} would be readable for everyone who can read the repository; commit a SealedSecret, an ExternalSecret or a file that SOPS encrypted in its place, or set the rule plain-secret to off.`,
    ),
    ...findings.filter(({ level }) => level === 'error').map(({ message }) => message),
    ...refusals,
  ];
}

async function branchOf(host: Host, { target }: GitopsRequest, token: string): Promise<BranchFolder> {
  const branch = target.branch ?? host.run.branch ?? (await gitState(host.workspace, host.signal))?.branch;
  if (branch === undefined)
    throw new Failure(
      'Input "gitops" names a folder alone, and no branch is checked out; name the branch too, as in production:deploy.',
    );
  const { folder, push } = target;
  return {
    directory: host.workspace,
    branch,
    folder,
    remote: push,
    credentials: credentialsOf(host, token),
    signal: host.signal,
  };
}

/** As actions/checkout hands the token to git. */
function credentialsOf(host: Host, token: string): BranchFolder['credentials'] {
  const url = host.run.workflow?.server;
  if (token === '' || url === undefined) return undefined;
  const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
  host.secret(basic);
  return { url, header: `AUTHORIZATION: basic ${basic}` };
}

function messageOf({ run }: Host, release: string, { pinned, manifests }: PinnedManifests): string {
  const own = imagesIn(manifests);
  const images = [...new Set([...pinned.map(({ to }) => to), ...own])].sort();
  const source = run.repository && run.sha ? `Source: ${run.repository}@${run.sha}` : undefined;
  const by = run.url === undefined ? undefined : `Run: ${run.url}`;
  const trailers = [source, by].filter((line) => line !== undefined);
  return [`Roll out ${release}`, images.join('\n'), trailers.join('\n')].filter(Boolean).join('\n\n');
}

const imagesIn = (manifests: readonly Manifest[]): string[] =>
  manifests.flatMap(({ object }) => {
    const template = podTemplateOf(object);
    return template === undefined
      ? []
      : containersOf(template).flatMap(({ container }) => container.image ?? []);
  });

async function tellGitops(host: Host, run: GitopsRun): Promise<void> {
  host.output('result', run.result);
  host.output('cause', '');
  host.output('revision', run.commit ?? '');
  host.output('changed', String(run.changed));
  host.output('report', writeReport(host, { version: 1, result: run.result, clusters: [], gitops: run }));
  await summarize(host, (place) => reportGitops(run, place));
}
