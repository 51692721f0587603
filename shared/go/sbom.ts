import type { BuildInfo, ModuleInfo } from './build-info.ts';

/** A CycloneDX 1.6 bill of materials (ECMA-424), as far as a Go program's build info can fill it. */
export interface Sbom {
  readonly $schema: string;
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.6';
  readonly serialNumber: string;
  readonly version: 1;
  readonly metadata: {
    readonly tools: { readonly components: readonly Component[] };
    readonly component: Component;
  };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Component {
  readonly type: 'application' | 'library';
  readonly 'bom-ref'?: string;
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: 'SHA-256'; readonly content: string }[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

/**
 * Makes the bill of materials of one program from what the program says of itself, so it lists what was linked and not what go.mod
 * offers. The same program gives the same bytes: its serial number comes from its digest, and there is no time in it.
 */
export async function makeSbom(
  info: BuildInfo,
  program: {
    readonly name: string;
    /** 64 hexadecimal digits. */
    readonly sha256: string;
    readonly version?: string | undefined;
  },
): Promise<Sbom> {
  const purl = await purlWriter();
  const main = mainComponent(info, program, purl);
  const modules = (info.Deps ?? []).map((dependency) => moduleComponent(dependency, purl));
  const components = [...modules, standardLibrary(info.GoVersion, purl)].sort((a, b) =>
    a['bom-ref']! < b['bom-ref']! ? -1 : 1,
  );
  const refs = components.map((one) => one['bom-ref']!);
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidFrom(program.sha256)}`,
    version: 1,
    metadata: {
      tools: { components: [{ type: 'application', name: 'slipway' }] },
      component: main,
    },
    components,
    // Build info does not say which module needs which; all are known to be in the program.
    dependencies: [
      { ref: main['bom-ref']!, dependsOn: refs },
      ...refs.map((ref) => ({ ref, dependsOn: [] })),
    ],
  };
}

type PurlWriter = (path: string, version: string | undefined, subpath?: string) => string;

/** Package URLs of the type `golang`: the module path is namespace and name (purl-spec, golang-definition). */
async function purlWriter(): Promise<PurlWriter> {
  const { PackageURL } = await import('packageurl-js');
  return (path, version, subpath) => {
    const slash = path.lastIndexOf('/');
    const namespace = slash === -1 ? undefined : path.slice(0, slash);
    return new PackageURL('golang', namespace, path.slice(slash + 1), version, undefined, subpath).toString();
  };
}

function mainComponent(
  info: BuildInfo,
  program: { readonly name: string; readonly sha256: string; readonly version?: string | undefined },
  purl: PurlWriter,
): Component {
  const { Path: path, Version: version } = info.Main;
  const known = program.version ?? released(version);
  const subpath = info.Path.startsWith(`${path}/`) ? info.Path.slice(path.length + 1) : undefined;
  const reference = purl(path, known, subpath);
  return {
    type: 'application',
    'bom-ref': reference,
    name: program.name,
    ...(known && { version: known }),
    purl: reference,
    hashes: [{ alg: 'SHA-256', content: program.sha256 }],
    properties: (info.Settings ?? []).map(({ Key, Value }) => ({ name: `go:build:${Key}`, value: Value })),
  };
}

function moduleComponent(module: ModuleInfo, purl: PurlWriter): Component {
  const used = module.Replace ?? module;
  // A replacement by a folder has no version, and its path is a place on this machine: the module's own name stands for it.
  const replaced = module.Replace !== undefined && released(used.Version) !== undefined;
  const path = replaced ? used.Path : module.Path;
  const version = released(used.Version) ?? released(module.Version);
  const reference = purl(path, version);
  return {
    type: 'library',
    'bom-ref': reference,
    name: path,
    ...(version && { version }),
    purl: reference,
    ...(used.Sum?.startsWith('h1:') && {
      hashes: [{ alg: 'SHA-256', content: Buffer.from(used.Sum.slice(3), 'base64').toString('hex') }],
    }),
    ...(module.Replace && {
      properties: [{ name: 'go:replaces', value: [module.Path, module.Version].filter(Boolean).join('@') }],
    }),
  };
}

/** A version that can be looked up; Go writes `(devel)` for what it built from a folder. */
function released(version: string | undefined): string | undefined {
  return version === '(devel)' ? undefined : version;
}

function standardLibrary(goVersion: string, purl: PurlWriter): Component {
  const version = goVersion.replace(/^go/, '').split(' ')[0]!;
  const reference = purl('std', version);
  return { type: 'library', 'bom-ref': reference, name: 'std', version, purl: reference };
}

/** A name-based UUID (RFC 9562, version 8: custom) from the first 16 bytes of a digest. */
function uuidFrom(sha256: string): string {
  const variant = ((Number.parseInt(sha256[16]!, 16) & 0x3) | 0x8).toString(16);
  return [
    sha256.slice(0, 8),
    sha256.slice(8, 12),
    `8${sha256.slice(13, 16)}`,
    `${variant}${sha256.slice(17, 20)}`,
    sha256.slice(20, 32),
  ].join('-');
}
