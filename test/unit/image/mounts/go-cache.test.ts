import { describe, expect, it } from 'vitest';
import { parseDockerfile, resolveGraph } from '../../../../shared/dockerfile/index.ts';
import { goCacheMounts } from '../../../../shared/image/mounts/go-cache.ts';
import type { ContainerConfig } from '../../../../shared/oci/index.ts';

const GOLANG: ContainerConfig = { Env: ['PATH=/bin', 'GOPATH=/go'] };

async function added(text: string, config = GOLANG) {
  const dockerfile = parseDockerfile(text, 'Dockerfile');
  const graph = await resolveGraph(dockerfile, {
    platform: { os: 'linux', architecture: 'amd64' },
    configOf: async () => ({
      architecture: 'amd64',
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: [] },
    }),
  });
  const { uses, notes } = goCacheMounts(dockerfile, graph);
  return {
    mounts: uses.map(({ step, mount }) =>
      [step.lines.start, mount.target, mount.options.mode].filter((one) => one !== undefined),
    ),
    notes: notes.map(({ message }) => message),
  };
}

const build = (run: string, copy = 'COPY --from=build /out/app /app') =>
  `FROM golang AS build\nCOPY . .\n${run}\nFROM scratch\n${copy}\n`;
const OBJECTS = '/root/.cache/go-build';
const MODULES = '/go/pkg/mod';

describe('cache mounts that go-cache adds', () => {
  it('are none in a folder whose name would end the flag, or the line', async () => {
    for (const value of ['"/a b"', '/a,sharing=private', '$OTHER']) {
      const run = `ENV GOCACHE=${value}\nRUN go build -o /out/app .`;
      const { mounts, notes } = await added(build(run), { Env: [...GOLANG.Env!, 'OTHER=/a\nRUN evil'] });
      expect(mounts).toEqual([[4, MODULES]]);
      expect(notes.join()).toContain('cannot hold plainly');
    }
  });

  it.each([
    [
      'RUN go build -o /out/app .',
      [
        [3, OBJECTS],
        [3, MODULES],
      ],
    ],
    [
      'RUN apk add git && CGO_ENABLED=0 go build .',
      [
        [3, OBJECTS],
        [3, MODULES],
      ],
    ],
    [
      'RUN ["go", "test", "./..."]',
      [
        [3, OBJECTS],
        [3, MODULES],
      ],
    ],
    [
      'RUN <<EOF\ngo vet ./...\nEOF',
      [
        [3, OBJECTS],
        [3, MODULES],
      ],
    ],
    [
      'RUN go mod download\nRUN ls /go/pkg/mod\nRUN go build .',
      [
        [3, OBJECTS],
        [5, OBJECTS],
        [3, MODULES],
        [4, MODULES],
        [5, MODULES],
      ],
    ],
    [
      'ENV GOCACHE=/cache GOMODCACHE=/mods/\nRUN go build .',
      [
        [4, '/cache'],
        [4, '/mods'],
      ],
    ],
    [
      'ENV XDG_CACHE_HOME=/x\nRUN go build .',
      [
        [4, '/x/go-build'],
        [4, MODULES],
      ],
    ],
    [
      'USER app\nENV HOME=/home/app\nRUN go build .',
      [
        [5, '/home/app/.cache/go-build', '0777'],
        [5, MODULES, '0777'],
      ],
    ],
    ['RUN --mount=type=cache,target=/go/pkg/mod go build .', [[3, OBJECTS]]],
    ['RUN make', []],
    ['RUN echo gogo build', []],
  ])('%j', async (run, mounts) => {
    expect((await added(build(run))).mounts).toEqual(mounts);
  });

  it('are told with their lines', async () => {
    expect((await added(build('RUN go mod download\nRUN go build .'))).notes).toEqual([
      `go-cache adds --mount=type=cache,target=${OBJECTS} to lines 3, 4`,
      `go-cache adds --mount=type=cache,target=${MODULES} to lines 3, 4`,
    ]);
  });

  it.each([
    [
      'the folder is copied',
      build('RUN go build .', 'COPY --from=build /go/pkg/mod/x /x'),
      [[3, OBJECTS]],
      'line 5 takes files',
    ],
    [
      'a folder above it is copied',
      build('RUN go build .', 'COPY --from=build /go /go'),
      [[3, OBJECTS]],
      'line 5 takes files',
    ],
    ['everything is copied', build('RUN go build .', 'COPY --from=build / /'), [], 'line 5 takes files'],
    [
      'it is mounted elsewhere',
      build('RUN go build .', 'RUN --mount=from=build,source=/root,target=/r x'),
      [[3, MODULES]],
      'line 5 takes files',
    ],
    ['the stage is the image', 'FROM golang\nRUN go build .\n', [], 'the image itself'],
    ['the home is unknown', build('USER app\nRUN go build .'), [[4, MODULES, '0777']], 'home of its user'],
  ])('are not added where %s', async (_, text, mounts, why) => {
    const { mounts: found, notes } = await added(text);
    expect(found).toEqual(mounts);
    expect(notes.join('\n')).toContain(why);
  });

  it('follow a stage that builds on another', async () => {
    const text =
      'FROM golang AS modules\nRUN go mod download\nFROM modules AS build\nRUN go build -o /out/app .\nFROM scratch\nCOPY --from=build /out/app /app\n';
    expect((await added(text)).mounts).toEqual([
      [2, OBJECTS],
      [4, OBJECTS],
      [2, MODULES],
      [4, MODULES],
    ]);
  });

  it('are not added where a trigger calls go', async () => {
    const { mounts, notes } = await added(build('RUN go build .'), {
      ...GOLANG,
      OnBuild: ['RUN go mod download'],
    });
    expect(mounts).toEqual([]);
    expect(notes.join('\n')).toContain('ONBUILD');
  });
});
