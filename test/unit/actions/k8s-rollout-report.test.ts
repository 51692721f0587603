import { describe, expect, it } from 'vitest';
import { countChanges, diffLines } from '../../../actions/k8s-rollout/changes.ts';
import { type ClusterRun, type RunResult, worstOf } from '../../../actions/k8s-rollout/cluster-run.ts';
import { LiveRun } from '../../../actions/k8s-rollout/live.ts';
import { timelineOf } from '../../../actions/k8s-rollout/picture.ts';
import { reportRuns, verdict } from '../../../actions/k8s-rollout/report.ts';
import type { Task } from '../../../shared/host/index.ts';
import { toMarkdown, toTerminal } from '../../../shared/report/index.ts';
import type {
  Cause,
  Finding,
  ObjectChange,
  Observation,
  PodTimeline,
  WorkloadProgress,
} from '../../../shared/rollout/index.ts';

const WEB = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' };
const POD = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web-1-a' };
const cause: Cause = {
  code: 'oom-killed',
  workload: WEB,
  object: POD,
  container: 'app',
  message: 'Container app of pod web-1-a was killed for using more than its limit of 32Mi.',
  evidence: ['last end: OOMKilled, exit code 137'],
  next: 'Raise resources.limits.memory.',
  since: 0,
  pods: 2,
};
const run = (more: Partial<ClusterRun>): ClusterRun => ({
  cluster: 'eu',
  wave: 1,
  namespace: 'shop',
  release: 'web',
  result: 'complete',
  because: '',
  revision: 7,
  changed: true,
  images: [],
  findings: [],
  missing: [],
  changes: [],
  causes: [],
  observation: undefined,
  undo: undefined,
  checks: [],
  resources: [],
  autoscalers: [],
  milliseconds: 1200,
  traffic: { requests: 12, watches: 3, bytesSent: 900, bytesReceived: 12_000 },
  ...more,
});

describe('the verdict is one line', () => {
  it.each<[Partial<ClusterRun>, string]>([
    [{}, 'Rolled out to shop on eu. Revision 7 serves.'],
    [{ result: 'planned' }, 'Would be rolled out to shop on eu: nothing changes.'],
    [
      { result: 'planned', because: 'The namespace is not there.' },
      'Cannot be rolled out to shop on eu: The namespace is not there. Revision 7 serves.',
    ],
    [{ changed: false }, 'Nothing changed in shop on eu. Revision 7 serves.'],
    [
      { result: 'undone', causes: [cause], revision: 6 },
      'Not rolled out to shop on eu, and undone: Container app of pod web-1-a was killed for using more than its limit of 32Mi. Revision 6 serves.',
    ],
    [
      { result: 'failed', causes: [cause], revision: undefined },
      'Failed in shop on eu: Container app of pod web-1-a was killed for using more than its limit of 32Mi.',
    ],
    [
      { result: 'unknown', because: 'The lease was lost.' },
      'Not known to be rolled out to shop on eu: The lease was lost. Revision 7 serves.',
    ],
    [
      { result: 'held', because: 'An earlier wave did not pass.' },
      'Not touched: An earlier wave did not pass.',
    ],
  ])('%j', (more, line) => expect(verdict(run(more))).toBe(line));
});

it.each<[readonly RunResult[], RunResult]>([
  [['complete', 'complete'], 'complete'],
  [['complete', 'undone', 'held'], 'undone'],
  [['undone', 'failed'], 'failed'],
  [['complete', 'unknown'], 'unknown'],
  [[], 'unknown'],
])('the worst of %j is %s', (results, worst) => {
  expect(worstOf(results.map((result) => ({ result })))).toBe(worst);
});

