import type { Duplex } from 'node:stream';
import type { KubeObject, ObjectId } from './objects.ts';

/** A kind of object as a cluster serves it (API discovery). */
export interface ApiResource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Its name in paths and in RBAC rules: `deployments`. */
  readonly plural: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  /** Names of its subresources: `status`, `scale`, `log`. */
  readonly subresources: readonly string[];
}

/** Which objects of a kind: all of a namespace, or of the cluster where it is undefined, that the selectors let through. */
export interface Query {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  /** In the words of the API: `app=web,tier!=cache`. */
  readonly labelSelector?: string | undefined;
  /** In the words of the API: `metadata.name=web`. */
  readonly fieldSelector?: string | undefined;
}

/**
 * What a watch tells. `synced` comes once after the objects that were there at the start (each an `added`), and again after each
 * new list (410 Gone): before it comes what changed meanwhile, and only that. Whatever is gone is told as `deleted`, with its last
 * known state. An object that was deleted and made again under its name is told as `deleted`, then as `added`.
 */
export type WatchEvent<T extends KubeObject = KubeObject> =
  | { readonly type: 'added' | 'modified' | 'deleted'; readonly object: T }
  | { readonly type: 'synced' };

/** How an object is applied. */
export interface ApplyOptions {
  readonly fieldManager: string;
  /** Take fields that others own. */
  readonly force?: boolean | undefined;
  /** The answer is what would be, and nothing is changed. */
  readonly dryRun?: boolean | undefined;
}

/** How an object is removed, and only if. */
export interface RemoveOptions {
  readonly propagation?: 'Foreground' | 'Background' | 'Orphan' | undefined;
  /** Only this very object, not one of the same name that came later. */
  readonly uid?: string | undefined;
  /** Only in this very state: 409 where somebody has written since. */
  readonly resourceVersion?: string | undefined;
  readonly dryRun?: boolean | undefined;
}

/** Which log, and how much of it. */
export interface LogOptions {
  readonly container?: string | undefined;
  /** Of the container's last instance, the one that ended. */
  readonly previous?: boolean | undefined;
  /** Lines from the end. */
  readonly tail: number;
}

