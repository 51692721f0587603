import { type Digest, digestOf } from '../content/index.ts';
import type { ModuleInfo } from '../go/index.ts';
import { formatPlatform, type Platform } from '../oci/index.ts';
import type { ImageInventory } from './inventory/image.ts';
import type { GoProgram } from './inventory/layer.ts';
import type { SystemPackage, SystemRelease } from './inventory/packages.ts';

/** A bill of materials (SPDX 2.3, spdx.github.io/spdx-spec/v2.3), as far as an image's files tell it. */
export interface SpdxDocument {
  readonly spdxVersion: 'SPDX-2.3';
  readonly dataLicense: 'CC0-1.0';
  readonly SPDXID: 'SPDXRef-DOCUMENT';
  readonly name: string;
  readonly documentNamespace: string;
  readonly creationInfo: {
    readonly created: string;
    readonly creators: readonly string[];
    readonly comment: string;
  };
  readonly packages: readonly SpdxPackage[];
  readonly relationships: readonly SpdxRelationship[];
}

interface SpdxPackage {
  readonly name: string;
  readonly SPDXID: string;
  readonly versionInfo?: string;
  readonly packageFileName?: string;
  readonly primaryPackagePurpose?: 'CONTAINER' | 'APPLICATION' | 'LIBRARY' | 'OPERATING_SYSTEM';
  readonly supplier: 'NOASSERTION';
  readonly downloadLocation: 'NOASSERTION';
  readonly filesAnalyzed: false;
  readonly checksums?: readonly { readonly algorithm: 'SHA256'; readonly checksumValue: string }[];
  readonly licenseConcluded: 'NOASSERTION';
  readonly licenseDeclared: 'NOASSERTION';
  readonly copyrightText: 'NOASSERTION';
  readonly sourceInfo?: string;
  readonly comment?: string;
  readonly externalRefs?: readonly {
    readonly referenceCategory: 'PACKAGE-MANAGER';
    readonly referenceType: 'purl';
    readonly referenceLocator: string;
  }[];
}

interface SpdxRelationship {
  readonly spdxElementId: string;
  readonly relationshipType: 'DESCRIBES' | 'CONTAINS' | 'DEPENDS_ON';
  readonly relatedSpdxElement: string;
}

/** The image for one platform that a document is about. */
export interface DescribedImage {
  /** Of its manifest. */
  readonly digest: Digest;
  readonly platform: Platform;
  /** Seconds since 1970: the document's time, so that the same image has the same document. */
  readonly epoch: number;
}

/** Writes the bill of materials of an image. The same image gives the same bytes. */
export async function spdxDocument(image: DescribedImage, inventory: ImageInventory): Promise<SpdxDocument> {
  const purl = await purlWriter();
  const hex = image.digest.slice('sha256:'.length);
  const packages = new Map<string, SpdxPackage>();
  const relationships: SpdxRelationship[] = [];
  const relate = (from: string, how: SpdxRelationship['relationshipType'], to: string) =>
    relationships.push({ spdxElementId: from, relationshipType: how, relatedSpdxElement: to });
  const add = (one: SpdxPackage): string => {
    if (!packages.has(one.SPDXID)) packages.set(one.SPDXID, one);
    return one.SPDXID;
  };
  const root = add({
    ...blank('image', hex),
    name: 'image',
    versionInfo: image.digest,
    primaryPackagePurpose: 'CONTAINER',
    checksums: [{ algorithm: 'SHA256', checksumValue: hex }],
    ...reference(purl('oci', undefined, 'image', image.digest, { arch: image.platform.architecture })),
  });
  relate('SPDXRef-DOCUMENT', 'DESCRIBES', root);
  for (const program of inventory.programs) {
    const own = add(programPackage(program, purl));
    relate(root, 'CONTAINS', own);
    const modules = (program.info.Deps ?? []).map((module) => modulePackage(module, purl));
    for (const module of [...modules, standardLibrary(program.info.GoVersion, purl)])
      relate(own, 'DEPENDS_ON', add(module));
  }
  for (const one of inventory.packages)
    relate(root, 'CONTAINS', add(systemPackage(one, inventory.system, purl)));
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `image ${formatPlatform(image.platform)}`,
    documentNamespace: `https://github.com/slipway-dev/slipway/spdx/${hex}`,
    creationInfo: {
      created: new Date(image.epoch * 1000).toISOString().replace('.000Z', 'Z'),
      creators: ['Tool: slipway'],
      comment: coverage(inventory),
    },
    packages: [...packages.values()],
    relationships,
  };
}

/** What was looked for, so that nobody takes a gap for the absence of something. */
function coverage({ unread }: ImageInventory): string {
  const gaps = unread.length === 0 ? '' : ` Not read, and therefore missing: ${unread.join(', ')}.`;
  return `All layers were read for ELF programs of Go 1.18 and later, with the modules that were linked into them, and for the packages that dpkg and apk have installed. Programs in other languages are not listed.${gaps}`;
}

