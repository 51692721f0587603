import { type Contender, type Job, tagOf } from './contender.ts';

/** docker/setup-buildx-action and docker/build-push-action with the registry cache, mode=max. */
export const buildx: Contender = {
  id: 'buildx',
  name: 'buildx, registry cache mode=max',
  builder: 'boots',
  pushes: true,
  run: (job) => buildAndPush(job),
};

export async function buildAndPush(job: Job): Promise<void> {
  const { runner, example, labels, repository } = job;
  const cache = `type=registry,ref=${repository}:buildcache`;
  // biome-ignore format: a flag with its value
  await runner.step('build and push', {
    program: 'docker',
    args: [
      'buildx', 'build', '--file', example.dockerfile, '--provenance=false',
      ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
      '--cache-from', cache, '--cache-to', `${cache},mode=max`,
      '--tag', tagOf(job), '--push', '.',
    ],
  });
}
