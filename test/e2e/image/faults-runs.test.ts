import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../../shared/exec/index.ts';
import { CacheService } from '../../lab/cache-service.ts';
import {
  type BuildKit,
  baseImages,
  buildkit,
  crane,
  describeWith,
  engine,
  freshBuildkit,
  registry,
} from '../../lab/index.ts';
import type { MemoryHost } from '../../unit/image/host.ts';
import { expected, type Sources, TwoStages } from './two-stages.ts';

const [bases, kit, docker, craneTool, lab] = await Promise.all([
  baseImages(),
  buildkit(),
  engine(),
  crane(),
  registry(),
]);

const CLI = join(import.meta.dirname, '../../../bin/cli.ts');
const POINTS = 20;

describeWith(
  'a run that ends in the middle',
  { bases, buildkit: kit, crane: craneTool, engine: docker, registry: lab },
  (have) => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-ends-'));
    let builder: BuildKit & AsyncDisposable;
    let project: TwoStages;
    let count = 0;
    beforeAll(async () => {
      builder = await freshBuildkit();
      project = new TwoStages({ ...have, root, kit: builder });
      await project.useBuilder(builder);
    });
    afterAll(async () => {
      await builder?.[Symbol.asyncDispose]();
      rmSync(root, { recursive: true, force: true });
    });

    const repository = () => `faults/ends-${process.pid}-${count++}`;
    const image = (name: string) => `${have.registry.host}/${name}:1`;

    /** Every tag of a repository, with everything under it there. */
    const wholeTags = async (name: string): Promise<string[]> => {
      const base = `http://${have.registry.host}/v2/${name}`;
      const listed = await fetch(`${base}/tags/list`);
      const { tags } = listed.ok ? ((await listed.json()) as { tags: string[] | null }) : { tags: [] };
      for (const tag of tags ?? []) await expectWhole(base, tag);
      return tags ?? [];
    };
    const expectWhole = async (base: string, reference: string): Promise<void> => {
      const accept =
        'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';
      const answer = await fetch(`${base}/manifests/${reference}`, { headers: { accept } });
      expect(answer.status, reference).toBe(200);
      const { manifests = [], config, layers = [] } = (await answer.json()) as Document;
      for (const { digest } of manifests) await expectWhole(base, digest);
      for (const { digest } of config === undefined ? layers : [config, ...layers]) {
        const blob = await fetch(`${base}/blobs/${digest}`, { method: 'HEAD' });
        expect(blob.status, `${reference} ${digest}`).toBe(200);
      }
    };

    describe('by SIGINT', () => {
      let whole = 4_000;
      const stores = ['repository', 'Actions cache', 'folder'] as const;
      const folder = mkdtempSync(join(root, 'store-'));
      let service: CacheService;
      beforeAll(async () => {
        service = await CacheService.start();
      });
      afterAll(() => service[Symbol.asyncDispose]());

      const start = async (sources: Sources, name: string, store: (typeof stores)[number]) => {
        const checkout = await project.checkout(sources);
        const temporary = `${checkout.folder}-temporary`;
        await mkdir(temporary);
        const kept = {
          repository: `registry:${have.registry.host}/${name}/store`,
          'Actions cache': 'actions',
          folder,
        };
        const inputs = project.inputs(image(name), { store: kept[store] });
        const args = Object.entries(inputs).map(([input, value]) => `--${input}=${value}`);
        const child = spawn(process.execPath, [CLI, 'docker-multistage', ...args], {
          cwd: checkout.folder,
          env: { ...process.env, ...checkout.env, ...service.environment(2), TMPDIR: temporary },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        let told = '';
        child.stdout.on('data', (chunk) => (told += chunk));
        child.stderr.on('data', (chunk) => (told += chunk));
        const ended = new Promise<number | null>((done) => child.once('close', (code) => done(code)));
        return { child, ended, told: () => told, folder: checkout.folder, temporary };
      };

      it('is not what happens without it', async () => {
        const name = repository();
        const sources = { one: 'one\n', two: 'two\n' };
        const started = performance.now();
        const { ended, told } = await start(sources, name, 'folder');
        expect(await ended, told()).toBe(0);
        whole = performance.now() - started;
        expect(await project.read(image(name))).toMatchObject(expected(sources));
      });

      it.each(Array.from({ length: POINTS }, (_, at) => at + 1))('at point %i', async (point) => {
        const name = repository();
        const store = stores[point % stores.length]!;
        const sources = { one: 'one\n', two: `two at ${point}\n` };
        const { child, ended, told, folder: checkout, temporary } = await start(sources, name, store);
        await sleep((whole * point) / (POINTS + 1));
        child.kill('SIGINT');
        const code = await ended;
        // It may have been done already; a process that was ended before it listens dies of the signal.
        expect([130, 0, null], told()).toContain(code);
        expect(processesOf(checkout)).toEqual([]);
        expect(readdirSync(temporary)).toEqual([]);
        const tags = await wholeTags(name);
        await wholeTags(`${name}/store`);
        if (tags.includes('1')) expect(await project.read(image(name))).toMatchObject(expected(sources));
        if (code === 0) expect(tags).toContain('1');

        const again = await start(sources, name, store);
        expect(await again.ended, again.told()).toBe(0);
        expect(await project.read(image(name))).toMatchObject(expected(sources));
        await wholeTags(name);
      });
    });

    it('by the death of its builder: one sentence, no tag, nothing stored, and the next run makes it', async () => {
      const name = repository();
      const store = mkdtempSync(join(root, 'store-'));
      const sources = { one: 'one\n', two: 'two\n' };
      await using dying = await freshBuildkit();
      await project.useBuilder(dying);
      let host: MemoryHost | undefined;
      const building = project
        .build(sources, image(name), {
          inputs: { store },
          shape: { first: 'sleep 20 && ' },
          watch: (one) => {
            host = one;
          },
        })
        .then(
          () => undefined,
          (error: Error) => error,
        );
      while (host?.lines.some((line) => line.includes('RUN sleep')) !== true) await sleep(20);
      process.kill(dying.pid, 'SIGKILL');
      const failure = await building;
      await project.useBuilder(builder);
      expect(failure?.name).toBe('Failure');
      expect(failure?.message).not.toContain('\n');
      expect(await wholeTags(name)).toEqual([]);
      expect(
        readdirSync(store, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()),
      ).toEqual([]);
      await project.build(sources, image(name), { inputs: { store } });
      expect(await project.read(image(name))).toMatchObject(expected(sources));
    });

    describe('by a full disk', () => {
      const sources = { one: 'one\n', two: 'two\n' };
      const shape = { large: 8_000_000 };
      const small = async (work: (path: string) => Promise<void>): Promise<void> => {
        const path = mkdtempSync(join(root, 'small-'));
        await run({ program: 'mount', args: ['-t', 'tmpfs', '-o', 'size=2m', 'slipway-test', path] });
        try {
          await work(path);
        } finally {
          await run({ program: 'umount', args: ['--lazy', path] });
        }
      };

      it('where it keeps its own files: it says so, gives no tag, and stores nothing', async () => {
        const name = repository();
        const store = mkdtempSync(join(root, 'store-'));
        await small(async (path) => {
          const failure = await project
            .build(sources, image(name), { inputs: { store }, shape, env: { TMPDIR: path } })
            .catch((error: Error) => error);
          expect((failure as Error).message).toMatch(/ENOSPC|no space left/i);
        });
        expect(await wholeTags(name)).toEqual([]);
        const options = { inputs: { store }, shape };
        await project.build(sources, image(name), options);
        expect(await project.read(image(name))).toMatchObject(expected(sources));
      });

      it('where it keeps results: the image is made, and what was written in part is not taken', async () => {
        const name = repository();
        await small(async (path) => {
          await project.build(sources, image(name), { inputs: { store: path }, shape });
          expect(await project.read(image(name))).toMatchObject(expected(sources));
          await run({ program: 'mount', args: ['-o', 'remount,size=100m', path] });
          const other = repository();
          await project.build({ ...sources, two: 'changed\n' }, image(other), {
            inputs: { store: path },
            shape,
          });
          expect(await project.read(image(other))).toMatchObject(expected({ ...sources, two: 'changed\n' }));
        });
      });

      it('where it keeps what saves time: the image is made', async () => {
        const name = repository();
        await small(async (path) => {
          await run({ program: 'dd', args: ['if=/dev/zero', `of=${join(path, 'full')}`], accept: [1] });
          await project.build(sources, image(name), { env: { XDG_CACHE_HOME: join(path, 'cache') } });
        });
        expect(await project.read(image(name))).toMatchObject(expected(sources));
      });
    });
  },
);

interface Document {
  readonly manifests?: readonly { readonly digest: string }[];
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
}

/** Command lines of processes that have to do with a folder. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return []; // It has ended meanwhile.
      }
    })
    .filter((line) => line.includes(folder));
}
