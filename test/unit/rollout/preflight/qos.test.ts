import { describe, expect, it } from 'vitest';
import { parseQuantity } from '../../../../shared/kubernetes/index.ts';
import { podResources, qosOf } from '../../../../shared/rollout/index.ts';
import type { PodSpec } from '../../../../shared/rollout/preflight/workload.ts';

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