type PurlWriter = (
  type: string,
  namespace: string | undefined,
  name: string,
  version: string | undefined,
  qualifiers?: Readonly<Record<string, string>>,
  subpath?: string,
) => string;

async function purlWriter(): Promise<PurlWriter> {
  const { PackageURL } = await import('packageurl-js');
  return (type, namespace, name, version, qualifiers, subpath) =>
    new PackageURL(type, namespace, name, version, qualifiers, subpath).toString();
}

function programPackage({ path, sha256, info }: GoProgram, purl: PurlWriter): SpdxPackage {
  const { Path: module, Version: version } = info.Main;
  const subpath = info.Path.startsWith(`${module}/`) ? info.Path.slice(module.length + 1) : undefined;
  const known = module === '' ? undefined : golang(module, released(version), purl, subpath);
  const settings = (info.Settings ?? []).map(({ Key, Value }) => `${Key}=${Value}`);
  return {
    ...blank('program', `${path}\n${sha256}`),
    name: info.Path || path,
    ...(released(version) !== undefined && { versionInfo: version! }),
    packageFileName: path,
    primaryPackagePurpose: 'APPLICATION',
    checksums: [{ algorithm: 'SHA256', checksumValue: sha256 }],
    ...(settings.length > 0 && { comment: `Build settings: ${settings.join(' ')}` }),
    ...(known !== undefined && reference(known)),
  };
}

function modulePackage(module: ModuleInfo, purl: PurlWriter): SpdxPackage {
  const used = module.Replace ?? module;
  // A replacement by a folder has no version, and its path is a place on the machine that built it.
  const replaced = module.Replace !== undefined && released(used.Version) !== undefined;
  const path = replaced ? used.Path : module.Path;
  const version = released(used.Version) ?? released(module.Version);
  const locator = golang(path, version, purl);
  const replaces = [module.Path, module.Version].filter(Boolean).join('@');
  return {
    ...blank('module', `${locator}\n${used.Sum ?? ''}\n${module.Replace === undefined ? '' : replaces}`),
    name: path,
    ...(version !== undefined && { versionInfo: version }),
    primaryPackagePurpose: 'LIBRARY',
    ...(used.Sum !== undefined && { sourceInfo: `go.sum ${used.Sum}` }),
    ...(module.Replace !== undefined && { comment: `In place of ${replaces}.` }),
    ...reference(locator),
  };
}

/** Go writes `(devel)` for what it built from a folder, which is no version that can be looked up. */
function released(version: string | undefined): string | undefined {
  return version === '' || version === '(devel)' ? undefined : version;
}

function standardLibrary(goVersion: string, purl: PurlWriter): SpdxPackage {
  const version = goVersion.replace(/^go/, '').split(' ')[0]!;
  const locator = purl('golang', undefined, 'std', version);
  return {
    ...blank('module', locator),
    name: 'std',
    versionInfo: version,
    primaryPackagePurpose: 'LIBRARY',
    ...reference(locator),
  };
}

function golang(path: string, version: string | undefined, purl: PurlWriter, subpath?: string): string {
  const slash = path.lastIndexOf('/');
  return purl(
    'golang',
    slash === -1 ? undefined : path.slice(0, slash),
    path.slice(slash + 1),
    version,
    undefined,
    subpath,
  );
}

function systemPackage(one: SystemPackage, system: SystemRelease | undefined, purl: PurlWriter): SpdxPackage {
  const distro = system?.version === undefined ? system?.id : `${system.id}-${system.version}`;
  const fallback = one.kind === 'deb' ? 'debian' : 'alpine';
  const locator = purl(one.kind, system?.id ?? fallback, one.name, one.version, {
    arch: one.architecture,
    ...(distro !== undefined && { distro }),
    ...(one.source !== undefined && { upstream: one.source }),
  });
  return {
    ...blank('package', locator),
    name: one.name,
    versionInfo: one.version,
    primaryPackagePurpose: 'LIBRARY',
    // Package managers write free text where SPDX wants one of its expressions.
    ...(one.license !== undefined && { comment: `License: ${one.license}` }),
    ...reference(locator),
  };
}

/** What nobody has looked into is not asserted. Identifiers hold letters, digits, dots and hyphens alone: a digest does. */
function blank(kind: string, identity: string) {
  return {
    name: '',
    SPDXID: `SPDXRef-${kind}-${digestOf(identity).slice('sha256:'.length, 'sha256:'.length + 16)}`,
    supplier: 'NOASSERTION',
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
  } as const;
}

function reference(locator: string): Pick<SpdxPackage, 'externalRefs'> {
  return {
    externalRefs: [
      { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: locator },
    ],
  };
}
