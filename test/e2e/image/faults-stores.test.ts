import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CacheService, type ServiceFault } from '../../lab/cache-service.ts';
import {
  type BuildKit,
  baseImages,
  buildkit,
  crane,
  describeWith,
  engine,
  freshBuildkit,
  freshRegistry,
  registry,
} from '../../lab/index.ts';
import { type Fault, type Rule, startProxy } from '../registry/proxy.ts';
import { type Content, expected, type RunOptions, type Sources, TwoStages } from './two-stages.ts';

const [bases, kit, docker, craneTool, lab] = await Promise.all([
  baseImages(),
  buildkit(),
  engine(),
  crane(),
  registry(),
]);

/** A store that stage results are kept in, and how a run is told to use it. */
interface KeptIn extends AsyncDisposable {
  readonly options: RunOptions;
}

const before: Sources = { one: 'first\n', two: 'second\n' };
/** The second stage has to run, the first one is in the store. */
const after: Sources = { one: 'first\n', two: 'changed\n' };

describeWith(
  'a store of stage results that',
  { bases, buildkit: kit, crane: craneTool, engine: docker, registry: lab },
  (have) => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-faults-'));
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

    const image = () => `${have.registry.host}/faults/app-${process.pid}-${count++}:1`;
    const build = async (sources: Sources, options: RunOptions): Promise<Content & { log: string }> => {
      const name = image();
      const host = await project.build(sources, name, options);
      const content = await project.read(name);
      expect(content).toMatchObject(expected(sources));
      return { ...content, log: host.lines.join('\n') };
    };

    /**
     * A run before the fault, one with it, and two behind it. Whatever happens, each image is the one that its sources make, and
     * nothing that a broken run left is taken: the last runs agree with each other and with what was whole.
     */
    const survive = async (
      store: KeptIn,
      fault: () => void | Promise<void>,
      mend: () => void | Promise<void>,
    ): Promise<{ first: Content; broken: Content & { log: string } }> => {
      const first = await build(before, store.options);
      await fault();
      const broken = await build(after, store.options);
      await mend();
      const mended = await build(after, store.options);
      const told = () => `with the fault:\n${broken.log}\nmended:\n${mended.log}`;
      expect([first.numberOne, broken.numberOne], told()).toContain(mended.numberOne);
      const last = await build(after, store.options);
      const numbers = { numberOne: mended.numberOne, numberTwo: mended.numberTwo };
      expect(last, `${told()}\nlast:\n${last.log}`).toMatchObject(numbers);
      return { first, broken };
    };

    it('is whole gives the first stage back, to a runner that has never seen it', async () => {
      await using folder = folderStore();
      const { first, broken } = await survive(folder, nothing, nothing);
      expect(broken.numberOne).toBe(first.numberOne);
      expect(broken.numberTwo).not.toBe(first.numberTwo);
    });

    describe('is a repository', () => {
      const faults: Readonly<Record<string, readonly Rule[]>> = {
        'is down': [rule(/./, /store/, { kind: 'reset' })],
        'answers 429': [rule(/./, /store/, { kind: 'answer', status: 429, headers: { 'retry-after': '0' } })],
        'answers 500': [rule(/./, /store/, { kind: 'answer', status: 500 })],
        'wants a password': [
          rule(/./, /store/, {
            kind: 'answer',
            status: 401,
            headers: { 'www-authenticate': 'Basic realm="x"' },
          }),
        ],
        'refuses artifacts': [
          rule(/PUT/, /store\/manifests/, { kind: 'answer', status: 400, body: MANIFEST_INVALID }),
        ],
        'refuses every upload': [rule(/POST|PUT|PATCH/, /store/, { kind: 'answer', status: 403 })],
        'has lost its blobs': [rule(/GET|HEAD/, /store\/blobs/, { kind: 'answer', status: 404 })],
        'has lost its manifests': [rule(/GET|HEAD/, /store\/manifests/, { kind: 'answer', status: 404 })],
        'gives other bytes than asked for': [rule(/GET/, /store\/blobs/, { kind: 'corrupt' })],
        'gives manifests with other bytes': [rule(/GET/, /store\/manifests/, { kind: 'corrupt' })],
        'breaks off': [rule(/GET/, /store\/blobs/, { kind: 'cut-answer', after: 100 })],
        'ends early as if it were all': [rule(/GET/, /store\/blobs/, { kind: 'shorten', to: 100 })],
        'gives more than there should be': [rule(/GET/, /store\/blobs/, { kind: 'lengthen' })],
        'breaks off while it is written to': [
          rule(/PATCH|PUT/, /store\/blobs/, { kind: 'cut-request', after: 10 }),
        ],
        'takes blobs and no manifest': [rule(/PUT/, /store\/manifests/, { kind: 'reset' })],
        'answers nonsense': [
          rule(/GET/, /store/, { kind: 'answer', status: 200, body: '<html>maintenance</html>' }),
        ],
      };
      for (const [name, rules] of Object.entries(faults))
        it(name, async () => {
          await using behind = await freshRegistry();
          await using proxy = await startProxy(behind.host);
          const options = { inputs: { store: `registry:${proxy.host}/store` } };
          const { first, broken } = await survive(
            { options, [Symbol.asyncDispose]: async () => {} },
            () => {
              proxy.rules = [...rules];
            },
            () => {
              proxy.rules = [];
            },
          );
          // Where it only cannot be written to, what it has is taken; what breaks off is asked for again from there on.
          const readable = rules.every(({ method }) => !method.test('GET'));
          if (name !== 'breaks off') expect(broken.numberOne === first.numberOne).toBe(readable);
          expect(
            proxy.seen.some(({ method, path }) =>
              rules.some((r) => r.method.test(method) && r.path.test(path)),
            ),
          ).toBe(true);
        });

      it('has lost what lies behind its manifests', async () => {
        await using behind = await freshRegistry();
        const blobs = join(behind.storage, 'docker/registry/v2/blobs');
        const store = {
          options: { inputs: { store: `registry:${behind.host}/store` } },
          [Symbol.asyncDispose]: async () => {},
        };
        await survive(
          store,
          () => damage(blobs, (path) => (isManifest(path) ? 'as it is' : 'gone')),
          nothing,
        );
      });

      it('has the bytes of one blob under the name of another', async () => {
        await using behind = await freshRegistry();
        const blobs = join(behind.storage, 'docker/registry/v2/blobs');
        const store = {
          options: { inputs: { store: `registry:${behind.host}/store` } },
          [Symbol.asyncDispose]: async () => {},
        };
        await survive(store, () => swap(blobs, (path) => !isManifest(path)), nothing);
      });
    });

    describe('is the Actions cache', () => {
      const is =
        (...names: string[]) =>
        ({ name }: { name: string }) =>
          names.includes(name);
      const READS = is('GetCacheEntryDownloadURL', 'blob');
      const faults: Readonly<Record<string, ServiceFault>> = {
        'is down': () => ({ status: 503 }),
        'answers 429': () => ({ status: 429, headers: { 'retry-after': '0' } }),
        'breaks off': (call) =>
          call.name === 'blob' && call.method === 'GET' ? { cutAfter: 50 } : undefined,
        'has dropped the entry between look-up and read': (call) =>
          call.name === 'blob' && call.method === 'GET' ? { status: 404 } : undefined,
        'gives no rights to write': (call) =>
          call.name === 'CreateCacheEntry' ? { status: 403 } : undefined,
        'loses what is sent': (call) =>
          call.name === 'blob' && call.method === 'PUT' ? { status: 500 } : undefined,
        'never finishes an entry': (call) =>
          call.name === 'FinalizeCacheEntryUpload' ? { status: 500 } : undefined,
        'does not know the token any more': (call) => (READS(call) ? { status: 401 } : undefined),
      };
      for (const [name, fault] of Object.entries(faults))
        it(name, async () => {
          await using service = await CacheService.start();
          const { first, broken } = await survive(
            actionsStore(service),
            () => {
              service.fault = fault;
            },
            () => {
              service.fault = () => undefined;
            },
          );
          const writesOnly = ['gives no rights to write', 'loses what is sent', 'never finishes an entry'];
          expect(broken.numberOne === first.numberOne).toBe(writesOnly.includes(name));
        });

      const damages: Readonly<Record<string, (contents: Buffer[]) => Buffer[]>> = {
        'gives another entry’s bytes': (all) => [...all.slice(1), all[0]!],
        'has truncated entries': (all) => all.map((one) => one.subarray(0, one.length >> 1)),
        'has empty entries': (all) => all.map(() => Buffer.alloc(0)),
        'has entries with a wrong bit': (all) =>
          all.map((one) => {
            const copy = Buffer.from(one);
            copy[copy.length >> 1]! ^= 1;
            return copy;
          }),
        'has entries of something else': (all) => all.map(() => Buffer.from('<html>not found</html>')),
      };
      for (const [name, change] of Object.entries(damages))
        it(name, async () => {
          await using service = await CacheService.start();
          const { first, broken } = await survive(
            actionsStore(service),
            () => {
              expect(service.entries.length).toBeGreaterThan(1);
              const changed = change(service.entries.map(({ content }) => content!));
              for (const [at, entry] of service.entries.entries()) entry.content = changed[at]!;
            },
            nothing,
          );
          expect(broken.numberOne).not.toBe(first.numberOne);
        });
    });

    describe('is a folder', () => {
      const flip = (content: Buffer) => {
        const copy = Buffer.from(content);
        copy[copy.length >> 1]! ^= 1;
        return copy;
      };
      const damages: Readonly<Record<string, (path: string) => Damage>> = {
        'has truncated files': (path) => readFileSync(path).subarray(0, statSync(path).size >> 1),
        'has empty files': () => Buffer.alloc(0),
        'has files with a wrong bit': (path) => flip(readFileSync(path)),
        'has lost its files': () => 'gone',
        'has folders in place of files': () => 'folder',
      };
      for (const [name, change] of Object.entries(damages))
        it(name, async () => {
          await using store = folderStore();
          const { first, broken } = await survive(store, () => damage(store.path, change), nothing);
          expect(broken.numberOne).not.toBe(first.numberOne);
        });

      it('has the bytes of one entry in another', async () => {
        await using store = folderStore();
        const { first, broken } = await survive(store, () => swap(store.path, () => true), nothing);
        expect(broken.numberOne).not.toBe(first.numberOne);
      });

      it('is gone, and a file lies in its place', async () => {
        await using store = folderStore();
        await build(before, store.options);
        rmSync(store.path, { recursive: true });
        writeFileSync(store.path, 'in the way');
        await expect(build(after, store.options)).rejects.toThrow(/"store".*is a file/);
      });
    });

    describe('is written to by two runs at once', () => {
      it.each(['repository', 'Actions cache', 'folder'])('%s', async (kind) => {
        await using service = await CacheService.start();
        await using behind = await freshRegistry();
        await using folder = folderStore();
        const options =
          kind === 'folder'
            ? folder.options
            : kind === 'repository'
              ? { inputs: { store: `registry:${behind.host}/store` } }
              : actionsStore(service).options;
        const [one, two] = await Promise.all([
          build(before, options),
          build(before, { ...options, warm: true }),
        ]);
        const third = await build({ ...before, two: 'third\n' }, options);
        expect([one.numberOne, two.numberOne]).toContain(third.numberOne);
      });
    });

    function folderStore(): KeptIn & { readonly path: string } {
      const path = mkdtempSync(join(root, 'store-'));
      const remove = async () => await rm(path, { recursive: true, force: true });
      return { path, options: { inputs: { store: path } }, [Symbol.asyncDispose]: remove };
    }
  },
);

