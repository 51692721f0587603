import { spawn } from 'node:child_process';
import { once as event } from 'node:events';
import { text } from 'node:stream/consumers';
import { type Command, type Finished, run } from '../../../shared/exec/index.ts';
import { missing, type Part } from '../part.ts';
import { find } from '../place.ts';
import { waitFor } from '../session.ts';
import { type Found, findCluster } from './cluster.ts';
import { programFile } from './images.ts';

/** The network of the cluster's node: pods and services are reached from there, by their addresses. */
export interface KubernetesNetwork {
  /** A command of this machine that has that network. */
  command(program: string, args: readonly string[]): Pick<Command, 'program' | 'args'>;
  run(
    program: string,
    args: readonly string[],
    options?: Omit<Command, 'program' | 'args'>,
  ): Promise<Finished>;
  /** `http://ADDRESS:PORT` of a service, by its first port. Waits until something answers there: kube-proxy follows at its own pace. */
  serviceUrl(namespace: string, service: string): Promise<string>;
  /** What the pods' program answers at an address, from a new connection. Throws unless the status is 200. */
  ask(url: string): Promise<ProgramAnswer>;
  /** Starts to send requests. */
  load(url: string, options?: LoadOptions): Load;
}

/** Which program with which configuration served a request. */
export interface ProgramAnswer {
  readonly version: string;
  readonly pod: string;
  /** The variable CONFIG. */
  readonly config: string;
  /** What the file that CONFIG_FILE names held when the program started. */
  readonly file: string;
}

export interface LoadOptions {
  /** Requests a second; default: 200. */
  readonly rate?: number;
  /** Default: until it is ended. */
  readonly requests?: number;
  /** Requests under way at once; default: 16. */
  readonly workers?: number;
  /** Whether a worker keeps its connection; `both`: every other one does, which is the default. */
  readonly connections?: 'keep' | 'new' | 'both';
}

export interface Load extends AsyncDisposable {
  /** Settles when the requests are done or `end` was called. */
  readonly result: Promise<LoadResult>;
  end(): Promise<LoadResult>;
}

/** Times are milliseconds since the start of the load; median, p99 and longest are of requests that succeeded. */
export interface LoadResult {
  readonly sent: number;
  readonly failed: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Requests that were due and not sent because all workers were waiting. */
  readonly late: number;
  readonly byVersion: Readonly<Record<string, LoadSpan>>;
  readonly failures?: LoadSpan;
  readonly median: number;
  readonly p99: number;
  readonly longest: number;
  readonly elapsed: number;
}

export interface LoadSpan {
  readonly count: number;
  readonly first: number;
  readonly last: number;
}

/** The session's own cluster has it; of a given one it is known when SLIPWAY_TEST_NODE_NETNS names the node's network namespace. */
export async function kubernetesNetwork(): Promise<Part<KubernetesNetwork>> {
  const found = await findCluster();
  if (!found.available) return found;
  if (found.network === undefined)
    return missing('SLIPWAY_TEST_NODE_NETNS does not name the network namespace of a node');
  if (find('kubernetes-program') === undefined)
    return missing("the pods' program was not built, see `npm run lab`");
  return { available: true, ...networkOf(found, found.network) };
}

function networkOf({ kubeconfig, kubectlProgram }: Found, network: string): KubernetesNetwork {
  const command = (program: string, args: readonly string[]) => ({
    program: 'nsenter',
    args: [`--net=${network}`, '--', find(program) ?? program, ...args],
  });
  return {
    command,
    run: (program, args, options) => run({ timeout: 60_000, ...options, ...command(program, args) }),
    async serviceUrl(namespace, service) {
      const told = await run({
        program: kubectlProgram,
        // biome-ignore format: a flag with its value
        args: ['--kubeconfig', kubeconfig, 'get', 'service', service, '--namespace', namespace, '--output', 'json'],
      });
      const { clusterIP, ports } = JSON.parse(told.stdout.toString()).spec;
      const url = `http://${clusterIP}:${ports[0].port}`;
      // A connection that is begun before the rules are there hangs for seconds in the search for a neighbour of that address.
      const get = { ...command(programFile, ['get', url]), accept: [0, 1], timeout: 300 };
      await waitFor(() => run(get), 15_000, `the service ${service}`);
      return url;
    },
    async ask(url) {
      const { stdout } = await run({ ...command(programFile, ['get', url]), timeout: 10_000 });
      return JSON.parse(stdout.toString()) as ProgramAnswer;
    },
    load: (url, options) => startLoad(command(programFile, ['load', ...flags(options), url])),
  };
}

function flags(options: LoadOptions = {}): readonly string[] {
  return Object.entries(options).map(([name, value]) => `-${name}=${value}`);
}

function startLoad({ program, args }: Pick<Command, 'program' | 'args'>): Load {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const result = Promise.all([text(child.stdout), event(child, 'close')]).then(([said, [code]]) => {
    if (code !== 0) throw new Error(`the load ended with ${code}: ${said}`);
    return JSON.parse(said) as LoadResult;
  });
  // A test that fails before it asks for the result has its own story to tell.
  result.catch(() => {});
  const end = () => {
    child.kill('SIGTERM');
    return result;
  };
  return {
    result,
    end,
    async [Symbol.asyncDispose]() {
      await end().catch(() => {});
    },
  };
}
