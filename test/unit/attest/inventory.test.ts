import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { GoProgramReader } from '../../../shared/attest/inventory/go-program.ts';
import { imageInventory } from '../../../shared/attest/inventory/image.ts';
import {
  type GoProgram,
  type LayerInventory,
  layerInventory,
} from '../../../shared/attest/inventory/layer.ts';
import {
  databaseAt,
  parseApk,
  parseDpkg,
  parseOsRelease,
} from '../../../shared/attest/inventory/packages.ts';
import { openLayout, writeLayer } from '../../../shared/oci/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-inventory-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A string as the linker writes it: its length in base 128, then its bytes. */
function written(text: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = text.length; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.concat([Buffer.from([...length, rest]), text]);
    length.push((rest % 128) | 0x80);
  }
}

const MAGIC = Buffer.from('\xff Go buildinf:', 'latin1');
const mark = (byte: number) => Buffer.alloc(16, byte);

/** Build information as Go 1.18 and later write it; `flags` 0 is what was before. */
function blob(modules: string, { version = 'go1.26.8', flags = 2 } = {}): Buffer {
  return Buffer.concat([
    MAGIC,
    Buffer.from([8, flags]),
    Buffer.alloc(16),
    written(Buffer.from(version)),
    written(Buffer.concat([mark(0xf1), Buffer.from(modules), mark(0xf2)])),
  ]);
}

/** An ELF file with something at an offset. */
function elf(parts: Readonly<Record<number, Buffer>>): Buffer {
  const whole = Buffer.alloc(
    Math.max(...Object.entries(parts).map(([at, { length }]) => Number(at) + length)) + 64,
    1,
  );
  whole.write('\x7fELF', 'latin1');
  for (const [at, bytes] of Object.entries(parts)) bytes.copy(whole, Number(at));
  return whole;
}

function read(file: Buffer, chunk = file.length) {
  const reader = new GoProgramReader();
  for (let at = 0; at < file.length; at += chunk) reader.push(file.subarray(at, at + chunk));
  return reader.found;
}

const MODULES =
  'path\texample.com/app\nmod\texample.com/app\tv1.2.0\t\ndep\texample.com/dep\tv0.3.0\th1:x=\nbuild\tCGO_ENABLED=0\n';

describe('what a Go program says of itself', () => {
  const file = elf({ 4096: blob(MODULES) });

  it.each([file.length, 4096, 100, 17, 1])('is found in pieces of %i bytes', (chunk) =>
    expect(read(file, chunk)).toMatchObject({
      GoVersion: 'go1.26.8',
      Path: 'example.com/app',
      Main: { Path: 'example.com/app', Version: 'v1.2.0' },
      Deps: [{ Path: 'example.com/dep', Version: 'v0.3.0', Sum: 'h1:x=' }],
      Settings: [{ Key: 'CGO_ENABLED', Value: '0' }],
    }),
  );

  it('is not the constant of a program that looks for it', () =>
    expect(
      read(elf({ 1001: MAGIC, 2048: Buffer.concat([MAGIC, Buffer.alloc(40)]), 4096: blob(MODULES) }))?.Path,
    ).toBe('example.com/app'));

  it.each([
    ['a file that is no ELF', Buffer.concat([Buffer.from('MZ..'), file.subarray(4)])],
    ['an empty file', Buffer.alloc(0)],
    ['a program of Go 1.17', elf({ 4096: blob(MODULES, { flags: 0 }) })],
    ['a version that is none', elf({ 4096: blob(MODULES, { version: 'nothing' }) })],
    ['a mark at an odd place', elf({ 4097: blob(MODULES) })],
    ['a list that ends too early', file.subarray(0, 4096 + 60)],
    [
      'a length beyond all measure',
      elf({ 4096: Buffer.concat([MAGIC, Buffer.from([8, 2]), Buffer.alloc(16), Buffer.alloc(9, 0xff)]) }),
    ],
  ])('is nothing in %s', (_, bytes) => expect(read(bytes)).toBeUndefined());
});

