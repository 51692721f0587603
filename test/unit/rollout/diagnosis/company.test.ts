import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../shared/kubernetes/index.ts';
import { isOfCustomKind } from '../../../../shared/rollout/diagnosis/company.ts';
import { diagnose } from '../../../../shared/rollout/diagnosis/diagnose.ts';
import { parsePatience } from '../../../../shared/rollout/index.ts';
import { createModel, fold, type WorkloadState } from '../../../../shared/rollout/watch/model.ts';
import { type Recorded, recordedCase } from '../recorded.ts';

const NOW = Date.parse('2026-11-24T18:20:00Z');
// biome-ignore lint/suspicious/noExplicitAny: objects as the API gives them
type Fields = Record<string, any>;

/** Another workload of the same rollout: a StatefulSet whose pod got ready at a time, or is not yet. */
const peer = (ready: string | undefined): readonly [KubeObject, KubeObject] => {
  const count = ready === undefined ? 0 : 1;
  const hash = { currentRevision: 'database-1', updateRevision: 'database-1' };
  const metadata = { name: 'database', namespace: 'shop', uid: 'database', generation: 1 };
  const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'database', uid: 'database' };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata,
      spec: { replicas: 1, template: { spec: { containers: [{ name: 'db', readinessProbe: {} }] } } },
      status: { observedGeneration: 1, ...hash, updatedReplicas: 1, replicas: 1, readyReplicas: count },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'database-0',
        namespace: 'shop',
        uid: 'database-0',
        labels: { 'controller-revision-hash': 'database-1' },
        ownerReferences: [{ ...owner, controller: true }],
      },
      status: {
        conditions: [{ type: 'Ready', status: count ? 'True' : 'False', lastTransitionTime: ready }],
      },
    },
  ] as [KubeObject, KubeObject];
};

/** A Job of the same rollout whose pod runs, or waits. */
const job = (state: Fields): readonly [KubeObject, KubeObject] => {
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: 'setup', uid: 'setup' };
  const metadata = { namespace: 'shop', generation: 1 };
  return [
    { ...owner, metadata: { ...metadata, name: 'setup', uid: 'setup' }, spec: {}, status: {} },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        ...metadata,
        name: 'setup-1',
        uid: 'setup-1',
        ownerReferences: [{ ...owner, controller: true }],
      },
      status: { containerStatuses: [{ name: 'app', state }] },
    },
  ] as [KubeObject, KubeObject];
};

interface Company {
  readonly peer?: readonly [KubeObject, KubeObject];
  readonly makers?: readonly KubeObject[];
  readonly log?: readonly string[];
  readonly patience?: readonly string[];
}

/** What is a verdict a while after a recorded fault was told, in company. */
function verdicts(record: Recorded, { makers, log, patience = [], ...more }: Company, wait = 3000) {
  const [other, otherPod] = more.peer ?? [];
  const model = createModel([record.workload, ...(other ? [other] : [])], makers);
  const tell = (feed: Parameters<typeof fold>[1], objects: readonly (KubeObject | undefined)[]) => {
    for (const object of objects) if (object) fold(model, feed, { type: 'added', object }, NOW);
  };
  tell('workload', [record.workload, other]);
  tell('replica-set', record.replicaSets);
  tell('pod', [...record.pods, otherPod]);
  tell('event', record.events);
  for (const { metadata } of record.pods) model.findings.logs.set(`${metadata.uid}/app`, log ?? []);
  const workload: WorkloadState = [...model.workloads.values()][0]!;
  const given = parsePatience(patience);
  const first = diagnose(model, workload, new Map(), NOW, given);
  const { causes } = diagnose(model, workload, first.sightings, NOW + wait, given);
  return causes.map(({ code }) => code);
}

/** The recorded crash, whose last instance began at 18:19:40. */
function crash(change: (status: Fields) => void = () => {}): Recorded {
  const record = structuredClone(recordedCase('crash'));
  const ended = { exitCode: 1, reason: 'Error', startedAt: '2026-11-24T18:19:40Z', finishedAt: '' };
  const [status] = (record.pods[0]!.status as Fields).containerStatuses;
  Object.assign(status, {
    ready: false,
    restartCount: 1,
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: { terminated: ended },
  });
  change(status);
  return record;
}

