import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { main } from '../../../actions/docker-multistage/run.ts';
import { run } from '../../../shared/exec/index.ts';
import { type RunContext, readInputs } from '../../../shared/host/index.ts';
import {
  baseImages,
  buildkit,
  containerdEngine,
  crane,
  describeWith,
  docker,
  type Engine,
  engine,
  forgetSteps,
  registry,
} from '../../lab/index.ts';
import { type MemoryHost, memoryHost } from '../../unit/image/host.ts';
import { writeModuleProxy } from './module-proxy.ts';

const [bases, craneTool, lab, graphEngine, containerd, kit] = await Promise.all([
  baseImages(),
  crane(),
  registry(),
  engine(),
  containerdEngine(),
  buildkit(),
]);
const root = mkdtempSync(join(tmpdir(), 'slipway-mounts-e2e-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A Go module with a leaf package and a vendored one, so that no step needs a network. */
class Project {
  readonly folder: string;

  constructor(golang: string, mounts = '--mount=type=cache,target=/root/.cache/go-build') {
    this.folder = mkdtempSync(join(root, 'project-'));
    this.write('go.mod', 'module example.com/app\n\ngo 1.26\n\nrequire example.com/dep v1.0.0\n');
    this.write('go.sum', '');
    this.write('vendor/modules.txt', '# example.com/dep v1.0.0\n## explicit\nexample.com/dep\n');
    this.write('vendor/example.com/dep/dep.go', 'package dep\n\nfunc Name() string { return "dep" }\n');
    this.write('.dockerignore', '.slipway\n');
    this.write(
      'Dockerfile',
      `FROM ${golang} AS build\nWORKDIR /src\nENV CGO_ENABLED=0 GOFLAGS=-trimpath\nCOPY . .\nRUN ${mounts} \\\n    go build -v -o /out/app . 2>&1 | sed 's/^/compiled /'\nFROM scratch\nCOPY --from=build /out/app /app\n`,
    );
    this.leaf('one');
    this.imports(['fmt']);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  leaf(answer: string): void {
    this.write('leaf/leaf.go', `package leaf\n\nfunc Answer() string { return "${answer}" }\n`);
  }

  imports(packages: readonly string[]): void {
    const all = ['example.com/app/leaf', 'example.com/dep', ...packages.map((one) => `_ "${one}"`)];
    const lines = all.map((one) => (one.startsWith('_') ? one : `"${one}"`));
    this.write(
      'main.go',
      `package main\n\nimport (\n${lines.join('\n')}\n)\n\nfunc main() { println(leaf.Answer(), dep.Name()) }\n`,
    );
  }
}

/** A module that needs another one from a proxy, and a Dockerfile that knows nothing of cache mounts. */
class PlainProject extends Project {
  constructor(golang: string) {
    super(golang);
    rmSync(join(this.folder, 'vendor'), { recursive: true });
    writeModuleProxy(join(this.folder, 'proxy'), 'example.com/dep', 'v1.0.0', {
      'dep.go': 'package dep\n\nfunc Name() string { return "dep" }\n',
      'sub/sub.go': 'package sub\n',
    });
    this.write(
      'go.sum',
      'example.com/dep v1.0.0 h1:zfvYI5fFMXlrG7KaeFOxTuXz8Mb7i6Q4oeJ/Tw6ChM4=\nexample.com/dep v1.0.0/go.mod h1:QS4rs2vGKM+oGbPkwJKx8yz/m0U/VGGENPu6zDJwI04=\n',
    );
    this.write(
      'Dockerfile',
      `FROM ${golang} AS build\nWORKDIR /src\nENV CGO_ENABLED=0 GOFLAGS=-trimpath GONOSUMDB=*\nARG GOPROXY=off\nCOPY . .\nRUN go build -v -o /out/app . 2>&1 | sed 's/^/compiled /'\nFROM scratch\nCOPY --from=build /out/app /app\n`,
    );
    this.imports([]);
  }
}

interface Builder {
  readonly name: string;
  readonly inputs: Readonly<Record<string, string>>;
  /** Makes it what a fresh runner has. */
  readonly forget: () => Promise<unknown>;
  /** As forget, pulled images too. */
  readonly empty: () => Promise<unknown>;
}

const trusted: RunContext = { trusted: true, branch: 'main', defaultBranch: 'main' };

async function build(
  { folder }: Project,
  builder: Builder,
  inputs: Readonly<Record<string, string>>,
  context: RunContext = trusted,
): Promise<MemoryHost> {
  const host = { ...memoryHost(folder), run: context };
  const all: Record<string, string> = {
    layout: 'out',
    lift: 'never',
    'reuse-tag': 'false',
    ...builder.inputs,
    ...inputs,
  };
  await main(
    host,
    readInputs(definition, (name) => all[name]),
  );
  rmSync(join(folder, 'out'), { recursive: true, force: true });
  return host;
}

/** Makes a seed as it would be some days later: what matters is the time of its files and of its own. */
async function age(
  { inputs }: Builder,
  seed: { readonly name: string; readonly digest: string },
  alpine: string,
  days: number,
): Promise<void> {
  const folder = mkdtempSync(join(root, 'age-'));
  const then = new Date(Date.now() - days * 86_400_000).toISOString();
  const at = then.replace(/[-:T]/g, '').replace(/(\d{12})(\d{2}).*/, '$1.$2');
  writeFileSync(
    join(folder, 'Dockerfile'),
    `FROM ${seed.name.replace(/:[^:/]*$/, '')}@${seed.digest} AS seed\nFROM ${alpine} AS old\nCOPY --from=seed / /seed\nRUN find /seed -exec env TZ=UTC0 touch -t ${at} {} +\nFROM scratch\nCOPY --from=old /seed /\n`,
  );
  const saved = Math.floor(Date.parse(then) / 1000) + 90_000;
  // biome-ignore format: a flag with its value
  await run({
    program: 'docker',
    args: [
      'buildx', 'build', '--builder', inputs.builder!, '--provenance=false',
      '--output', `type=image,name=${seed.name},push=true,annotation.dev.slipway.mount.saved=${saved}`, folder,
    ],
  });
}

/** The packages that Go compiled, by what `go build -v` printed. */
function compiled({ lines }: MemoryHost): string[] {
  return lines.flatMap((line) => /^\s*compiled (\S+)$/.exec(line)?.[1] ?? []).sort();
}

const told = ({ lines }: MemoryHost) => lines.join('\n');

function carries(
  builder: () => Builder,
  have: {
    readonly golang: string;
    readonly alpine: string;
    readonly crane: string;
    readonly host: string;
    readonly storage: string;
  },
  where: string,
  extent: 'all' | 'the way of the content' = 'the way of the content',
) {
  const repository = `${have.host}/mounts/${where}`;
  const store = { store: `registry:${repository}`, 'cache-mounts': 'true' };
  const tags = async () =>
    (await run({ program: have.crane, args: ['ls', repository] })).stdout
      .toString()
      .split('\n')
      .filter((tag) => tag.startsWith('slipway-mount-'));
  const layers = async (): Promise<{ digest: string; size: number }[]> => {
    const [tag] = await tags();
    const { stdout } = await run({ program: have.crane, args: ['manifest', `${repository}:${tag}`] });
    return JSON.parse(stdout.toString()).layers;
  };
  const sizeOf = (all: readonly { readonly size: number }[]) => all.reduce((sum, { size }) => sum + size, 0);
  const project = new Project(have.golang);

  it('keep what a cold build left, for a fresh builder to start from', async () => {
    await builder().forget();
    const cold = await build(project, builder(), store);
    expect(compiled(cold)).toEqual(
      expect.arrayContaining(['runtime', 'example.com/app/leaf', 'example.com/dep']),
    );
    expect(told(cold)).toMatch(/No seed in .* for the cache mount \/root\/\.cache\/go-build/);
    expect(cold.annotations.filter(({ level }) => level === 'error')).toEqual([]);
    expect(await tags()).toHaveLength(1);
    expect(sizeOf(await layers())).toBeGreaterThan(500_000);
  });

  it('let it compile what was edited and nothing else, and store nothing for so little', async () => {
    const before = await layers();
    await builder().forget();
    project.leaf('two');
    const warm = await build(project, builder(), store);
    expect(compiled(warm)).toEqual(['example.com/app', 'example.com/app/leaf']);
    expect(told(warm)).toMatch(/not kept: only .* are new/);
    expect(await layers()).toEqual(before);
  });

  it('store what is new as a layer upon the old ones', async () => {
    const before = await layers();
    await builder().forget();
    project.imports(['fmt', 'os/exec']);
    const more = await build(project, builder(), store);
    expect(compiled(more)).toEqual(expect.arrayContaining(['os/exec', 'example.com/app']));
    expect(compiled(more)).not.toContain('runtime');
    expect(told(more)).toContain('beside what was there');
    const after = await layers();
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after).toHaveLength(before.length + 1);
    await builder().forget();
    project.leaf('three');
    expect(compiled(await build(project, builder(), store))).toEqual([
      'example.com/app',
      'example.com/app/leaf',
    ]);
  });

  it('hold objects and modules of a Dockerfile that names none, in a folder too', async () => {
    const plain = new PlainProject(have.golang);
    const folder = { store: './seeds', 'go-cache': 'true' };
    mkdirSync(join(plain.folder, 'seeds'));
    plain.write('.dockerignore', 'seeds\n.slipway\n');
    await builder().forget();
    const cold = await build(plain, builder(), { ...folder, 'build-args': 'GOPROXY=file:///src/proxy' });
    expect(compiled(cold)).toContain('example.com/dep');
    expect(JSON.parse(cold.outputs.plan!).notes).toEqual([
      'Dockerfile, line 6: go-cache adds --mount=type=cache,target=/root/.cache/go-build to line 6',
      'Dockerfile, line 6: go-cache adds --mount=type=cache,target=/go/pkg/mod to line 6',
    ]);
    expect(cold.annotations.filter(({ level }) => level === 'error')).toEqual([]);
    await builder().forget();
    // Without a proxy: the module comes from its seed, also a package of it that was not read before.
    plain.imports(['example.com/dep/sub']);
    expect(compiled(await build(plain, builder(), folder))).toEqual([
      'example.com/app',
      'example.com/dep/sub',
    ]);
  });

  if (extent !== 'all') return;

  it('keep owners and modes, for users who are not root, in images that a builder makes as a whole', async () => {
    const folder = mkdtempSync(join(root, 'owner-'));
    // The other tests look at the one seed of their repository.
    const elsewhere = { ...store, store: `registry:${repository}-owner` };
    const noted = { folder, write: Project.prototype.write } as Project;
    const dockerfile = (text: string) =>
      `FROM ${have.alpine}\nUSER 1000:1000\nRUN --mount=type=cache,target=/c,id=notes,uid=1000,gid=1000,mode=0700 ${text}\n`;
    const large = 'dd if=/dev/urandom of=/c/d/large bs=1024 count=200 2>/dev/null';
    noted.write(
      'Dockerfile',
      dockerfile(
        `mkdir -m 750 /c/d && ${large} && ln -s d/large /c/link && echo "told $(stat -c '%u:%g %a' /c)"`,
      ),
    );
    await builder().forget();
    const first = await build(noted, builder(), elsewhere);
    expect(first.annotations.filter(({ level }) => level === 'error')).toEqual([]);
    expect(told(first)).toMatch(/told 1000:1000 700/);
    await builder().forget();
    noted.write(
      'Dockerfile',
      dockerfile(
        `echo x > /c/d/new && wc -c < /c/link && echo "told $(stat -c '%u:%g %a' /c /c/d /c/d/large | tr '\\n' ' ')"`,
      ),
    );
    expect(told(await build(noted, builder(), elsewhere))).toMatch(
      /204800[\s\S]*told 1000:1000 700 1000:1000 750 1000:1000 644/,
    );
  });

  it('drop what is not used any more', async () => {
    const before = sizeOf(await layers());
    await builder().forget();
    project.imports([]);
    const less = await build(project, builder(), store);
    expect(told(less)).toMatch(/of the seed was not used/);
    expect(sizeOf(await layers())).toBeLessThan(before * 0.8);
    await builder().forget();
    project.leaf('four');
    expect(compiled(await build(project, builder(), store))).toEqual([
      'example.com/app',
      'example.com/app/leaf',
    ]);
  });

  it('are read and never written by an untrusted run', async () => {
    const before = await layers();
    await builder().forget();
    project.imports(['encoding/json']);
    const context = { trusted: false, branch: 'foreign', baseBranch: 'main', defaultBranch: 'main' };
    const foreign = await build(project, builder(), store, context);
    expect(compiled(foreign)).toContain('encoding/json');
    expect(compiled(foreign)).not.toContain('runtime');
    expect(await tags()).toHaveLength(1);
    expect(await layers()).toEqual(before);
  });

  it('start from nothing, and are kept anew, when a seed cannot be had', async () => {
    const { digest } = (await layers())[0]!;
    const blob = join(
      have.storage,
      'docker/registry/v2/blobs/sha256',
      digest.slice(7, 9),
      digest.slice(7),
      'data',
    );
    await builder().empty();
    writeFileSync(blob, 'not what it was');
    project.leaf('six');
    const broken = await build(project, builder(), store);
    expect(told(broken)).toContain('so they start from nothing');
    expect(compiled(broken)).toContain('runtime');
    await builder().forget();
    project.leaf('seven');
    expect(compiled(await build(project, builder(), store))).toEqual([
      'example.com/app',
      'example.com/app/leaf',
    ]);
  });

  it('start from nothing where the registry does not answer', async () => {
    await builder().forget();
    project.leaf('eight');
    const alone = await build(project, builder(), { ...store, store: 'registry:127.0.0.1:9/nowhere/app' });
    expect(told(alone)).toContain('Nothing to start the cache mount /root/.cache/go-build from');
    expect(compiled(alone)).toContain('runtime');
    expect(alone.annotations).toContainEqual(
      expect.objectContaining({
        level: 'error',
        message: expect.stringMatching(/^The cache mount .* was not kept/),
      }),
    );
  });

  it('are not trimmed by one go command in front of the next, however old they are', async () => {
    const [tag] = await tags();
    const name = `${repository}:${tag}`;
    const seed = {
      name,
      digest: (await run({ program: have.crane, args: ['digest', name] })).stdout.toString().trim(),
    };
    await age(builder(), seed, have.alpine, 9);
    await builder().empty();
    project.leaf('nine');
    const dockerfile = readFileSync(join(project.folder, 'Dockerfile'), 'utf8');
    project.write(
      'Dockerfile',
      dockerfile.replace('go build -v', 'go build -o /dev/null ./leaf && go build -v'),
    );
    const old = await build(project, builder(), store);
    project.write('Dockerfile', dockerfile);
    expect(told(old)).toContain('target=/root/.cache/go-build/trim.txt');
    expect(compiled(old)).toEqual(['example.com/app']);
  });

  it('are left to a builder that has them', async () => {
    await builder().forget();
    const off = { ...store, 'cache-mounts': 'false' };
    await build(project, builder(), { ...off, store: 'none' });
    project.leaf('five');
    const warm = await build(project, builder(), { ...store, store: `registry:${repository}-other` });
    expect(told(warm)).toContain('the builder has it from an earlier build');
    expect(compiled(warm)).toEqual(['example.com/app', 'example.com/app/leaf']);
  });
}

function withEngine(of: Engine): void {
  const before = { ...process.env };
  beforeAll(() => Object.assign(process.env, of.env, { PATH: `${dirname(of.docker)}:${before.PATH}` }));
  afterAll(() => {
    for (const name of ['PATH', ...Object.keys(of.env)])
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
  });
}

const parts = { bases, crane: craneTool, registry: lab };

describeWith('cache mounts of a BuildKit', { ...parts, engine: graphEngine, buildkit: kit }, (have) => {
  withEngine(have.engine);
  const name = `mounts-${process.pid}`;
  beforeAll(() =>
    docker(have.engine, ['buildx', 'create', '--name', name, '--driver', 'remote', have.buildkit.address]),
  );
  afterAll(() => docker(have.engine, ['buildx', 'rm', name]));
  const forget = () => forgetSteps(have.buildkit);
  const empty = () =>
    run({ program: have.buildkit.buildctl, args: ['--addr', have.buildkit.address, 'prune', '--all'] });
  const golang = have.bases.references['golang:1.26'];
  const alpine = have.bases.references['alpine:3'];
  carries(
    () => ({ name, inputs: { builder: name }, forget, empty }),
    { golang, alpine, crane: have.crane.program, host: have.registry.host, storage: have.registry.storage },
    'kit',
    'all',
  );
});

describeWith('cache mounts of an engine with a graph driver', { ...parts, engine: graphEngine }, (have) => {
  withEngine(have.engine);
  const forget = async () => {
    await docker(have.engine, ['buildx', 'prune', '--all', '--force']);
  };
  const golang = have.bases.references['golang:1.26'];
  const alpine = have.bases.references['alpine:3'];
  carries(
    () => ({ name: 'default', inputs: {}, forget, empty: forget }),
    { golang, alpine, crane: have.crane.program, host: have.registry.host, storage: have.registry.storage },
    'graph',
  );
});

describeWith(
  'cache mounts of an engine with the containerd store',
  { ...parts, engine: containerd },
  (have) => {
    withEngine(have.engine);
    const forget = async () => {
      await docker(have.engine, ['buildx', 'prune', '--all', '--force']);
    };
    const golang = have.bases.references['golang:1.26'];
    const alpine = have.bases.references['alpine:3'];
    const inputs = { network: 'none' };
    carries(
      () => ({ name: 'default', inputs, forget, empty: forget }),
      { golang, alpine, crane: have.crane.program, host: have.registry.host, storage: have.registry.storage },
      'containerd',
    );
  },
);
