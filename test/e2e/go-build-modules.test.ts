import { cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../shared/exec/index.ts';
import { CacheService } from '../lab/cache-service.ts';
import { describeWith, go } from '../lab/index.ts';
import { FakeRunner, type Step } from '../unit/host/runner.ts';
import { CountingProxy } from './counting-proxy.ts';
import { GoModule } from './go-module.ts';
import { writeModuleProxy } from './image/module-proxy.ts';

const action = (name: string) => join(import.meta.dirname, `../../actions/go-build/${name}.ts`);

describeWith('go-build, its caches and the module proxy', { go: go() }, (have) => {
  let service: CacheService;
  let module: GoModule;
  let proxy: CountingProxy;
  beforeAll(async () => {
    service = await CacheService.start();
    module = new GoModule(have.go.program);
    const source = join(module.folder, 'proxy');
    writeModuleProxy(source, 'example.com/greeting', 'v1.0.0', {
      'greeting.go': 'package greeting\n\nfunc Hello() string { return "hello" }\n',
      'cmd/greet/main.go': 'package main\n\nfunc main() { println("hello") }\n',
    });
    proxy = await CountingProxy.start(source);
    module.write(
      'internal/store/store.go',
      'package store\n\nimport "example.com/greeting"\n\nfunc Name() string { return greeting.Hello() + name }\n',
    );
    module.write('go.mod', 'module example.com/shop\n\ngo 1.24\n\nrequire example.com/greeting v1.0.0\n');
    await run({
      program: have.go.program,
      args: ['mod', 'tidy'],
      cwd: module.root,
      env: {
        ...process.env,
        ...proxy.environment,
        GOFLAGS: '-modcacherw',
        GOMODCACHE: join(module.folder, 'tidy'),
      },
    });
  });
  afterAll(async () => {
    module[Symbol.dispose]();
    await proxy[Symbol.asyncDispose]();
    await service[Symbol.asyncDispose]();
  });

  interface Job {
    readonly main: Step;
    readonly calls: readonly string[];
    /** What the module proxy was asked for. */
    readonly proxied: readonly string[];
    /** The kinds of the entries that the cache service gave. */
    readonly restored: readonly string[];
  }

  /** A job on a machine and at a path of its own. */
  const job = async (
    options: {
      readonly env?: Record<string, string>;
      readonly inputs?: Record<string, string>;
      readonly edit?: (workspace: string) => void;
    } = {},
  ): Promise<Job> => {
    using runner = new FakeRunner();
    cpSync(module.root, runner.workspace, { recursive: true });
    options.edit?.(runner.workspace);
    const event = join(runner.folder, 'event.json');
    writeFileSync(event, JSON.stringify({ repository: { default_branch: 'main' } }));
    const { PATH = '' } = module.context().env;
    const env = {
      PATH,
      HOME: join(runner.folder, 'home'),
      // Not what is tested here: jobs that compile would take a minute each.
      GOCACHE: join(module.folder, 'warm'),
      GOMODCACHE: join(runner.folder, 'gomod'),
      // Else nobody but root could remove the machine.
      GOFLAGS: '-modcacherw',
      GOTOOLCHAIN: 'local',
      ...proxy.environment,
      GITHUB_EVENT_NAME: 'push',
      GITHUB_EVENT_PATH: event,
      GITHUB_REPOSITORY: 'example/shop',
      GITHUB_REF: 'refs/heads/main',
      GITHUB_REF_NAME: 'main',
      GITHUB_REF_TYPE: 'branch',
      GITHUB_SHA: 'a'.repeat(40),
      ...service.environment(2),
      ...options.env,
    };
    const inputs = {
      packages: './cmd/app',
      targets: 'linux/amd64',
      stamp: 'main.version=dev',
      sbom: 'false',
      ...options.inputs,
    };
    module.takeCalls();
    proxy.take();
    service.calls.length = 0;
    const main = await runner.run(action('main'), inputs, env);
    const [calls, proxied] = [module.takeCalls(), proxy.take()];
    const restored = [...main.log.join('\n').matchAll(/restore (\w+)\n?[^\n]* files/g)].map(
      ([, kind]) => kind!,
    );
    const states = Object.fromEntries(
      Object.entries(main.state).map(([name, value]) => [`STATE_${name}`, value]),
    );
    expect(main.code, main.log.join('\n')).toBe(0);
    expect(existsSync(main.outputs.path!)).toBe(true);
    const post = await runner.run(action('post'), inputs, { ...env, ...states });
    expect(post.code, post.log.join('\n')).toBe(0);
    return { main, calls, proxied, restored: restored.sort() };
  };
  const edited = (workspace: string) =>
    writeFileSync(join(workspace, 'internal/store/name.go'), 'package store\n\nvar name = "edited"\n');
  const release = (tag: string) => ({
    GITHUB_REF: `refs/tags/${tag}`,
    GITHUB_REF_NAME: tag,
    GITHUB_REF_TYPE: 'tag',
  });

  it('downloads each module once and keeps it', async () => {
    const { main, proxied } = await job();
    expect(proxied.filter((url) => url.endsWith('.zip'))).toEqual(['/example.com/greeting/@v/v1.0.0.zip']);
    expect(main.log.join('\n')).toContain('1 downloaded');
    expect(service.entries.map(({ key }) => /^slipway-go-(\w+)/.exec(key)![1]).sort()).toEqual([
      'modules',
      'objects',
      'programs',
    ]);
  });

  it('takes an unchanged program to another path of a fresh machine, and asks for nothing else', async () => {
    const { main, calls, proxied, restored } = await job({ env: { GITHUB_SHA: 'b'.repeat(40) } });
    expect(main.outputs.changed).toBe('false');
    expect({ calls, proxied, restored }).toEqual({ calls: [], proxied: [], restored: ['programs'] });
  });

  it('builds an edited leaf from the modules entry alone', async () => {
    const { main, proxied, restored } = await job({
      env: { GITHUB_SHA: 'c'.repeat(40) },
      edit: edited,
    });
    expect(main.outputs.changed).toBe('true');
    expect({ proxied, restored }).toEqual({ proxied: [], restored: ['modules', 'objects', 'programs'] });
    expect(main.log.join('\n')).toContain('nothing to download');
  });

  it('finds the programs of a release before it has a module', async () => {
    const { main, calls, proxied, restored } = await job({ env: release('v1.0.0') });
    expect(main.outputs.changed).toBe('true');
    expect(calls.filter((call) => call.startsWith('list -e -find'))).toHaveLength(1);
    expect({ proxied, restored }).toEqual({ proxied: [], restored: ['modules', 'objects'] });
  });

  it('does not need modules to know that a new program changed nothing for the old one', async () => {
    const { main, proxied, restored } = await job({
      env: { GITHUB_SHA: 'd'.repeat(40) },
      edit: (workspace) => {
        edited(workspace);
        cpSync(join(workspace, 'cmd/app'), join(workspace, 'cmd/other'), { recursive: true });
      },
    });
    expect(main.outputs.changed).toBe('false');
    expect({ proxied, restored }).toEqual({ proxied: [], restored: ['programs'] });
  });

  it('restores modules first where Go cannot name the programs without them', async () => {
    const { calls, proxied, restored } = await job({
      env: release('v1.0.1'),
      inputs: { packages: 'example.com/greeting/cmd/greet', stamp: '' },
    });
    expect(calls.filter((call) => call.startsWith('list -e -find'))).toHaveLength(2);
    expect({ proxied, restored }).toEqual({ proxied: [], restored: ['modules'] });
  });

  it('lets Go change go.mod only where it has what it asks for', async () => {
    const { calls, proxied, restored } = await job({ env: release('v1.0.2'), inputs: { mod: 'mod' } });
    expect(calls.filter((call) => call.startsWith('list -e -find'))).toHaveLength(1);
    expect({ proxied, restored }).toEqual({ proxied: [], restored: ['modules'] });
  });

  it('restores no modules where the machine has them all', async () => {
    const GOMODCACHE = join(module.folder, 'kept');
    await job({ env: { ...release('v1.0.3'), GOMODCACHE } });
    const { main, proxied, restored } = await job({ env: { ...release('v1.0.4'), GOMODCACHE } });
    expect(main.log.join('\n')).toContain('all on this machine already');
    expect(proxied).toEqual([]);
    expect(restored).not.toContain('modules');
  });
});
