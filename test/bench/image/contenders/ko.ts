import { join } from 'node:path';
import { restore, save } from './cache-action.ts';
import type { Contender } from './contender.ts';

const paths = ['~/.cache/go-build', '~/go/pkg/mod', '~/.cache/ko'];

/** ko, with Go's caches and its own saved and restored by actions/cache. It reads no Dockerfile: its image is the program on the base. */
export function ko(program: string): Contender {
  return {
    id: 'ko',
    name: 'ko, caches by actions/cache',
    builder: 'none',
    pushes: true,
    async run(job) {
      const { runner, example, labels, repository } = job;
      const hit = await restore(job, 'ko', paths);
      // biome-ignore format: a flag with its value
      await runner.step('ko build', {
        program,
        args: [
          'build', '--bare', '--tags', 'latest', '--platform', 'linux/amd64', '--sbom', 'none',
          ...Object.entries(labels).flatMap(([key, value]) => ['--image-label', `${key}=${value}`]),
          example.package,
        ],
        env: { KO_DOCKER_REPO: repository, KOCACHE: join(runner.home, '.cache', 'ko') },
      });
      if (!hit) await save(job, 'ko', paths);
    },
  };
}