describe('a container that ends because it cannot reach something', () => {
  const log = ['dial tcp 10.0.0.9:5432: connect: connection refused'];

  it('is a verdict where it rolls alone', () => expect(verdicts(crash(), { log })).toEqual(['crash']));

  it('waits for a workload of its rollout that is not ready', () => {
    expect(verdicts(crash(), { log, peer: peer(undefined) })).toEqual([]);
    expect(verdicts(crash(), { log, peer: peer(undefined) }, 299_000)).toEqual([]);
    expect(verdicts(crash(), { log, peer: peer(undefined) }, 300_000)).toEqual(['crash']);
  });

  it('waits for its next start where that workload got ready after the last one', () =>
    expect(verdicts(crash(), { log, peer: peer('2026-11-24T18:19:45Z') })).toEqual([]));

  it('does not, where that workload was ready before', () =>
    expect(verdicts(crash(), { log, peer: peer('2026-11-24T18:19:30Z') })).toEqual(['crash']));

  it.each([
    'Error: connect ECONNREFUSED 10.0.0.9:5432',
    'getaddrinfo ENOTFOUND database',
    'java.net.UnknownHostException: database',
    'psycopg2.OperationalError: could not translate host name "database" to address',
    "django.db.utils.OperationalError: (2002, \"Can't connect to MySQL server on 'database' (115)\")",
    'FATAL: the database system is starting up',
  ])('says so: %s', (line) => expect(verdicts(crash(), { log: [line], peer: peer(undefined) })).toEqual([]));

  it('does not, where it ends for another reason', () =>
    expect(verdicts(crash(), { log: ['panic: nil map'], peer: peer(undefined) })).toEqual(['crash']));

  it('has the patience that the user gives', () =>
    expect(verdicts(crash(), { log, peer: peer(undefined), patience: ['crash=2s'] })).toEqual(['crash']));
});

it('has three seconds for the event that a probe had it killed', () => {
  const probed = crash();
  (probed.pods[0] as Fields).spec.containers[0].livenessProbe = {};
  expect(verdicts(probed, {}, 2900)).toEqual([]);
  expect(verdicts(probed, {}, 3000)).toEqual(['crash']);
});

it('is no verdict while it runs again, and one when it ends again', () => {
  const running = crash((status) => {
    Object.assign(status, { restartCount: 2, state: { running: { startedAt: '2026-11-24T18:19:50Z' } } });
  });
  expect(verdicts(running, {}, 600_000)).toEqual([]);
  expect(verdicts(crash(), {}, 1000)).toEqual(['crash']);
});

describe('a Secret that is missing', () => {
  const record = recordedCase('no-secret');
  const made = (name: string, spec: object): KubeObject => ({
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { name, namespace: 'shop' },
    spec,
  });
  it.each([
    ['of its name', made('absent', {})],
    ['that names it', made('outside', { target: { name: 'absent' } })],
  ])('may be made of an object %s', (_, maker) => {
    expect(verdicts(record, { makers: [maker] }, 299_000)).toEqual([]);
    expect(verdicts(record, { makers: [maker] }, 300_000)).toEqual(['config-missing']);
  });
  it('may hold the credentials of a pull', () => {
    const closed = structuredClone(recordedCase('bad-tag'));
    for (const pod of closed.pods as readonly Fields[]) {
      const message = 'failed to resolve reference: unexpected status from HEAD request: 401 Unauthorized';
      pod.spec.imagePullSecrets = [{ name: 'absent' }];
      pod.status.containerStatuses[0].state = { waiting: { reason: 'ErrImagePull', message } };
    }
    const record = { ...closed, events: [] };
    expect(verdicts(record, {})).toEqual(['image-unauthorized']);
    expect(verdicts(record, { makers: [made('absent', {})] })).toEqual([]);
  });
  it('is not made of others', () =>
    expect(verdicts(record, { makers: [made('outside', { target: { name: 'absent-2' } })] })).toEqual([
      'config-missing',
    ]));
  it('may be made by a Job that runs', () => {
    expect(verdicts(record, { peer: job({ running: { startedAt: '2026-11-24T18:19:50Z' } }) })).toEqual([]);
    expect(verdicts(record, { peer: job({ waiting: { reason: 'CreateContainerConfigError' } }) })).toEqual([
      'config-missing',
    ]);
  });
  it('may be mounted', () => {
    const mounted = recordedCase('no-volume');
    expect(verdicts(mounted, {})).toEqual(['volume-not-mounted']);
    expect(verdicts(mounted, { makers: [made('absent', {})] }, 200_000)).toEqual([]);
  });
});

it.each([
  ['external-secrets.io/v1', true],
  ['secrets-store.csi.x-k8s.io/v1', true],
  ['apps/v1', false],
  ['v1', false],
  ['networking.k8s.io/v1', false],
])('%s is of a kind that somebody added: %s', (apiVersion, custom) =>
  expect(isOfCustomKind({ apiVersion, kind: 'Any', metadata: { name: 'x' } })).toBe(custom),
);
