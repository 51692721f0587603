import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { main, post } from '../../../actions/docker-multistage/run.ts';
import { run } from '../../../shared/exec/index.ts';
import { readInputs } from '../../../shared/host/index.ts';
import { baseImages, crane, describeWith, go, registry } from '../../lab/index.ts';
import { type MemoryHost, memoryHost } from '../../unit/image/host.ts';
import { CountingProxy } from '../counting-proxy.ts';
import { writeModuleProxy } from './module-proxy.ts';

const storefront = join(import.meta.dirname, '../../../examples/storefront');
const [bases, craneTool, lab] = await Promise.all([baseImages(), crane(), registry()]);

describeWith(
  'a Go stage that docker-multistage lifts',
  { bases, crane: craneTool, registry: lab, go: go() },
  (have) => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-lift-e2e-'));
    const before = { ...process.env };
    let golang = '';
    beforeAll(async () => {
      const { stdout } = await run({ program: 'go', args: ['env', 'GOVERSION'] });
      golang = `${have.registry.host}/lift/library/golang:1.26`;
      const version = stdout.toString().trim().replace(/^go/, '');
      await run({
        program: have.crane.program,
        args: [
          'mutate',
          have.bases.references['golang:1.26'],
          '--env',
          `GOLANG_VERSION=${version}`,
          '--tag',
          golang,
        ],
      });
    });
    afterEach(() => {
      process.env = { ...before };
    });
    afterAll(async () => {
      await run({ program: 'chmod', args: ['-R', 'u+w', root], accept: [0, 1] });
      rmSync(root, { recursive: true, force: true });
    });

    /** One step, main and post, on a machine without a builder. */
    const step = async (folder: string, inputs: Readonly<Record<string, string>>): Promise<MemoryHost> => {
      process.env.DOCKER_HOST = 'unix:///nowhere';
      const state = new Map<string, string>();
      const host: MemoryHost = {
        ...memoryHost(folder),
        saveState: (name, value) => void state.set(name, value),
        state: (name) => state.get(name),
      };
      const given = readInputs(
        definition,
        (name) =>
          ({ 'build-contexts': `golang:1.26=docker-image://${golang}`, store: 'none', ...inputs })[name],
      );
      await main(host, given);
      await post(host, given);
      return host;
    };

    const checkout = (name: string) => {
      const folder = join(root, name);
      cpSync(storefront, folder, { recursive: true });
      return folder;
    };

    it('is built here with the flags of the Dockerfile', { timeout: 600_000 }, async () => {
      const folder = checkout('first');
      const first = await step(folder, {
        store: 'none',
        outputs: `type=tar,dest=${join(root, 'image.tar')}`,
      });
      expect(JSON.parse(first.outputs.plan!).platforms[0].stages[0]).toMatchObject({
        stage: 'build',
        how: 'lifted',
      });
      const program = await taken(join(root, 'image.tar'), 'storefront');
      const direct = join(root, 'direct');
      await run({
        program: 'go',
        args: [
          'build',
          '-trimpath',
          '-buildvcs=false',
          '-ldflags',
          '-s -w',
          '-o',
          direct,
          './cmd/storefront',
        ],
        cwd: folder,
        env: { ...process.env, CGO_ENABLED: '0' },
      });
      expect(program.equals(readFileSync(direct))).toBe(true);
    });

    it('keeps what Go compiled for the next fresh machine', { timeout: 600_000 }, async () => {
      const store = join(root, 'store');
      mkdirSync(store);
      const folder = join(root, 'small');
      mkdirSync(folder);
      const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
      write('go.mod', 'module example.com/small\n');
      write('main.go', 'package main\n\nfunc main() { println("one") }\n');
      write(
        'Dockerfile',
        'FROM golang:1.26 AS build\nWORKDIR /src\nCOPY . .\nRUN CGO_ENABLED=0 go build -trimpath -o /app .\nFROM scratch\nCOPY --from=build /app /app\n',
      );
      const machine = async () => {
        process.env.GOCACHE = mkdtempSync(join(root, 'gocache-'));
        return await step(folder, { store, 'no-cache': 'true' });
      };
      const first = await machine();
      expect(first.lines).toContain('save objects');
      expect(readdirSync(join(store, 'go')).length).toBeGreaterThan(0);
      write('main.go', 'package main\n\nfunc main() { println("two") }\n');
      const second = await machine();
      expect(second.lines[second.lines.indexOf('restore objects') + 1]).toMatch(/ files, .*near key/);
      // Had it compiled the runtime again, there would be more to save than one small package.
      expect(second.lines[second.lines.indexOf('save objects') + 1]).toMatch(/^not saved: only/);
    });

    it('asks the module proxy for nothing that the last machine kept', { timeout: 600_000 }, async () => {
      const source = join(root, 'proxy');
      writeModuleProxy(source, 'example.com/greeting', 'v1.0.0', {
        'greeting.go': 'package greeting\n\nfunc Hello() string { return "hello" }\n',
      });
      await using proxy = await CountingProxy.start(source);
      const files = (name: string, text: string) => {
        const folder = join(root, name);
        mkdirSync(folder);
        const write = (file: string, content: string) => writeFileSync(join(folder, file), content);
        write('go.mod', 'module example.com/small\n\ngo 1.26\n\nrequire example.com/greeting v1.0.0\n');
        write(
          'main.go',
          `package main\n\nimport "example.com/greeting"\n\nfunc main() { println("${text}", greeting.Hello()) }\n`,
        );
        write(
          'Dockerfile',
          'FROM golang:1.26 AS build\nWORKDIR /src\nCOPY . .\nRUN CGO_ENABLED=0 go build -trimpath -o /app .\nFROM scratch\nCOPY --from=build /app /app\n',
        );
        return folder;
      };
      const store = join(root, 'store-of-modules');
      mkdirSync(store);
      const machine = async (folder: string) => {
        Object.assign(process.env, proxy.environment, {
          GOCACHE: join(root, 'gocache-of-modules'),
          GOMODCACHE: mkdtempSync(join(root, 'gomod-')),
        });
        cpSync(sum, join(folder, 'go.sum'));
        proxy.take();
        const { lines } = await step(folder, { store });
        return { lines, asked: proxy.take() };
      };
      const sum = join(root, 'go.sum');
      const tidy = files('tidy', 'one');
      await run({
        program: 'go',
        args: ['mod', 'tidy'],
        cwd: tidy,
        env: { ...process.env, ...proxy.environment, GOMODCACHE: join(root, 'gomod-tidy') },
      });
      cpSync(join(tidy, 'go.sum'), sum);

      const first = await machine(files('modules-1', 'one'));
      expect(first.asked.filter((url) => url.endsWith('.zip'))).toHaveLength(1);
      expect(first.lines).toContain('save modules');
      const unchanged = await machine(files('modules-2', 'one'));
      expect(unchanged.asked).toEqual([]);
      expect(unchanged.lines).not.toContain('restore modules');
      const leaf = await machine(files('modules-3', 'two'));
      expect(leaf.asked).toEqual([]);
      expect(leaf.lines.filter((line) => line === 'restore modules')).toHaveLength(1);
      expect(leaf.lines[leaf.lines.indexOf('restore modules') + 1]).toMatch(/the same key/);
    });

    it('is an error at its line when it has to be lifted and cannot', async () => {
      const folder = checkout('always');
      const file = join(folder, 'Dockerfile');
      writeFileSync(file, readFileSync(file, 'utf8').replace('CGO_ENABLED=0 ', ''));
      await expect(step(folder, { lift: 'always' })).rejects.toMatchObject({
        message: expect.stringMatching(/Stage build cannot be built without a container.*set CGO_ENABLED=0/),
        location: { file: 'Dockerfile', line: 6 },
      });
    });

    it('is planned with the line that stops it, and what is run where nothing does', async () => {
      const folder = checkout('plan');
      const planned = await step(folder, { plan: 'true' });
      const [build] = JSON.parse(planned.outputs.plan!).platforms[0].stages;
      expect(build).toMatchObject({ how: 'lifted', detail: expect.stringContaining('go build -trimpath') });
      const file = join(folder, 'Dockerfile');
      writeFileSync(file, readFileSync(file, 'utf8').replace('RUN go mod download', 'RUN go vet ./...'));
      const stopped = await step(folder, { plan: 'true' });
      expect(JSON.parse(stopped.outputs.plan!).platforms[0].stages[0]).toMatchObject({
        how: 'builder',
        detail: expect.stringContaining('line 4: it runs "go vet ./..."'),
      });
    });

    it('is left to a builder when nothing is to be lifted', async () => {
      const planned = await step(checkout('never'), { plan: 'true', lift: 'never' });
      expect(JSON.parse(planned.outputs.plan!).platforms[0].stages[0]).toMatchObject({ how: 'builder' });
    });

    it('shows the compiler’s complaint at the line of the user’s own file', {
      timeout: 600_000,
    }, async () => {
      const folder = checkout('broken');
      writeFileSync(join(folder, 'cmd/storefront/broken.go'), 'package main\n\nvar x int = "no"\n');
      await expect(step(folder, {})).rejects.toMatchObject({
        message: expect.stringContaining('cmd/storefront/broken.go:3'),
        location: { file: 'cmd/storefront/broken.go', line: 3 },
      });
    });
  },
);

async function taken(archive: string, name: string): Promise<Buffer> {
  const { stdout } = await run({ program: 'tar', args: ['-xOf', archive, name], keep: 2 ** 30 });
  return stdout;
}
