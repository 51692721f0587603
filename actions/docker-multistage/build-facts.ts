import { relative, sep } from 'node:path';
import type { BaseFacts, BuildFacts, RunFacts, SourceFacts } from '../../shared/attest/index.ts';
import { gitOrigin, gitState } from '../../shared/content/index.ts';
import { claimsOf, Failure, type Host } from '../../shared/host/index.ts';
import {
  type BuilderSecret,
  describePlan,
  type ImagePlan,
  type ImageRequest,
  type ResolveImage,
} from '../../shared/image/index.ts';
import { parseReference } from '../../shared/oci/index.ts';
import type { ProvenanceInputs } from './attest-inputs.ts';

/** All that provenance says of a build. Values of secrets are taken out, wherever somebody has put them. */
export async function buildFacts(
  host: Host,
  plan: ImagePlan,
  images: ResolveImage,
  secrets: readonly BuilderSecret[],
  { mode, builderId }: ProvenanceInputs,
  identity: (() => Promise<string>) | undefined,
): Promise<BuildFacts> {
  const { request } = plan;
  const [git, origin, bases, run] = await Promise.all([
    gitState(request.context, host.signal),
    gitOrigin(request.context, host.signal),
    baseFacts(host, plan, images),
    runFacts(host, identity),
  ]);
  const top = git?.root ?? request.workspace;
  const below = (path: string) => relative(top, path).split(sep).join('/') || '.';
  return {
    mode,
    source: sourceFacts(host, git, origin),
    context: below(request.context),
    dockerfile: below(request.dockerfile),
    target: request.target,
    platforms: request.platforms,
    buildArgs: without(secretValues(secrets), request.buildArgs),
    labels: without(secretValues(secrets), request.labels),
    contexts: contextFacts(request, below, secretValues(secrets)),
    bases,
    course: course(plan),
    run: builderId === undefined ? run : { ...run, builderId },
  };
}

function sourceFacts(
  { run }: Host,
  git: Awaited<ReturnType<typeof gitState>>,
  origin: string | undefined,
): SourceFacts {
  const { workflow, repository } = run;
  const known =
    workflow !== undefined && repository !== undefined ? `${workflow.server}/${repository}` : origin;
  const branch = git?.branch === undefined ? undefined : `refs/heads/${git.branch}`;
  return {
    repository: known,
    ref: workflow?.ref ?? branch,
    commit: git?.commit ?? run.sha,
    dirty: git?.dirty ?? false,
  };
}

/** Named contexts as they were given, folders as paths of the repository, and addresses without what gives access to them. */
export function contextFacts(
  { contexts, handedIn, platforms }: Pick<ImageRequest, 'contexts' | 'handedIn' | 'platforms'>,
  below: (path: string) => string,
  secrets: readonly string[],
): Record<string, string> {
  const shown = (value: string) =>
    /^[a-z][a-z0-9+.-]*:\/\/|^git@/i.test(value) ? withoutAccess(value) : below(value);
  const named = Object.entries(contexts).map(([name, value]) => [name, shown(value)] as const);
  const folders = Object.entries(handedIn).map(
    ([name, folder]) =>
      [name, [...new Set(platforms.map((platform) => below(folder(platform))))].join(',')] as const,
  );
  return without(secrets, Object.fromEntries([...named, ...folders]));
}

/** An address without user, password and query. In references to images and layouts `@` is before a digest, and neither has any. */
function withoutAccess(address: string): string {
  if (/^(?:docker-image|oci-layout):/i.test(address)) return address;
  return address.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1').replace(/\?[^#]*/, '');
}

/** Every image that a stage of the target starts from or takes files from, as the plan resolved it. */
async function baseFacts(host: Host, plan: ImagePlan, images: ResolveImage): Promise<BaseFacts[]> {
  const found = plan.platforms.flatMap(({ platform, graph }) =>
    graph.stages.flatMap((stage) => [
      ...(stage.base.kind === 'image' ? [{ name: stage.base.reference, platform: stage.platform }] : []),
      ...stage.steps.flatMap((step) => {
        const sources =
          step.kind === 'copy' || step.kind === 'add'
            ? [step.from]
            : step.kind === 'run'
              ? step.mounts.flatMap(({ from }) => from ?? [])
              : [];
        return sources.flatMap((source) =>
          source.kind === 'image' ? [{ name: source.reference, platform }] : [],
        );
      }),
    ]),
  );
  const remote = found.filter(({ name }) => name !== 'scratch' && !name.includes('://'));
  const facts = await Promise.all(
    remote.map(async ({ name, platform }) => {
      try {
        const { root } = await images(name, platform);
        return [{ reference: parseReference(name), digest: root.digest, platform }];
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        // An image of the engine's own, which no registry has: a builder can use it, and nobody can look it up.
        host.annotate({
          level: 'warning',
          message: `Provenance does not name the base ${name}: ${error.message}`,
        });
        return [];
      }
    }),
  );
  return facts.flat();
}

/** How the image was made: what decides about its bytes beside its sources. */
function course(plan: ImagePlan): Record<string, unknown> {
  const { compression, mediaTypes, epoch } = plan.request;
  const { key, platforms } = describePlan(plan);
  return {
    compression,
    mediaTypes,
    sourceDateEpoch: epoch,
    ...(key !== null && { key }),
    stages: platforms.map(({ platform, stages }) => ({
      platform,
      stages: stages.map(({ stage, line, how }) => ({ stage, line, how })),
    })),
  };
}

async function runFacts(host: Host, identity: (() => Promise<string>) | undefined): Promise<RunFacts> {
  const { workflow, repository } = host.run;
  if (workflow === undefined || repository === undefined)
    return { builderId: undefined, invocationId: undefined, github: undefined };
  const { server, runId, attempt, event, repositoryId, ownerId, runner } = workflow;
  // A reusable workflow builds under its own name, which the token alone knows and which the certificate will hold.
  const claims = identity === undefined ? {} : await identity().then(claimsOf, () => ({}));
  const job = 'job_workflow_ref' in claims ? String(claims.job_workflow_ref) : workflow.workflow;
  const github = {
    event_name: event,
    repository_id: repositoryId,
    repository_owner_id: ownerId,
    runner_environment: runner,
  };
  return {
    builderId: job === undefined ? undefined : `${server}/${job}`,
    invocationId:
      runId === undefined
        ? undefined
        : `${server}/${repository}/actions/runs/${runId}/attempts/${attempt ?? '1'}`,
    github: Object.fromEntries(Object.entries(github).filter((entry) => entry[1] !== undefined)) as Record<
      string,
      string
    >,
  };
}

function secretValues(secrets: readonly BuilderSecret[]): string[] {
  const values = secrets.map((secret) =>
    'value' in secret ? secret.value : 'variable' in secret ? (process.env[secret.variable] ?? '') : '',
  );
  return values.map((value) => value.trim()).filter((value) => value.length >= 4);
}

/** Secrets have no place in an attestation, wherever somebody has put them. */
function without(
  secrets: readonly string[],
  record: Readonly<Record<string, string>>,
): Record<string, string> {
  const clean = (text: string) => secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text);
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, clean(value)]));
}
