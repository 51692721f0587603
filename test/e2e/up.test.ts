import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ExecError, run } from '../../shared/exec/index.ts';
import { describeWith, go } from '../lab/index.ts';

const CLI = resolve(import.meta.dirname, '../../bin/cli.ts');
const MAIN = (text: string) => `package main\n\nfunc main() { println("${text}") }\n`;
const DOCKERFILE = `FROM golang:1.26 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/app ./cmd/app
FROM scratch
COPY --from=build /out/app /app
USER 65532:65532
ENTRYPOINT ["/app"]
`;

interface Said {
  readonly text: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** A service in a folder of its own. */
class Service implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'up-'));

  constructor() {
    this.write('go.mod', 'module example.com/shop\n\ngo 1.24\n');
    this.write('cmd/app/main.go', MAIN('app'));
    this.write('Dockerfile', DOCKERFILE);
    this.write('.dockerignore', '.slipway\n');
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  async up(...args: string[]): Promise<Said> {
    // No engine answers there: whatever works here works without one.
    const env = { ...process.env, DOCKER_HOST: 'unix:///nonexistent/docker.sock', NO_COLOR: '1' };
    const done = await run({
      program: process.execPath,
      args: ['--no-warnings', CLI, 'up', '--json', ...args],
      cwd: this.folder,
      env,
      timeout: 300_000,
    });
    return { text: done.stderr, outputs: JSON.parse(done.stdout.toString()) };
  }

  async refused(...args: string[]): Promise<string> {
    const error = await this.up(...args).then(
      () => expect.fail('it went well'),
      (reason: ExecError) => reason,
    );
    expect(error.code).toBe(1);
    return error.stderr;
  }

  /** The entries of the layout, where there is one. */
  images(): unknown[] {
    const index = join(this.folder, '.slipway/images/index.json');
    return existsSync(index) ? JSON.parse(readFileSync(index, 'utf8')).manifests : [];
  }

  files(path: string): string[] {
    const entries = readdirSync(join(this.folder, path), { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(this.folder, path).length + 1))
      .sort();
  }

  /** Names of the members of each layer of the one image in the layout, and its configuration. */
  async image(
    digest: string,
  ): Promise<{ names: string[]; config: { Entrypoint?: string[]; User?: string } }> {
    const blob = (name: string) =>
      join(this.folder, '.slipway/images/blobs/sha256', name.replace('sha256:', ''));
    const manifest = JSON.parse(readFileSync(blob(digest), 'utf8'));
    const names: string[] = [];
    for (const layer of manifest.layers) {
      const list = await run({ program: 'tar', args: ['-tzf', blob(layer.digest)] });
      names.push(...list.stdout.toString().trim().split('\n'));
    }
    return { names, config: JSON.parse(readFileSync(blob(manifest.config.digest), 'utf8')).config };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

describeWith('slipway up', { go: go() }, () => {
  let service: Service;
  beforeEach(() => {
    service = new Service();
  });
  afterEach(() => service[Symbol.dispose]());

  it('makes binary and image with no configuration, no engine and no registry', async () => {
    const { text, outputs } = await service.up('--platforms', 'linux/amd64');
    expect(text).toContain('go-build, without a container');
    const { names, config } = await service.image(outputs.digest!);
    expect(names).toEqual(['app']);
    expect(config).toMatchObject({ Entrypoint: ['/app'], User: '65532:65532' });
    expect(outputs.changed).toBe('true');
    const [binary] = JSON.parse(outputs.binaries!);
    expect(binary).toMatchObject({
      target: 'linux/amd64',
      path: join(service.folder, '.slipway/bin/app_linux_amd64'),
    });
  });

  it('does nothing the second time, and only what follows from an edit the third', async () => {
    service.write('slipway.yml', 'build:\n  packages: ./cmd/app, ./cmd/worker\n');
    service.write('cmd/worker/main.go', MAIN('worker'));
    const first = await service.up();
    const second = await service.up();
    expect(second.outputs).toMatchObject({ changed: 'false', digest: first.outputs.digest });
    expect(second.text).toContain('Nothing changed.');
    service.write('cmd/worker/main.go', MAIN('another'));
    const third = await service.up();
    expect(
      JSON.parse(third.outputs.binaries!).map((one: { name: string; reused: boolean }) => [
        one.name,
        one.reused,
      ]),
    ).toEqual([
      ['app', true],
      ['worker', false],
    ]);
    expect(third.outputs).toMatchObject({ changed: 'true', digest: first.outputs.digest });
    expect(third.text).toContain('cmd/worker/main.go');
  });

  it('says in the plan what an edit would cause, and does nothing', async () => {
    await service.up();
    const before = statSync(join(service.folder, '.slipway/images/index.json')).mtimeMs;
    service.write('cmd/app/main.go', MAIN('edited'));
    const { text, outputs } = await service.up('--plan');
    expect(text).toContain('cmd/app/main.go');
    expect(JSON.parse(outputs.plan!).binaries).toMatchObject([{ decision: 'build' }]);
    expect(statSync(join(service.folder, '.slipway/images/index.json')).mtimeMs).toBe(before);
  });

  it('plans an image of programs in the context before they are there', async () => {
    service.write('Dockerfile', 'FROM scratch\nCOPY dist/app /app\n');
    service.write('slipway.yml', 'build:\n  output: dist\n  output-name: app\n');
    expect((await service.up('--plan')).text).toContain('The image is assembled once the binaries are there');
    await service.up();
    expect((await service.up('--plan')).text).toContain('Nothing changed since the last time.');
  });

  it('keeps its own folders out of images, of commits and of what makes an image another', async () => {
    rmSync(join(service.folder, '.dockerignore'));
    rmSync(join(service.folder, 'go.mod'));
    service.write('api/go.mod', 'module example.com/api\n\ngo 1.24\n');
    service.write('api/main.go', MAIN('api'));
    service.write(
      'Dockerfile',
      `${DOCKERFILE.replace('COPY . .', 'COPY api .').replace('./cmd/app', '.')}COPY . /all\n`,
    );
    const first = await service.up();
    expect(service.files('api/.slipway').length).toBeGreaterThan(1);
    const { names } = await service.image(first.outputs.digest!);
    expect(names).toContain('all/api/main.go');
    expect(names.filter((name) => name.includes('.slipway'))).toEqual([]);
    expect((await service.up()).outputs).toMatchObject({ changed: 'false', digest: first.outputs.digest });
    await run({ program: 'git', args: ['init', '-q'], cwd: service.folder });
    const status = await run({ program: 'git', args: ['status', '--short', '-uall'], cwd: service.folder });
    expect(status.stdout.toString().trim().split('\n').toSorted()).toEqual([
      '?? Dockerfile',
      '?? api/go.mod',
      '?? api/main.go',
      '?? cmd/app/main.go',
    ]);
  });

  it('makes the image alone at the root of many modules', async () => {
    rmSync(join(service.folder, 'go.mod'));
    service.write('Dockerfile', 'FROM scratch\nCOPY cmd /cmd\n');
    service.write('api/go.mod', 'module example.com/api\n\ngo 1.24\n');
    const { text, outputs } = await service.up();
    expect((await service.image(outputs.digest!)).names).toContain('cmd/app/main.go');
    expect(outputs.binaries).toBe('[]');
    expect(text).not.toContain('Binary');
    service.write('slipway.yml', 'image: false\n');
    expect(await service.refused()).toContain('There is no go.mod in');
  });

  it('calls a folder that is handed in as it was named', async () => {
    service.write('made/out/app', 'binary');
    service.write('slipway.yml', 'image:\n  stages: build=made\n');
    const { outputs } = await service.up('--plan');
    expect(JSON.parse(outputs.plan!).image.platforms[0].stages[0]).toMatchObject({
      how: 'handed in',
      detail: 'made',
    });
  });

  it('lifts a build of a file of the package', async () => {
    service.write('Dockerfile', DOCKERFILE.replace('./cmd/app', 'cmd/app/main.go'));
    const { text } = await service.up('--platforms', 'linux/amd64');
    expect(text).toContain('go-build, without a container');
  });

  it('lays out what lifted stages would hold, per platform, and clears what they no longer do', async () => {
    service.write('cmd/worker/main.go', MAIN('worker'));
    const both = DOCKERFILE.replace(
      './cmd/app\n',
      './cmd/app && go build -o /out/worker ./cmd/worker\n',
    ).replace('/out/app /app', '/out/ /bin/');
    service.write('Dockerfile', both);
    const { outputs } = await service.up('--platforms', 'linux/amd64,linux/arm64');
    expect(service.files('.slipway/stages')).toEqual([
      'build/linux-amd64/out/app',
      'build/linux-amd64/out/worker',
      'build/linux-arm64/out/app',
      'build/linux-arm64/out/worker',
    ]);
    expect(JSON.parse(outputs.binaries!)).toHaveLength(4);
    service.write('Dockerfile', DOCKERFILE);
    await service.up('--platforms', 'linux/amd64');
    expect(service.files('.slipway/stages/build/linux-amd64')).toEqual(['out/app']);
  });

  it('reports at its line what the Dockerfile would have built differently', async () => {
    service.write(
      'Dockerfile',
      DOCKERFILE.replace('CGO_ENABLED=0 go build -trimpath', 'go vet ./... && go build -tags demo'),
    );
    const { text } = await service.up('--platforms', 'linux/amd64');
    expect(text).toMatch(/Dockerfile:4: notice: .*"go vet \.\/\.\.\." is left out/);
    expect(text).toMatch(
      /Dockerfile:4: notice: .*-trimpath is on \(Dockerfile: off\), -tags is none \(Dockerfile: "demo"\), cgo is off \(Dockerfile: on\)/,
    );
  });

  it('warns where the Dockerfile asks for cgo by name and go-build leaves it out', async () => {
    service.write('Dockerfile', DOCKERFILE.replace('CGO_ENABLED=0', 'CGO_ENABLED=1'));
    const { text } = await service.up('--platforms', 'linux/amd64');
    expect(text).toMatch(/Dockerfile:4: warning: .*cgo is off \(Dockerfile: on\)/);
  });

  it('takes flags from slipway.yml, and then there is no difference to report', async () => {
    service.write('Dockerfile', DOCKERFILE.replace('-trimpath', '-trimpath -tags demo'));
    service.write('slipway.yml', 'build:\n  tags: demo\n');
    service.write('cmd/app/demo.go', '//go:build demo\n\npackage main\n\nfunc init() { println("demo") }\n');
    const { text, outputs } = await service.up('--platforms', 'linux/amd64');
    expect(text).not.toContain('whose settings win');
    const [binary] = JSON.parse(outputs.binaries!);
    expect((await run({ program: binary.path, args: [] })).stderr).toBe('demo\napp\n');
  });

  it('names the line that needs a builder when none is there, and both ways out', async () => {
    service.write('Dockerfile', DOCKERFILE.replace('COPY . .', 'COPY . .\nRUN go generate ./...'));
    const text = await service.refused('--platforms', 'linux/amd64');
    expect(text).toMatch(
      /Dockerfile:4: notice: Stage build needs a builder: it runs "go generate \.\/\.\.\."/,
    );
    expect(text).toMatch(/error: .*build/);
    expect(text).toMatch(/stages/);
    expect(service.images()).toEqual([]);
  });

  it('takes a stage that slipway.yml hands in as it is', async () => {
    service.write('Dockerfile', DOCKERFILE.replace('COPY . .', 'COPY . .\nRUN go generate ./...'));
    service.write('prebuilt/out/app', 'not a program');
    service.write('slipway.yml', 'image:\n  platforms: linux/amd64\n  stages: build=prebuilt\n');
    const { outputs } = await service.up();
    expect((await service.image(outputs.digest!)).names).toEqual(['app']);
  });

  it('builds a module in a folder of the context', async () => {
    service.write('backend/go.mod', 'module example.com/backend\n\ngo 1.24\n');
    service.write('backend/main.go', MAIN('backend'));
    service.write('Dockerfile', DOCKERFILE.replace('COPY . .', 'COPY backend/ .').replace('./cmd/app', '.'));
    const { outputs } = await service.up('--platforms', 'linux/amd64');
    expect(JSON.parse(outputs.binaries!)).toMatchObject([{ package: 'example.com/backend' }]);
    expect((await service.image(outputs.digest!)).names).toEqual(['app']);
  });

  it('builds binaries alone where there is no Dockerfile, or none is wanted', async () => {
    service.write('slipway.yml', 'image: false\n');
    const { text, outputs } = await service.up('--targets', 'windows/amd64');
    expect(text).toContain('No image: slipway.yml says image: false.');
    expect(JSON.parse(outputs.binaries!)).toMatchObject([{ target: 'windows/amd64' }]);
    rmSync(join(service.folder, 'Dockerfile'));
    rmSync(join(service.folder, 'slipway.yml'));
    expect((await service.up()).text).toContain('No image: there is no Dockerfile.');
  });

  it.each<[string, (service: Service) => void, string[], RegExp]>([
    ['a folder that is not there', () => {}, ['nosuch'], /There is no folder nosuch/],
    ['a file for a folder', () => {}, ['go.mod'], /go\.mod is a file/],
    ['a wrong name to push', () => {}, ['--push', 'Bad Name'], /"Bad Name" is no image reference/],
    [
      'a digest to push',
      () => {},
      ['--push', `x.example/y@sha256:${'a'.repeat(64)}`],
      /cannot hold a digest/,
    ],
    ['an unknown target', () => {}, ['--targets', 'linux/amd65'], /Did you mean "amd64"/],
    [
      'nothing to push',
      (one) => one.write('slipway.yml', 'image: false\n'),
      ['--push', 'x.example/y:1'],
      /There is no image to push: slipway\.yml says image: false/,
    ],
    [
      'a Dockerfile that is not there',
      (one) => one.write('slipway.yml', 'image:\n  file: Dockerfle\n'),
      [],
      /Dockerfle/,
    ],
    [
      'a wrong key',
      (one) => one.write('slipway.yml', 'bild: {}\n'),
      [],
      /slipway\.yml:1:1: error: "bild" is no key of slipway\.yml\. Did you mean "build"/,
    ],
    [
      'a name that no image can have',
      (one) => one.write('slipway.yml', 'name: My Shop\n'),
      [],
      /such as my-shop/,
    ],
    [
      'a package that is not there',
      (one) => one.write('slipway.yml', 'build:\n  packages: ./cmd/ap\n'),
      [],
      /Did you mean "\.\/cmd\/app"/,
    ],
    [
      'a package of the Dockerfile that is not there',
      (one) => one.write('Dockerfile', DOCKERFILE.replace('./cmd/app', './cmd/ap')),
      [],
      /\.\/cmd\/ap/,
    ],
    ['no go.mod', (one) => rmSync(join(one.folder, 'go.mod')), [], /go\.mod/],
    [
      'a file that the image copies and that is not there',
      (one) => one.write('Dockerfile', `${DOCKERFILE}COPY confg /etc/\n`),
      [],
      /confg/,
    ],
  ])('refuses %s in one sentence and leaves no image', async (_, change, args, message) => {
    change(service);
    const text = await service.refused(...args);
    const errors = text.split('\n').filter((line) => /(^|: )error: /.test(line));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(message);
    expect(text).not.toContain('fault in Slipway');
    expect(service.images()).toEqual([]);
  });
});
