import type { Deployments, Host } from '../../shared/host/index.ts';
import { type ClusterRun, worstOf } from './cluster-run.ts';
import { verdict } from './report.ts';
import type { Request } from './request.ts';

/** Does `work` under a GitHub Deployment to the environment that was named, if one was, and records how it ended. */
export async function withDeployment(
  host: Host,
  { environment }: Request,
  token: string,
  work: () => Promise<readonly ClusterRun[]>,
): Promise<readonly ClusterRun[]> {
  if (environment === undefined) return await work();
  const deployments = openDeployments(host, token);
  const { name, url } = environment;
  const id = await deployments?.begin({ environment: name });
  if (deployments === undefined || id === undefined) return await work();
  host.saveState(STATE, String(id));
  await deployments.status(id, 'in_progress', { url });
  const end = async (state: 'success' | 'failure' | 'error', description?: string) => {
    // A cancelled step has seconds, which belong to the cluster: the post step tells GitHub.
    if (host.signal.aborted) return;
    await deployments.status(id, state, { url, description });
    host.saveState(STATE, '');
  };
  try {
    const runs = await work();
    await end(worstOf(runs) === 'complete' ? 'success' : 'failure', host.mask(describe(runs)));
    return runs;
  } catch (error) {
    await end('error');
    throw error;
  }
}

const STATE = 'deployment';

/** Ends the Deployment of a run that was cancelled or killed before it could. */
export async function endDeployment(host: Host, token: string): Promise<void> {
  const id = host.state(STATE);
  if (id !== undefined)
    await openDeployments(host, token)?.status(Number(id), 'error', {
      description: 'The run was cancelled or cut off.',
    });
}

function openDeployments(host: Host, token: string): Deployments | undefined {
  if (host.deployments !== undefined && token !== '') return host.deployments(token);
  host.annotate({
    level: 'notice',
    message:
      host.deployments === undefined
        ? 'No Deployment is recorded: this is no run of a GitHub workflow.'
        : 'No Deployment is recorded: the input "github-token" is empty.',
  });
  return undefined;
}

/** What did not pass is what a reader of the list wants to know. */
function describe(runs: readonly ClusterRun[]): string {
  const result = worstOf(runs);
  return verdict(runs.find((run) => run.result === result) ?? runs[0]!);
}
