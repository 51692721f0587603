import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from '../../kubernetes/index.ts';

export type PodObject = KubeObject & Pod;

/** Whether a pod takes requests: ready, and not told to stop. */
export const isReady = ({ metadata, status }: PodObject): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false);
