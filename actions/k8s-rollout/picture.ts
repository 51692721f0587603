import { formatDuration } from '../../shared/host/index.ts';
import { formatId, keyOf } from '../../shared/kubernetes/index.ts';
import {
  type Block,
  type Inline,
  list,
  mono,
  paragraph,
  strong,
  type TimelineGroup,
  type TimelineRow,
  type Tone,
  table,
  timeline,
} from '../../shared/report/index.ts';
import type {
  AutoscalerState,
  ContainerResources,
  Observation,
  PodSpan,
  PodTimeline,
  WorkloadResources,
} from '../../shared/rollout/index.ts';

/** More than these are no picture any more. */
const MOST_PODS = 50;

const TONES: Readonly<Record<PodSpan['phase'], Tone>> = {
  pending: 'waiting',
  pulling: 'working',
  init: 'working',
  starting: 'working',
  running: 'working',
  ready: 'good',
  succeeded: 'good',
  failing: 'bad',
  terminating: 'leaving',
};

/** When each pod did what: those in trouble first, then those that took longest. */
export function timelineOf({ pods, started, ended }: Observation): Block[] {
  // A pod that only went on being ready has no story.
  const seen = pods.filter(({ spans }) =>
    spans.some(({ phase, to }) => phase !== 'ready' && (to ?? ended) > started),
  );
  if (seen.length === 0) return [];
  const shown = seen.toSorted((a, b) => weight(b) - weight(a)).slice(0, MOST_PODS);
  const groups = Map.groupBy(shown, (pod) => `${pod.revision} ${keyOf(pod.workload)}`);
  const ordered = [...groups.values()].sort((a, b) => (a[0]!.revision < b[0]!.revision ? -1 : 1));
  const left = seen.filter((pod) => !shown.includes(pod));
  return [
    timeline(ordered.map((own) => groupOf(own, started, ended))),
    ...(left.length === 0 ? [] : [paragraph(`${left.length} more pods are not drawn; ${spread(left)}.`)]),
  ];
}

/** What a reader looks for first: failures, then new pods by how long they took. */
function weight(pod: PodTimeline): number {
  const failing = pod.spans.some(({ phase }) => phase === 'failing') ? 2e15 : 0;
  return failing + (pod.revision === 'new' ? 1e15 : 0) + (timeToReady(pod) ?? 1e12);
}

function timeToReady({ spans }: PodTimeline): number | undefined {
  const ready = spans.find(({ phase }) => phase === 'ready' || phase === 'succeeded');
  return ready === undefined ? undefined : ready.from - spans[0]!.from;
}

function spread(pods: readonly PodTimeline[]): string {
  const times = pods.flatMap((pod) => timeToReady(pod) ?? []);
  if (times.length === 0) return 'none of them got ready';
  return `they took ${formatDuration(Math.min(...times))} to ${formatDuration(Math.max(...times))} to get ready`;
}

function groupOf(pods: readonly PodTimeline[], started: number, ended: number): TimelineGroup {
  const { workload, revision } = pods[0]!;
  const rows = pods.map((pod): TimelineRow => {
    const short = pod.name.startsWith(`${workload.name}-`)
      ? pod.name.slice(workload.name.length + 1)
      : pod.name;
    return {
      name: short,
      note: noteOf(pod, ended),
      spans: withoutEnds(pod.spans)
        .map(({ phase, from, to, detail }) => ({
          from: Math.max(from, started),
          to: to ?? ended,
          tone: TONES[phase],
          label: detail ?? phase,
        }))
        .filter(({ from, to }) => to >= from && to > started),
    };
  });
  return { title: `${formatId(workload)}, ${revision} pods`, rows };
}

/** A pod that was told to stop leaves, however its containers end. */
function withoutEnds(spans: readonly PodSpan[]): readonly PodSpan[] {
  const leaving = spans.findIndex(({ phase }) => phase === 'terminating');
  if (leaving < 0) return spans;
  return [...spans.slice(0, leaving), { ...spans[leaving]!, to: spans.at(-1)!.to }];
}

function noteOf(pod: PodTimeline, ended: number): string {
  const last = pod.spans.at(-1)!;
  const restarts =
    pod.restarts === 0 ? '' : `, ${pod.restarts} ${pod.restarts === 1 ? 'restart' : 'restarts'}`;
  if (last.phase === 'failing') return `${last.detail ?? 'failing'}${restarts}`;
  const leaving = pod.spans.find(({ phase }) => phase === 'terminating');
  if (leaving !== undefined)
    return last.to === undefined ? 'leaving' : `left in ${formatDuration(last.to - leaving.from)}`;
  const time = timeToReady(pod);
  if (pod.revision === 'old' || pod.spans[0]!.phase === 'ready') return `${last.phase}${restarts}`;
  if (time === undefined)
    return `${last.phase} for ${formatDuration((last.to ?? ended) - last.from)}${restarts}`;
  return `${last.phase === 'succeeded' ? 'done' : 'ready'} after ${formatDuration(time)}${restarts}`;
}

/** What each container is promised and held to, and who is evicted first. */
export function resourcePicture(workloads: readonly WorkloadResources[]): Block[] {
  const rows = workloads.flatMap(({ id, qos, containers }) =>
    containers.map((container, index): Inline[] => [
      index === 0 ? mono(`${id.kind} ${id.name}`) : '',
      index === 0 ? qos : '',
      labelOf(container),
      amountOf(container, 'cpu'),
      amountOf(container, 'memory'),
      others(container),
    ]),
  );
  if (rows.length === 0) return [];
  const columns = ['Workload', 'QoS class', 'Container', 'CPU', 'Memory', 'Other'];
  const last = rows.every((row) => row[5] === '') ? 5 : 6;
  return [
    table(
      columns.slice(0, last),
      rows.map((row) => row.slice(0, last)),
    ),
  ];
}

const labelOf = ({ name, role }: ContainerResources) =>
  role === 'pod' ? 'the whole pod' : role === 'container' ? name : `${name} (${role})`;

/** `100m, at most 1`. */
function amountOf({ requests, limits }: ContainerResources, resource: string): string {
  const [request, limit] = [requests[resource], limits[resource]];
  if (request === undefined && limit === undefined) return '–';
  if (limit === undefined) return `${request}, no limit`;
  return request === limit ? `${limit}` : `${request ?? 'nothing'}, at most ${limit}`;
}

const others = (container: ContainerResources) =>
  [...new Set([...Object.keys(container.requests), ...Object.keys(container.limits)])]
    .filter((resource) => resource !== 'cpu' && resource !== 'memory')
    .map((resource) => `${resource} ${amountOf(container, resource)}`)
    .join('; ');

/** What the autoscalers of the workloads are doing, and what they miss. */
export function autoscalerPicture(autoscalers: readonly AutoscalerState[]): Block[] {
  if (autoscalers.length === 0) return [];
  const troubles = autoscalers.flatMap(({ name, troubles: own }) =>
    own.map((trouble): Inline => [strong(name), `: ${trouble}`]),
  );
  return [
    table(
      ['Autoscaler', 'Scales', 'Replicas', 'Bounds', 'Metric, now and wanted'],
      autoscalers.map(({ name, workload, current, desired, min, max, metrics }) => [
        mono(name),
        mono(`${workload.kind} ${workload.name}`),
        desired === current ? `${current}` : `${current}, wants ${desired}`,
        `${min} to ${max}`,
        metrics
          .map((metric) => `${metric.name} ${metric.current ?? 'unknown'} of ${metric.target}`)
          .join('\n'),
      ]),
    ),
    ...(troubles.length === 0 ? [] : [list(troubles)]),
  ];
}