function actionsStore(service: CacheService): KeptIn {
  const options = { inputs: { store: 'actions' }, env: service.environment(2) };
  return { options, [Symbol.asyncDispose]: async () => {} };
}

const nothing = () => {};
const rule = (method: RegExp, path: RegExp, fault: Fault): Rule => ({ method, path, fault });
const MANIFEST_INVALID = '{"errors":[{"code":"MANIFEST_INVALID","message":"unknown media type"}]}';

type Damage = Buffer | 'gone' | 'folder' | 'as it is';

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

async function damage(folder: string, change: (path: string) => Damage): Promise<void> {
  const files = filesBelow(folder);
  expect(files.length).toBeGreaterThan(0);
  for (const path of files) {
    const now = change(path);
    if (now === 'as it is') continue;
    rmSync(path);
    if (now === 'folder') await mkdir(path);
    else if (now !== 'gone') writeFileSync(path, now);
  }
}

/** Each file gets the bytes of the next one. */
function swap(folder: string, which: (path: string) => boolean): void {
  const files = filesBelow(folder).filter(which);
  expect(files.length).toBeGreaterThan(1);
  const contents = files.map((path) => readFileSync(path));
  for (const [at, path] of files.entries()) writeFileSync(path, contents[(at + 1) % files.length]!);
}

function isManifest(path: string): boolean {
  return readFileSync(path)[0] === '{'.charCodeAt(0);
}
