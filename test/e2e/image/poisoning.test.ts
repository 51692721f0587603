import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pack, unpack } from '../../../shared/cache/index.ts';
import { CacheService } from '../../lab/cache-service.ts';
import {
  type BuildKit,
  baseImages,
  buildkit,
  crane,
  describeWith,
  engine,
  freshBuildkit,
  freshRegistry,
  type Registry,
  registry,
} from '../../lab/index.ts';
import { plantedArchives, plantedTar } from './planted.ts';
import { type Content, expected, type RunOptions, type Sources, TwoStages } from './two-stages.ts';

const [bases, kit, docker, craneTool, lab] = await Promise.all([
  baseImages(),
  buildkit(),
  engine(),
  crane(),
  registry(),
]);

const before: Sources = { one: 'first\n', two: 'second\n' };
const after: Sources = { one: 'first\n', two: 'changed\n' };
const foreign = {
  trusted: false,
  repository: 'org/app',
  branch: 'pull/1',
  baseBranch: 'main',
  defaultBranch: 'main',
};

describeWith(
  'what strangers leave',
  { bases, buildkit: kit, crane: craneTool, engine: docker, registry: lab },
  (have) => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-poison-'));
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

    const build = async (sources: Sources, options: RunOptions): Promise<Content & { log: string }> => {
      const image = `${have.registry.host}/poison/app-${process.pid}-${count++}:1`;
      const host = await project.build(sources, image, options);
      const content = await project.read(image);
      expect(content, host.lines.join('\n')).toMatchObject(expected(sources));
      return { ...content, log: host.lines.join('\n') };
    };

    describe.each(['repository', 'Actions cache', 'folder'] as const)('in the %s', (kind) => {
      it('is nothing: a run that is not trusted reads, and writes neither results nor mounts nor tags', async () => {
        await using store = await open(kind);
        const shape = { mount: '/cache' };
        const first = await build(before, { ...store.options, shape });
        const there = store.list();
        expect(there.length).toBeGreaterThan(0);
        const image = `${have.registry.host}/poison/untrusted-${process.pid}-${count++}`;
        const host = await project.build(after, `${image}:1`, { ...store.options, shape, run: foreign });
        expect(store.list()).toEqual(there);
        expect(await tagsOf(image)).toEqual(['1']);
        const theirs = await project.read(`${image}:1`);
        expect(theirs, host.lines.join('\n')).toMatchObject({
          ...expected(after),
          numberOne: first.numberOne,
        });

        const ours = await build(after, { ...store.options, shape });
        expect(ours.numberOne).toBe(first.numberOne);
        expect(ours.numberTwo).not.toBe(theirs.numberTwo);
      });

      describe('is refused before a byte of it is written, and the stage is made: an archive with', () => {
        const outside = join(root, `outside-${kind.replaceAll(' ', '-')}`);
        let store: Opened;
        let last: Content;
        let runs = 0;
        beforeAll(async () => {
          store = await open(kind);
          last = await build(before, store.options);
        });
        afterAll(() => store[Symbol.asyncDispose]());

        it.each(Object.entries(plantedArchives(outside)))('%s', async (_, { members, told }) => {
          expect(await store.plant(plantedTar(members))).toBeGreaterThan(0);
          const now = await build({ ...after, two: `${runs++}\n` }, store.options);
          expect(now.numberOne).not.toBe(last.numberOne);
          expect(now.log).toMatch(told);
          expect(existsSync(outside)).toBe(false);
          last = now;
        });
      });
    });

    it('is not even a tag where a stranger’s run pushes to the repository of the image', async () => {
      await using to = await freshRegistry();
      const image = `${to.host}/app`;
      await project.build(before, `${image}:pr`, { run: foreign, inputs: { store: 'auto' } });
      expect(await tagsOf(image)).toEqual(['pr']);
    });

    const tagsOf = async (repository: string): Promise<string[]> => {
      const [host, ...path] = repository.split('/');
      const answer = await fetch(`http://${host}/v2/${path.join('/')}/tags/list`);
      return answer.ok ? (((await answer.json()) as { tags: string[] | null }).tags ?? []) : [];
    };

    /** A store that can be looked into and written to past its users. */
    interface Opened extends AsyncDisposable {
      readonly options: RunOptions;
      /** All that it holds, by name and content. */
      list(): string[];
      /** Puts an archive in place of every result; gives how many there were. */
      plant(archive: Buffer): Promise<number>;
    }

    async function open(kind: 'repository' | 'Actions cache' | 'folder'): Promise<Opened> {
      switch (kind) {
        case 'repository': {
          const behind = await freshRegistry();
          return {
            options: { inputs: { store: `registry:${behind.host}/store` } },
            list: () => filesOf(join(behind.storage, 'docker')),
            plant: (archive) => plantInRegistry(behind, archive),
            [Symbol.asyncDispose]: () => behind[Symbol.asyncDispose](),
          };
        }
        case 'Actions cache': {
          const service = await CacheService.start();
          return {
            options: { inputs: { store: 'actions' }, env: service.environment(2) },
            list: () => service.entries.map(({ key, content }) => `${key} ${hash(content ?? '')}`),
            plant: async (archive) => {
              const entries = service.entries.filter(({ key }) => key.startsWith('slipway-stage-'));
              for (const entry of entries) entry.content = await withFiles(entry.content!, archive, root);
              return entries.length;
            },
            [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
          };
        }
        case 'folder': {
          const folder = mkdtempSync(join(root, 'store-'));
          return {
            options: { inputs: { store: folder } },
            list: () => filesOf(folder),
            plant: async (archive) => {
              const names = readdirSync(folder).filter((name) => name.startsWith('slipway-stage-'));
              for (const name of names) {
                const path = join(folder, name);
                const planted = await withFiles(readFileSync(path), archive, root);
                rmSync(path);
                writeFileSync(path, planted);
              }
              return names.length;
            },
            [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
          };
        }
      }
    }
  },
);

const hash = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path} ${hash(readFileSync(path))}`)
    .sort();
}

/** An entry of a store with another archive in it, in all else as it was: every digest that the entry has of itself is right. */
async function withFiles(entry: Buffer, archive: Buffer, root: string): Promise<Buffer> {
  const work = mkdtempSync(join(root, 'plant-'));
  const from = join(work, 'from');
  const folder = join(work, 'folder');
  await mkdir(folder);
  writeFileSync(from, entry);
  await unpack(from, folder, { limit: 2 ** 30 });
  writeFileSync(join(folder, 'files.tar'), archive);
  const files = readdirSync(folder).map((name) => ({ name, path: join(folder, name) }));
  await pack(files, join(work, 'to'));
  return readFileSync(join(work, 'to'));
}

interface Manifest {
  readonly artifactType: string;
  readonly layers: { digest: string; size: number; annotations?: Record<string, string> }[];
}

/** Every artifact of a repository gets the archive for each result that it has, under the archive's own digest. */
async function plantInRegistry({ host }: Registry, archive: Buffer): Promise<number> {
  const base = `http://${host}/v2/store`;
  const blob = zstdCompressSync(archive);
  const digest = `sha256:${hash(blob)}`;
  const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
  const place = new URL(begun.headers.get('location')!, base);
  place.searchParams.set('digest', digest);
  const put = await fetch(place, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: blob,
  });
  expect(put.status).toBe(201);
  const { tags } = (await (await fetch(`${base}/tags/list`)).json()) as { tags: string[] };
  let planted = 0;
  for (const tag of tags) {
    const accept = 'application/vnd.oci.image.manifest.v1+json';
    const answer = await fetch(`${base}/manifests/${tag}`, { headers: { accept } });
    const manifest = (await answer.json()) as Manifest;
    const isResult = (at: number) => tag.startsWith('slipway-stage-') || at > 0;
    for (const [at, layer] of manifest.layers.entries())
      if (isResult(at)) {
        Object.assign(layer, { digest, size: blob.length });
        planted += 1;
      }
    const body = JSON.stringify(manifest);
    const stored = await fetch(`${base}/manifests/${tag}`, {
      method: 'PUT',
      headers: { 'content-type': accept },
      body,
    });
    expect(stored.status).toBe(201);
  }
  return planted;
}
