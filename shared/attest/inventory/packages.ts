/** A package that the system's package manager has installed. */
export interface SystemPackage {
  readonly kind: 'deb' | 'apk';
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** The source package that it was made from, where it has another name. */
  readonly source: string | undefined;
  readonly license: string | undefined;
}

/** Of the system that an image is (os-release(5)): Debian 12 has `debian` and `12`. */
export interface SystemRelease {
  readonly id: string;
  readonly version: string | undefined;
}

/** What a file is to the inventory of an image, told by its path (without a leading slash). */
export type Database = 'dpkg' | 'dpkg-part' | 'apk' | 'os-release' | 'rpm';

export function databaseAt(path: string): Database | undefined {
  if (path === 'var/lib/dpkg/status') return 'dpkg';
  // Distroless images have a file for each package, and its checksums beside it.
  if (/^var\/lib\/dpkg\/status\.d\/[^/]+$/.test(path))
    return path.endsWith('.md5sums') ? undefined : 'dpkg-part';
  if (path === 'lib/apk/db/installed' || path === 'usr/lib/apk/db/installed') return 'apk';
  if (path === 'etc/os-release' || path === 'usr/lib/os-release') return 'os-release';
  if (/^(var|usr)\/lib\/(sysimage\/)?rpm\/(rpmdb\.sqlite|Packages(\.db)?)$/.test(path)) return 'rpm';
  return undefined;
}

/** Packages of a dpkg database (dpkg(1), deb-control(5)): paragraphs of `Name: value`. */
export function parseDpkg(text: string): SystemPackage[] {
  return text.split(/\n\n+/).flatMap((paragraph) => {
    const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.+)$`, 'm').exec(paragraph)?.[1]?.trim();
    const [name, version, status] = [field('Package'), field('Version'), field('Status')];
    if (name === undefined || version === undefined) return [];
    // Removed packages of which a configuration is left are no longer there.
    if (status !== undefined && !status.endsWith(' installed')) return [];
    const source = field('Source')?.replace(/ \(.*\)$/, '');
    return [
      {
        kind: 'deb' as const,
        name,
        version,
        architecture: field('Architecture') ?? 'all',
        source: source === name ? undefined : source,
        license: undefined,
      },
    ];
  });
}

/** Packages of an apk database (apk-package(5), installed database): paragraphs of `X:value`. */
export function parseApk(text: string): SystemPackage[] {
  return text.split(/\n\n+/).flatMap((paragraph) => {
    const field = (letter: string) => new RegExp(`^${letter}:(.+)$`, 'm').exec(paragraph)?.[1]?.trim();
    const [name, version] = [field('P'), field('V')];
    if (name === undefined || version === undefined) return [];
    const source = field('o');
    return [
      {
        kind: 'apk' as const,
        name,
        version,
        architecture: field('A') ?? 'noarch',
        source: source === name ? undefined : source,
        license: field('L'),
      },
    ];
  });
}

/** Shell-like assignments (os-release(5)); undefined without an ID. */
export function parseOsRelease(text: string): SystemRelease | undefined {
  const value = (name: string) => {
    const found = new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1]?.trim();
    return found?.replace(/^(["'])(.*)\1$/, '$2') || undefined;
  };
  const id = value('ID');
  return id === undefined ? undefined : { id, version: value('VERSION_ID') };
}
