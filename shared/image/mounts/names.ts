import { createHash } from 'node:crypto';

/** The run that seeds are found and kept for. */
export interface SeedRun {
  /** What the mounts are of: Dockerfile and target, as texts that are the same on every machine. */
  readonly subject: readonly string[];
  readonly branch?: string | undefined;
  readonly baseBranch?: string | undefined;
  readonly defaultBranch?: string | undefined;
}

/**
 * The names of a mount's seed: that of the run's own branch first, then those that it may start from. The branch can be read in a list
 * of tags as far as a tag can hold it.
 */
export function seedNames(run: SeedRun, id: string, platform: string): string[] {
  const mount = hash([...run.subject, id, platform]);
  const branches = [run.branch ?? 'detached', run.baseBranch, run.defaultBranch];
  const known = [...new Set(branches.filter((one): one is string => Boolean(one)))];
  return known.map((branch) => `slipway-mount-${mount}-${slug(branch)}`);
}

function slug(branch: string): string {
  const plain = branch.replace(/[^\w.-]/g, '_').slice(0, 40);
  return `${plain}-${hash([branch]).slice(0, 8)}`;
}

function hash(texts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 16);
}
