import type { Probe } from 'kubernetes-types/core/v1.d.ts';
import { patienceOf } from './patience.ts';
import { type ContainerView, lastNotice, logOf, nameOf, type PodView, type Symptom } from './symptom.ts';

/**
 * An answer that waiting does not change: the server is up and says that the path, the method or the caller is wrong, it speaks
 * another protocol, or the program of the probe is not there. 503 and a refused connection are what slow starts look like.
 */
export function isDefinite(answer: string): boolean {
  const status = /statuscode: (\d+)/.exec(answer)?.[1];
  if (status !== undefined) return /^(?:400|401|403|404|405|406|410|415|426|501)$/.test(status);
  return /server gave HTTP response to HTTPS client|malformed HTTP|first record does not look like a TLS|tls: |remote error|executable file not found|no such file or directory|code = Unimplemented|unknown service/i.test(
    answer,
  );
}

/** The probe’s own time before its failures mean something, in milliseconds. */
export const budgetOf = (probe: Probe | undefined): number =>
  ((probe?.initialDelaySeconds ?? 0) + (probe?.failureThreshold ?? 3) * (probe?.periodSeconds ?? 10)) * 1000;

/** `GET :8080/readyz answers 503`, from the kubelet’s event and the probe itself. */
export function describeAnswer(answer: string, probe: Probe | undefined): string {
  const said = answer
    .replace(/^\w+ probe (?:failed|errored)(?: and resulted in \S+ state)?:?\s*/i, '')
    .trim();
  const status = /statuscode: (\d+)/.exec(said)?.[1];
  if (status !== undefined) return `${targetOf(probe)} answers ${status}`;
  if (/connection refused/.test(said)) return `${targetOf(probe)} is refused: nothing listens there`;
  if (/timeout|deadline exceeded|timed out/i.test(said))
    return `${targetOf(probe)} does not answer within ${probe?.timeoutSeconds ?? 1} s`;
  if (/HTTP response to HTTPS client/.test(said))
    return `${targetOf(probe)} speaks HTTP, and the probe HTTPS`;
  if (/malformed HTTP/.test(said)) return `${targetOf(probe)} does not speak HTTP (perhaps HTTPS)`;
  const text = said.length > 200 ? `${said.slice(0, 200)}…` : said;
  return `${targetOf(probe)} fails${text === '' ? '' : `: ${text}`}`;
}

function targetOf(probe: Probe | undefined): string {
  if (probe?.httpGet)
    return `GET ${(probe.httpGet.scheme ?? 'HTTP').toLowerCase()}://pod:${probe.httpGet.port}${probe.httpGet.path ?? '/'}`;
  if (probe?.tcpSocket) return `TCP port ${probe.tcpSocket.port}`;
  if (probe?.grpc) return `gRPC health on port ${probe.grpc.port}`;
  return probe?.exec ? `command ${(probe.exec.command ?? []).join(' ')}` : 'the probe';
}

/** A container that runs and is not taken into service. Its probe’s own time has to be over before that counts. */
export function readinessSymptom(view: PodView, container: ContainerView): Symptom | undefined {
  const { status, spec, name } = container;
  const running = view.state.running.get(name);
  if (container.role === 'init' || status?.ready || running === undefined || !spec.readinessProbe)
    return undefined;
  if (spec.startupProbe && status?.started !== true) return undefined;
  const notice = lastNotice(view, /^Unhealthy$/, name, /^Readiness probe/);
  if (notice === undefined || notice.stamp < Date.parse(status?.state?.running?.startedAt ?? '') - 1000)
    return undefined;
  const definite = isDefinite(notice.message);
  const time = budgetOf(spec.readinessProbe);
  const budget = running.since + time;
  // A server that is up before its application, such as Tomcat, answers 404 until that is deployed.
  const form = /statuscode: 404/.test(notice.message) ? Math.max(2000, time) : 2000;
  return {
    code: 'readiness',
    object: view.state.id,
    container: name,
    message: `${nameOf(container, view)} runs but does not get ready: ${describeAnswer(notice.message, spec.readinessProbe)}.`,
    evidence: [
      `${notice.message}${notice.count > 1 ? ` (${notice.count} times)` : ''}`,
      ...logOf(view, name),
    ],
    next: definite
      ? `Correct the readiness probe of container ${name}, or what answers it.`
      : `See why it answers so; if it only starts slowly, give it a startupProbe.`,
    from: definite ? Math.max(budget, notice.seen) : budget,
    patience: patienceOf(view.patience, 'readiness', definite ? form : undefined),
  };
}

/** A container that its startup probe keeps out, before the probe’s own time is over: not a failure yet, but worth a word at the end. */
export function startupSymptom(view: PodView, container: ContainerView): Symptom | undefined {
  const { status, spec, name } = container;
  if (!spec.startupProbe || status?.started === true || status?.state?.running === undefined)
    return undefined;
  const notice = lastNotice(view, /^Unhealthy$/, name, /^Startup probe/);
  if (notice === undefined) return undefined;
  return {
    code: 'startup',
    object: view.state.id,
    container: name,
    message: `${nameOf(container, view)} has not started yet: ${describeAnswer(notice.message, spec.startupProbe)}.`,
    evidence: [notice.message, ...logOf(view, name)],
    next: `Correct the startup probe of container ${name}, or what answers it.`,
    patience: Number.POSITIVE_INFINITY,
  };
}
