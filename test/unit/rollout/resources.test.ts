import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ApiError, type KubeObject } from '../../../shared/kubernetes/index.ts';
import { readAutoscalers, resourcesOf } from '../../../shared/rollout/index.ts';

const FIXTURE = join(
  import.meta.dirname,
  '../../fixtures/kubernetes/recorded-autoscaler-without-metrics.json',
);
const recorded = (): KubeObject & { status: Record<string, unknown> } =>
  JSON.parse(readFileSync(FIXTURE, 'utf8'));
const SHOP = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'shop' };

/** A cluster that has these objects, whatever is asked. */
const having = (...objects: KubeObject[]) => ({ list: async () => objects as never });

describe('the resource picture', () => {
  it('tells every container’s requests and limits, those that follow from limits too, and the QoS class', () => {
    const deployment: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'shop', namespace: 'shop' },
      spec: {
        template: {
          spec: {
            initContainers: [
              { name: 'migrate', image: 'm' },
              {
                name: 'proxy',
                image: 'p',
                restartPolicy: 'Always',
                resources: { limits: { memory: '32Mi' } },
              },
            ],
            containers: [
              { name: 'app', image: 'a', resources: { requests: { cpu: 0.1 }, limits: { cpu: 1 } } },
            ],
          },
        },
      },
    };
    const service: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'shop' } };
    expect(resourcesOf([service, deployment])).toEqual([
      {
        id: SHOP,
        qos: 'Burstable',
        containers: [
          { name: 'migrate', role: 'init', requests: {}, limits: {} },
          { name: 'proxy', role: 'sidecar', requests: { memory: '32Mi' }, limits: { memory: '32Mi' } },
          { name: 'app', role: 'container', requests: { cpu: '0.1' }, limits: { cpu: '1' } },
        ],
      },
    ]);
  });
});

describe('the state of autoscalers', () => {
  it('names the metrics that are missing, and why', async () => {
    expect(await readAutoscalers(having(recorded()), [SHOP])).toEqual([
      {
        name: 'shop',
        workload: SHOP,
        min: 1,
        max: 4,
        current: 1,
        desired: 0,
        metrics: [
          { name: 'cpu', target: '80%', current: undefined },
          { name: 'memory of app', target: '48Mi', current: undefined },
          { name: 'requests-per-second', target: '20', current: undefined },
        ],
        troubles: [
          expect.stringMatching(
            /^ScalingActive is False: FailedGetResourceMetric, .*pods\.metrics\.k8s\.io\)$/,
          ),
        ],
      },
    ]);
  });

  it('tells what was measured, and that it is at its bounds', async () => {
    const one = recorded();
    const at = { lastTransitionTime: '2026-11-24T17:51:08Z' };
    one.status = {
      currentReplicas: 4,
      desiredReplicas: 4,
      currentMetrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', current: { averageUtilization: 97, averageValue: '97m' } },
        },
        { type: 'Pods', pods: { metric: { name: 'requests-per-second' }, current: { averageValue: '31' } } },
      ],
      conditions: [
        { ...at, type: 'AbleToScale', status: 'True', reason: 'ReadyForNewScale' },
        { ...at, type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound' },
        {
          ...at,
          type: 'ScalingLimited',
          status: 'True',
          reason: 'TooManyReplicas',
          message: 'at the maximum',
        },
      ],
    };
    const [state] = (await readAutoscalers(having(one), [SHOP]))!;
    expect(state!.metrics.map(({ current }) => current)).toEqual(['97%', undefined, '31']);
    expect(state!.troubles).toEqual(['ScalingLimited is True: TooManyReplicas, at the maximum']);
  });

  it('leaves those of other workloads out', async () => {
    expect(await readAutoscalers(having(recorded()), [{ ...SHOP, name: 'other' }])).toEqual([]);
  });

  it('is unknown to a token that may not see them', async () => {
    const error = new ApiError({ status: 403, reason: 'Forbidden', message: 'no', causes: [], call: 'LIST' });
    const list = async () => Promise.reject(error);
    expect(await readAutoscalers({ list }, [SHOP])).toBeUndefined();
  });
});
