import { restore, save } from './cache-action.ts';
import type { Contender } from './contender.ts';

const paths = ['~/.cache/go-build', '~/go/pkg/mod'];

/** Not a way to make an image: the caches' restore by actions/cache and a bare `go build`, below which nobody gets who compiles. */
export const floor: Contender = {
  id: 'floor',
  name: 'floor: caches restored, bare go build, no image',
  builder: 'none',
  pushes: false,
  async run(job) {
    const { runner, example, commit } = job;
    await restore(job, 'floor', paths);
    // biome-ignore format: a flag with its value
    await runner.step('go build', {
      program: 'go',
      args: [
        'build', '-trimpath', '-buildvcs=false', '-ldflags', `-s -w -X main.version=${commit.version}`,
        '-o', `${runner.home}/${example.name}`, example.package,
      ],
      env: { CGO_ENABLED: '0' },
    });
  },
  async after(job) {
    // The runner that saves is not the one that restores: an exact hit has nothing to save.
    await save(job, 'floor', paths);
  },
};
