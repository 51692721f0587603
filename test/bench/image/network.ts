import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { ShapeName } from './link.ts';
import type { Traffic } from './proxy.ts';

export type Question =
  | { readonly ask: 'modules'; readonly directory: string }
  | { readonly ask: 'registry'; readonly host: string }
  | { readonly ask: 'cache'; readonly name: string }
  | { readonly ask: 'forget caches' }
  | { readonly ask: 'shape'; readonly shape: ShapeName }
  | { readonly ask: 'traffic'; readonly cache: string };

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

/** What went to and from each server. */
export interface RunTraffic {
  readonly registry: Traffic;
  readonly cache: Traffic;
  /** The module proxy: what Go downloads. */
  readonly modules: Traffic;
}

/** The network of the bench: servers behind proxies that count and shape, in a process of its own. */
export class BenchNetwork implements Disposable {
  readonly #child: ChildProcess = fork(join(import.meta.dirname, 'network-process.ts'), { stdio: 'inherit' });
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #asked = 0;

  constructor() {
    this.#child.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ('error' in answer) waiting?.reject(new Error(answer.error));
      else waiting?.resolve(answer.value);
    });
    this.#child.on('exit', (code) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`The bench's network ended by itself (${code}).`));
    });
  }

  [Symbol.dispose](): void {
    this.#child.disconnect();
  }

  /** Gives `host:port` of a Go module proxy that serves a download cache. */
  modules(directory: string): Promise<string> {
    return this.#ask({ ask: 'modules', directory }) as Promise<string>;
  }

  /** Gives `host:port` behind which a registry is; the one before is let go. */
  registry(host: string): Promise<string> {
    return this.#ask({ ask: 'registry', host }) as Promise<string>;
  }

  /** Starts an empty cache service and gives its address. */
  cache(name: string): Promise<string> {
    return this.#ask({ ask: 'cache', name }) as Promise<string>;
  }

  async forgetCaches(): Promise<void> {
    await this.#ask({ ask: 'forget caches' });
  }

  async shape(shape: ShapeName): Promise<void> {
    await this.#ask({ ask: 'shape', shape });
  }

  /** What went over the network since the last call, to the cache service of that name too. */
  traffic(cache: string): Promise<RunTraffic> {
    return this.#ask({ ask: 'traffic', cache }) as Promise<RunTraffic>;
  }

  #ask(question: Question): Promise<unknown> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, question });
    });
  }
}
