import type { Context, ContextFile } from '../image/context.ts';

/** A Dockerfile with a stage called `build`, or several, that compile Go. */
export interface LiftCase {
  readonly name: string;
  /** A profile is one that Go itself brings. */
  readonly files: Readonly<Record<string, ContextFile | { readonly profile: true }>>;
  readonly dockerfile: string;
  readonly args?: Readonly<Record<string, string>>;
  readonly platform?: string;
  /** Stages that are lifted; default: `build`. */
  readonly stages?: readonly string[];
  /** The stage fetches modules: the proxy's address is `@proxy@` in the Dockerfile. */
  readonly modules?: boolean;
  /** Variables of this machine while the stage is lifted, which must have no part in it. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface RefusedCase extends LiftCase {
  /** The line that stops the lifting, by its text, and the reason. */
  readonly line: string;
  readonly because: RegExp;
}

const MAIN = `package main

var version = "dev"

func main() { println("hello", version, greeting) }
`;

export const APP: Context = {
  'go.mod': 'module example.com/app\n\ngo 1.26\n',
  'main.go': MAIN,
  'greeting.go': 'package main\n\nconst greeting = "world"\n',
  'README.md': 'An app.\n',
};

const LIB = 'package lib\n\nfunc Name() string { return "lib" }\n';
const USER = 'package main\n\nimport "example.com/lib"\n\nfunc main() { println(lib.Name()) }\n';
const command = (name: string) => `package main\n\nfunc main() { println("${name}") }\n`;

const BUILD = 'RUN CGO_ENABLED=0 go build -trimpath -o /out/app .';

/** The canonical Dockerfile with its lines in the build stage replaced. */
export function dockerfile(lines: readonly string[] = ['COPY . .', BUILD], take = '/out/app /app'): string {
  return [
    'FROM golang:1.26 AS build',
    'WORKDIR /src',
    ...lines,
    'FROM scratch',
    `COPY --from=build ${take}`,
    '',
  ].join('\n');
}

const FETCHES = 'ENV GOPROXY=@proxy@ GOSUMDB=off CGO_ENABLED=0';
const WITH_MODULE = {
  'go.mod': 'module example.com/app\n\ngo 1.26\n\nrequire github.com/google/uuid v1.6.0\n',
  'go.sum':
    'github.com/google/uuid v1.6.0 h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=\ngithub.com/google/uuid v1.6.0/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=\n',
  'main.go':
    'package main\n\nimport "github.com/google/uuid"\n\nfunc main() { println(uuid.Nil.String()) }\n',
};

/** Programs that hold paths: they need a machine that can give a process mounts of its own. */
export const samePaths: readonly LiftCase[] = [
  {
    name: 'paths of the stage in the program',
    files: APP,
    dockerfile: dockerfile(['COPY . .', 'RUN CGO_ENABLED=0 go build -o /out/app .']),
  },
  {
    name: 'stripped, in a folder of GOPATH, with an output beside the sources',
    files: APP,
    dockerfile: dockerfile(
      [
        'WORKDIR /go/src/example.com/app',
        'COPY . .',
        'RUN CGO_ENABLED=0 go build -a -installsuffix cgo -ldflags="-w -s" -o app .',
      ],
      '/go/src/example.com/app/app /app',
    ),
  },
  {
    name: 'modules whose folders are in the program, too',
    files: WITH_MODULE,
    modules: true,
    dockerfile: dockerfile([
      FETCHES,
      'COPY go.mod go.sum ./',
      'RUN go mod download',
      'COPY . .',
      'RUN go build -o /out/app .',
    ]),
  },
  {
    name: 'a replaced module, embedded files and two builds, one of them with -trimpath',
    files: {
      'go.mod':
        'module example.com/app\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../lib\n',
      'main.go': USER.replace(
        'import "example.com/lib"',
        'import (\n\t_ "embed"\n\n\t"example.com/lib"\n)\n\n//go:embed text.txt\nvar text string',
      ).replace('println(', 'println(text, '),
      'text.txt': 'text',
      '.dockerignore': 'ignored\n',
      'ignored/x.go': 'package ignored\n',
      'third/lib/go.mod': 'module example.com/lib\n\ngo 1.26\n',
      'third/lib/lib.go': LIB,
    },
    dockerfile: dockerfile(
      [
        'ENV CGO_ENABLED=0',
        'COPY third/lib /lib-source/',
        'WORKDIR /work/lib',
        'COPY third/lib .',
        'WORKDIR /work/app',
        'COPY . .',
        'RUN go build -o /out/app . && go build -trimpath -o /out/trimmed .',
      ],
      '/out /out',
    ),
  },
  {
    name: 'another processor, with a cache of Go at a place of its own',
    files: APP,
    platform: 'linux/arm64',
    dockerfile: dockerfile([
      'ARG TARGETARCH',
      'ENV GOCACHE=/var/cache/go',
      'COPY . .',
      'RUN --mount=type=cache,target=/var/cache/go CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/app .',
    ]).replace('FROM golang', 'FROM --platform=$BUILDPLATFORM golang'),
  },
];

