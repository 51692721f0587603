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

/** Who rolls out, for others to read, and for our own post step to know its own by. */
export function runName({ run }: Host): string {
  if (run.url !== undefined)
    return run.workflow?.attempt === undefined ? run.url : `${run.url}/attempts/${run.workflow.attempt}`;
  return `${userInfo().username}@${hostname()} (process ${process.pid})`;
}

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
