import { describe, expect, it } from 'vitest';
import { parseDockerfile, resolveGraph } from '../../../shared/dockerfile/index.ts';
import { type ContextFiles, type GoStageReading, readGoStage } from '../../../shared/lift/index.ts';
import { parsePlatform } from '../../../shared/oci/index.ts';

const FILES: Readonly<Record<string, string>> = {
  'go.mod': 'module example.com/shop/storefront\n\ngo 1.26\n',
  'go.sum': '',
  'cmd/storefront/main.go': 'package main\n',
  'cmd/worker/main.go': 'package main\n',
  'cmd/worker/main_test.go': 'package main\n',
  'cmd/pair/main.go': 'package main\n',
  'cmd/pair/more.go': 'package main\n',
  'internal/x/x.go': 'package x\n',
  'bin/helper.sh': '#!/bin/sh\n',
  'backend/go.mod': 'module "example.com/backend/v2"\n',
  'backend/main.go': 'package main\n',
};

const context: ContextFiles = {
  kind: (path) => {
    if (path in FILES) return 'file';
    return path === '.' || Object.keys(FILES).some((file) => file.startsWith(`${path}/`))
      ? 'directory'
      : undefined;
  },
  read: (path) => FILES[path],
  list: (path) => {
    const prefix = path === '.' ? '' : `${path}/`;
    const below = Object.keys(FILES).filter((file) => file.startsWith(prefix));
    return [...new Set(below.map((file) => file.slice(prefix.length).split('/')[0]!))];
  },
};

async function read(source: string, buildArgs: Record<string, string> = {}): Promise<GoStageReading> {
  const platform = parsePlatform('linux/arm64');
  const graph = await resolveGraph(parseDockerfile(source, 'Dockerfile'), {
    platform,
    buildPlatform: parsePlatform('linux/amd64'),
    buildArgs,
    configOf: async () => ({
      os: 'linux',
      architecture: 'amd64',
      config: { Env: ['PATH=/usr/local/go/bin:/bin', 'GOPATH=/go'], WorkingDir: '/go' },
      rootfs: { type: 'layers', diff_ids: [] },
    }),
  });
  const stage = graph.stages.find((one) => one.name === 'build') ?? graph.stages[0]!;
  return readGoStage(graph, stage, context);
}

const TAKE = 'FROM scratch\nCOPY --from=build /out/app /app\n';
const stage = (...lines: string[]) => `FROM golang:1.26 AS build\nWORKDIR /src\n${lines.join('\n')}\n${TAKE}`;

function summary(reading: GoStageReading) {
  if (reading.kind === 'beyond') return `beyond: ${reading.because} (line ${reading.lines.start})`;
  return reading.programs.map((one) => `${one.directory} ${one.packages.join(' ')} -> ${one.output}`);
}

