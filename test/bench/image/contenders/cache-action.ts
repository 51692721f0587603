import type { Job } from './contender.ts';

/**
 * Steps of actions/cache: a key over the sources, and the newest entry of the same go.sum, or of any, where there is none for it. This
 * is the best that can be had of it: with a key over go.sum alone, as actions/setup-go has, compiled packages are never saved again.
 */
export async function restore(job: Job, name: string, paths: readonly string[]): Promise<boolean> {
  const { outputs } = await job.runner.action('restore cache', 'actions-cache.mjs', {
    mode: 'restore',
    key: keyOf(job, name),
    prefixes: `${name}-${job.commit.sums}-\n${name}-`,
    paths: paths.join('\n'),
  });
  return outputs.hit === 'true';
}

export async function save(job: Job, name: string, paths: readonly string[]): Promise<void> {
  await job.runner.action('save cache', 'actions-cache.mjs', {
    mode: 'save',
    key: keyOf(job, name),
    paths: paths.join('\n'),
  });
}

const keyOf = ({ commit }: Job, name: string) => `${name}-${commit.sums}-${commit.sources}`;
