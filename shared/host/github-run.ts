import { readFileSync } from 'node:fs';
import type { RunContext, WorkflowRun } from './host.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The parts of an event's payload that are read here; GitHub documents them under "Webhook events and payloads". */
interface Payload {
  readonly repository?: {
    readonly default_branch?: string;
    readonly full_name?: string;
    readonly visibility?: string;
  };
  readonly pull_request?: PullRequest;
  readonly workflow_run?: {
    readonly event?: string;
    readonly actor?: { readonly login?: string } | null;
    readonly head_branch?: string | null;
    readonly head_repository?: { readonly full_name?: string } | null;
  };
  readonly merge_group?: { readonly base_ref?: string };
}

interface PullRequest {
  readonly number?: number;
  readonly user?: { readonly login?: string } | null;
  readonly head?: { readonly ref?: string; readonly repo?: { readonly full_name?: string } | null };
}

/** Events that only people (or workflows) with write access to the repository can start, on code that is in it. */
const OWN_EVENTS = new Set([
  'push',
  'schedule',
  'workflow_dispatch',
  'repository_dispatch',
  'release',
  'create',
  'merge_group',
  'deployment',
  'deployment_status',
  'registry_package',
]);
const PULL_REQUEST_EVENTS = new Set(['pull_request', 'pull_request_review', 'pull_request_review_comment']);

/** What a GitHub runner tells of its run, in the environment and in the file of the event that started it. */
export function readRun(env: Environment): RunContext {
  return readRunContext(env, readEvent(env.GITHUB_EVENT_PATH));
}

function readEvent(path: string | undefined): unknown {
  if (!path) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // An unknown event is an untrusted one.
  }
}

/** The same as a pure function. `event` is the parsed payload of GITHUB_EVENT_PATH, of any shape. */
export function readRunContext(env: Environment, event: unknown): RunContext {
  const payload = (typeof event === 'object' && event !== null ? event : {}) as Payload;
  const repository = env.GITHUB_REPOSITORY;
  const context: { -readonly [K in keyof RunContext]: RunContext[K] | undefined } = {
    trusted: isTrusted(env.GITHUB_EVENT_NAME ?? '', env.GITHUB_ACTOR, repository, payload),
    repository,
    branch: branchOf(env, payload),
    baseBranch: env.GITHUB_BASE_REF || withoutHeads(payload.merge_group?.base_ref),
    defaultBranch: payload.repository?.default_branch,
    tag: env.GITHUB_REF_TYPE === 'tag' ? env.GITHUB_REF_NAME : undefined,
    sha: env.GITHUB_SHA,
    url:
      repository && env.GITHUB_RUN_ID
        ? `${env.GITHUB_SERVER_URL ?? 'https://github.com'}/${repository}/actions/runs/${env.GITHUB_RUN_ID}`
        : undefined,
    actor: actorOf(env),
    workflow: workflowOf(env, payload),
  };
  return known(context) as unknown as RunContext;
}

/** The address under which GitHub counts a commit as that user's without telling their own. */
function actorOf({ GITHUB_ACTOR: name, GITHUB_ACTOR_ID: id }: Environment): RunContext['actor'] | undefined {
  if (!name) return undefined;
  return { name, email: `${id ? `${id}+` : ''}${name}@users.noreply.github.com` };
}

function workflowOf(env: Environment, payload: Payload): WorkflowRun | undefined {
  if (!env.GITHUB_WORKFLOW_REF) return undefined;
  return known({
    server: env.GITHUB_SERVER_URL || 'https://github.com',
    workflow: env.GITHUB_WORKFLOW_REF,
    ref: env.GITHUB_REF,
    event: env.GITHUB_EVENT_NAME,
    runId: env.GITHUB_RUN_ID,
    attempt: env.GITHUB_RUN_ATTEMPT,
    repositoryId: env.GITHUB_REPOSITORY_ID,
    ownerId: env.GITHUB_REPOSITORY_OWNER_ID,
    runner: env.RUNNER_ENVIRONMENT,
    visibility: payload.repository?.visibility,
  }) as unknown as WorkflowRun;
}

/** Without what is not known. */
function known(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined && value !== ''));
}

/**
 * Untrusted unless known to be safe. A fork's pull request brings foreign code; pull_request_target, issue_comment and their
 * like run with the rights of the default branch on words, and often on code, of strangers; what Dependabot starts, by a push, a
 * pull request, or the workflow that runs after one, brings code that nobody has read yet, and GitHub treats it as a fork's.
 */
function isTrusted(
  event: string,
  actor: string | undefined,
  repository: string | undefined,
  payload: Payload,
): boolean {
  const people = [actor, payload.pull_request?.user?.login, payload.workflow_run?.actor?.login];
  if (people.includes('dependabot[bot]')) return false;
  if (OWN_EVENTS.has(event)) return true;
  if (PULL_REQUEST_EVENTS.has(event)) return isOwn(payload.pull_request?.head?.repo?.full_name, repository);
  return event === 'workflow_run' && isOfDefaultBranch(payload, repository);
}

/** The run after another one has the default branch's name and rights, so that what it builds has to be the default branch's, too. */
function isOfDefaultBranch(payload: Payload, repository: string | undefined): boolean {
  const cause = payload.workflow_run;
  const branch = payload.repository?.default_branch;
  const own = isOwn(cause?.head_repository?.full_name, repository);
  return own && OWN_EVENTS.has(cause?.event ?? '') && branch !== undefined && cause?.head_branch === branch;
}

// GitHub keeps the case of names but does not distinguish by it.
const isOwn = (head: string | undefined, repository: string | undefined) =>
  head !== undefined && repository !== undefined && head.toLowerCase() === repository.toLowerCase();

/** A fork's branch may be called as ours are: it goes by the number of its pull request, so that it never stands for ours. */
function branchOf(env: Environment, payload: Payload): string | undefined {
  const pull = payload.pull_request;
  if (pull === undefined && !env.GITHUB_HEAD_REF)
    return env.GITHUB_REF_TYPE === 'branch' ? env.GITHUB_REF_NAME : undefined;
  if (isOwn(pull?.head?.repo?.full_name, env.GITHUB_REPOSITORY)) return pull?.head?.ref;
  return pull?.number === undefined ? undefined : `pull/${pull.number}`;
}

const withoutHeads = (ref: string | undefined) => ref?.replace(/^refs\/heads\//, '');