export const lifted: readonly LiftCase[] = [
  {
    name: 'modules that are fetched',
    files: WITH_MODULE,
    modules: true,
    dockerfile: dockerfile([FETCHES, 'COPY . .', 'RUN go build -trimpath -o /out/app .']),
  },
  {
    name: 'the canonical stage',
    files: { ...APP, 'go.sum': '' },
    dockerfile: dockerfile(['COPY go.mod go.sum ./', 'RUN go mod download', 'COPY . .', BUILD]),
  },
  {
    name: 'stripped, with a version from an argument',
    files: APP,
    dockerfile: dockerfile([
      'ARG VERSION=dev',
      'COPY . .',
      'RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/app .',
    ]),
    args: { VERSION: 'v1.2.3' },
  },
  {
    name: 'a value with blanks and quotes in -X, and symbols kept',
    files: APP,
    dockerfile: dockerfile([
      'ENV CGO_ENABLED=0',
      'COPY . .',
      `RUN go build -trimpath -ldflags="-X 'main.version=a b  c'" -o /out/app .`,
    ]),
  },
  {
    name: 'flags in GOFLAGS, by ENV, and -a, -v, -x and -p',
    files: APP,
    dockerfile: dockerfile([
      'ENV CGO_ENABLED=0 GOFLAGS="-trimpath -tags=netgo,osusergo"',
      'COPY . .',
      'RUN go build -a -v -x -p 1 -installsuffix cgo -o /out/app .',
    ]),
  },
  {
    name: 'build tags that choose a file',
    files: {
      ...APP,
      'greeting.go': '//go:build !special\n\npackage main\n\nconst greeting = "world"\n',
      'special.go': '//go:build special\n\npackage main\n\nconst greeting = "you"\n',
    },
    dockerfile: dockerfile(['COPY . .', 'RUN CGO_ENABLED=0 go build -tags special -trimpath -o /out/app .']),
  },
  {
    name: 'several programs into a folder',
    files: {
      'go.mod': 'module example.com/app\n',
      'cmd/a/main.go': command('a'),
      'cmd/b/main.go': command('b'),
    },
    dockerfile: dockerfile(
      ['COPY . .', 'RUN CGO_ENABLED=0 go build -trimpath -o /out/ ./cmd/a ./cmd/b'],
      '/out/ /bin/',
    ),
  },
  {
    name: 'all programs of a pattern, one of them taken, into a folder that mkdir made',
    files: {
      'go.mod': 'module example.com/app\n',
      'cmd/a/main.go': command('a'),
      'cmd/b/main.go': command('b'),
      'cmd/b/internal/x/x.go': 'package x\n',
    },
    dockerfile: dockerfile(
      ['COPY . .', 'RUN mkdir -p /out/bin && CGO_ENABLED=0 go build -trimpath -o /out/bin ./cmd/...'],
      '/out/bin/b /b',
    ),
  },
  {
    name: 'two builds of one package with different flags',
    files: APP,
    dockerfile: dockerfile(
      [
        'ENV CGO_ENABLED=0',
        'COPY . .',
        'RUN go build -trimpath -o /out/app . && go build -trimpath -ldflags=-w -o /out/small .',
      ],
      '/out /out',
    ),
  },
  {
    name: 'embedded files, also in folders, with a name that begins with a dot',
    files: {
      'go.mod': 'module example.com/app\n\ngo 1.26\n',
      'main.go':
        'package main\n\nimport "embed"\n\n//go:embed all:web hello.txt\nvar files embed.FS\n\nfunc main() {\n\tdata, _ := files.ReadFile("hello.txt")\n\tprintln(string(data))\n}\n',
      'hello.txt': 'hello\n',
      'web/index.html': '<p>\n',
      'web/.hidden': 'x\n',
      'web/deep/er/file.bin': { text: 'binary', mode: 0o600 },
    },
    dockerfile: dockerfile(),
  },
  {
    name: 'a module that is replaced by a folder',
    files: {
      'go.mod':
        'module example.com/app\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ./third_party/lib\n',
      'main.go': USER,
      'third_party/lib/go.mod': 'module example.com/lib\n\ngo 1.26\n',
      'third_party/lib/lib.go': LIB,
    },
    dockerfile: dockerfile(),
  },
  {
    name: 'a module beside, by a replacement that goes up',
    files: {
      'app/go.mod':
        'module example.com/app\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../lib\n',
      'app/main.go': USER,
      'lib/go.mod': 'module example.com/lib\n\ngo 1.26\n',
      'lib/lib.go': LIB,
    },
    dockerfile: dockerfile(['COPY lib /lib-source', 'COPY . .', 'WORKDIR /src/app', BUILD]),
  },
  {
    name: 'a workspace',
    files: {
      'go.work': 'go 1.26\n\nuse (\n\t./app\n\t./lib\n)\n',
      'app/go.mod': 'module example.com/app\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n',
      'app/main.go': USER,
      'lib/go.mod': 'module example.com/lib\n\ngo 1.26\n',
      'lib/lib.go': LIB,
    },
    dockerfile: dockerfile(['COPY . .', 'RUN CGO_ENABLED=0 go build -trimpath -o /out/app ./app']),
  },
  {
    name: 'a workspace of the checkout that the stage does not have',
    files: {
      'go.work': 'go 1.26\n\nuse ./app\n\nuse ./other\n',
      'other/go.mod': 'module example.com/lib\n\ngo 1.26\n',
      'other/lib.go': 'package lib\n\nfunc Name() string { return "other" }\n',
      'app/go.mod':
        'module example.com/app\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ./lib\n',
      'app/main.go': USER,
      'app/lib/go.mod': 'module example.com/lib\n\ngo 1.26\n',
      'app/lib/lib.go': LIB,
    },
    dockerfile: dockerfile(['COPY app .', BUILD]),
  },
  {
    name: 'vendored modules',
    files: {
      'go.mod': 'module example.com/app\n\ngo 1.26\n\nrequire example.com/lib v1.0.0\n',
      'main.go': USER,
      'vendor/modules.txt': '# example.com/lib v1.0.0\n## explicit; go 1.26\nexample.com/lib\n',
      'vendor/example.com/lib/lib.go': LIB,
    },
    dockerfile: dockerfile(['COPY . .', 'RUN CGO_ENABLED=0 go build -mod=vendor -trimpath -o /out/app .']),
  },
  {
    name: 'a module below the context, with -C',
    files: { 'backend/go.mod': 'module example.com/backend\n', 'backend/cmd/x/main.go': command('x') },
    dockerfile: dockerfile([
      'COPY . .',
      'RUN CGO_ENABLED=0 go build -C backend -trimpath -o /out/app ./cmd/x',
    ]),
  },
  {
    name: 'a module of major version 2, in a folder that cd enters, without -o',
    files: { 'go.mod': 'module example.com/app/v2\n\ngo 1.26\n', 'cmd/main.go': command('x') },
    dockerfile: dockerfile(
      ['ENV CGO_ENABLED=0', 'COPY . .', 'RUN mkdir /work && cd cmd && go build -trimpath'],
      '/src/cmd/cmd /app',
    ),
  },
  {
    name: 'files that are named one by one',
    files: APP,
    dockerfile: dockerfile([
      'COPY . .',
      'RUN CGO_ENABLED=0 go build -trimpath -o /out/app /src/main.go /src/greeting.go',
    ]),
  },
  {
    name: 'files by patterns, in /usr/src/app',
    files: {
      'go.mod': 'module example.com/app\n',
      'cmd/x/b.go': 'package main\n\nfunc helper() { println("b") }\n',
      'cmd/x/a.go': 'package main\n\nfunc main() { helper() }\n',
      'cmd/x/.hidden.go': 'package hidden\n',
    },
    dockerfile: dockerfile(
      ['WORKDIR /usr/src/app', 'COPY . .', 'RUN CGO_ENABLED=0 go build -trimpath -o bin/x cmd/x/*'],
      '/usr/src/app/bin/x /x',
    ),
  },
  {
    name: 'go install, for this processor',
    files: { 'go.mod': 'module example.com/app\n', 'cmd/tool/main.go': command('tool') },
    dockerfile: dockerfile(
      ['COPY . .', 'RUN CGO_ENABLED=0 go install -trimpath ./cmd/tool'],
      '/go/bin/tool /tool',
    ),
  },
  {
    name: 'another processor, by TARGETARCH on the builder’s platform',
    files: APP,
    platform: 'linux/arm64',
    dockerfile: dockerfile([
      'ARG TARGETOS TARGETARCH',
      'COPY . .',
      'RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -o /out/app .',
    ]).replace('FROM golang', 'FROM --platform=$BUILDPLATFORM golang'),
  },
  {
    name: 'a level of the processor',
    files: APP,
    dockerfile: dockerfile([
      'ENV GOAMD64=v3 CGO_ENABLED=0',
      'COPY . .',
      'RUN go build -trimpath -o /out/app .',
    ]),
  },
  {
    name: 'Arm of version 6 for Windows’ neighbours: GOARM and another system',
    files: APP,
    dockerfile: dockerfile(
      [
        'ENV CGO_ENABLED=0',
        'COPY . .',
        'RUN GOARCH=arm GOARM=6 go build -trimpath -o /out/arm . ; GOOS=windows go build -trimpath -o /out/app.exe .',
      ],
      '/out/* /',
    ),
  },
  {
    name: 'cache mounts',
    files: APP,
    dockerfile: dockerfile([
      'COPY . .',
      'RUN --mount=type=cache,target=/root/.cache/go-build --mount=type=cache,target=/go/pkg/mod,sharing=locked CGO_ENABLED=0 go build -trimpath -o /out/app .',
    ]),
  },
  {
    name: 'sources that are mounted',
    files: APP,
    dockerfile: dockerfile([
      'ENV CGO_ENABLED=0',
      'RUN --mount=type=bind,source=go.mod,target=go.mod go mod download -x',
      'RUN --mount=type=bind,target=. go build -trimpath -o /out/app .',
    ]),
  },
  {
    name: 'a script in a heredoc',
    files: APP,
    dockerfile: dockerfile([
      'COPY . .',
      'RUN <<EOF\nset -eu\n# the program\nexport CGO_ENABLED=0\ngo version\ngo build \\\n  -trimpath -o /out/app .\nEOF',
    ]),
  },
  {
    name: 'the exec form',
    files: APP,
    dockerfile: dockerfile([
      'ENV CGO_ENABLED=0',
      'COPY . .',
      'RUN ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", "/out/app", "."]',
    ]),
  },
  {
    name: 'a default profile, and another by name',
    files: { ...APP, 'default.pgo': { profile: true }, 'profiles/cpu.pprof': { profile: true } },
    dockerfile: dockerfile(
      [
        'ENV CGO_ENABLED=0',
        'COPY . .',
        'RUN go build -trimpath -o /out/app . && go build -trimpath -pgo=/src/profiles/cpu.pprof -o /out/named . && go build -trimpath -pgo=off -o /out/off .',
      ],
      '/out/ /',
    ),
  },
  {
    name: 'position-independent code, GODEBUG and compiler flags',
    files: { ...APP, 'debug.go': '//go:debug httpmuxgo121=1\n\npackage main\n' },
    dockerfile: dockerfile([
      'ENV CGO_ENABLED=0',
      'COPY . .',
      `RUN go build -buildmode=pie -gcflags="all=-N -l" -trimpath -o /out/app .`,
    ]),
  },
  {
    name: 'a commit that .dockerignore keeps out',
    files: { ...APP, '.git/HEAD': 'ref: refs/heads/main\n', '.dockerignore': '.git\n' },
    dockerfile: dockerfile(),
  },
  {
    name: 'a commit that -buildvcs=false keeps out',
    files: { ...APP, '.git/HEAD': 'ref: refs/heads/main\n' },
    dockerfile: dockerfile([
      'COPY . .',
      'RUN CGO_ENABLED=0 go build -buildvcs=false -trimpath -o /out/app .',
    ]),
  },
  {
    name: 'a source that .dockerignore keeps out',
    files: {
      ...APP,
      'extra.go': 'package main\n\nfunc init() { println("extra") }\n',
      '.dockerignore': 'extra.go\n',
    },
    dockerfile: dockerfile(),
  },
  {
    name: 'only some of the sources',
    files: { ...APP, 'extra.go': 'package main\n\nfunc init() { println("extra") }\n' },
    dockerfile: dockerfile(['COPY go.mod main.go greeting.go ./', BUILD]),
  },
  {
    name: 'a source under another name, and a link to one',
    files: {
      'go.mod': 'module example.com/app\n',
      'main.go.txt': MAIN,
      'shared/greeting.go': 'package main\n\nconst greeting = "linked"\n',
      'app/greeting.go': { link: '../shared/greeting.go' },
    },
    dockerfile: dockerfile([
      'COPY . .',
      'COPY main.go.txt app/main.go',
      'RUN CGO_ENABLED=0 go build -trimpath -o /out/app ./app',
    ]),
  },
  {
    name: 'files of the context beside the program, with their modes',
    files: {
      ...APP,
      'templates/a.html': { text: '<a>', mode: 0o640 },
      'templates/sub/b.html': '<b>',
      'run.sh': { text: '#!/bin/sh\n', mode: 0o755 },
    },
    dockerfile: `FROM golang:1.26 AS build
WORKDIR /src
COPY . .
COPY --chmod=0700 run.sh /scripts/start
RUN CGO_ENABLED=0 go build -trimpath -o bin/app .
FROM scratch
COPY --from=build /src/bin/app /app
COPY --from=build /src/templates /templates
COPY --from=build /src/run.sh /scripts /
`,
  },
  {
    name: 'a stage on a stage, and another beside',
    files: {
      'go.mod': 'module example.com/app\n',
      'cmd/a/main.go': command('a'),
      'cmd/b/main.go': command('b'),
    },
    dockerfile: `ARG GO=1.26
FROM golang:\${GO} AS sources
ENV CGO_ENABLED=0
WORKDIR /src
COPY . .
FROM sources AS build
RUN go build -trimpath -o /a ./cmd/a
FROM sources AS other
RUN go build -trimpath -o /b ./cmd/b
FROM scratch
COPY --from=build /a /
COPY --from=other /b /
`,
    stages: ['build', 'other'],
  },
  {
    name: 'another shell, and variables of its own',
    files: APP,
    dockerfile: dockerfile([
      'COPY . .',
      'SHELL ["/bin/sh", "-eu", "-c"]',
      `RUN flags='-s -w'; out=/out/app; CGO_ENABLED=0 go build -trimpath -ldflags="\${flags}" -o "$out" .`,
    ]),
  },
  {
    name: 'settings of this machine that are not the stage’s',
    files: APP,
    dockerfile: dockerfile(),
    env: {
      GOFLAGS: '-tags=wrong -ldflags=-s',
      GOAMD64: 'v4',
      GOEXPERIMENT: 'greenteagc',
      CGO_ENABLED: '1',
      GOOS: 'darwin',
      GODEBUG: 'netdns=go',
      GOWORK: '/nowhere/go.work',
    },
  },
];

