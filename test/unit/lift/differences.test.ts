import { describe, expect, it } from 'vitest';
import { readGoBuild } from '../../../shared/lift/go-command.ts';
import { differences, type GoBuildFacts, type GoProgram } from '../../../shared/lift/index.ts';
import { readShell } from '../../../shared/lift/shell.ts';
import { parsePlatform } from '../../../shared/oci/index.ts';

const facts: GoBuildFacts = {
  flags: {
    ldflags: '-s -w',
    tags: [],
    trimpath: true,
    buildvcs: 'off',
    gcflags: '',
    asmflags: '',
    mod: '',
    cgo: false,
    race: false,
    cover: false,
    coverPackages: [],
    pgo: 'auto',
    buildmode: '',
    extra: [],
  },
  goVersion: 'go1.26.8',
  settings: {},
};

function compare(line: string, base = 'golang:1.26', changed: Partial<GoBuildFacts> = {}): string[] {
  const reading = readShell(line, {});
  if (reading.kind === 'beyond') throw new Error(reading.because);
  const command = readGoBuild(reading.commands[0]!)!;
  const program: GoProgram = {
    command,
    directory: '.',
    packages: ['.'],
    output: '/app',
    lines: { start: 1, end: 1 },
  };
  return differences(program, base, { ...facts, ...changed }, parsePlatform('linux/amd64'));
}

describe('differences between a Dockerfile’s go build and go-build', () => {
  it.each([
    'CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /app .',
    'CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -v -a -installsuffix cgo -trimpath=true -ldflags="-w  -s" .',
    'CGO_ENABLED=0 go build -p 4 -trimpath -ldflags "-s -w" -buildvcs=false -race=false .',
  ])('none: %s', (line) => {
    expect(compare(line)).toEqual([]);
  });

  it.each<[string, string[]]>([
    [
      'go build .',
      [
        '-trimpath is on (Dockerfile: off)',
        '-ldflags is "-s -w" (Dockerfile: none)',
        'cgo is off (Dockerfile: on)',
      ],
    ],
    [
      'CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.v=1" .',
      ['-ldflags is "-s -w" (Dockerfile: "-X main.v=1 -s -w")'],
    ],
    [
      'CGO_ENABLED=0 GOARCH=arm64 go build -trimpath -ldflags "-s -w" .',
      ['GOARCH is "amd64" (Dockerfile: "arm64")'],
    ],
    [
      'CGO_ENABLED=0 GOEXPERIMENT=jsonv2 go build -trimpath -ldflags "-s -w" .',
      ['GOEXPERIMENT is none (Dockerfile: "jsonv2")'],
    ],
    [
      'CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -tags b,a -mod vendor -buildmode=pie -race -buildvcs=true .',
      [
        '-tags is none (Dockerfile: "a,b")',
        '-mod is none (Dockerfile: "vendor")',
        '-buildmode is none (Dockerfile: "pie")',
        '-race is off (Dockerfile: on)',
        '-buildvcs is off (Dockerfile: on)',
      ],
    ],
  ])('%s', (line, expected) => {
    expect(compare(line)).toEqual(expected);
  });

  it('reads -X in each way of writing it', () => {
    const flags = { ...facts.flags, ldflags: `-s -w -X main.v=1 -X 'main.d=a b'` };
    expect(
      compare(
        `CGO_ENABLED=0 go build -trimpath -ldflags "-X=main.v=1 -X 'main.d=a b' -w -s" .`,
        'golang:1.26',
        { flags },
      ),
    ).toEqual([]);
  });

  it.each([
    ['golang:1.26', []],
    ['golang:1.26.8-alpine3.22', []],
    ['docker.io/library/golang:1', []],
    ['golang:latest', []],
    ['registry.example/go-builder:7', []],
    ['golang:1.25-bookworm', ['Go is 1.26.8 (Dockerfile: 1.25)']],
    ['golang:1.2', ['Go is 1.26.8 (Dockerfile: 1.2)']],
  ])('the Go of %s', (base, expected) => {
    expect(compare('CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" .', base)).toEqual(expected);
  });
});