describe('readGoStage finds programs, their packages and where they lie', () => {
  it.each<[string, string, string[]]>([
    [
      'the canonical stage',
      stage(
        'COPY go.mod go.sum ./',
        'RUN go mod download',
        'COPY . .',
        'RUN CGO_ENABLED=0 go build -o /out/app ./cmd/storefront',
      ),
      ['. ./cmd/storefront -> /out/app'],
    ],
    [
      'a wildcard for go.mod and single folders',
      stage(
        'COPY go.* ./',
        'COPY cmd ./cmd',
        'COPY internal/ internal/',
        'RUN go build -o /out/app ./cmd/storefront',
      ),
      ['. ./cmd/storefront -> /out/app'],
    ],
    [
      'a package given by its absolute path',
      stage('COPY . .', 'RUN go build -o /out/app /src/cmd/worker'),
      ['. ./cmd/worker -> /out/app'],
    ],
    [
      'a package given by its import path',
      stage('COPY . .', 'RUN go build -o /out/app example.com/shop/storefront/cmd/worker'),
      ['. example.com/shop/storefront/cmd/worker -> /out/app'],
    ],
    [
      'a package given by its files',
      stage('COPY . .', 'RUN go build -o /out/app cmd/worker/*.go'),
      ['. ./cmd/worker -> /out/app'],
    ],
    [
      'a package given by its one file',
      stage('COPY . .', 'RUN go build -o /out/app cmd/worker/main.go'),
      ['. ./cmd/worker -> /out/app'],
    ],
    [
      'a package given by every file of it, in two spellings',
      stage('COPY . .', 'RUN go build -o /out/app ./cmd/pair/main.go cmd/pair/more.go'),
      ['. ./cmd/pair -> /out/app'],
    ],
    [
      'a file without -o: the program has the name of the file',
      stage('COPY . .', 'RUN go build backend/../cmd/worker/main.go').replace('/out/app', '/src/main'),
      ['. ./cmd/worker -> /src/main'],
    ],
    [
      'a file that was copied by itself',
      stage('COPY backend/go.mod go.mod', 'COPY backend/main.go main.go', 'RUN go build -o /out/app main.go'),
      ['backend . -> /out/app'],
    ],
    [
      'an output folder that mkdir made',
      stage('COPY . .', 'RUN mkdir -p /out/bin && go build -o /out/bin ./cmd/worker').replace(
        '/out/app',
        '/out/bin/worker',
      ),
      ['. ./cmd/worker -> /out/bin/worker'],
    ],
    [
      'an output folder that the base has',
      stage('COPY . .', 'RUN go build -o /usr/local/bin ./cmd/worker').replace(
        '/out/app',
        '/usr/local/bin/worker',
      ),
      ['. ./cmd/worker -> /usr/local/bin/worker'],
    ],
    [
      'an output that is a folder of the context',
      stage('COPY . .', 'RUN go build -o bin ./cmd/worker').replace('/out/app', '/src/bin/worker'),
      ['. ./cmd/worker -> /src/bin/worker'],
    ],
    [
      'programs by a wildcard',
      stage('COPY . .', 'RUN go build -o /out/ ./cmd/worker ./cmd/storefront').replace(
        '/out/app',
        '/out/*er',
      ),
      ['. ./cmd/worker -> /out/worker'],
    ],
    [
      'tonistiigi/xx, which only chooses the platform',
      `FROM tonistiigi/xx:1.9.0 AS xx\nFROM golang:1.26-alpine AS build\nCOPY --from=xx / /\nARG TARGETPLATFORM\nWORKDIR /src\nCOPY . .\nENV CGO_ENABLED=0\nRUN xx-go build -o /out/app ./cmd/worker && xx-verify --static /out/app\n${TAKE}`,
      ['. ./cmd/worker -> /out/app'],
    ],
    [
      'an output folder',
      stage('COPY . .', 'RUN go build -o /out/ ./cmd/storefront').replace('/out/app', '/out/storefront'),
      ['. ./cmd/storefront -> /out/storefront'],
    ],
    [
      'several packages into a folder, of which one is taken',
      stage('COPY . .', 'RUN go build -o /out ./cmd/storefront ./cmd/worker').replace(
        '/out/app',
        '/out/worker',
      ),
      ['. ./cmd/worker -> /out/worker'],
    ],
    [
      'a folder that is taken as a whole',
      stage(
        'COPY . .',
        'RUN mkdir -p /out && go build -o /out/a ./cmd/storefront && go build -o /out/b ./cmd/worker',
      ).replace('/out/app', '/out/'),
      ['. ./cmd/storefront -> /out/a', '. ./cmd/worker -> /out/b'],
    ],
    [
      'no -o: the last element of the import path',
      stage('COPY . .', 'RUN go build ./cmd/worker').replace('/out/app', '/src/worker'),
      ['. ./cmd/worker -> /src/worker'],
    ],
    [
      'no package: the module’s own name',
      stage('COPY . .', 'RUN go build').replace('/out/app', '/src/storefront'),
      ['. . -> /src/storefront'],
    ],
    [
      'a major version is no name',
      stage('COPY backend .', 'RUN go build -o /out/').replace('/out/app', '/out/backend'),
      ['backend . -> /out/backend'],
    ],
    [
      'a module in a folder of the context',
      stage('COPY backend/ /src/', 'RUN go build -o /out/app .'),
      ['backend . -> /out/app'],
    ],
    ['cd and -C', stage('COPY . .', 'RUN cd backend && go build -o /out/app'), ['backend . -> /out/app']],
    ['-C', stage('COPY . .', 'RUN go build -C backend -o /out/app'), ['backend . -> /out/app']],
    [
      'a package seen from its own folder',
      stage('COPY . .', 'WORKDIR /src/cmd/worker', 'RUN go build -o /out/app .'),
      ['cmd/worker . -> /out/app'],
    ],
    [
      'the exec form',
      stage('COPY . .', 'RUN ["go", "build", "-o", "/out/app", "./cmd/worker"]'),
      ['. ./cmd/worker -> /out/app'],
    ],
    [
      'a heredoc',
      stage('COPY . .', 'RUN <<EOF', 'set -e', 'go vet ./...', 'go build -o /out/app ./cmd/worker', 'EOF'),
      ['. ./cmd/worker -> /out/app'],
    ],
    [
      'sources that are mounted, not copied',
      stage(
        'RUN --mount=type=bind,target=. --mount=type=cache,target=/root/.cache/go-build go build -o /out/app ./cmd/worker',
      ),
      ['. ./cmd/worker -> /out/app'],
    ],
    [
      'a stage on another stage',
      `FROM golang:1.26 AS deps\nWORKDIR /src\nCOPY go.mod ./\nRUN go mod download\nFROM deps AS build\nCOPY . .\nRUN go build -o /out/app ./cmd/worker\n${TAKE}`,
      ['. ./cmd/worker -> /out/app'],
    ],
    [
      'the last of two builds of one file',
      stage(
        'COPY . .',
        'RUN go build -o /out/app ./cmd/worker',
        'RUN go build -o /out/app ./cmd/storefront && chmod +x /out/app',
      ),
      ['. ./cmd/storefront -> /out/app'],
    ],
  ])('%s', async (_, source, expected) => {
    expect(summary(await read(source))).toEqual(expected);
  });
});

