import { describe, expect, it } from 'vitest';
import { formatQuantity, parseQuantity, podResources, qosOf } from '../../../../shared/rollout/index.ts';
import type { PodSpec } from '../../../../shared/rollout/preflight/workload.ts';

it.each([
  ['100m', 100_000_000n],
  [0.1, 100_000_000n],
  ['1', 1_000_000_000n],
  ['1Ki', 1_024_000_000_000n],
  ['1.5Gi', 1_610_612_736_000_000_000n],
  ['1e3', 1_000_000_000_000n],
  ['1E', 10n ** 27n],
  ['+2k', 2_000_000_000_000n],
  ['.5', 500_000_000n],
  ['1n', 1n],
  ['0.1n', 1n],
  ['', undefined],
  ['1 Gi', undefined],
  ['ten', undefined],
  [null, undefined],
])('quantity %s', (given, expected) => expect(parseQuantity(given)).toBe(expected));

it('writes quantities as people do', () => {
  expect(formatQuantity(parseQuantity('0.25')!, 'cpu')).toBe('250m');
  expect(formatQuantity(parseQuantity('2000m')!, 'cpu')).toBe('2');
  expect(formatQuantity(parseQuantity('65536Ki')!, 'requests.memory')).toBe('64Mi');
  expect(formatQuantity(parseQuantity('1000')!, 'memory')).toBe('1000');
  expect(formatQuantity(parseQuantity('3')!, 'pods')).toBe('3');
});

const of = (requests: object | undefined, limits: object | undefined, more: object = {}) => ({
  name: 'c',
  resources: { ...(requests && { requests }), ...(limits && { limits }) },
  ...more,
});
const both = { cpu: '10m', memory: '16Mi' };
const spec = (parts: object) => parts as PodSpec;

describe('qos', () => {
  it.each([
    ['nothing', spec({ containers: [of(undefined, undefined)] }), 'BestEffort'],
    ['zeros', spec({ containers: [of({ cpu: 0, memory: '0' }, undefined)] }), 'BestEffort'],
    ['storage alone', spec({ containers: [of({ 'ephemeral-storage': '1Gi' }, undefined)] }), 'BestEffort'],
    ['requests', spec({ containers: [of(both, undefined)] }), 'Burstable'],
    ['limits alone', spec({ containers: [of(undefined, both)] }), 'Guaranteed'],
    [
      'equal in other words',
      spec({ containers: [of({ cpu: 0.01, memory: '16384Ki' }, both)] }),
      'Guaranteed',
    ],
    ['one of two', spec({ containers: [of(both, both), of(undefined, undefined)] }), 'Burstable'],
    ['one resource', spec({ containers: [of({ cpu: '1' }, { cpu: '1' })] }), 'Burstable'],
    [
      'an init container without',
      spec({ containers: [of(both, both)], initContainers: [of(undefined, undefined)] }),
      'Burstable',
    ],
    [
      'a sidecar with',
      spec({ containers: [of(both, both)], initContainers: [of(both, both, { restartPolicy: 'Always' })] }),
      'Guaranteed',
    ],
    [
      'the pod',
      spec({ resources: { requests: both, limits: both }, containers: [of(undefined, undefined)] }),
      'Guaranteed',
    ],
    [
      'limits of the pod',
      spec({ resources: { limits: both }, containers: [of(undefined, undefined)] }),
      'Guaranteed',
    ],
    [
      'limits of the pod above its containers',
      spec({ resources: { limits: { cpu: '1', memory: '1Gi' } }, containers: [of(both, undefined)] }),
      'Burstable',
    ],
    [
      'requests of the pod',
      spec({ resources: { requests: both }, containers: [of(both, both)] }),
      'Burstable',
    ],
  ])('%s', (_, pod, expected) => expect(qosOf(pod)).toBe(expected));

  it('leaves the pod’s own resources out where the server does', () => {
    const pod = spec({ resources: { requests: both, limits: both }, containers: [of(undefined, undefined)] });
    expect(qosOf(pod, { podLevel: false })).toBe('BestEffort');
  });
});

it('counts the most that runs at the same time, and the overhead', () => {
  const cpu = (amount: string) => of({ cpu: amount }, undefined);
  const pod = spec({
    initContainers: [cpu('300m'), { ...cpu('50m'), restartPolicy: 'Always' }, cpu('400m')],
    containers: [cpu('100m'), cpu('200m')],
    overhead: { cpu: '5m' },
  });
  expect(podResources(pod).requests).toEqual({ cpu: parseQuantity('455m') });
});