/** What went over the wire to a cluster so far. */
export interface ApiTraffic {
  readonly requests: number;
  readonly watches: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** The version of an API server. */
export interface ServerVersion {
  /** `1.34.4`, also of builds such as `v1.34.4-eks-1`. */
  readonly release: string;
  readonly major: number;
  readonly minor: number;
  /** As the server says it: `v1.34.4+k3s1`. */
  readonly text: string;
}

/**
 * A cluster, reached with the user's own credentials. Every call throws ApiError for what the server refused, Failure where the
 * user has to mend the way to it (no such host, wrong CA, expired token), and the signal's reason when it was aborted. Calls that
 * change nothing are repeated after 429, 5xx and broken connections; calls that change something only where the server said that
 * it did not take them (429, or no connection), or where repeating cannot do harm.
 */
export interface Cluster extends AsyncDisposable {
  /** Name of the context, for messages: `staging`. */
  readonly name: string;
  readonly server: string;
  /** Namespace of the context; `default` where it names none. */
  readonly namespace: string;
  readonly traffic: ApiTraffic;
  /**
   * The same cluster, whose calls end when this signal is aborted too: for what is to stop at once when a user cancels, while the
   * undo goes on with the cluster itself. Closing it closes nothing.
   */
  within(signal: AbortSignal): Cluster;
  version(): Promise<ServerVersion>;
  /** How the cluster serves a kind; undefined where it does not. Discovery is asked once, and again after a miss. */
  resource(apiVersion: string, kind: string): Promise<ApiResource | undefined>;
  /** All kinds that are served, preferred versions first. */
  resources(): Promise<readonly ApiResource[]>;
  /** undefined where there is none (404), and where the cluster does not serve its kind. */
  get<T extends KubeObject = KubeObject>(id: ObjectId): Promise<T | undefined>;
  /** All pages. */
  list<T extends KubeObject = KubeObject>(query: Query): Promise<readonly T[]>;
  /** Lists, then watches, until the signal is aborted; renews by itself. An answer that will not change (403, 404) is thrown. */
  watch<T extends KubeObject = KubeObject>(query: Query, signal: AbortSignal): AsyncIterable<WatchEvent<T>>;
  /**
   * Server-side apply. What does not fit the schema (unknown fields too) is an ApiError 422 with a cause for each field; a conflict
   * with other owners is 409, with causes of reason `FieldManagerConflict`.
   */
  apply<T extends KubeObject = KubeObject>(object: KubeObject, options: ApplyOptions): Promise<T>;
  create<T extends KubeObject = KubeObject>(object: KubeObject, options?: { dryRun?: boolean }): Promise<T>;
  /** PUT: whole, and only over the version that its metadata.resourceVersion names (409 otherwise). */
  replace<T extends KubeObject = KubeObject>(object: KubeObject): Promise<T>;
  /** RFC 6902 where `patch` is a list, RFC 7386 where it is an object. */
  patch<T extends KubeObject = KubeObject>(
    id: ObjectId,
    patch: readonly object[] | Readonly<Record<string, unknown>>,
    options?: {
      fieldManager?: string | undefined;
      subresource?: string | undefined;
      dryRun?: boolean | undefined;
      /** It names the version that it is over: it is sent again when its answer was lost, and is 409 where it was taken. */
      pinned?: boolean | undefined;
    },
  ): Promise<T>;
  /** false where there was none. */
  remove(id: ObjectId, options?: RemoveOptions): Promise<boolean>;
  /** The end of a container's log. */
  logs(pod: ObjectId, options: LogOptions): Promise<string>;
  /**
   * A connection to a port of a pod, through the API server (needs `get` and, from 1.35 on, `create` of pods/portforward). The
   * stream is destroyed with an error of code ECONNREFUSED when nothing listens there. Ending it ends both ways.
   */
  connect(pod: ObjectId, port: number, signal?: AbortSignal): Promise<Duplex>;
  /**
   * Runs a program in a container and gives what it printed (the last 64 KiB of each stream) and its exit code; a program that
   * cannot be started is an ApiError. Needs `get` and, from 1.35 on, `create` of pods/exec.
   */
  exec(
    pod: ObjectId,
    container: string | undefined,
    command: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** A GET whose answer is given as it came, whatever its status (at most 1 MiB, asked once): for the proxy to Services. */
  fetch(
    path: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<{ readonly status: number; readonly body: string }>;
  /** A path of the API that has no word above, such as `/apis/apps/v1/…/scale` or `/openapi/v3`; the answer's JSON. */
  request<T>(method: 'GET' | 'POST' | 'PUT' | 'PATCH', path: string, body?: object): Promise<T>;
}

/** What the API server answered in place of success: its `Status` (API conventions). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** Such as `Forbidden`, `NotFound`, `Conflict`, `Invalid`, `AlreadyExists`, `Expired`; empty where the server named none. */
  readonly reason: string;
  readonly causes: readonly {
    readonly field?: string;
    readonly reason?: string;
    readonly message?: string;
  }[];
  /** `PATCH deployments.apps/storefront in shop`, for messages. */
  readonly call: string;
  /** Milliseconds for which the server asks to be left alone. */
  readonly retryAfter: number | undefined;

  constructor(given: {
    status: number;
    reason: string;
    message: string;
    causes: ApiError['causes'];
    call: string;
    retryAfter?: number | undefined;
  }) {
    super(given.message);
    this.status = given.status;
    this.reason = given.reason;
    this.causes = given.causes;
    this.call = given.call;
    this.retryAfter = given.retryAfter;
  }
}

/** How a cluster is found and entered. */
export interface ClusterOptions {
  /**
   * Path of a kubeconfig, or its content (YAML, or that in Base64). Default: KUBECONFIG, then ~/.kube/config, then the service
   * account of the pod that this runs in.
   */
  readonly kubeconfig?: string | undefined;
  /** Default: the current one. */
  readonly context?: string | undefined;
  /** In place of a kubeconfig's user. */
  readonly server?: string | undefined;
  readonly token?: string | undefined;
  /** PEM, or that in Base64. */
  readonly certificateAuthority?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Called with every token and key, before it is used. */
  readonly secret: (value: string) => void;
  /** Called with what the server warns of: a deprecated version, a field of a template that does nothing. */
  readonly onWarning?: ((text: string) => void) | undefined;
}
