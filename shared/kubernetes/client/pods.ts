import type { Cluster } from '../cluster.ts';
import { formatId } from '../objects.ts';
import { withParameters } from './api-path.ts';
import { callText } from './call.ts';
import { type Calls, eitherOf, findTarget } from './served.ts';

/** Bytes of a log that are worth reading. */
const LOG_BYTES = 1024 * 1024;

/** What goes on in pods. */
export const podsOf = (calls: Calls): Pick<Cluster, 'logs' | 'connect' | 'exec'> => ({
  async logs(pod, { container, previous, tail }) {
    const { path } = await findTarget(calls, pod, 'log');
    return await callText(calls.way, {
      method: 'GET',
      path: withParameters(path, { container, previous, tailLines: tail, limitBytes: LOG_BYTES }),
      accept: '*/*',
      repeatable: 'always',
      what: `GET the log of ${formatId(pod)}`,
      signal: calls.signal,
    });
  },

  async connect(pod, port, until) {
    const { forwardPort } = await import('./port-forward.ts');
    const target = await findTarget(calls, pod, 'portforward');
    const path = withParameters(target.path, { ports: port });
    return await forwardPort(calls.way, { path, pod, port, signal: eitherOf(calls.signal, until) });
  },

  async exec(pod, container, command, until) {
    const { execInPod } = await import('./exec.ts');
    const target = await findTarget(calls, pod, 'exec');
    const path = withParameters(target.path, { container, command, stdout: true, stderr: true });
    return await execInPod(calls.way, { path, pod, signal: eitherOf(calls.signal, until) });
  },
});
