import type { ObjectId } from '../../kubernetes/index.ts';

/** Where a check asks from: through a connection to a pod, through the API server's proxy to the Service, or straight from here. */
export type From = 'pod' | 'cluster' | 'runner';

/** An HTTP status that passes: one, or a class such as 2 for 2xx. */
export type StatusRange = { readonly from: number; readonly to: number };

interface Common {
  /** As the user wrote it, without the values of headers. */
  readonly text: string;
}

export interface HttpCheck extends Common {
  readonly kind: 'http';
  readonly tls: boolean;
  /** A Service of the namespace, or a host when it is asked from the runner. */
  readonly host: string;
  readonly namespace: string | undefined;
  /** Number or name of a port; undefined for the only one of the Service, or the scheme's own. */
  readonly port: string | undefined;
  /** With its query: `/readyz?full=1`. */
  readonly path: string;
  readonly status: readonly StatusRange[];
  /** A text that the body has to contain. */
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly from: From;
}

export interface GrpcCheck extends Common {
  readonly kind: 'grpc';
  readonly tls: boolean;
  readonly host: string;
  readonly namespace: string | undefined;
  readonly port: string | undefined;
  /** Name of the service as grpc.health.v1 knows it; empty for the server as a whole. */
  readonly service: string;
  readonly from: Exclude<From, 'cluster'>;
}

export interface TcpCheck extends Common {
  readonly kind: 'tcp';
  readonly host: string;
  readonly namespace: string | undefined;
  readonly port: string | undefined;
  readonly from: Exclude<From, 'cluster'>;
}

export interface ExecCheck extends Common {
  readonly kind: 'exec';
  /** Name of a workload of the release, whose newest ready pod runs the command. */
  readonly workload: string;
  readonly container: string | undefined;
  readonly command: readonly string[];
}

/** A question to what is in service, as a line of the input `checks` asks it. */
export type Check = HttpCheck | GrpcCheck | TcpCheck | ExecCheck;

/** Where the checks look when they name no namespace, and which workloads an exec check can mean. */
export interface CheckScope {
  readonly namespace: string;
  readonly workloads: readonly ObjectId[];
}
