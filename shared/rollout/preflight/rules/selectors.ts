import { formatId, groupOf } from '../../../kubernetes/index.ts';
import { mayReplace } from '../../apply/declared.ts';
import type { DeclaredWorkload, Problem, RuleDefinition, Scene } from '../rule.ts';
import { type Known, knownObjects, selectorOfService } from '../scene.ts';
import {
  fieldsOf,
  listOf,
  matchesLabels,
  matchesSelector,
  textsOf,
  type Workload,
  workloadOf,
} from '../workload.ts';

const formatLabels = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ') || 'no labels';

const yamlLabels = (labels: Readonly<Record<string, string>>, indent: string): string =>
  Object.entries(labels)
    .map(([key, value]) => `${indent}${key}: ${JSON.stringify(value)}`)
    .join('\n');

export const selectorTemplate: RuleDefinition = {
  name: 'selector-template',
  level: 'error',
  finds:
    'a workload whose selector does not match the labels of its own template, or differs from the one in the cluster',
  why: 'the API server refuses it: a workload would never see the pods that it makes, and a selector cannot change',
  fix: 'the same labels in `selector.matchLabels` and `template.metadata.labels`',
  *find(scene) {
    for (const workload of scene.workloads) {
      if (!['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet'].includes(workload.id.kind)) continue;
      yield* ownSelector(workload);
      yield* changedSelector(scene, workload);
    }
  },
};

function* ownSelector({ manifest, id, object, labels }: DeclaredWorkload): Iterable<Problem> {
  const { selector } = fieldsOf(object.spec);
  const { matchLabels, matchExpressions } = fieldsOf(selector);
  const path = ['spec', 'selector'];
  if (Object.keys(fieldsOf(matchLabels)).length === 0 && listOf(matchExpressions).length === 0) {
    if (groupOf(object.apiVersion) !== 'apps') return;
    yield {
      manifest,
      path,
      message: `${formatId(id)} has no selector; the API server asks for one that matches the template's labels (${formatLabels(labels)}).`,
      ...(Object.keys(labels).length > 0 && {
        fix: `selector:\n  matchLabels:\n${yamlLabels(labels, '    ')}`,
      }),
    };
  } else if (!matchesSelector(fieldsOf(selector), labels)) {
    const wanted = textsOf(matchLabels);
    const wrong = Object.keys(wanted).filter((key) => labels[key] !== wanted[key]);
    yield {
      manifest,
      path: wrong[0] === undefined ? [...path, 'matchExpressions'] : [...path, 'matchLabels', wrong[0]],
      message:
        wrong.length === 0
          ? `The matchExpressions of ${formatId(id)} do not match its template's labels (${formatLabels(labels)}): the API server refuses it.`
          : `${formatId(id)} selects ${formatLabels(pick(wanted, wrong))}, but its template carries ${formatLabels(pick(labels, wrong))}: the API server refuses it.`,
      ...(wrong.length > 0 && {
        fix: `template:\n  metadata:\n    labels:\n${yamlLabels({ ...labels, ...wanted }, '      ')}`,
      }),
    };
  }
}

const pick = (labels: Readonly<Record<string, string>>, keys: readonly string[]): Record<string, string> =>
  Object.fromEntries(keys.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]]])));

function* changedSelector({ facts }: Scene, { manifest, id, object }: DeclaredWorkload): Iterable<Problem> {
  const before = fieldsOf(fieldsOf(facts?.live(id)?.spec).selector);
  const after = fieldsOf(fieldsOf(object.spec).selector);
  if (Object.keys(before).length === 0 || canonical(before) === canonical(after) || mayReplace(object))
    return;
  yield {
    manifest,
    path: ['spec', 'selector'],
    message: `The selector of ${formatId(id)} is ${formatLabels(textsOf(before.matchLabels))} in the cluster and ${formatLabels(textsOf(after.matchLabels))} in the manifest; it cannot change, so the API server refuses it.`,
    fix: `selector:\n  matchLabels:\n${yamlLabels(textsOf(before.matchLabels), '    ')}`,
  };
}

function canonical({ matchLabels, matchExpressions }: Readonly<Record<string, unknown>>): string {
  const sorted = Object.entries(textsOf(matchLabels)).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = listOf(matchExpressions).map((one) => {
    const { key, operator, values } = fieldsOf(one);
    return [key, operator, listOf(values)];
  });
  return JSON.stringify([sorted, expressions]);
}

export const selectorService: RuleDefinition = {
  name: 'selector-service',
  level: 'error',
  finds:
    'a Service whose selector matches no workload of the manifests or the namespace, or several (both a warning), or whose `targetPort` names a port that the pods do not have (an error where no port of the Service leads anywhere)',
  why: 'requests are refused, or reach pods of another program',
  fix: 'the labels of the workload’s template, and its port’s name',
  *find(scene) {
    for (const manifest of scene.manifests) {
      const { object } = manifest;
      if (object.kind !== 'Service' || object.apiVersion !== 'v1') continue;
      const selector = selectorOfService(object);
      if (selector === undefined) continue;
      const { workloads, unknown } = servingWorkloads(scene, object.metadata.namespace);
      const matching = workloads.filter(({ labels }) => matchesLabels(selector, labels));
      const service = {
        object,
        id: {
          apiVersion: 'v1',
          kind: 'Service',
          name: object.metadata.name,
          namespace: object.metadata.namespace,
        },
        manifest,
      };
      if (matching.length === 0) yield* selectsNothing(scene, service, selector, workloads, unknown);
      else yield* selectsSeveral(service, selector, matching);
      yield* unknownPorts(service, matching);
    }
  },
};

