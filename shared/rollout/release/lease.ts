import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lease as LeaseObject } from 'kubernetes-types/coordination/v1.d.ts';
import { Failure, formatDuration } from '../../host/index.ts';
import { ApiError, type Cluster, type KubeObject } from '../../kubernetes/index.ts';
import { persist } from './persist.ts';
import { recordName } from './record.ts';

/** A Lease as the API serves it (coordination.k8s.io/v1). */
type Held = KubeObject & { readonly spec?: LeaseObject['spec'] };

export interface LeaseOptions {
  /** What is rolled out, for others to read. */
  readonly release: string;
  /** Name of the Lease; that of the release when left out. */
  readonly name?: string | undefined;
  readonly namespace: string;
  /** Who asks, for others to read: the address of a run, or user@host. */
  readonly run: string;
  /** Milliseconds to wait for another run that holds it. */
  readonly wait: number;
  readonly signal: AbortSignal;
  /** Called once with a sentence for each other run that is waited for. */
  readonly onWait: (sentence: string) => void;
  /**
   * Milliseconds after the last renewal at which others may take it over, in whole seconds: so long does the next run wait after
   * one was killed. As short as client-go's, whose leaders are elected anew after 15 s.
   */
  readonly duration?: number | undefined;
}

/** The right to change a release, until it is disposed of. */
export interface Lease extends AsyncDisposable {
  /** Aborted when another run has it. */
  readonly signal: AbortSignal;
  /** To be awaited before each change: renews the lease where that is due, and throws where it is lost. */
  hold(): Promise<void>;
}

const RETRY = 1_000;

/**
 * Takes the lease of a release, or waits for the run that has it. Nobody's clock is believed: a lease whose holder is gone is one
 * that did not change while this process watched it for as long as its holder said that it would be valid. Every change of it goes
 * over the version that was seen, so that of two runs one is refused.
 */
export async function acquireLease(cluster: Cluster, options: LeaseOptions): Promise<Lease> {
  const { release, wait, signal, onWait } = options;
  const term = new Term(cluster, options);
  const started = performance.now();
  let seen: { readonly version: string | undefined; readonly at: number } | undefined;
  let told: string | undefined;
  for (;;) {
    signal.throwIfAborted();
    const found = await term.read();
    const now = performance.now();
    if (seen === undefined || seen.version !== found?.metadata.resourceVersion)
      seen = { version: found?.metadata.resourceVersion, at: now };
    if (found === undefined || now - seen.at >= validity(found)) {
      if (await term.take(found)) return term.start();
      continue;
    }
    const sentence = whoHolds(release, found);
    if (now - started >= wait)
      throw new Failure(
        `${sentence}${wait === 0 ? '' : ` and still was after ${formatDuration(wait)}`}; run again when it is over, or wait longer with wait-for-others.`,
      );
    if (told !== sentence) onWait(`${sentence}; waiting up to ${formatDuration(wait - (now - started))}`);
    told = sentence;
    await sleep(Math.min(RETRY, validity(found) / 4), undefined, { signal });
  }
}

/** Removes the lease of a run that was killed. One that is renewed, or cannot be removed, is left. */
export async function clearLeftLease(
  cluster: Cluster,
  { release, namespace, signal, onWait }: Pick<LeaseOptions, 'release' | 'namespace' | 'signal' | 'onWait'>,
): Promise<void> {
  try {
    const id = idOfLease(recordName(release), namespace);
    const found = await cluster.get<Held>(id);
    if (found === undefined) return;
    const time = validity(found);
    if (time > 0)
      onWait(`${whoHolds(release, found)}; waiting ${formatDuration(time)} to see whether it still is`);
    await sleep(time, undefined, { signal });
    const { uid, resourceVersion } = found.metadata;
    await cluster.remove(id, { uid, resourceVersion });
  } catch (error) {
    if (!signal.aborted && !(error instanceof ApiError)) throw error;
  }
}

const idOfLease = (name: string, namespace: string) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  namespace,
  name,
});

/** Milliseconds for which a lease is valid after a change of it; 0 when nobody has it. */
const validity = ({ spec }: Held): number =>
  spec?.holderIdentity ? (spec.leaseDurationSeconds ?? 0) * 1000 : 0;

function whoHolds(release: string, { spec }: Held): string {
  const since = spec?.acquireTime === undefined ? '' : ` since ${spec.acquireTime.slice(11, 16)} UTC`;
  return `Run ${spec?.holderIdentity} has been rolling out ${release}${since}`;
}

