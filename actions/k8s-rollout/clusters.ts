import { randomUUID } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import type { Host } from '../../shared/host/index.ts';
import { type Cluster, openCluster } from '../../shared/kubernetes/index.ts';
import type { Access } from './request.ts';

/** Opens a cluster with the user's own credentials. It outlives a cancellation: the way back needs it. */
export const enterCluster = (host: Host, access: Access, context: string | undefined): Promise<Cluster> =>
  openCluster({
    ...access,
    ...(context !== undefined && { context }),
    env: process.env,
    signal: new AbortController().signal,
    secret: (value) => host.secret(value),
    onWarning: (text) => host.log(`The API server warns: ${text}`),
  });

const RUN = 'run';

/**
 * Names this run, for others to read, and for its post step to know its own attempts by. Two jobs of one workflow run have the same
 * address, so something of its own follows.
 */
export function nameRun(host: Host): string {
  const { url, workflow } = host.run;
  const attempt = workflow?.attempt === undefined ? '' : `/attempts/${workflow.attempt}`;
  const name =
    url === undefined
      ? `${userInfo().username}@${hostname()} (process ${process.pid})`
      : `${url}${attempt}#${randomUUID().slice(0, 8)}`;
  host.saveState(RUN, name);
  return name;
}

/** The name that `main` gave this run. */
export const runName = (host: Host): string => host.state(RUN) ?? '';

/** Whether main came so far that a cluster, or GitHub, may wait for the post step. */
export const hasRollout = (host: Host): boolean => runName(host) !== '';

/** A release that this run may have changed in a cluster: what the post step needs to see its undo to the end. */
export interface Attempted {
  readonly context: string | undefined;
  readonly namespace: string;
  readonly release: string;
}

const STATE = 'attempts';

/** Writes down what is about to be changed, before it is. */
export function rememberAttempts(host: Host, attempts: readonly Attempted[]): void {
  host.saveState(STATE, JSON.stringify(attempts));
}

export const readAttempts = (host: Host): readonly Attempted[] => JSON.parse(host.state(STATE) ?? '[]');
