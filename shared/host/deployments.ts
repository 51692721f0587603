import { randomUUID } from 'node:crypto';
import type { Annotation, RunContext } from './host.ts';

/** What is deployed where, for GitHub's list of Deployments. */
export interface DeploymentTarget {
  /** As the repository's settings name it: `production`. It is made when there is none. */
  readonly environment: string;
  /** Branch, tag or commit; default: the commit of the run. */
  readonly ref?: string | undefined;
  readonly description?: string | undefined;
  /** Whether users work with it; default: what GitHub takes by the name. */
  readonly production?: boolean | undefined;
  /** Whether it will be gone some time, such as the preview of a pull request. */
  readonly transient?: boolean | undefined;
}

/** How far a deployment is, in GitHub's words. */
export type DeploymentState = 'in_progress' | 'success' | 'failure' | 'error' | 'inactive';

/** What is shown with the state of a deployment. */
export interface DeploymentDetails {
  readonly description?: string | undefined;
  /** Where what was deployed is reached. */
  readonly url?: string | undefined;
  /** Where it is told how it went; default: the page of the run. */
  readonly log?: string | undefined;
}

/**
 * GitHub's record of what was deployed (REST API, "Deployments"). Neither call throws and neither holds a rollout up for more than
 * half a minute: what GitHub refuses is told in one notice.
 */
export interface Deployments {
  /** The number of a new Deployment; undefined where it could not be recorded. */
  begin(target: DeploymentTarget): Promise<number | undefined>;
  /** After a success GitHub makes earlier Deployments to the same environment inactive where its rule says so (auto_inactive). */
  status(deployment: number, state: DeploymentState, details?: DeploymentDetails): Promise<void>;
}

export interface DeploymentOptions {
  readonly token: string;
  readonly run: RunContext;
  /** Of GitHub's REST API, such as `https://api.github.com`. */
  readonly api: string;
  readonly annotate: (annotation: Annotation) => void;
  readonly sleep?: (milliseconds: number) => Promise<unknown>;
}

const ATTEMPTS = 3;
const TIMEOUT = 8_000;
/** The longest that a server's Retry-After is followed. */
const LONGEST_WAIT = 5_000;
/** "Default: "". Short description"; longer ones are refused with 422. */
const LONGEST_DESCRIPTION = 140;

type Parameters = Readonly<Record<string, unknown>>;
type Send = (route: string, parameters: Parameters) => Promise<{ readonly data: unknown }>;

/** The Deployments of the repository that a run is of. */
export function createDeployments(options: DeploymentOptions): Deployments {
  const { run } = options;
  const [owner, repo] = (run.repository ?? '/').split('/');
  let noticed = false;
  const quietly = async <T>(what: string, work: (send: Send) => Promise<T>): Promise<T | undefined> => {
    try {
      return await work(await sender(options));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (!noticed) options.annotate({ level: 'notice', message: explain(what, error) });
      noticed = true;
      return undefined;
    }
  };
  const repeat = <T>(work: () => Promise<T>) => withRetries(work, options.sleep ?? pause);
  return {
    begin: (target) =>
      quietly(`The Deployment to ${target.environment} was not recorded`, (send) => {
        const parameters = { owner, repo, ...creation(target, run) };
        let begun = false;
        return repeat(async () => {
          // An answer that got lost may have made it: it is found by its payload, so that none is recorded twice.
          const made = begun ? await findDeployment(send, parameters) : undefined;
          begun = true;
          return made ?? idOf((await send('POST /repos/{owner}/{repo}/deployments', parameters)).data);
        });
      }),
    status: async (deployment, state, details = {}) => {
      await quietly(`The state ${state} of the Deployment was not recorded`, (send) =>
        repeat(() =>
          send('POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses', {
            owner,
            repo,
            deployment_id: deployment,
            state,
            ...given({
              description: shortened(details.description),
              environment_url: details.url,
              log_url: details.log ?? run.url,
            }),
          }),
        ),
      );
    },
  };
}