describe('the report', () => {
  it('has verdict, cause, evidence and next step before all else', () => {
    const text = toMarkdown(reportRuns([run({ result: 'undone', causes: [cause], revision: 6 })], 'summary'));
    const order = [
      '## ↩️ web',
      '<strong>Not rolled out',
      '`oom-killed` in Pod shop/web-1-a, container app. 2 pods show it.',
      'last end: OOMKilled',
      '<strong>Next: </strong>Raise',
    ];
    const places = order.map((piece) => text.indexOf(piece));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  it('of many clusters says which are proven and which were not touched', () => {
    const runs = [
      run({ cluster: 'canary' }),
      run({ cluster: 'eu', wave: 2, result: 'undone', causes: [cause] }),
      run({ cluster: 'us', wave: 3, result: 'held', because: 'An earlier wave did not pass.' }),
    ];
    const text = toMarkdown(reportRuns(runs, 'summary'));
    expect(text).toContain('## ↩️ web on 3 clusters');
    expect(text).toContain(
      'eu failed and undone. canary is proven and stays on the new revision. us was not touched.',
    );
    expect(text).toContain('| 3 | `us` | ⏸️ not touched | 7 | An earlier wave did not pass. | – |');
    expect(text.match(/<details>\n<summary>/g)).toHaveLength(2);
  });

  it('says of the counts after an undo what they are of', () => {
    const complete: WorkloadProgress = {
      id: WEB,
      state: 'complete',
      wanted: 3,
      updated: 3,
      ready: 3,
      available: 3,
      unavailable: 0,
      revision: '1',
      waitingFor: '',
    };
    const observation: Observation = {
      outcome: { kind: 'complete' },
      workloads: [complete],
      pods: [],
      started: 0,
      ended: 9,
    };
    const undone = reportRuns([run({ result: 'undone', causes: [cause], undo: observation })], 'terminal');
    expect(toTerminal(undone, { width: 100, color: false })).toMatch(
      /What serves after the undo:\n\nWorkload +State/,
    );
    expect(toMarkdown(reportRuns([run({ observation })], 'summary'))).not.toContain('after the undo');
  });

  it('folds away what asks for no action, and leaves it out of a terminal', () => {
    const finding = (level: Finding['level'], rule: Finding['rule']): Finding => ({
      rule,
      level,
      object: WEB,
      message: `Says ${rule}.`,
      fix: `fix-of-${rule}: true`,
      location: undefined,
    });
    const planned = run({
      result: 'planned',
      findings: [finding('notice', 'qos'), finding('warning', 'drain')],
    });
    const summary = toMarkdown(reportRuns([planned], 'summary'));
    expect(summary.indexOf('Says drain.')).toBeLessThan(summary.indexOf('1 notice of the preflight'));
    expect(summary.indexOf('1 notice of the preflight')).toBeLessThan(summary.indexOf('Says qos.'));
    const text = toTerminal(reportRuns([planned], 'terminal'), { width: 100, color: false });
    expect(text).toContain('fix-of-drain');
    expect(text).not.toContain('qos');
  });

  it('says when autoscalers could not be read, and what one of them misses', () => {
    expect(toMarkdown(reportRuns([run({ autoscalers: undefined })], 'summary'))).toContain(
      'Autoscalers may not be read',
    );
    const autoscaler = {
      name: 'web',
      workload: WEB,
      min: 1,
      max: 4,
      current: 2,
      desired: 0,
      troubles: ['ScalingActive is False: FailedGetResourceMetric'],
      metrics: [{ name: 'cpu', target: '80%', current: undefined }],
    };
    const text = toMarkdown(reportRuns([run({ autoscalers: [autoscaler] })], 'summary'));
    expect(text).toContain('| `web` | `Deployment web` | 2, wants 0 | 1 to 4 | cpu unknown of 80% |');
    expect(text).toContain('<strong>web</strong>: ScalingActive is False');
  });
});

describe('changes', () => {
  const change = (kind: ObjectChange['kind'], fields: ObjectChange['fields'] = []): ObjectChange => ({
    id: WEB,
    kind,
    fields,
    basis: 'dry-run',
    conflicts: [],
  });

  it('read as a diff, secrets as different alone', () => {
    const fields = [
      { path: 'spec.replicas', before: 1, after: 3 },
      { path: 'metadata.labels.team', before: undefined, after: 'shop' },
      { path: 'data.password', before: undefined, after: undefined, secret: true },
      { path: 'data.app', before: 'a', after: 'b', lines: ['@@ -1,1 +1,1 @@', '-a', '+b'] },
    ];
    expect(diffLines([change('same'), change('update', fields), change('remove')])).toEqual([
      '@ Deployment shop/web',
      '-   spec.replicas: 1',
      '+   spec.replicas: 3',
      '+   metadata.labels.team: shop',
      '!   data.password: different',
      '    data.app:',
      '      @@ -1,1 +1,1 @@',
      '-     a',
      '+     b',
      '- Deployment shop/web',
    ]);
  });

  it('are counted', () => {
    expect(countChanges([change('same'), change('update'), change('create'), change('create')])).toBe(
      '1 changed, 2 new, 1 the same',
    );
    expect(countChanges([])).toBe('');
  });
});

describe('the picture of pods', () => {
  const pod = (index: number, more: Partial<PodTimeline> = {}): PodTimeline => ({
    name: `web-1-${index}`,
    workload: WEB,
    revision: 'new',
    node: 'n',
    restarts: 0,
    spans: [
      { phase: 'starting', from: 1000, to: 2000 + index },
      { phase: 'ready', from: 2000 + index, to: undefined },
    ],
    ...more,
  });
  const observe = (pods: readonly PodTimeline[]): Observation => ({
    outcome: { kind: 'complete' },
    workloads: [],
    pods,
    started: 1000,
    ended: 9000,
  });

  it('draws fifty pods, those in trouble first, and tells of the others', () => {
    const failing = pod(200, {
      spans: [{ phase: 'failing', from: 1000, to: undefined, detail: 'CrashLoopBackOff' }],
      restarts: 2,
    });
    const blocks = timelineOf(observe([...Array.from({ length: 60 }, (_, index) => pod(index)), failing]));
    const text = toMarkdown(blocks);
    expect(text.match(/^ {2}section /gm)).toHaveLength(50);
    expect(text).toContain('section 1-200');
    expect(text).toContain('11 more pods are not drawn; they took 1.0 s to 1.0 s to get ready.');
    expect(toTerminal(blocks, { width: 100, color: false })).toMatch(
      /1-200 +×+ +CrashLoopBackOff, 2 restarts/,
    );
  });

  it('leaves out pods that only went on being ready, and shows a stopped one as leaving whatever its end', () => {
    const old = pod(1, { revision: 'old', spans: [{ phase: 'ready', from: 0, to: undefined }] });
    expect(timelineOf(observe([old]))).toEqual([]);
    const stopped = pod(2, {
      revision: 'old',
      spans: [
        { phase: 'ready', from: 0, to: 3000 },
        { phase: 'terminating', from: 3000, to: 5000 },
        { phase: 'succeeded', from: 5000, to: 6000 },
      ],
    });
    const text = toTerminal(timelineOf(observe([stopped])), { width: 100, color: false });
    expect(text).toMatch(/1-2 +█+░+ +left in 3\.0 s/);
  });
});

it('the live view has a task for each phase and each workload, and ends those that did not get there', async () => {
  const log: string[] = [];
  const task = (depth: number): Task => ({
    task: async (title, work) => {
      log.push(`${'  '.repeat(depth)}> ${title}`);
      try {
        return await work(task(depth + 1));
      } finally {
        log.push(`${'  '.repeat(depth)}< ${title}`);
      }
    },
    log: (line) => log.push(`${'  '.repeat(depth)}${line}`),
    note: (text) => log.push(`${'  '.repeat(depth)}(${text})`),
  });
  const live = new LiveRun(task(0));
  const follow = live.follow(new AbortController().signal);
  const progress: WorkloadProgress = {
    id: WEB,
    state: 'rolling',
    wanted: 3,
    updated: 2,
    ready: 1,
    available: 1,
    unavailable: 0,
    revision: '2',
    waitingFor: 'pods',
  };
  follow.onPhase('applying', 'applying 1 object');
  follow.onLine(WEB, 'Deployment shop/web changed');
  await new Promise((resolve) => setImmediate(resolve));
  follow.onPhase('watching', 'watching 1 workload');
  await new Promise((resolve) => setImmediate(resolve));
  follow.onProgress(progress);
  follow.onLine(WEB, 'pod web-1-a pulls');
  await live.end(true);
  expect(log).toEqual([
    '> Applying 1 object',
    '  Deployment shop/web changed',
    '> Watching 1 workload',
    '< Applying 1 object',
    '  > Deployment web',
    '    (2/3 updated · 1/3 ready · 1/3 available)',
    '    pod web-1-a pulls',
    '  < Deployment web',
    '< Watching 1 workload',
  ]);
});
