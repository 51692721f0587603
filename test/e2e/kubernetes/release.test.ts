import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, openCluster } from '../../../shared/kubernetes/index.ts';
import { guard } from '../../../shared/rollout/release/guard.ts';
import { acquireLease, type LeaseOptions } from '../../../shared/rollout/release/lease.ts';
import { emptyRecord } from '../../../shared/rollout/release/record.ts';
import { readRecord, writeRecord } from '../../../shared/rollout/release/store.ts';
import { describeWith, kubernetes, kubernetesRegistry } from '../../lab/index.ts';
import { release, rollOut } from './release-objects.ts';

const parts = { kubernetes: await kubernetes(), registry: await kubernetesRegistry() };

describeWith('a release in a real cluster', parts, ({ kubernetes: lab, registry }) => {
  const open = new AsyncDisposableStack();
  let cluster: Cluster;
  let namespace: string;

  beforeAll(async () => {
    cluster = open.use(
      await openCluster({
        kubeconfig: lab.kubeconfig,
        env: { PATH: process.env.PATH },
        signal: AbortSignal.timeout(300_000),
        secret: () => undefined,
      }),
    );
    namespace = open.use(await lab.namespace('release')).name;
  });
  afterAll(() => open.disposeAsync());

  const options = (name: string, more: Partial<LeaseOptions> = {}): LeaseOptions => ({
    release: name,
    namespace,
    run: 'https://ci.example/1',
    wait: 0,
    signal: new AbortController().signal,
    onWait: () => undefined,
    duration: 2000,
    ...more,
  });

  const leaseOf = (name: string) =>
    cluster.get({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace, name: `slipway.${name}` });

  test('two runs at once: one waits in words, and the other’s changes are all made before its first', async () => {
    const { name: own } = open.use(await lab.namespace('release-two'));
    const [one, two] = await Promise.all(
      ['v1', 'v2'].map(async (version) => (await registry.publish({ repository: 'two', version })).pinned),
    );
    const order = (run: string, image: string, value: string) => ({
      kubeconfig: lab.kubeconfig,
      namespace: own,
      run,
      steps: [{ objects: release({ namespace: own, image, value }) }],
    });
    const ends = await Promise.all([
      rollOut(order('https://ci.example/1', one!, 'one')),
      rollOut(order('https://ci.example/2', two!, 'two')),
    ]);
    const answers = ends.map(({ answers: [answer], stderr }) => {
      expect(stderr).toBe('');
      expect(answer?.result).toBe('complete');
      // Who is refused the lease has tried to make it as well.
      const made = answer!.changes.filter(({ what }) => !what.includes('Lease'));
      return { ...answer!, first: made[0]!.at, last: made.at(-1)!.at };
    });
    const [earlier, later] = answers.sort((a, b) => a.first - b.first);
    expect(later!.first).toBeGreaterThan(earlier!.last);
    expect(earlier!.revision).toBe(1);
    expect(later!.revision).toBe(2);
    expect(later!.lines.join('\n')).toMatch(
      /waiting: Run https:\/\/ci\.example\/\d \(\w+\) has been rolling out web since \d\d:\d\d UTC; waiting up to/,
    );
    const { record } = await readRecord(cluster, 'web', own);
    expect(record.history.map(({ number, run }) => ({ number, run }))).toEqual([
      { number: 1, run: expect.stringMatching(/^https:\/\/ci\.example\/\d$/) },
    ]);
    expect(record.proven?.run).not.toBe(record.history[0]?.run);
  });

  test.concurrent('changes nothing where nothing differs, and deletes what is dropped when it may', async () => {
    const { name: own } = open.use(await lab.namespace('release-same'));
    const { pinned: image } = await registry.publish({ repository: 'same', version: 'v1' });
    const step = (value: string, more: readonly string[], prune = false) => ({
      objects: release({ namespace: own, image, value, more }),
      prune,
    });
    const { answers, stderr } = await rollOut({
      kubeconfig: lab.kubeconfig,
      namespace: own,
      run: 'https://ci.example/1',
      steps: [
        step('one', ['extra']),
        step('one', ['extra']),
        step('two', []),
        step('three', []),
        step('three', [], true),
      ],
    });
    expect(stderr).toBe('');
    expect(answers.map(({ result, revision }) => [result, revision])).toEqual([
      ['complete', 1],
      ['complete', 1],
      ['complete', 2],
      ['complete', 3],
      ['complete', 4],
    ]);
    expect(answers[1]!.changes).toEqual([]);
    expect(answers[3]!.changes.map(({ what }) => what)).not.toContain('remove ConfigMap/extra');
    expect(answers[4]!.changes.map(({ what }) => what)).toContain('remove ConfigMap/extra');
    const names = (await cluster.list({ apiVersion: 'v1', kind: 'ConfigMap', namespace: own })).map(
      ({ metadata }) => metadata.name,
    );
    expect(names).not.toContain('extra');
    // The history is one revision long, and that one is of the same value.
    expect(names.filter((name) => name.startsWith('settings-'))).toHaveLength(1);
    const { record } = await readRecord(cluster, 'web', own);
    expect(record.history.map(({ number }) => number)).toEqual([3]);
    expect(JSON.stringify(record)).not.toMatch(/secret-three|c2VjcmV0LXRocmVl/);
  });

  test.concurrent('a run that may not wait is refused with the name of the other one', async () => {
    await using _ = await acquireLease(cluster, options('busy'));
    await expect(acquireLease(cluster, options('busy', { run: 'me@here' }))).rejects.toThrow(
      /^Run https:\/\/ci\.example\/1 \(\w+\) has been rolling out busy since \d\d:\d\d UTC; run again when it is over/,
    );
  });

  test.concurrent('a lease is renewed for as long as it is held, and gone afterwards', async () => {
    {
      await using lease = await acquireLease(cluster, options('long'));
      const before = await leaseOf('long');
      await expect(acquireLease(cluster, options('long', { wait: 3000 }))).rejects.toThrow(/still was after/);
      expect((await leaseOf('long'))?.metadata.resourceVersion).not.toBe(before?.metadata.resourceVersion);
      expect(lease.signal.aborted).toBe(false);
    }
    expect(await leaseOf('long')).toBeUndefined();
  });

  test.concurrent('a lease that does not move is taken over, however late its clock is', async () => {
    await cluster.create({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'slipway.left', namespace },
      spec: {
        holderIdentity: 'a run that was killed',
        leaseDurationSeconds: 1,
        renewTime: '2099-01-01T00:00:00.000000Z',
      },
    });
    const told: string[] = [];
    await using _ = await acquireLease(
      cluster,
      options('left', { wait: 20_000, onWait: (line) => told.push(line) }),
    );
    expect(told).toEqual([expect.stringMatching(/^Run a run that was killed has been rolling out left;/)]);
    const { spec } = (await leaseOf('left'))!;
    expect(spec).toMatchObject({ holderIdentity: expect.stringMatching(/ci\.example/), leaseTransitions: 1 });
  });

  test.concurrent('who loses the lease changes nothing any more, and leaves it to the other', async () => {
    const lease = await acquireLease(cluster, options('lost'));
    const guarded = guard(cluster, lease);
    const thing = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace } });
    await guarded.create(thing('while-held'));
    const id = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace, name: 'slipway.lost' };
    await cluster.patch(id, { spec: { holderIdentity: 'another run' } });
    await sleep(1500);
    expect(lease.signal.aborted).toBe(true);
    await expect(guarded.create(thing('after'))).rejects.toThrow(
      /^Lease .*\/slipway\.lost was taken over by run another run while this run was rolling out; nothing further was changed/,
    );
    expect(await cluster.get({ ...id, apiVersion: 'v1', kind: 'ConfigMap', name: 'after' })).toBeUndefined();
    await lease[Symbol.asyncDispose]();
    expect(await leaseOf('lost')).toBeDefined();
  });

  test.concurrent('a record is written over the version that was read, and over no other one', async () => {
    const nothing = await readRecord(cluster, 'kept', namespace);
    expect(nothing).toEqual({ record: emptyRecord('kept', namespace), version: undefined });
    const first = await writeRecord(cluster, nothing, nothing.record);
    expect(await readRecord(cluster, 'kept', namespace)).toEqual(first);
    // The answer to it was lost: the same again is no change by another.
    expect(await writeRecord(cluster, nothing, nothing.record)).toEqual(first);
    const dropped = [{ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'x' }];
    const second = await writeRecord(cluster, first, { ...first.record, dropped });
    await expect(writeRecord(cluster, first, first.record)).rejects.toThrow(/was changed by someone else/);
    expect(await readRecord(cluster, 'kept', namespace)).toEqual(second);
  });

  test.concurrent('a namespace that is not there is named', async () => {
    await expect(acquireLease(cluster, { ...options('web'), namespace: 'not-there' })).rejects.toThrow(
      /^Namespace not-there is not in .*; add it to the manifests/,
    );
  });
});