function creation(target: DeploymentTarget, run: RunContext) {
  return {
    ref: target.ref ?? run.sha ?? '',
    environment: target.environment,
    task: 'deploy',
    // Without these GitHub merges the default branch into the ref, and refuses while any other check of the commit still runs, such
    // as the one that this run is.
    auto_merge: false,
    required_contexts: [],
    payload: { slipway: randomUUID(), ...given({ run: run.url }) },
    ...given({
      description: shortened(target.description),
      production_environment: target.production,
      transient_environment: target.transient,
    }),
  };
}

const given = (fields: Parameters): Parameters =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

const shortened = (text: string | undefined): string | undefined =>
  text !== undefined && text.length > LONGEST_DESCRIPTION
    ? `${text.slice(0, LONGEST_DESCRIPTION - 1)}…`
    : text;

async function findDeployment(
  send: Send,
  { owner, repo, environment, payload }: ReturnType<typeof creation> & Parameters,
): Promise<number | undefined> {
  const { data } = await send('GET /repos/{owner}/{repo}/deployments', {
    owner,
    repo,
    environment,
    per_page: 10,
  });
  const found = (Array.isArray(data) ? data : []).find(
    (one: { payload?: { slipway?: string } }) => one.payload?.slipway === payload.slipway,
  );
  return found === undefined ? undefined : idOf(found);
}

function idOf(data: unknown): number {
  const { id } = data as { readonly id?: unknown };
  if (typeof id === 'number') return id;
  throw new Refusal('an answer without a number', undefined, false);
}

/** What GitHub answered in place of what was asked for. */
class Refusal extends Error {
  readonly status: number | undefined;
  readonly again: boolean;
  /** Milliseconds after which the server wants to be asked again. */
  readonly after: number | undefined;

  constructor(message: string, status: number | undefined, again: boolean, after?: number) {
    super(message);
    this.status = status;
    this.again = again;
    this.after = after;
  }
}

const isRefusal = (error: unknown): error is Refusal => error instanceof Refusal;

/** Loaded here and not at the top: only a run that names an environment needs GitHub's client. */
async function sender({ token, api }: DeploymentOptions): Promise<Send> {
  if (token === '') throw new Refusal('no token is given', undefined, false);
  const { getOctokit } = await import('@actions/github');
  const octokit = getOctokit(token, { baseUrl: api });
  return async (route, parameters) => {
    try {
      return await octokit.request(route, {
        ...parameters,
        request: { signal: AbortSignal.timeout(TIMEOUT) },
      });
    } catch (error) {
      throw refusalOf(error);
    }
  };
}

interface RequestError {
  readonly status?: number;
  readonly message: string;
  readonly response?: {
    readonly headers?: Readonly<Record<string, string | undefined>>;
    readonly data?: { readonly message?: string };
  };
}

function refusalOf(thrown: unknown): Refusal {
  const { status, response, message } = thrown as RequestError;
  if (response === undefined) return new Refusal(message, undefined, true);
  const said = response.data?.message ?? message;
  const after = Number(response.headers?.['retry-after']);
  const limited = status === 429 || (status === 403 && (after > 0 || /rate limit/i.test(said)));
  return new Refusal(
    `${status}, "${said}"`,
    status,
    limited || (status ?? 0) >= 500,
    after > 0 ? after * 1000 : undefined,
  );
}

async function withRetries<T>(
  work: () => Promise<T>,
  sleep: (milliseconds: number) => Promise<unknown>,
): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await work();
    } catch (error) {
      if (!isRefusal(error) || !error.again || attempt === ATTEMPTS) throw error;
      const wait = error.after ?? 500 * 2 ** attempt;
      if (wait > LONGEST_WAIT) throw error;
      await sleep(wait);
    }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function explain(what: string, refusal: Refusal): string {
  const permission = refusal.status === 403 || refusal.status === 404;
  const fix = permission
    ? ' Give the job "permissions: deployments: write", or leave the environment out.'
    : '';
  const answer =
    refusal.status === undefined ? `could not be asked: ${refusal.message}` : `answered ${refusal.message}`;
  return `${what}: GitHub ${answer.replace(/\.?$/, '.')}${fix}`;
}