describe('readGoStage reads flags and variables', () => {
  it('takes them from the command, ENV, ARG and the line', async () => {
    const reading = await read(
      stage(
        'ENV CGO_ENABLED=0 GOFLAGS=-trimpath',
        'ARG VERSION=dev',
        'ARG TARGETARCH',
        'COPY . .',
        'RUN GOARCH=$TARGETARCH go build -v -ldflags="-s -X main.version=${VERSION}" -tags=a,b -o /out/app ./cmd/worker',
      ),
      { VERSION: '1.2' },
    );
    expect(reading).toMatchObject({
      kind: 'go',
      programs: [
        {
          command: {
            flags: { trimpath: true, ldflags: '-s -X main.version=1.2', tags: 'a,b' },
            env: { CGO_ENABLED: '0', GOARCH: 'arm64' },
          },
        },
      ],
    });
  });

  it('says which commands are left out', async () => {
    const reading = await read(
      stage(
        'RUN apk add --no-cache git',
        'COPY . .',
        'RUN go vet ./... && go test ./...',
        'RUN go build -o /out/app ./cmd/worker',
      ),
    );
    expect(reading).toMatchObject({
      kind: 'go',
      leftOut: [
        { command: 'apk add --no-cache git', lines: { start: 3 } },
        { command: 'go vet ./...' },
        { command: 'go test ./...', lines: { start: 5 } },
      ],
    });
  });
});

