import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directoryStore, restore, save } from '../../shared/cache/index.ts';
import { backdated, filesToKeep } from '../../shared/go/caches.ts';
import { planGoBuild, runGoBuild } from '../../shared/go/index.ts';
import type { Task } from '../../shared/host/index.ts';
import { CacheService } from '../lab/cache-service.ts';
import { describeWith, go } from '../lab/index.ts';
import { FakeRunner, type Step } from '../unit/host/runner.ts';
import { GoModule } from './go-module.ts';

const action = (name: string) => join(import.meta.dirname, `../../actions/go-build/${name}.ts`);

describeWith('the caches of go-build with the real toolchain', { go: go() }, (have) => {
  describe('pruning', () => {
    /** Builds and gives the number of packages that the compiler was started for. */
    const compiles = async (module: GoModule, cache: string, request: object = {}) => {
      let count = 0;
      const log = (line: string) => {
        if (/[/\\]compile(\.exe)? -o /.test(line)) count++;
      };
      const loud: Task = { note: () => {}, log, task: (_, work) => work(loud) };
      const plan = await planGoBuild(
        module.request({ targets: ['linux/amd64'], reuse: false, flags: { extra: ['-x'] }, ...request }),
        module.context({ GOCACHE: cache }),
      );
      await runGoBuild(plan, loud);
      return count;
    };

    it('keeps what this build used, and that is all it needs', async () => {
      using module = new GoModule(have.go.program);
      const [first, second] = ['cache-1', 'cache-2'].map((name) => join(module.folder, name)) as [
        string,
        string,
      ];
      expect(await compiles(module, first)).toBeGreaterThan(5);
      // What other commits and other flags left behind.
      module.write('internal/store/name.go', 'package store\n\nvar name = "older"\n');
      await compiles(module, first);
      await compiles(module, first, { flags: { extra: ['-x'], gcflags: '-l' } });
      module.write('internal/store/name.go', 'package store\n\nvar name = "now"\n');
      await compiles(module, first);
      const all = age(first);
      const since = Date.now();
      expect(await compiles(module, first)).toBe(0);
      const cache = { kind: 'objects', key: 'k', prefixes: [], folder: first, sums: [] } as const;
      const files = filesToKeep({ cache, since, exact: false, files: {} });
      expect(files.length).toBeGreaterThan(10);
      expect(files.length).toBeLessThan(all - 5);

      const store = directoryStore(join(module.folder, 'store'), { limit: 1e9 });
      expect(await save(store, { temporary: module.folder, key: 'k', files })).toMatchObject({
        kind: 'saved',
      });
      const modified = backdated(Date.now());
      await restore(store, { temporary: module.folder, key: 'k', into: second, modified });
      expect(await compiles(module, second)).toBe(0);
      module.write('internal/store/name.go', 'package store\n\nvar name = "next"\n');
      expect(await compiles(module, second)).toBeLessThan(3);
    });
  });

  describe('on a runner', () => {
    let service: CacheService;
    let module: GoModule;
    beforeAll(async () => {
      service = await CacheService.start();
      module = new GoModule(have.go.program);
    });
    afterAll(async () => {
      module[Symbol.dispose]();
      await service[Symbol.asyncDispose]();
    });

    /** A job on a machine of its own: checkout, go-build, whatever comes next, and the post step. */
    const job = async (
      options: {
        readonly env?: Record<string, string>;
        readonly inputs?: Record<string, string>;
        readonly edit?: (workspace: string) => void;
        readonly event?: object;
      } = {},
    ): Promise<{ main: Step; post: Step; calls: string[]; program: Buffer | undefined }> => {
      using runner = new FakeRunner();
      rmSync(runner.workspace, { recursive: true });
      // One path for all, as on hosted runners.
      const workspace = join(module.folder, 'workspace');
      rmSync(workspace, { recursive: true, force: true });
      cpSync(module.root, workspace, { recursive: true });
      options.edit?.(workspace);
      mkdirSync(runner.workspace);
      const event = join(runner.folder, 'event.json');
      writeFileSync(event, JSON.stringify(options.event ?? { repository: { default_branch: 'main' } }));
      const { PATH = '' } = module.context().env;
      const env = {
        PATH,
        HOME: join(runner.folder, 'home'),
        GOCACHE: join(runner.folder, 'gocache'),
        GOMODCACHE: join(runner.folder, 'gomod'),
        GOFLAGS: '',
        GITHUB_WORKSPACE: workspace,
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
      module.takeCalls();
      const main = await runner.run(action('main'), { targets: 'linux/amd64', ...options.inputs }, env);
      const calls = module.takeCalls();
      const states = Object.fromEntries(
        Object.entries(main.state).map(([name, value]) => [`STATE_${name}`, value]),
      );
      const post = await runner.run(
        action('post'),
        { targets: 'linux/amd64', ...options.inputs },
        { ...env, ...states },
      );
      const path = main.outputs.path;
      return { main, post, calls, program: path && existsSync(path) ? readFileSync(path) : undefined };
    };
    /** The keys of all entries, without their hashes. */
    const keys = () =>
      service.entries.map(({ key }) => key.replace(/-v1-(?:.*-)?[0-9a-f]{16}-(?=main|broken)/, ' '));
    /** A build cache that is warm, for jobs that are about something else than compiling. */
    const warm = () => ({ GOCACHE: join(module.folder, 'warm') });
    const leaf = (text: string) => (workspace: string) =>
      writeFileSync(join(workspace, 'internal/store/name.go'), `package store\n\nvar name = "${text}"\n`);

    it('a first run builds and saves', async () => {
      const { main, post, program } = await job({ env: warm() });
      expect(main.code, main.log.join('\n')).toBe(0);
      expect(post.code, post.log.join('\n')).toBe(0);
      expect(main.outputs).toMatchObject({ changed: 'true', 'go-version': expect.stringMatching(/^go1\./) });
      expect(program?.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
      expect(keys().sort()).toEqual([
        `slipway-go-objects main~${'a'.repeat(40)}`,
        `slipway-go-programs main~${'a'.repeat(40)}`,
      ]);
      expect(main.summary).toContain('1 program built, 0 reused');
    });

    it('a second run on a fresh machine, nothing changed, starts no go and restores no objects', async () => {
      const first = service.entries.length;
      service.calls.length = 0;
      const { main, post, calls, program } = await job({ env: { GITHUB_SHA: 'b'.repeat(40) } });
      expect(main.code, main.log.join('\n')).toBe(0);
      expect(main.outputs.changed).toBe('false');
      expect(calls).toEqual([]);
      expect(program?.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
      expect(service.calls.map(({ name }) => name)).toEqual(['GetCacheEntryDownloadURL', 'blob']);
      expect(post.code).toBe(0);
      expect(service.entries).toHaveLength(first);
    });

    it('a run with an edited leaf compiles two packages and takes the rest from the cache', async () => {
      const { main, post, calls } = await job({
        env: { GITHUB_SHA: 'c'.repeat(40) },
        edit: leaf('edited'),
        inputs: { flags: '' },
      });
      expect(main.code, main.log.join('\n')).toBe(0);
      expect(main.summary).toContain('internal/store/name.go changed');
      expect(calls.some((call) => call.startsWith('build '))).toBe(true);
      expect(main.log.join('\n')).toMatch(/restore objects.*a near key/s);
      expect(post.log.join('\n')).toMatch(/save objects/);
    });

    it('a fork’s pull request restores, and saves nothing', async () => {
      const before = service.entries.length;
      const repo = (id: number) => ({ repo: { id, full_name: `r${id}/shop`, fork: id !== 1 } });
      const { main, post } = await job({
        env: {
          GITHUB_SHA: 'd'.repeat(40),
          GITHUB_EVENT_NAME: 'pull_request',
          GITHUB_REF: 'refs/pull/1/merge',
          GITHUB_BASE_REF: 'main',
          GITHUB_HEAD_REF: 'x',
          GITHUB_REPOSITORY: 'r1/shop',
        },
        event: {
          pull_request: { head: { ref: 'x', ...repo(2) }, base: { ref: 'main', ...repo(1) } },
          repository: { default_branch: 'main', id: 1, full_name: 'r1/shop' },
        },
        edit: leaf('from a fork'),
      });
      expect(main.code, main.log.join('\n')).toBe(0);
      expect(main.log.join('\n')).toMatch(/restore objects.*a near key/s);
      expect(post.code).toBe(0);
      expect(post.log.join('\n')).toContain('Nothing is saved: this run carries code that is not trusted');
      expect(service.entries).toHaveLength(before);
    });

    it('a release compiles, and takes no program from a cache', async () => {
      const { main } = await job({
        env: { GITHUB_REF: 'refs/tags/v1.0.0', GITHUB_REF_NAME: 'v1.0.0', GITHUB_REF_TYPE: 'tag' },
      });
      expect(main.code, main.log.join('\n')).toBe(0);
      expect(main.outputs.changed).toBe('true');
    });

    it('a build that fails annotates its lines, and keeps what was compiled', async () => {
      const { main, post } = await job({
        env: { GITHUB_SHA: 'e'.repeat(40), GITHUB_REF: 'refs/heads/broken', GITHUB_REF_NAME: 'broken' },
        edit: (workspace) => {
          writeFileSync(
            join(workspace, 'internal/store/name.go'),
            'package store\n\nvar name = missing\n\nvar other int = "x"\n',
          );
          // Enough new packages to be worth keeping.
          writeFileSync(join(workspace, 'cmd/app/extra.go'), 'package main\n\nimport _ "fmt"\n');
        },
      });
      expect(main.code).toBe(1);
      expect(main.annotations.map(({ level, file, line }) => [level, file, line])).toEqual([
        ['error', 'internal/store/name.go', '5'],
        ['error', 'internal/store/name.go', '3'],
      ]);
      expect(post.code, post.log.join('\n')).toBe(0);
      expect(keys().at(-1)).toMatch(/^slipway-go-objects broken~e{40}-partial-/);
    });

    it.each([
      ['that is down', () => ({ status: 500 })],
      ['that refuses', () => ({ status: 403 })],
      ['that breaks off', ({ name }: { name: string }) => (name === 'blob' ? { cutAfter: 100 } : undefined)],
    ])('a cache %s costs time and nothing else', async (_, fault) => {
      service.fault = fault;
      try {
        const { main, post } = await job({
          env: { ...warm(), GITHUB_SHA: 'f'.repeat(40) },
          inputs: { cache: 'actions' },
        });
        expect(main.code, main.log.join('\n')).toBe(0);
        expect(main.outputs.changed).toBe('true');
        expect(main.log.join('\n')).toContain('not usable');
        expect(post.code, post.log.join('\n')).toBe(0);
      } finally {
        service.fault = () => undefined;
      }
    });

    it('a run that is killed in the middle leaves nothing that the next one trusts', async () => {
      using runner = new FakeRunner();
      cpSync(module.root, runner.workspace, { recursive: true });
      const { PATH = '' } = module.context().env;
      const env = { PATH, ...warm(), HOME: runner.folder, GOFLAGS: '', GITHUB_WORKSPACE: runner.workspace };
      const inputs = { targets: 'linux/amd64,linux/386' };
      const killed = await runner.run(action('main'), inputs, env, (line, kill) => {
        if (line.includes('modules')) kill('SIGKILL');
      });
      expect(killed.code).toBeNull();
      const again = await runner.run(action('main'), inputs, env);
      expect(again.code, again.log.join('\n')).toBe(0);
      expect(again.outputs.changed).toBe('true');
      expect(
        readdirSync(join(runner.workspace, '.slipway/go')).filter((name) => name.startsWith('tmp')),
      ).toEqual([]);
      expect((await runner.run(action('main'), inputs, env)).outputs.changed).toBe('false');
    });

    it('an entry with other bytes is not believed', async () => {
      for (const entry of service.entries) entry.content?.fill(0x41, 100, 200);
      const { main } = await job({ env: warm() });
      expect(main.code, main.log.join('\n')).toBe(0);
      expect(main.outputs.changed).toBe('true');
      expect(main.log.join('\n')).toContain('its bytes are not those that were stored');
    });
  });
});

/** Makes every file of a build cache older than this run. Gives their number. */
function age(folder: string): number {
  const time = backdated(Date.now());
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  for (const file of files) utimesSync(join(file.parentPath, file.name), time, time);
  return files.filter(({ name }) => /^[0-9a-f]{64}-[ad]$/.test(name)).length;
}
