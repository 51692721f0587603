import type { KubeObject } from '../../../shared/kubernetes/index.ts';
import type { CauseCode } from '../../../shared/rollout/index.ts';
import type { Seen } from './seen.ts';

/** What the cases need of the lab. */
export interface Images {
  readonly good: string;
  readonly absent: string;
  readonly closed: string;
  readonly foreign: string;
}

/** A fault that is provoked for real. */
export interface Provoked {
  readonly name: string;
  readonly code: CauseCode;
  readonly namespace: 'plain' | 'small' | 'guarded' | 'ruled';
  readonly object: (images: Images) => KubeObject;
  /** Whether an object of the case, as the cluster tells it, shows the fault. */
  readonly shows: (seen: Seen) => boolean;
  /** In the verdict's message and evidence. */
  readonly says: RegExp;
  readonly patience?: readonly string[];
}

// biome-ignore lint/suspicious/noExplicitAny: manifests as a user writes them
type Spec = Record<string, any>;

const limits = { requests: { cpu: '5m', memory: '16Mi' }, limits: { memory: '64Mi' } };

const podSpec = (container: Spec, pod: Spec): Spec => ({
  terminationGracePeriodSeconds: 1,
  ...pod,
  containers: [{ name: 'app', resources: limits, ...container }],
});

const deployment = (name: string, container: Spec, pod: Spec = {}, spec: Spec = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    ...spec,
    template: { metadata: { labels: { app: name } }, spec: podSpec(container, pod) },
  },
});

const http = (path: string, more: Spec = {}): Spec => ({
  httpGet: { path, port: 8080 },
  periodSeconds: 1,
  failureThreshold: 2,
  ...more,
});

const statuses = (seen: Seen): Spec[] =>
  seen.kind === 'Pod'
    ? [...(seen.status?.initContainerStatuses ?? []), ...(seen.status?.containerStatuses ?? [])]
    : [];
const waits = (pattern: RegExp) => (seen: Seen) =>
  statuses(seen).some(({ state }) => pattern.test(state?.waiting?.reason ?? ''));
/** The second end of a container: the first may be healed by a restart. */
const endedTwice = (reason: RegExp) => (seen: Seen) =>
  statuses(seen).some(({ state, lastState, restartCount }) => {
    const end = state?.terminated ?? lastState?.terminated;
    return end !== undefined && reason.test(end.reason ?? '') && restartCount + (state?.running ? 0 : 1) >= 2;
  });
const event =
  (reason: RegExp, message: RegExp, count = 1) =>
  (seen: Seen) =>
    seen.kind === 'Event' &&
    reason.test(seen.reason ?? '') &&
    message.test(seen.message ?? '') &&
    (seen.series?.count ?? seen.count ?? 1) >= count;
const condition = (kind: string, type: string, status: string) => (seen: Seen) =>
  seen.kind === kind &&
  seen.status?.conditions?.some((one: Spec) => one.type === type && one.status === status) === true;
const PULL = /^(ErrImagePull|ImagePullBackOff)$/;

