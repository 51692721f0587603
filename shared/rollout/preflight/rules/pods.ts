import { parseDuration } from '../../../host/index.ts';
import { formatId } from '../../../kubernetes/index.ts';
import type { QosClass } from '../finding.ts';
import { containerResources, qosOf, readResources } from '../qos.ts';
import type { DeclaredWorkload, Problem, RuleDefinition, Scene } from '../rule.ts';
import { cannotTell, firstOfNamespaces, knownObjects, resourceOptions, servicesOf } from '../scene.ts';
import { fieldsOf, listOf, type PlacedContainer } from '../workload.ts';

/** States that the program itself goes on serving for this long after SIGTERM; on the pod's template or the workload. */
export const GRACEFUL_STOP = 'slipway.dev/graceful-stop';

/** Kinds whose pods go on running. */
const SERVING = [
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'ReplicationController',
  'Rollout',
  'Pod',
];
const isServing = ({ id }: DeclaredWorkload) => SERVING.includes(id.kind);

export const resources: RuleDefinition = {
  name: 'resources',
  level: 'warning',
  finds: 'a container without requests for cpu and memory, or without a limit for memory',
  why: 'the scheduler counts it as nothing and fills the node; without a limit one leak takes the node’s other pods along',
  fix: '`resources.requests` and `limits.memory`, or resources of the pod from Kubernetes 1.34',
  *find(scene) {
    for (const workload of scene.workloads) {
      const options = resourceOptions(scene, workload.id.namespace);
      const pod = options.podLevel === false ? {} : fieldsOf(workload.spec.resources);
      for (const placed of workload.containers) {
        const own = containerResources(placed, options.defaults);
        const requests = { ...own.requests, ...readResources(pod.limits), ...readResources(pod.requests) };
        const limits = { ...own.limits, ...readResources(pod.limits) };
        const missing = [
          ...['cpu', 'memory']
            .filter((name) => requests[name] === undefined)
            .map((name) => `request for ${name}`),
          ...(limits.memory === undefined ? ['limit for memory'] : []),
        ];
        if (missing.length > 0) yield missingResources(workload, placed, missing);
      }
      yield* ignoredPodLevel(scene, workload);
    }
  },
};

function missingResources(
  workload: DeclaredWorkload,
  placed: PlacedContainer,
  missing: readonly string[],
): Problem {
  const { container, path, role } = placed;
  const lines = [
    'resources:',
    ...(missing.some((one) => one.startsWith('request')) ? ['  requests:'] : []),
    ...(missing.includes('request for cpu') ? ['    cpu: 100m'] : []),
    ...(missing.includes('request for memory') ? ['    memory: 64Mi'] : []),
    ...(missing.includes('limit for memory') ? ['  limits:', '    memory: 128Mi'] : []),
  ];
  return {
    manifest: workload.manifest,
    path: [...path, 'resources'],
    message: `Container ${container.name} of ${formatId(workload.id)} has no ${missing.join(', no ')}.`,
    fix: `${lines.join('\n')}  # what it uses under load, measured`,
    // It runs for a moment, before the pod serves.
    ...(role === 'init' && { atMost: 'notice' as const }),
  };
}

function* ignoredPodLevel(
  { facts }: Scene,
  { manifest, id, podPath, spec }: DeclaredWorkload,
): Iterable<Problem> {
  if (spec.resources === undefined || facts?.version === undefined || facts.version.minor >= 34) return;
  yield {
    manifest,
    path: [...podPath, 'spec', 'resources'],
    message: `Resources of the pod as a whole (${formatId(id)}) are an alpha feature before Kubernetes 1.34; this server is ${facts.version.release} and drops them unless the feature was switched on.`,
    fix: '# resources of each container',
  };
}

const EVICTION: Readonly<Record<QosClass, string>> = {
  BestEffort: 'they are the first to be evicted when the node runs short, and the kernel kills them first',
  Burstable: 'they are evicted after BestEffort pods, those that use more than they requested first',
  Guaranteed: '',
};

export const qos: RuleDefinition = {
  name: 'qos',
  level: 'warning',
  finds:
    'pods that are BestEffort (warning) or Burstable (notice), as Kubernetes works it out over all containers, init containers and sidecars',
  why: 'the class decides whose pods are evicted and killed first when a node runs short',
  fix: 'requests for BestEffort pods; limits equal to requests, for cpu and memory, for Guaranteed',
  *find(scene) {
    for (const workload of scene.workloads) {
      if (workload.containers.length === 0) continue;
      const { manifest, id, podPath, spec } = workload;
      const level = qosOf(spec, resourceOptions(scene, id.namespace));
      if (level === 'Guaranteed') continue;
      yield {
        manifest,
        path: [...podPath, 'spec'],
        message: `Pods of ${formatId(id)} are ${level}: ${EVICTION[level]}.`,
        fix:
          level === 'BestEffort'
            ? 'resources:\n  requests:\n    cpu: 100m\n    memory: 64Mi'
            : '# Guaranteed, where that is wanted: in every container\nresources:\n  requests: &resources\n    cpu: 100m\n    memory: 64Mi\n  limits: *resources',
        ...(level === 'Burstable' && { atMost: 'notice' as const }),
      };
    }
  },
};