/** The time during which this process has the lease. */
class Term implements Lease {
  readonly #cluster: Cluster;
  readonly #id: ReturnType<typeof idOfLease>;
  readonly #holder: string;
  readonly #duration: number;
  readonly #lost = new AbortController();
  #held: Held | undefined;
  #renewed = { monotonic: 0, wall: 0 };
  #renewing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    cluster: Cluster,
    { release, name = recordName(release), namespace, run, duration = 15_000 }: LeaseOptions,
  ) {
    this.#cluster = cluster;
    this.#duration = duration;
    this.#id = idOfLease(name, namespace);
    // Two attempts of one run are two holders.
    this.#holder = `${run} (${randomUUID().slice(0, 8)})`;
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  read(): Promise<Held | undefined> {
    return this.#cluster.get<Held>(this.#id);
  }

  /** Makes the lease, or takes over the one that was found; false where another run was quicker. */
  async take(found: Held | undefined): Promise<boolean> {
    const at = clocks();
    const now = microTime();
    const { apiVersion, kind, name, namespace } = this.#id;
    const lease: Held = {
      apiVersion,
      kind,
      metadata: found?.metadata ?? { name, namespace, labels: { 'app.kubernetes.io/managed-by': 'slipway' } },
      spec: {
        holderIdentity: this.#holder,
        leaseDurationSeconds: this.#duration / 1000,
        acquireTime: now,
        renewTime: now,
        leaseTransitions: found === undefined ? 0 : (found.spec?.leaseTransitions ?? 0) + 1,
      },
    };
    try {
      this.#held = await persist(() =>
        found === undefined ? this.#cluster.create(lease) : this.#cluster.replace(lease),
      );
      this.#renewed = at;
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409 || (error.status === 404 && found !== undefined))
        return await this.#isHeld(at);
      if (error.status === 404)
        throw new Failure(
          `Namespace ${namespace} is not in ${this.#cluster.name}; add it to the manifests, make it, or name another one with namespace.`,
          { cause: error },
        );
      throw error;
    }
  }

  /** After a refusal: the answer to a first attempt of ours may have been lost. */
  async #isHeld(at: ReturnType<typeof clocks>): Promise<boolean> {
    const now = await this.read();
    if (now?.spec?.holderIdentity !== this.#holder) return false;
    this.#held = now;
    this.#renewed = at;
    return true;
  }

  start(): this {
    // A renewal that fails is tried again by the next one, and by whoever wants to change something.
    this.#timer = setInterval(() => void this.#renew().catch(() => undefined), this.#duration / 3);
    this.#timer.unref();
    return this;
  }

  async hold(): Promise<void> {
    this.signal.throwIfAborted();
    // A process that was stopped, or a machine that slept, may find its lease taken: only the server knows.
    if (elapsed(this.#renewed) > this.#duration / 2) await this.#renew();
  }

  /** One at a time: a second one over the same version would be refused. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#renewNow().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renewNow(): Promise<void> {
    for (;;) {
      const held = this.#held;
      if (held === undefined || held.spec?.holderIdentity !== this.#holder) throw this.#lose(held);
      const at = clocks();
      try {
        this.#held = await persist(() =>
          this.#cluster.replace<Held>({ ...held, spec: { ...held.spec, renewTime: microTime() } }),
        );
        this.#renewed = at;
        return;
      } catch (error) {
        if (!(error instanceof ApiError) || (error.status !== 409 && error.status !== 404)) throw error;
        // Someone else changed it: only its annotations, or its holder.
        this.#held = await this.read();
      }
    }
  }

  #lose(now: Held | undefined): Failure {
    const whose =
      now === undefined ? 'was deleted' : `was taken over by run ${now.spec?.holderIdentity || 'nobody'}`;
    const failure = new Failure(
      `Lease ${this.#id.namespace}/${this.#id.name} ${whose} while this run was rolling out; nothing further was changed, run again.`,
    );
    if (!this.signal.aborted) this.#lost.abort(failure);
    return failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing?.catch(() => undefined);
    const { uid, resourceVersion } = this.#held?.metadata ?? {};
    if (this.signal.aborted || uid === undefined) return;
    // This very version of it: what another run took over in the meantime stays. What cannot be given back runs out.
    await this.#cluster.remove(this.#id, { uid, resourceVersion }).catch(() => undefined);
  }
}

/** Neither clock counts all: the monotonic one stands still while the machine sleeps, the wall clock can be set back. */
const clocks = () => ({ monotonic: performance.now(), wall: Date.now() });

const elapsed = (since: { readonly monotonic: number; readonly wall: number }): number =>
  Math.max(performance.now() - since.monotonic, Date.now() - since.wall);

/** As metav1.MicroTime is written. */
const microTime = (): string => new Date().toISOString().replace('Z', '000Z');
