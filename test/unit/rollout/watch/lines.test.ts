import { expect, it } from 'vitest';
import { createLines } from '../../../../shared/rollout/watch/lines.ts';
import { createModel, type Notice } from '../../../../shared/rollout/watch/model.ts';
import { recordedCase } from '../recorded.ts';

const workload = [...createModel([recordedCase('crash').workload]).workloads.values()][0]!;
const warning = (pod: string, message: string): Notice => ({
  type: 'Warning',
  reason: 'BackOff',
  message,
  object: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: pod },
  container: 'app',
  count: 1,
  stamp: 10_000,
  order: 1,
  seen: 10_000,
});

it('a warning that is repeated word by word is told once, and that of another pod or in other words is told', () => {
  const lines = createLines(0);
  const tell = (pod: string, message: string) => lines.notice(workload, warning(pod, message), true);
  expect(tell('web-a', 'Back-off restarting')).toEqual(['pod web-a: BackOff: Back-off restarting']);
  expect(tell('web-a', 'Back-off restarting')).toEqual([]);
  expect(tell('web-b', 'Back-off restarting')).toEqual(['pod web-b: BackOff: Back-off restarting']);
  expect(tell('web-a', 'Back-off pulling')).toEqual(['pod web-a: BackOff: Back-off pulling']);
});

it('of a hundred pods that say the same four are told', () => {
  const lines = createLines(0);
  const told = Array.from({ length: 100 }, (_, pod) => `web-${pod}`).flatMap((pod) => [
    ...lines.notice(workload, warning(pod, 'Back-off restarting'), true),
    ...lines.notice(workload, warning(pod, 'Back-off restarting'), true),
  ]);
  expect(told).toHaveLength(4);
  expect(told.at(-1)).toBe('pod web-3: BackOff: Back-off restarting (and so on)');
});