export const probes: RuleDefinition = {
  name: 'probes',
  level: 'warning',
  finds:
    'pods without a readiness probe (behind a Service: warning, else notice); a liveness probe that asks the same as the readiness probe (notice)',
  why: 'without readiness a pod counts as ready as soon as its process runs, so requests reach it too early and a rollout proves nothing; the same question for liveness restarts pods that are only busy, all at once',
  fix: '`readinessProbe` on the port that serves; liveness that asks for nothing but the process itself',
  *find(scene) {
    for (const workload of scene.workloads.filter(isServing)) {
      const behind = servicesOf(scene, workload)[0];
      const running = workload.containers.filter(({ role }) => role === 'container');
      if (
        running.length > 0 &&
        workload.containers.every(({ container }) => container.readinessProbe === undefined)
      )
        yield missingReadiness(workload, running, behind === undefined ? undefined : formatId(behind.id));
      for (const { container, path } of running)
        if (sameQuestion(container.readinessProbe, container.livenessProbe))
          yield {
            manifest: workload.manifest,
            path: [...path, 'livenessProbe'],
            message: `Liveness asks container ${container.name} of ${formatId(workload.id)} the same as readiness: a pod that is only busy, or waits for a database, is restarted in place of being left out for a while.`,
            fix: `livenessProbe:\n  httpGet: { path: /livez, port: ${portOf(container)} }  # only whether the process answers`,
            atMost: 'notice',
          };
    }
  },
};

function missingReadiness(
  { manifest, id }: DeclaredWorkload,
  running: readonly PlacedContainer[],
  service: string | undefined,
): Problem {
  const { container, path } = running.find((one) => listOf(one.container.ports).length > 0) ?? running[0]!;
  return {
    manifest,
    path,
    message: `No container of ${formatId(id)} has a readiness probe: ${service === undefined ? 'a new pod counts as ready as soon as its process runs' : `${service} sends requests to a new pod as soon as its process runs`}, and the rollout goes on.`,
    fix: `readinessProbe:\n  httpGet: { path: /readyz, port: ${portOf(container)} }\n  periodSeconds: 2`,
    ...(service === undefined && { atMost: 'notice' as const }),
  };
}

const portOf = (container: PlacedContainer['container']): string => {
  const port = fieldsOf(listOf(container.ports)[0]);
  return String(port.name ?? port.containerPort ?? 8080);
};

/** Whether two probes ask the same: their timings do not matter. */
function sameQuestion(one: unknown, other: unknown): boolean {
  if (one === undefined || other === undefined) return false;
  const question = (probe: unknown) => {
    const { httpGet, tcpSocket, exec, grpc } = fieldsOf(probe);
    return JSON.stringify([httpGet, tcpSocket, exec, grpc]);
  };
  // A port that is open says nothing about requests that pile up.
  return fieldsOf(one).tcpSocket === undefined && question(one) === question(other);
}

export const drain: RuleDefinition = {
  name: 'drain',
  level: 'warning',
  finds: `pods behind a Service that neither wait before they stop (\`preStop\`) nor state that the program drains (annotation \`${GRACEFUL_STOP}: 5s\`); a \`preStop\` that takes as long as the pod is given to stop`,
  why: 'nodes go on sending requests for a moment after a pod was told to stop: 77 of 4,405 new connections were lost in one measured roll, 0 of 4,812 with `preStop: sleep 3`',
  fix: '`preStop: sleep: { seconds: 3 }`, before Kubernetes 1.30 an exec of `sleep`',
  *find(scene) {
    for (const workload of scene.workloads.filter(isServing)) {
      if (servicesOf(scene, workload).length > 0) yield* abruptStop(scene, workload);
      yield* shortGrace(scene, workload);
    }
    for (const workload of firstOfNamespaces(scene.workloads.filter(isServing))) {
      const { unknown } = knownObjects(scene, 'Service', workload.id.namespace);
      if (unknown !== undefined)
        yield cannotTell(workload, 'Whether a Service of the cluster sends requests to these pods', unknown);
    }
  },
};

