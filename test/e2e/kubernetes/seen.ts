import { type ChildProcess, spawn } from 'node:child_process';
import type { KubernetesCluster } from '../../lab/index.ts';

/** An object as `kubectl get --watch` told it, and when. */
export interface Seen {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  // biome-ignore lint/suspicious/noExplicitAny: the test reads whatever the API gave
  readonly [field: string]: any;
}

/**
 * Watches by kubectl, independently of what is tested: each predicate gets the moment at which the cluster first told of an object
 * that fulfils it.
 */
export class Witness {
  readonly #kubectls: ChildProcess[];
  readonly #waiting = new Map<string, (seen: Seen) => boolean>();
  readonly #at = new Map<string, number>();

  constructor(lab: KubernetesCluster, namespaces: readonly string[]) {
    const kinds = ['pods', 'events', 'replicasets', 'jobs', 'deployments'];
    this.#kubectls = namespaces.flatMap((namespace) =>
      kinds.map((kind) => this.#watch(lab, kind, namespace)),
    );
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

  #watch(lab: KubernetesCluster, kind: string, namespace: string): ChildProcess {
    const args = ['--kubeconfig', lab.kubeconfig, 'get', kind, '-n', namespace, '--watch', '-o', 'json'];
    const kubectl = spawn(lab.kubectlProgram, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    kubectl.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      // Objects are printed indented, one after the other.
      for (let end = text.indexOf('\n}\n'); end >= 0; end = text.indexOf('\n}\n')) {
        this.#see(JSON.parse(text.slice(0, end + 2)));
        text = text.slice(end + 3);
      }
    });
    return kubectl;
  }

  #see(object: Seen & { items?: Seen[] }): void {
    const now = Date.now();
    for (const seen of object.items ?? [object])
      for (const [name, isShown] of this.#waiting)
        if (!this.#at.has(name) && isShown(seen)) this.#at.set(name, now);
  }
}
