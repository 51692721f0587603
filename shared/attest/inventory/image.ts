import type { GoProgram, LayerInventory } from './layer.ts';
import { parseApk, parseDpkg, parseOsRelease, type SystemPackage, type SystemRelease } from './packages.ts';

/** What an image consists of, as far as it can be told by reading its files. */
export interface ImageInventory {
  readonly programs: readonly GoProgram[];
  readonly packages: readonly SystemPackage[];
  readonly system: SystemRelease | undefined;
  /** Package databases that are there and are not read, such as rpm's: what they list is missing. */
  readonly unread: readonly string[];
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** Puts the inventories of layers over each other, from the lowest to the uppermost (OCI image-spec, layer.md#whiteouts). */
export function imageInventory(layers: readonly LayerInventory[]): ImageInventory {
  let programs = new Map<string, GoProgram>();
  let databases = new Map<string, LayerInventory['databases'][string]>();
  for (const layer of layers) {
    const hidden = hiddenBy(layer.paths);
    programs = new Map([...programs].filter(([path]) => !hidden(path.slice(1))));
    databases = new Map([...databases].filter(([path]) => !hidden(path)));
    for (const program of layer.programs) programs.set(program.path, program);
    for (const [path, database] of Object.entries(layer.databases)) databases.set(path, database);
  }
  const texts = (kind: string) =>
    [...databases].filter(([, database]) => database.kind === kind).map(([, { text }]) => text);
  const packages = [
    ...[...texts('dpkg'), ...texts('dpkg-part')].flatMap(parseDpkg),
    ...texts('apk').flatMap(parseApk),
  ];
  return {
    programs: [...programs.values()].sort(by(({ path }) => path)),
    packages: distinct(packages).sort(
      by(({ name, version, architecture }) => `${name} ${version} ${architecture}`),
    ),
    system: texts('os-release')
      .map(parseOsRelease)
      .find((release) => release !== undefined),
    unread: [...databases]
      .filter(([, { kind }]) => kind === 'rpm')
      .map(([path]) => `/${path}`)
      .sort(),
  };
}

/** Whether a layer hides or replaces what lower layers have under a path. */
function hiddenBy(paths: readonly string[]): (path: string) => boolean {
  const exact = new Set<string>();
  const below: string[] = [];
  for (const path of paths) {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    const parent = path.slice(0, slash + 1);
    if (name === OPAQUE) below.push(parent);
    else if (name.startsWith(WHITEOUT)) {
      exact.add(parent + name.slice(WHITEOUT.length));
      below.push(`${parent}${name.slice(WHITEOUT.length)}/`);
    } else if (name !== '') {
      // A file in the place of a folder hides what was in it.
      exact.add(path);
      below.push(`${path}/`);
    }
  }
  const folders = new Set(below);
  return (path) => {
    if (exact.has(path) || folders.has('')) return true;
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1))
      if (folders.has(path.slice(0, at + 1))) return true;
    return false;
  };
}

function distinct(packages: readonly SystemPackage[]): SystemPackage[] {
  return [...new Map(packages.map((one) => [JSON.stringify(one), one])).values()];
}

function by<T>(key: (one: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
}
