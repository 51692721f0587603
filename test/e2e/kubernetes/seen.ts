import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { KubernetesCluster } from '../../lab/index.ts';

/** An object as a watch told it. */
export interface Seen {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  // biome-ignore lint/suspicious/noExplicitAny: the test reads whatever the API gave
  readonly [field: string]: any;
}

const PATHS: Readonly<Record<string, string>> = {
  Pod: '/api/v1/pods',
  Event: '/api/v1/events',
  ReplicaSet: '/apis/apps/v1/replicasets',
  Deployment: '/apis/apps/v1/deployments',
  Job: '/apis/batch/v1/jobs',
};
/** A bookmark says that all that was there has been told. */
const FROM_THE_START =
  'watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan';

/**
 * Watches by kubectl, independently of what is tested: each predicate gets the moment at which the cluster first told of an object
 * that fulfils it. A witness that came too late would find every verdict early, so that it is waited for.
 */
export class Witness {
  readonly #kubectls: readonly ChildProcess[];
  readonly #waiting = new Map<string, (seen: Seen) => boolean>();
  readonly #at = new Map<string, number>();
  readonly #ready: Promise<unknown>;

  constructor(lab: KubernetesCluster) {
    const watches = Object.keys(PATHS).map((kind) => this.#watch(lab, kind));
    this.#kubectls = watches.map(({ kubectl }) => kubectl);
    this.#ready = Promise.all(watches.map(({ ready }) => ready));
  }

  /** Until all of it is watched. */
  async ready(): Promise<void> {
    await this.#ready;
  }

  /** Waits for the first object that is so. */
  expect(name: string, isShown: (seen: Seen) => boolean): void {
    this.#waiting.set(name, isShown);
  }

  /** Milliseconds since 1970; undefined where no object ever was so. */
  at(name: string): number | undefined {
    return this.#at.get(name);
  }

  [Symbol.dispose](): void {
    for (const kubectl of this.#kubectls) kubectl.kill();
  }

  #watch(lab: KubernetesCluster, kind: string): { kubectl: ChildProcess; ready: Promise<void> } {
    const args = ['--kubeconfig', lab.kubeconfig, 'get', '--raw', `${PATHS[kind]}?${FROM_THE_START}`];
    const kubectl = spawn(lab.kubectlProgram, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
    kubectl.once('exit', () => reject(new Error(`kubectl does not watch ${kind}s`)));
    createInterface(kubectl.stdout).on('line', (line) => {
      const { type, object } = JSON.parse(line) as { type: string; object: Seen };
      if (type === 'BOOKMARK') resolve();
      else this.#see({ ...object, kind });
    });
    return { kubectl, ready };
  }

  #see(seen: Seen): void {
    const now = Date.now();
    for (const [name, isShown] of this.#waiting)
      if (!this.#at.has(name) && isShown(seen)) this.#at.set(name, now);
  }
}