/** What serves requests for long: of the manifests, and of the cluster beside them. */
function servingWorkloads(
  scene: Scene,
  namespace: string | undefined,
): { workloads: Workload[]; unknown: string | undefined } {
  const declared = scene.workloads.filter(
    ({ id }) => id.namespace === namespace && id.kind !== 'Job' && id.kind !== 'CronJob',
  );
  const asked = (['Deployment', 'StatefulSet', 'DaemonSet'] as const).map((kind) =>
    knownObjects(scene, kind, namespace),
  );
  const live = asked
    .flatMap(({ objects }) => objects)
    .filter(({ manifest }) => manifest === undefined)
    .flatMap(({ object }) => workloadOf(object) ?? []);
  return {
    workloads: [...declared, ...live],
    unknown: asked.map(({ unknown }) => unknown).find((one) => one !== undefined),
  };
}

function* selectsNothing(
  scene: Scene,
  service: Known,
  selector: Readonly<Record<string, string>>,
  workloads: readonly Workload[],
  unknown: string | undefined,
): Iterable<Problem> {
  if ((scene.facts?.podsOf?.(service.id) ?? 0) > 0) return;
  const close = closest(selector, workloads);
  const wrong =
    close === undefined
      ? undefined
      : Object.keys(selector).find((key) => close.labels[key] !== selector[key]);
  const hint =
    close === undefined || wrong === undefined
      ? ''
      : ` The nearest is ${formatId(close.id)}, whose pods carry ${formatLabels(pick(close.labels, [wrong]))}.`;
  const where =
    scene.facts === undefined
      ? 'of these manifests'
      : unknown === undefined
        ? 'of the manifests or the namespace'
        : `of the manifests; what the namespace has is unknown: ${unknown}`;
  yield {
    manifest: service.manifest,
    path: wrong === undefined ? ['spec', 'selector'] : ['spec', 'selector', wrong],
    message: `${formatId(service.id)} selects ${formatLabels(selector)}, which matches no workload ${where}.${hint}`,
    ...(close !== undefined && {
      fix: `selector:\n${yamlLabels({ ...selector, ...pick(close.labels, Object.keys(selector)) }, '  ')}`,
    }),
    // Controllers and other releases make pods too, later: only a hint that this Service is meant for these workloads.
    atMost: 'warning' as const,
  };
}

/** The workload that shares the most labels with a selector, when it shares any or has the same keys. */
function closest(
  selector: Readonly<Record<string, string>>,
  workloads: readonly Workload[],
): Workload | undefined {
  const score = ({ labels }: Workload) =>
    Object.entries(selector).reduce(
      (sum, [key, value]) => sum + (labels[key] === value ? 2 : labels[key] === undefined ? 0 : 1),
      0,
    );
  const best = workloads.reduce<Workload | undefined>(
    (a, b) => (a === undefined || score(b) > score(a) ? b : a),
    undefined,
  );
  return best === undefined || score(best) === 0 ? undefined : best;
}

function* selectsSeveral(
  service: Known,
  selector: Readonly<Record<string, string>>,
  matching: readonly Workload[],
): Iterable<Problem> {
  if (matching.length < 2) return;
  const names = matching.map(({ id }) => `${id.kind} ${id.name}`);
  yield {
    manifest: service.manifest,
    path: ['spec', 'selector'],
    message: `${formatId(service.id)} selects ${formatLabels(selector)}, which matches ${names.length} workloads (${names.join(', ')}): its requests are spread over all of them.`,
    fix: `# a label that only one of them carries\nselector:\n${yamlLabels({ ...selector, ...distinctLabel(matching) }, '  ')}`,
    atMost: 'warning',
  };
}

function distinctLabel([first, ...others]: readonly Workload[]): Record<string, string> {
  const own = Object.entries(first?.labels ?? {}).find(([key, value]) =>
    others.every(({ labels }) => labels[key] !== value),
  );
  return own === undefined ? { 'app.kubernetes.io/name': first?.id.name ?? '' } : { [own[0]]: own[1] };
}

function* unknownPorts(service: Known, matching: readonly Workload[]): Iterable<Problem> {
  const ports = listOf(fieldsOf(service.object.spec).ports).map((port) => fieldsOf(port).targetPort);
  // One port that leads nowhere may be one that nobody asks for; where none leads anywhere the Service is dead.
  const dead = !ports.some((port) => matching.some((workload) => hasPort(workload, port)));
  for (const [index, targetPort] of ports.entries()) {
    for (const workload of matching) {
      if (typeof targetPort !== 'string' || hasPort(workload, targetPort)) continue;
      const names = portNames(workload);
      yield {
        manifest: service.manifest,
        path: ['spec', 'ports', index, 'targetPort'],
        message: `targetPort ${targetPort} of ${formatId(service.id)} is no port name of ${formatId(workload.id)}${names.length === 0 ? ', whose ports have no names' : `; it has ${names.join(', ')}`}: no requests get there.`,
        ...(names.length === 1 && { fix: `targetPort: ${names[0]}` }),
        atMost: dead ? 'error' : 'warning',
      };
    }
  }
}

/** A number leads to whatever listens there. */
const hasPort = (workload: Workload, targetPort: unknown): boolean =>
  typeof targetPort !== 'string' || /^\d+$/.test(targetPort) || portNames(workload).includes(targetPort);

/** Names of ports that a Service can name: those of containers that go on running. */
const portNames = ({ containers }: Workload): string[] =>
  containers
    .filter(({ role }) => role !== 'init')
    .flatMap(({ container }) => listOf(container.ports))
    .flatMap((port) => fieldsOf(port).name ?? [])
    .map(String);