describe('readGoStage names the first line that is more than a Go build', () => {
  it.each<[string, string, string]>([
    [
      'a generator',
      stage('COPY . .', 'RUN go generate ./...', 'RUN go build -o /out/app ./cmd/worker'),
      'beyond: it runs "go generate ./..." (line 4)',
    ],
    ['make', stage('COPY . .', 'RUN make build'), 'beyond: it runs "make build" (line 4)'],
    [
      'a file name pattern',
      stage('COPY . .', 'RUN rm -rf /var/cache/apk/* /tmp/* /var/tmp/* && chmod +x scripts/*.sh'),
      'beyond: its RUN has the file name pattern "scripts/*.sh" (line 4)',
    ],
    [
      'a pipe',
      stage('COPY . .', 'RUN go build -o /out/app ./cmd/worker | tee log'),
      'beyond: its RUN has a pipe "|" (line 4)',
    ],
    [
      'a substitution',
      stage('COPY . .', 'RUN go build -ldflags "-X main.c=$(git rev-parse HEAD)" -o /out/app .'),
      'beyond: its RUN has a command substitution (line 4)',
    ],
    [
      'files of another stage',
      `FROM node:22 AS web\nFROM golang:1.26 AS build\nCOPY . .\nCOPY --from=web /dist ./dist\nRUN go build -o /out/app ./cmd/worker\n${TAKE}`,
      'beyond: it copies /dist from another stage (line 4)',
    ],
    [
      'a remote file',
      stage('COPY . .', 'ADD https://example.com/x.go .', 'RUN go build -o /out/app .'),
      'beyond: it adds https://example.com/x.go (line 4)',
    ],
    [
      'a heredoc file',
      stage('COPY . .', 'COPY <<EOF x.go', 'package main', 'EOF', 'RUN go build -o /out/app .'),
      'beyond: it writes a file of its own (a heredoc) (line 4)',
    ],
    [
      'another file of the stage',
      stage('COPY . .', 'RUN go build -o /out/app ./cmd/worker') +
        'COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/\n',
      'beyond: /etc/ssl/certs/ca-certificates.crt is taken from it, which no "go build -o" of the stage writes (line 7)',
    ],
    [
      'a folder that holds sources too',
      stage('COPY . .', 'RUN go build -o app ./cmd/worker').replace('/out/app', '/src'),
      'beyond: /src is taken from it, where files of the build context lie (.) besides what "go build -o" writes (line 6)',
    ],
    [
      'one file of several',
      stage('COPY . .', 'RUN go build -o /out/app cmd/pair/main.go'),
      'beyond: it compiles cmd/pair/main.go without cmd/pair/more.go (line 4)',
    ],
    [
      'files of two packages',
      stage('COPY . .', 'RUN go build -o /out/app cmd/pair/main.go cmd/worker/main.go'),
      'beyond: "cmd/pair/main.go cmd/worker/main.go" are not the files of one package (line 4)',
    ],
    [
      'a file that is not there',
      stage('COPY . .', 'RUN go build -o /out/app cmd/wroker/main.go'),
      'beyond: "cmd/wroker/main.go" does not come from the build context (line 4)',
    ],
    [
      'a folder in which the context has files too',
      stage('COPY . .', 'RUN go build -o bin/ ./cmd/worker').replace('/out/app', '/src/bin'),
      'beyond: /src/bin is taken from it, where files of the build context lie (bin) besides what "go build -o" writes (line 6)',
    ],
    [
      'a wildcard over such a folder',
      stage('COPY . .', 'RUN go build -o bin/ ./cmd/worker').replace('/out/app', '/src/bin/*'),
      'beyond: /src/bin/* is taken from it, where files of the build context lie (bin) besides what "go build -o" writes (line 6)',
    ],
    [
      'a folder of the base',
      stage('COPY . .', 'RUN go build -o /usr/local/bin/ ./cmd/worker').replace(
        '/out/app',
        '/usr/local/bin/',
      ),
      'beyond: /usr/local/bin is taken from it, where the base image has files besides what "go build -o" writes (line 6)',
    ],
    [
      'a folder that has an empty one',
      stage('COPY . .', 'RUN mkdir -p /out/data && go build -o /out/ ./cmd/worker').replace(
        '/out/app',
        '/out',
      ),
      'beyond: /out is taken from it, where the folder /out/data is made besides what "go build -o" writes (line 6)',
    ],
    [
      'xx without the argument that tells it the platform',
      `FROM golang:1.26 AS build\nCOPY --from=tonistiigi/xx / /\nCOPY . .\nRUN xx-go build -o /out/app ./cmd/worker\n${TAKE}`,
      'beyond: xx-go builds for the builder’s platform, since ARG TARGETPLATFORM is missing (line 4)',
    ],
    [
      'every package at once',
      stage('COPY . .', 'RUN go build -o /out/ ./...').replace('/out/app', '/out/worker'),
      'beyond: "./..." names more than one package (line 4)',
    ],
    [
      'no go.mod',
      stage('COPY internal .', 'RUN go build -o /out/app .'),
      'beyond: the go.mod that is in force in /src does not come from the build context (line 4)',
    ],
    [
      'a base without Go',
      `FROM scratch AS build\nCOPY . .\nRUN go build -o /out/app .\n${TAKE}`,
      'beyond: its base is scratch, which has no Go (line 1)',
    ],
    [
      'two programs of one package',
      stage(
        'COPY . .',
        'RUN go build -o /out/a ./cmd/worker && go build -tags debug -o /out/b ./cmd/worker',
      ).replace('/out/app', '/out/'),
      'beyond: it builds ./cmd/worker twice, with different flags (line 4)',
    ],
    [
      'compression of the program',
      stage('COPY . .', 'RUN go build -o /out/app ./cmd/worker && upx /out/app'),
      'beyond: it runs "upx /out/app" (line 4)',
    ],
  ])('%s', async (_, source, expected) => {
    expect(summary(await read(source))).toBe(expected);
  });
});
