import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type FileDigests, Key, type KeyPart } from '../content/index.ts';
import { embeddedFiles } from './embed.ts';
import { settingsFor } from './environment.ts';
import type { SettledFlags } from './flags.ts';
import { excludedByName, isSourceFile } from './source-files.ts';
import type { SourceMap } from './sources.ts';
import { formatTarget, type Target, targetEnvironment } from './target.ts';

/** All that decides over a program's bytes besides its source files. */
export interface BuildConditions {
  readonly root: string;
  readonly package: { readonly importPath: string; readonly directory: string };
  readonly target: Target;
  readonly flags: SettledFlags;
  /** Version of the go command itself; go.mod's lines, which are part of the key, settle what it switches to. */
  readonly goVersion: string;
  readonly settings: Readonly<Record<string, string>>;
  /** The commit and whether files differ from it, where Go records them in the program. */
  readonly vcs: string | undefined;
  /** Absolute folders that get into the program when paths are not trimmed. */
  readonly folders: readonly string[];
}

/** The key of a program: equal keys mean equal bytes, as far as `sources.unkeyed` does not say otherwise. */
export function programKey(conditions: BuildConditions, sources: SourceMap, digests: FileDigests): Key {
  const { root, target, flags } = conditions;
  const { tags, trimpath, ...others } = flags;
  return Key.of({
    scheme: 1,
    go: conditions.goVersion,
    target: formatTarget(target),
    package: conditions.package.importPath,
    flags: { ...others, tags, trimpath },
    settings: settingsFor(conditions.settings, Object.keys(targetEnvironment({ ...target, variant: '-' }))),
    vcs: flags.buildvcs === 'off' ? null : (conditions.vcs ?? null),
    folders: trimpath ? [] : conditions.folders,
    modules: moduleFiles(root, sources, digests),
    profile: profileDigest(conditions, digests),
    files: sourceFiles(root, sources, target, tagsInForce(tags, conditions.settings), digests),
  });
}

function tagsInForce(tags: readonly string[], settings: Readonly<Record<string, string>>): readonly string[] {
  return [...tags, ...(settings.GOFLAGS ?? '').split(/[\s,='"]+/)];
}

function moduleFiles(root: string, sources: SourceMap, digests: FileDigests): Record<string, KeyPart> {
  const files = new Set(sources.modules);
  // A go.mod that appears between a package and its module's root takes the package out of the module.
  for (const { directory } of sources.packages)
    for (
      let folder = directory;
      folder !== '.' && folder !== '..' && !folder.endsWith('/..');
      folder = dirname(folder)
    )
      files.add(`${folder}/go.mod`);
  const named = [...files]
    .sort()
    .map((file) => [file, digests.digest(resolve(root, file), { through: true })] as const);
  return Object.fromEntries(named.filter((one): one is [string, string] => one[1] !== undefined));
}

function profileDigest({ package: main, flags, root }: BuildConditions, digests: FileDigests): string | null {
  if (flags.pgo === 'off') return null;
  const file = flags.pgo === 'auto' ? join(main.directory, 'default.pgo') : resolve(root, flags.pgo);
  return digests.digest(file, { through: true }) ?? null;
}

function sourceFiles(
  root: string,
  sources: SourceMap,
  target: Target,
  tags: readonly string[],
  digests: FileDigests,
): Record<string, KeyPart> {
  const files: Record<string, KeyPart> = {};
  const add = (file: string) => {
    // go list follows a link to a file in a package's folder, but not one to a folder.
    const digest = digests.digest(resolve(root, file), { through: true });
    if (digest !== undefined) files[file] = digest;
  };
  for (const { directory, embeds } of sources.packages) {
    const prefix = directory === '.' ? '' : `${directory}/`;
    for (const name of namesIn(resolve(root, directory)))
      if (isSourceFile(name) && !excludedByName(name, target, tags)) add(prefix + name);
    for (const pattern of embeds)
      for (const file of embeddedFiles(resolve(root, directory), pattern)) add(prefix + file);
  }
  return files;
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** The files of the program by name, for copying a build elsewhere. */
export function filesOf(key: Key): readonly string[] {
  const { files, modules } = key.parts as { files: Record<string, string>; modules: Record<string, string> };
  return [...Object.keys(modules), ...Object.keys(files)];
}
