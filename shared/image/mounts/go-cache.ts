import type { Dockerfile, ResolvedStage } from '../../dockerfile/index.ts';
import type { MountUse } from './cache-mount.ts';

export function addedUses(_dockerfile: Dockerfile, _stages: readonly ResolvedStage[]): MountUse[] {
  return [];
}