function* abruptStop(scene: Scene, workload: DeclaredWorkload): Iterable<Problem> {
  const { manifest, id, containers, spec } = workload;
  const running = containers.filter(({ role }) => role === 'container');
  if (running.length === 0 || running.some(({ container }) => container.lifecycle?.preStop != null)) return;
  const stated = gracefulStop(workload);
  if (stated !== undefined && parsed(stated) !== undefined) return;
  const { path } = running.find(({ container }) => listOf(container.ports).length > 0) ?? running[0]!;
  yield {
    manifest,
    path: [...path, 'lifecycle'],
    message: `${
      stated === undefined
        ? `Pods of ${formatId(id)} stop the moment they are told to, while nodes still send them requests`
        : `${GRACEFUL_STOP} of ${formatId(id)} is "${stated}", which is no duration such as 5s`
    }: measured, 77 of 4,405 new connections were lost in one roll, 0 of 4,812 with preStop: sleep 3.`,
    fix: `${sleepFix(scene)}${(spec.terminationGracePeriodSeconds ?? 30) <= 3 ? '\n# and terminationGracePeriodSeconds: 30' : ''}\n# or, where the program itself drains, on the template: ${GRACEFUL_STOP}: "5s"`,
  };
}

const gracefulStop = ({ annotations, object }: DeclaredWorkload): string | undefined => {
  const own = fieldsOf(object.metadata.annotations)[GRACEFUL_STOP];
  return annotations[GRACEFUL_STOP] ?? (own === undefined ? undefined : String(own));
};

function parsed(duration: string): number | undefined {
  try {
    return parseDuration(duration);
  } catch {
    return undefined;
  }
}

/** The sleep action is on by default from 1.30; before, a program of the image has to sleep. */
const sleepFix = ({ facts }: Scene): string =>
  facts?.version !== undefined && facts.version.minor < 30
    ? 'lifecycle:\n  preStop:\n    exec: { command: [sleep, "3"] }  # the image needs a sleep; from Kubernetes 1.30: sleep: { seconds: 3 }'
    : 'lifecycle:\n  preStop:\n    sleep: { seconds: 3 }';

function* shortGrace(scene: Scene, workload: DeclaredWorkload): Iterable<Problem> {
  const { manifest, id, containers, spec, podPath } = workload;
  const grace = spec.terminationGracePeriodSeconds ?? 30;
  const stated = parsed(gracefulStop(workload) ?? '');
  const own = stated === undefined ? 0 : stated / 1000;
  for (const { container, path } of containers) {
    const hook = fieldsOf(container.lifecycle?.preStop);
    const seconds = hookSeconds(hook);
    if (hook.sleep !== undefined && facts30(scene) === false)
      yield {
        manifest,
        path: [...path, 'lifecycle', 'preStop', 'sleep'],
        message: `preStop.sleep of container ${container.name} of ${formatId(id)} needs Kubernetes 1.30; this server is ${scene.facts!.version!.release} and does not know it.`,
        fix: 'lifecycle:\n  preStop:\n    exec: { command: [sleep, "3"] }',
      };
    if (seconds !== undefined && seconds + own >= grace)
      yield {
        manifest,
        path: [...podPath, 'spec', 'terminationGracePeriodSeconds'],
        message: `Container ${container.name} of ${formatId(id)} waits ${seconds} s in preStop${own > 0 ? ` and states ${own} s to drain` : ''}, but the pod is killed after ${grace} s: nothing is left to end requests in.`,
        fix: `terminationGracePeriodSeconds: ${Math.ceil(seconds + own) + 27}`,
      };
  }
  if (own >= grace)
    yield {
      manifest,
      path: [...podPath, 'spec', 'terminationGracePeriodSeconds'],
      message: `${formatId(id)} states that it drains for ${own} s, but the pod is killed after ${grace} s.`,
      fix: `terminationGracePeriodSeconds: ${Math.ceil(own) + 25}`,
    };
}

const facts30 = ({ facts }: Scene): boolean | undefined =>
  facts?.version === undefined ? undefined : facts.version.minor >= 30;

/** How long a preStop hook sleeps, where that can be read from it. */
function hookSeconds({ sleep, exec }: Readonly<Record<string, unknown>>): number | undefined {
  const { seconds } = fieldsOf(sleep);
  if (typeof seconds === 'number') return seconds;
  const command = listOf(fieldsOf(exec).command).join(' ');
  const slept = /(?:^|[\s/;&])sleep\s+(\d+(?:\.\d+)?)s?(?=$|[\s;&])/.exec(command);
  return slept === null ? undefined : Number(slept[1]);
}
