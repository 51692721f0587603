import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** The rooms of shared/, line by line: a room imports from the lines above its own and from the left on its own. */
const LINES = [
  ['host', 'exec'],
  ['content', 'cache'],
  ['oci', 'dockerfile', 'image'],
  ['go'],
  ['lift'],
  ['attest'],
  ['kubernetes', 'rollout', 'traffic'],
  ['gate', 'consistency', 'report'],
];
const order = LINES.flat();
const rooms = readdirSync(join(ROOT, 'shared'));

const LINE_OF = new Map(LINES.flatMap((line, index) => line.map((room) => [room, index])));

interface Import {
  readonly file: string;
  /** As written, and as a path from the root of the repository. */
  readonly specifier: string;
  readonly target: string;
}

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile() && one.name.endsWith('.ts'))
    .map((one) => relative(ROOT, join(one.parentPath, one.name)).replaceAll('\\', '/'));
}

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** All that a file imports, types too, however it does. */
function importsOf(file: string): Import[] {
  const code = read(file).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const found = code.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'/g);
  return [...found].map(([, specifier]) => ({
    file,
    specifier: specifier!,
    target: specifier!.startsWith('.') ? relative(ROOT, join(ROOT, file, '..', specifier!)) : specifier!,
  }));
}

const all = [...sources('shared'), ...sources('actions'), ...sources('bin')].flatMap(importsOf);
const roomOf = (path: string) => /^shared\/([^/]+)\//.exec(path)?.[1];
const show = ({ file, specifier }: Import) => `${file} imports ${specifier}`;

it('reads imports in every form', () => {
  const own = importsOf('test/unit/architecture.test.ts').map(({ specifier }) => specifier);
  expect(own.slice(0, 3)).toEqual(['node:fs', 'node:path', 'vitest']);
  expect(all.length).toBeGreaterThan(100);
});

describe('a room', () => {
  it('has its place in the order', () => expect(rooms.filter((room) => !order.includes(room))).toEqual([]));

  it.each(rooms)('%s has a door that says what is behind it', (room) =>
    expect(read(`shared/${room}/index.ts`)).toMatch(/^\/\*\*/),
  );

  it('is entered by its door alone', () => {
    const others = all.filter(({ file, target }) => {
      const room = roomOf(target);
      return room !== undefined && room !== roomOf(file);
    });
    expect(others.filter(({ target }) => !target.endsWith('/index.ts')).map(show)).toEqual([]);
  });

  it('imports only from rooms that come before it', () => {
    const wrong = all.filter(({ file, target }) => {
      const [from, to] = [roomOf(file), roomOf(target)];
      if (from === undefined || to === undefined || from === to) return false;
      const [fromLine, toLine] = [LINE_OF.get(from)!, LINE_OF.get(to)!];
      return toLine > fromLine || (toLine === fromLine && order.indexOf(to) > order.indexOf(from));
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('imports nothing from actions, bin or tests', () => {
    const wrong = all.filter(
      ({ file, target }) => roomOf(file) !== undefined && /^(actions|bin|test)\//.test(target),
    );
    expect(wrong.map(show)).toEqual([]);
  });
});

describe('the host room', () => {
  const elsewhere = (pattern: RegExp) =>
    [...sources('shared'), ...sources('actions'), ...sources('bin')].filter(
      (file) => roomOf(file) !== 'host' && pattern.test(read(file)),
    );

  it('alone imports @actions/core', () => expect(elsewhere(/'@actions\/core'/)).toEqual([]));

  // The store of the Actions cache asks, as GitHub's own client does, which server it is on.
  it('alone reads the variables of a runner', () =>
    expect(elsewhere(/env(?:ironment)?(?:\.|\[')(?:GITHUB|RUNNER|INPUT|STATE)_/)).toEqual([
      'shared/cache/actions-store.ts',
    ]));
});

/** The exported names of a door with the file that each comes from. */
function exportsOf(door: string): { name: string; file: string }[] {
  const whole = [...read(door).matchAll(/export \* from '\.\/([^']+)'/g)].flatMap(([, file]) => {
    const path = join(door, '..', file!);
    const declared = read(path).matchAll(
      /^export (?:async )?(?:function\*?|const|class|interface|type) (\w+)/gm,
    );
    return [...declared].map(([, name]) => ({ name: name!, file: path }));
  });
  const named = [...read(door).matchAll(/export (?:type )?\{([^}]+)\} from '\.\/([^']+)'/g)].flatMap(
    ([, names, file]) =>
      names!
        .split(',')
        .map(
          (name) =>
            name
              .trim()
              .replace(/^type /, '')
              .split(' as ')[0]!,
        )
        .filter(Boolean)
        .map((name) => ({ name, file: join(door, '..', file!) })),
  );
  return [...whole, ...named];
}

function isDocumented({ name, file }: { name: string; file: string }): boolean {
  const declaration = new RegExp(
    `\\*/\\s*export (?:declare )?(?:async )?(?:abstract )?(?:function\\*?|const|class|interface|type) ${name}\\b`,
  );
  if (declaration.test(read(file))) return true;
  // A folder inside a room may have an index of its own.
  const origin = exportsOf(file).find((one) => one.name === name);
  return origin !== undefined && isDocumented(origin);
}

describe('what a door exports', () => {
  it.each(rooms)('of %s has a doc comment', (room) => {
    const missing = exportsOf(`shared/${room}/index.ts`).filter((one) => !isDocumented(one));
    expect(missing.map(({ name, file }) => `${name} in ${file}`)).toEqual([]);
  });

  it('is seen by this test', () => {
    expect(exportsOf('shared/host/index.ts').length).toBeGreaterThan(20);
    expect(isDocumented({ name: 'Failure', file: 'shared/host/failure.ts' })).toBe(true);
    expect(isDocumented({ name: 'Common', file: 'shared/host/definition.ts' })).toBe(false);
  });
});
