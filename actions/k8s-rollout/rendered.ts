import { Failure } from '../../shared/host/index.ts';
import {
  formatId,
  formatManifests,
  groupOf,
  idOf,
  type KubeObject,
  type Manifest,
  readManifests,
} from '../../shared/kubernetes/index.ts';
import { compareObjects, type ObjectChange, withoutPlainSecrets } from '../../shared/rollout/index.ts';

/** Files by name, each with one object. */
export type Rendered = ReadonlyMap<string, { readonly object: KubeObject; readonly text: string }>;

const HEAD = '# Rendered by Slipway for release ';

/** One file for each object, whose name and text follow from that object and the release alone: a diff is the object's own. */
export function render(manifests: readonly Manifest[], release: string): Rendered {
  const files = new Map<string, { object: KubeObject; text: string }>();
  for (const { object } of manifests) {
    const name = fileNameOf(object);
    const text = `${HEAD}${release}. Changes made here are overwritten.\n${formatManifests([object])}`;
    files.set(name, { object, text });
  }
  return files;
}

/** `shop.deployment.storefront.yaml`. Argo CD reads one folder unless it is told to go deeper, so there are none below. */
function fileNameOf({ apiVersion, kind, metadata }: KubeObject): string {
  const group = groupOf(apiVersion);
  // Knative has a Service too; the groups of Kubernetes itself have no two kinds of one name.
  const own = group === '' || !group.includes('.') || group.endsWith('.k8s.io');
  const parts = [metadata.namespace, kind.toLowerCase(), own ? undefined : group, metadata.name];
  // A name may hold colons (ClusterRoles do), which not every file system takes.
  return `${parts
    .filter(Boolean)
    .join('.')
    .replace(/[^\w.-]/g, '_')}.yaml`;
}

/** What a folder that holds `present` is to be changed to. */
export interface FolderChange {
  /** By file name; undefined removes. */
  readonly files: ReadonlyMap<string, string | undefined>;
  /** Files of this release that are not rendered any more and that stay, because `prune` is off. */
  readonly left: readonly string[];
}

/** Only what was rendered for this release is ever written over or removed. Throws a Failure where another's file is in the way. */
export function changeFolder(
  rendered: Rendered,
  release: string,
  present: ReadonlyMap<string, string>,
  prune: boolean,
): FolderChange {
  const files = new Map<string, string | undefined>();
  for (const [name, { text, object }] of rendered) {
    const there = present.get(name);
    if (there === text) continue;
    const owner = there === undefined ? release : ownerOf(there);
    if (owner !== release)
      throw new Failure(
        `${formatId(idOf(object))} would be written to ${name}, which ${owner === undefined ? 'was not rendered by Slipway' : `belongs to release ${owner}`}; give another folder in gitops, or remove that file first.`,
      );
    files.set(name, text);
  }
  const stale = [...present].filter(([name, text]) => !rendered.has(name) && ownerOf(text) === release);
  if (prune) for (const [name] of stale) files.set(name, undefined);
  return { files, left: prune ? [] : stale.map(([name]) => name) };
}

function ownerOf(text: string): string | undefined {
  return text.startsWith(HEAD) ? /^(\S+)\. /.exec(text.slice(HEAD.length))?.[1] : undefined;
}

/** What a change of the folder is in terms of objects and their fields. */
export async function describeChange(
  rendered: Rendered,
  { files }: FolderChange,
  present: ReadonlyMap<string, string>,
): Promise<readonly ObjectChange[]> {
  const same = [...rendered.values()]
    .filter(({ text }) => ![...files.values()].includes(text))
    .map(({ object }) => ({ ...compareObjects(object, object), kind: 'same' as const }));
  const changed = await Promise.all(
    [...files].map(async ([name]): Promise<ObjectChange[]> => {
      const before = await objectIn(present.get(name));
      const after = rendered.get(name)?.object;
      if (after !== undefined) return [compareObjects(before, after)];
      if (before === undefined) return [];
      return [{ id: idOf(before), kind: 'remove', fields: [], basis: 'compared', conflicts: [] }];
    }),
  );
  return withoutPlainSecrets([...changed.flat(), ...same]);
}

/** undefined where there is none, or what is there cannot be read any more. */
async function objectIn(text: string | undefined): Promise<KubeObject | undefined> {
  if (text === undefined) return undefined;
  try {
    const [manifest] = await readManifests(['-'], {
      workspace: '/',
      stdin: async () => text,
      env: {},
      signal: new AbortController().signal,
    });
    return manifest?.object;
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

/** Secrets that anyone who reads the repository could read; those that SOPS encrypted are not among them. */
export const plainSecrets = (manifests: readonly Manifest[]): readonly Manifest[] =>
  manifests.filter(
    ({ object }) =>
      object.kind === 'Secret' &&
      object.apiVersion === 'v1' &&
      !('sops' in object) &&
      [object.data, object.stringData].some(
        (data) => typeof data === 'object' && data !== null && Object.keys(data).length > 0,
      ),
  );