export const provoked: readonly Provoked[] = [
  {
    name: 'bad-tag',
    code: 'image-not-found',
    namespace: 'plain',
    object: ({ absent }) => deployment('bad-tag', { image: absent }),
    shows: waits(PULL),
    says: /has no such tag or repository/,
  },
  {
    name: 'wrong-credentials',
    code: 'image-unauthorized',
    namespace: 'plain',
    object: ({ closed }) =>
      deployment('wrong-credentials', { image: closed }, { imagePullSecrets: [{ name: 'wrong' }] }),
    shows: waits(PULL),
    says: /does not let it in.*Secret wrong/s,
  },
  {
    name: 'no-registry',
    code: 'registry-unreachable',
    namespace: 'plain',
    object: () => deployment('no-registry', { image: '127.0.0.1:1/team/app:v1' }),
    shows: waits(PULL),
    says: /cannot reach 127\.0\.0\.1:1/,
    patience: ['registry-unreachable=2s'],
  },
  {
    name: 'bad-platform',
    code: 'image-platform',
    namespace: 'plain',
    object: ({ foreign }) => deployment('bad-platform', { image: foreign }),
    shows: waits(PULL),
    says: /no variant for the platform/,
  },
  {
    name: 'bad-format',
    code: 'image-platform',
    namespace: 'plain',
    object: ({ good }) =>
      deployment(
        'bad-format',
        { image: good, command: ['/data/program'], volumeMounts: [{ name: 'data', mountPath: '/data' }] },
        { volumes: [{ name: 'data', configMap: { name: 'no-program', defaultMode: 0o755 } }] },
      ),
    shows: endedTwice(/./),
    says: /exec format error/,
  },
  {
    name: 'bad-reference',
    code: 'image-invalid',
    namespace: 'plain',
    object: () => deployment('bad-reference', { image: 'registry.test/Team_App:v1:x' }),
    shows: waits(/^InvalidImageName$/),
    says: /Team_App/,
  },
  {
    name: 'bad-command',
    code: 'command-failed',
    namespace: 'plain',
    object: ({ good }) => deployment('bad-command', { image: good, command: ['/no/such/program'] }),
    shows: waits(/^RunContainerError$/),
    says: /\/no\/such\/program is not in the image/,
  },
  {
    name: 'crash',
    code: 'crash',
    namespace: 'plain',
    object: ({ good }) => deployment('crash', { image: good, args: ['crash'] }),
    shows: endedTwice(/^Error$/),
    says: /exit code 3.*cannot reach database/s,
  },
  {
    name: 'oom',
    code: 'oom-killed',
    namespace: 'plain',
    object: ({ good }) => deployment('oom', { image: good, args: ['oom'] }),
    shows: endedTwice(/^OOMKilled$/),
    says: /limit of 64Mi/,
  },
  {
    name: 'no-key',
    code: 'config-missing',
    namespace: 'plain',
    object: ({ good }) =>
      deployment('no-key', {
        image: good,
        env: [{ name: 'CONFIG', valueFrom: { configMapKeyRef: { name: 'no-program', key: 'absent' } } }],
      }),
    shows: waits(/^CreateContainerConfigError$/),
    says: /key absent of ConfigMap no-program/,
  },
  {
    name: 'no-secret',
    code: 'config-missing',
    namespace: 'plain',
    object: ({ good }) =>
      deployment('no-secret', { image: good, envFrom: [{ secretRef: { name: 'absent' } }] }),
    shows: waits(/^CreateContainerConfigError$/),
    says: /Secret absent/,
  },
  {
    name: 'no-volume',
    code: 'volume-not-mounted',
    namespace: 'plain',
    object: ({ good }) =>
      deployment(
        'no-volume',
        { image: good, volumeMounts: [{ name: 'certificates', mountPath: '/certificates' }] },
        { volumes: [{ name: 'certificates', secret: { secretName: 'absent' } }] },
      ),
    shows: event(/^FailedMount$/, /"absent" not found/),
    says: /volume certificates: Secret absent does not exist/,
  },
  {
    name: 'no-claim',
    code: 'volume-not-mounted',
    namespace: 'plain',
    object: ({ good }) =>
      deployment(
        'no-claim',
        { image: good },
        { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'absent' } }] },
      ),
    shows: condition('Pod', 'PodScheduled', 'False'),
    says: /PersistentVolumeClaim absent does not exist/,
  },
  {
    name: 'too-big',
    code: 'unschedulable',
    namespace: 'plain',
    object: ({ good }) => deployment('too-big', { image: good, resources: { requests: { cpu: '64' } } }),
    shows: condition('Pod', 'PodScheduled', 'False'),
    says: /Insufficient cpu on 1 of 1 nodes/,
  },
  {
    name: 'no-node',
    code: 'unschedulable',
    namespace: 'plain',
    object: ({ good }) => deployment('no-node', { image: good }, { nodeSelector: { disk: 'fast' } }),
    shows: condition('Pod', 'PodScheduled', 'False'),
    says: /affinity\/selector on 1 of 1 nodes/,
  },
  {
    name: 'wrong-protocol',
    code: 'readiness',
    namespace: 'plain',
    object: ({ good }) =>
      deployment('wrong-protocol', {
        image: good,
        readinessProbe: http('/readyz', { httpGet: { path: '/readyz', port: 8080, scheme: 'HTTPS' } }),
      }),
    // The second failure is the end of the probe's own budget.
    shows: event(/^Unhealthy$/, /^Readiness probe .*HTTP response to HTTPS/, 2),
    says: /speaks HTTP, and the probe HTTPS/,
  },
  {
    name: 'not-ready',
    code: 'readiness',
    namespace: 'plain',
    object: ({ good }) =>
      deployment('not-ready', {
        image: good,
        env: [{ name: 'READY_FAIL', value: 'migrations pending' }],
        readinessProbe: http('/readyz'),
      }),
    shows: event(/^Unhealthy$/, /^Readiness probe .*503/, 2),
    says: /\/readyz answers 503/,
    patience: ['readiness=1s'],
  },
  {
    name: 'not-alive',
    code: 'liveness',
    namespace: 'plain',
    object: ({ good }) =>
      deployment('not-alive', {
        image: good,
        env: [{ name: 'LIVE_FAIL', value: 'deadlock' }],
        livenessProbe: http('/livez'),
        readinessProbe: http('/readyz', { initialDelaySeconds: 30 }),
      }),
    shows: endedTwice(/./),
    says: /liveness probe failed: .*\/livez answers 500/,
  },
  {
    name: 'not-started',
    code: 'startup',
    namespace: 'plain',
    object: ({ good }) =>
      deployment('not-started', {
        image: good,
        startupProbe: http('/readyz', { httpGet: { path: '/', port: 8080, scheme: 'HTTPS' } }),
      }),
    shows: event(/^Killing$/, /failed startup probe/),
    says: /startup probe failed: .*speaks HTTP/,
  },
  {
    name: 'init-crash',
    code: 'init-failed',
    namespace: 'plain',
    object: ({ good }) =>
      deployment(
        'init-crash',
        { image: good },
        { initContainers: [{ name: 'migrate', image: good, args: ['crash'], resources: limits }] },
      ),
    shows: endedTwice(/^Error$/),
    says: /Init container migrate.*cannot reach database/s,
  },
  {
    name: 'init-hang',
    code: 'init-stuck',
    namespace: 'plain',
    object: ({ good }) =>
      deployment(
        'init-hang',
        { image: good },
        { initContainers: [{ name: 'wait-for-database', image: good, args: ['hang'], resources: limits }] },
      ),
    shows: (seen) => statuses(seen).some(({ name, state }) => name === 'wait-for-database' && state?.running),
    says: /wait-for-database .* does not end/,
    patience: ['init-stuck=3s'],
  },
  {
    name: 'quota',
    code: 'quota',
    namespace: 'small',
    object: ({ good }) => deployment('quota', { image: good }, {}, { replicas: 2 }),
    shows: condition('ReplicaSet', 'ReplicaFailure', 'True'),
    says: /ResourceQuota one-pod is used up \(requested: pods=1, used: pods=1, limited: pods=1\)/,
  },
  {
    name: 'pod-security',
    code: 'admission',
    namespace: 'guarded',
    object: ({ good }) => deployment('pod-security', { image: good, securityContext: { privileged: true } }),
    shows: condition('ReplicaSet', 'ReplicaFailure', 'True'),
    says: /Pod Security baseline:latest of the namespace refuses them: privileged/,
  },
  {
    name: 'policy',
    code: 'admission',
    namespace: 'ruled',
    object: ({ good }) => deployment('policy', { image: good }),
    shows: condition('ReplicaSet', 'ReplicaFailure', 'True'),
    says: /ValidatingAdmissionPolicy \S+ refuses them: no pods on weekends/,
  },
  {
    name: 'job',
    code: 'job-failed',
    namespace: 'plain',
    object: ({ good }) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'job' },
      spec: {
        backoffLimit: 0,
        template: { spec: podSpec({ image: good, args: ['crash'] }, { restartPolicy: 'Never' }) },
      },
    }),
    shows: (seen) =>
      condition('Job', 'FailureTarget', 'True')(seen) || condition('Job', 'Failed', 'True')(seen),
    says: /backoffLimit of 0/,
  },
  {
    name: 'stateful',
    code: 'crash',
    namespace: 'plain',
    object: ({ good }) => ({
      ...deployment('stateful', { image: good, args: ['crash'] }, {}, { serviceName: 'stateful' }),
      kind: 'StatefulSet',
    }),
    shows: endedTwice(/^Error$/),
    says: /pod stateful-0 ended twice/,
  },
  {
    name: 'daemon',
    code: 'config-missing',
    namespace: 'plain',
    object: ({ good }) => ({
      ...deployment('daemon', { image: good, envFrom: [{ configMapRef: { name: 'absent' } }] }),
      kind: 'DaemonSet',
    }),
    shows: waits(/^CreateContainerConfigError$/),
    says: /ConfigMap absent/,
  },
  {
    name: 'paused',
    code: 'paused',
    namespace: 'plain',
    object: ({ good }) => deployment('paused', { image: good }, {}, { paused: true }),
    shows: (seen) => seen.kind === 'Deployment' && seen.spec?.paused === true,
    says: /is paused/,
  },
];

/** Whether an object belongs to a case: it is named after it, and so is what an event is about. */
export function isOf(name: string, seen: Seen): boolean {
  const own = seen.kind === 'Event' ? seen.involvedObject?.name : seen.metadata.name;
  return own === name || new RegExp(`^${name}-([a-z0-9]{5,10}|\\d+)(-[a-z0-9]{5})?$`).test(own ?? '');
}

/** Starts slowly, fails once, and is healed by its restart. */
export const healthy = (name: string, image: string, startMs: number): KubeObject =>
  deployment(
    name,
    {
      image,
      env: [
        { name: 'START_MS', value: String(startMs) },
        { name: 'FAIL_ONCE', value: '/scratch/failed' },
      ],
      readinessProbe: http('/readyz', { failureThreshold: 3 }),
      volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
      resources: { requests: { cpu: '1m', memory: '4Mi' }, limits: { memory: '64Mi' } },
    },
    { volumes: [{ name: 'scratch', emptyDir: {} }] },
  );