export const refused: readonly RefusedCase[] = [
  {
    name: 'cgo by default',
    files: APP,
    dockerfile: dockerfile(['COPY . .', 'RUN go build -trimpath -o /out/app .']),
    line: 'RUN go build',
    because: /cgo.*CGO_ENABLED=0/,
  },
  {
    name: 'a variable that is not exported',
    files: APP,
    dockerfile: dockerfile(['COPY . .', 'RUN CGO_ENABLED=0; go build -trimpath -o /out/app .']),
    line: 'RUN CGO_ENABLED=0;',
    because: /cgo/,
  },
  {
    name: 'packages of the system',
    files: APP,
    dockerfile: dockerfile(['RUN apk add --no-cache git', 'COPY . .', BUILD]),
    line: 'RUN apk',
    because: /runs "apk add --no-cache git"/,
  },
  {
    name: 'make',
    files: { ...APP, Makefile: 'build:\n\ttrue\n' },
    dockerfile: dockerfile(['COPY . .', 'RUN make build']),
    line: 'RUN make',
    because: /runs "make build"/,
  },
  {
    name: 'tests',
    files: APP,
    dockerfile: dockerfile(['COPY . .', 'RUN go test ./...', BUILD]),
    line: 'RUN go test',
    because: /runs "go test \.\/\.\.\."/,
  },
  {
    name: 'vet in the same line',
    files: APP,
    dockerfile: dockerfile([
      'COPY . .',
      'RUN go vet ./... && CGO_ENABLED=0 go build -trimpath -o /out/app .',
    ]),
    line: 'RUN go vet',
    because: /runs "go vet/,
  },
  {
    name: 'generated code',
    files: APP,
    dockerfile: dockerfile(['COPY . .', 'RUN go generate ./...', BUILD]),
    line: 'RUN go generate',
    because: /runs "go generate/,
  },
  {
    name: 'a pipe',
    files: APP,
    dockerfile: dockerfile(['COPY . .', 'RUN CGO_ENABLED=0 go build -trimpath -o /out/app . 2>&1 | cat']),
    line: 'RUN CGO',
    because: /redirection|pipe/,
  },
  {
    name: 'a substitution',
    files: APP,
    dockerfile: dockerfile([
      'COPY . .',
      'RUN CGO_ENABLED=0 go build -trimpath -ldflags "-X main.version=$(cat VERSION)" -o /out/app .',
    ]),
    line: 'RUN CGO',
    because: /command substitution/,
  },
  {
    name: 'a file of another stage',
    files: APP,
    dockerfile: `FROM golang:1.26 AS generate
RUN echo 'package main' > /generated.go
FROM golang:1.26 AS build
WORKDIR /src
COPY . .
COPY --from=generate /generated.go .
${BUILD}
FROM scratch
COPY --from=build /out/app /
`,
    line: 'COPY --from=generate',
    because: /copies \/generated\.go from another stage/,
  },
  {
    name: 'a mount of another stage',
    files: APP,
    dockerfile: `FROM golang:1.26 AS generate
RUN echo 'package main' > /generated.go
FROM golang:1.26 AS build
WORKDIR /src
COPY . .
RUN --mount=from=generate,source=/generated.go,target=/src/generated.go CGO_ENABLED=0 go build -trimpath -o /out/app .
FROM scratch
COPY --from=build /out/app /
`,
    line: 'RUN --mount=from=generate',
    because: /mount brings files/,
  },
  {
    name: 'a commit in the stage',
    files: { ...APP, '.git/HEAD': 'ref: refs/heads/main\n' },
    dockerfile: dockerfile(),
    line: BUILD,
    because: /commit of \/src\/\.git.*\.dockerignore.*-buildvcs=false/,
  },
  {
    name: 'a commit that is asked for',
    files: APP,
    dockerfile: dockerfile(['COPY . .', 'RUN CGO_ENABLED=0 go build -buildvcs=true -trimpath -o /out/app .']),
    line: 'RUN CGO',
    because: /-buildvcs/,
  },
  {
    name: 'another base',
    files: APP,
    dockerfile: dockerfile().replace('golang:1.26', 'alpine:3'),
    line: 'FROM alpine',
    because: /alpine:3 is not one of the official golang images/,
  },
  {
    name: 'a secret',
    files: APP,
    dockerfile: dockerfile([
      'COPY . .',
      `RUN --mount=type=secret,id=token CGO_ENABLED=0 go build -trimpath -o /out/app .`,
    ]),
    line: 'RUN --mount=type=secret',
    because: /uses a secret/,
  },
  {
    name: 'a cache over the sources',
    files: APP,
    dockerfile: dockerfile([
      'COPY . .',
      'RUN --mount=type=cache,target=/src/gen CGO_ENABLED=0 go build -trimpath -o /out/app .',
    ]),
    line: 'RUN --mount=type=cache',
    because: /cache mount at \/src\/gen/,
  },
  {
    name: 'a file of the base',
    files: APP,
    dockerfile: dockerfile().replace(
      'COPY --from=build /out/app /app',
      'COPY --from=build /out/app /app\nCOPY --from=build /etc/passwd /etc/passwd',
    ),
    line: 'COPY --from=build /etc/passwd',
    because: /\/etc\/passwd is taken from it/,
  },
  {
    name: 'a folder of the base',
    files: APP,
    dockerfile: dockerfile(
      ['COPY . .', 'RUN CGO_ENABLED=0 go build -trimpath -o /usr/local/bin/app .'],
      '/usr/local/bin /',
    ),
    line: 'COPY --from=build',
    because: /\/usr\/local\/bin is taken from it/,
  },
  {
    name: 'another user',
    files: APP,
    dockerfile: dockerfile(['COPY . .', 'USER 1000', BUILD]),
    line: BUILD,
    because: /as user 1000/,
  },
  {
    name: 'a module that Go may change',
    files: APP,
    dockerfile: dockerfile(['COPY . .', 'RUN CGO_ENABLED=0 go build -mod=mod -trimpath -o /out/app .']),
    line: 'RUN CGO',
    because: /-mod=mod/,
  },
  {
    name: 'a tool of the network',
    files: APP,
    dockerfile: dockerfile(
      ['RUN CGO_ENABLED=0 go install -trimpath example.com/tool@latest'],
      '/go/bin/tool /tool',
    ),
    line: 'RUN CGO',
    because: /installs example\.com\/tool@latest/,
  },
  {
    name: 'a folder of the container in go.mod',
    files: {
      'go.mod':
        'module example.com/app\n\nrequire example.com/lib v0.0.0\n\nreplace (\n\texample.com/lib => /opt/lib // here\n)\n',
      'main.go': USER,
      'lib/go.mod': 'module example.com/lib\n',
      'lib/lib.go': LIB,
    },
    dockerfile: dockerfile(['COPY lib /opt/lib', 'COPY . .', BUILD]),
    line: BUILD,
    because: /\/src\/go\.mod names the folder \/opt\/lib of the container/,
  },
  {
    name: 'files that are copied after the build',
    files: APP,
    dockerfile: dockerfile(['COPY . .', BUILD, 'COPY README.md /out/']),
    line: 'COPY README.md',
    because: /copies files after it has compiled/,
  },
  {
    name: 'a link into the base',
    files: { ...APP, 'zone.go': { link: '/usr/local/go/src/time/zoneinfo.go' } },
    dockerfile: dockerfile(),
    line: 'FROM golang',
    because: /\/src\/zone\.go is a link to \/usr\/local\/go/,
  },
  {
    name: 'the linker of the system',
    files: APP,
    dockerfile: dockerfile([
      'COPY . .',
      'RUN CGO_ENABLED=0 go build -trimpath -ldflags "-linkmode external" -o /out/app .',
    ]),
    line: 'RUN CGO',
    because: /-linkmode/,
  },
  {
    name: 'the race detector',
    files: APP,
    dockerfile: dockerfile(['COPY . .', 'RUN CGO_ENABLED=0 go build -race -trimpath -o /out/app .']),
    line: 'RUN CGO',
    because: /flag -race/,
  },
  {
    name: 'settings of Go in a file',
    files: { ...APP, env: 'GOFLAGS=-tags=x\n' },
    dockerfile: dockerfile(['COPY env /root/.config/go/env', 'COPY . .', BUILD]),
    line: 'FROM golang',
    because: /settings for Go/,
  },
  {
    name: 'settings of Go by go env -w',
    files: APP,
    dockerfile: dockerfile(['RUN go env -w GOFLAGS=-tags=x', 'COPY . .', BUILD]),
    line: 'RUN go env',
    because: /go env -w/,
  },
  {
    name: 'another go command before that of the image',
    files: { ...APP, 'tools/go': { text: '#!/bin/sh\n', mode: 0o755 } },
    dockerfile: dockerfile(['ENV PATH=/src/tools:$PATH', 'COPY . .', BUILD]),
    line: BUILD,
    because: /PATH has "\/src\/tools" before/,
  },
  {
    name: 'no modules',
    files: { 'main.go': command('x') },
    dockerfile: dockerfile(),
    line: BUILD,
    because: /no go\.mod/,
  },
  {
    name: 'an archive that ADD unpacks',
    files: { 'sources.tar': { archive: APP } },
    dockerfile: dockerfile(['ADD sources.tar .', BUILD]),
    line: 'ADD sources.tar',
    because: /ADD unpacks sources\.tar/,
  },
  {
    name: 'a stage that others are built on',
    files: APP,
    dockerfile: `${dockerfile().replace('FROM scratch', 'FROM build AS more\nFROM scratch')}COPY --from=more /src/main.go /\n`,
    line: 'FROM build AS more',
    because: /stage more is built on it/,
  },
  {
    name: 'a script with an interpreter of its own',
    files: APP,
    dockerfile: dockerfile(['COPY . .', `RUN <<EOF\n#!/bin/sh\n${BUILD.slice(4)}\nEOF`]),
    line: 'RUN <<EOF',
    because: /interpreter of its own/,
  },
];
