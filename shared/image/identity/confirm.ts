import type { Digest } from '../../content/index.ts';
import type { ImagePlan } from '../plan.ts';
import type { ImageIdentity } from './identity.ts';

/**
 * Whether the files that keys were made from are still what they were. Asked after making and before anything is kept under a key: what
 * was made from a file that changed meanwhile must not be found under the key of what it had been.
 */
export async function isStillAsPlanned(plan: ImagePlan): Promise<boolean> {
  const [before, now] = [plan.identity, await plan.identifyAgain()];
  return ownKeys(before).every((key, at) => key === ownKeys(now)[at]);
}

const SOME: Digest = `sha256:${'0'.repeat(64)}`;

/** The key of each stage with one and the same content for all others, so that a stage without a key hides nothing of the rest. */
function ownKeys({ platforms }: ImageIdentity): (Digest | undefined)[] {
  return platforms.flatMap(({ stages }) => stages.map((one) => one.keyWith(() => SOME)?.digest));
}