describe('packages', () => {
  it('of dpkg are those that are installed', () =>
    expect(
      parseDpkg(
        'Package: libc6\nStatus: install ok installed\nSource: glibc (2.36-9)\nArchitecture: amd64\nVersion: 2.36-9+deb12u4\nDescription: GNU\n Version: not this\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: broken\n',
      ),
    ).toEqual([
      {
        kind: 'deb',
        name: 'libc6',
        version: '2.36-9+deb12u4',
        architecture: 'amd64',
        source: 'glibc',
        license: undefined,
      },
    ]));

  it('of apk have the letter of each field', () =>
    expect(
      parseApk(
        'C:Q1x=\nP:musl-utils\nV:1.2.5-r9\nA:x86_64\no:musl\nL:MIT AND BSD-2-Clause\nF:sbin\n\nP:noversion\n',
      ),
    ).toEqual([
      {
        kind: 'apk',
        name: 'musl-utils',
        version: '1.2.5-r9',
        architecture: 'x86_64',
        source: 'musl',
        license: 'MIT AND BSD-2-Clause',
      },
    ]));

  it('belong to a system', () => {
    expect(parseOsRelease('NAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n')).toEqual({
      id: 'debian',
      version: '12',
    });
    expect(parseOsRelease("ID='wolfi'\n")).toEqual({ id: 'wolfi', version: undefined });
    expect(parseOsRelease('NAME=x\n')).toBeUndefined();
  });

  it.each([
    ['var/lib/dpkg/status', 'dpkg'],
    ['var/lib/dpkg/status.d/base', 'dpkg-part'],
    ['var/lib/dpkg/status.d/base.md5sums', undefined],
    ['lib/apk/db/installed', 'apk'],
    ['usr/lib/apk/db/installed', 'apk'],
    ['usr/lib/os-release', 'os-release'],
    ['var/lib/rpm/rpmdb.sqlite', 'rpm'],
    ['srv/var/lib/dpkg/status', undefined],
  ])('lie at %s: %s', (path, kind) => expect(databaseAt(path)).toBe(kind));
});

describe('the inventory of an image', () => {
  const program = (path: string, version = 'v1.0.0'): GoProgram => ({
    path,
    sha256: '00'.repeat(32),
    info: { GoVersion: 'go1.26.8', Path: 'p', Main: { Path: 'p', Version: version } },
  });
  const layer = (paths: readonly string[], programs: readonly GoProgram[] = []): LayerInventory => ({
    programs,
    databases: {},
    paths,
  });
  const left = (...layers: LayerInventory[]) => imageInventory(layers).programs.map(({ path }) => path);
  const below = layer(['bin/', 'bin/a', 'bin/sub/', 'bin/sub/b'], [program('/bin/a'), program('/bin/sub/b')]);

  it.each([
    ['adds nothing', [], ['/bin/a', '/bin/sub/b']],
    ['has the same folder', ['bin/', 'bin/sub/'], ['/bin/a', '/bin/sub/b']],
    ['removes a file', ['bin/.wh.a'], ['/bin/sub/b']],
    ['removes a folder', ['bin/.wh.sub'], ['/bin/a']],
    ['replaces a file by something else', ['bin/a'], ['/bin/sub/b']],
    ['replaces a folder by a file', ['bin/sub'], ['/bin/a']],
    ['makes a folder opaque', ['bin/', 'bin/.wh..wh..opq'], []],
    ['makes another opaque', ['bi/', 'bi/.wh..wh..opq'], ['/bin/a', '/bin/sub/b']],
    ['makes the root opaque', ['.wh..wh..opq'], []],
  ])('has what is left of lower layers when an upper one %s', (_, paths, wanted) =>
    expect(left(below, layer(paths))).toEqual(wanted),
  );

  it('has the uppermost of what several layers bring', () => {
    const upper = layer(['bin/a'], [program('/bin/a', 'v2.0.0')]);
    const found = imageInventory([below, upper]).programs.find(({ path }) => path === '/bin/a');
    expect(found?.info.Main.Version).toBe('v2.0.0');
  });

  it('says which databases it does not read', () => {
    const rpm: LayerInventory = {
      ...layer(['x']),
      databases: { 'var/lib/rpm/rpmdb.sqlite': { kind: 'rpm', text: '' } },
    };
    expect(imageInventory([rpm]).unread).toEqual(['/var/lib/rpm/rpmdb.sqlite']);
  });
});

describe('the inventory of a layer', () => {
  it('is read once, and again when what was remembered is damaged', async () => {
    const layout = await openLayout(join(folder, 'layout'));
    const content = elf({ 4096: blob(MODULES) });
    const entry = { type: 'file', mode: 0o755, uid: 0, gid: 0, mtime: 0 } as const;
    async function* bytes() {
      yield content;
    }
    const { descriptor } = await writeLayer(
      [{ entry: { ...entry, name: 'bin/app', size: content.length }, content: bytes }],
      { compression: 'gzip', target: layout },
    );
    let readings = 0;
    const source = {
      ...layout,
      name: 'counted',
      manifest: () => Promise.reject(new Error()),
      blob: (of: typeof descriptor) => {
        readings++;
        return layout.blob(of);
      },
    };
    const cache = join(folder, 'cache');
    const first = await layerInventory(descriptor, source, cache);
    expect(first.programs).toMatchObject([{ path: '/bin/app', info: { Path: 'example.com/app' } }]);
    expect(await layerInventory(descriptor, source, cache)).toEqual(first);
    expect(readings).toBe(1);
    const [file] = readdirSync(join(cache, 'inventories'));
    writeFileSync(join(cache, 'inventories', file!), 'damaged');
    expect(await layerInventory(descriptor, source, cache)).toEqual(first);
    expect(readings).toBe(2);
  });
});
