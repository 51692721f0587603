import type { Platform } from '../oci/index.ts';
import type { Draft } from './draft.ts';
import { joinPath } from './go-text.ts';
import type { Dockerfile } from './model.ts';
import { expandText } from './stages.ts';

/** What the instructions of one stage work on. */
export interface Scene {
  readonly dockerfile: Dockerfile;
  readonly platform: Platform;
  readonly draft: Draft;
  /** Values given with --build-arg. */
  readonly buildArgs: Readonly<Record<string, string>>;
  /** ARG before the first FROM and the predefined ones. */
  readonly globals: ReadonlyMap<string, string>;
  /** Arguments that the stage declared, with the values that it saw. */
  readonly args: Record<string, string>;
  cmdIsSet: boolean;
}

/** Expands one word with the variables in force. */
export function expandWord(scene: Scene, word: string): string {
  return expandText(scene.dockerfile, word, (name) => scene.draft.env.get(name));
}

/** The command of a shell form behind the SHELL in force. */
export function withShell(scene: Scene, words: readonly string[]): string[] {
  const shell = scene.draft.config.Shell;
  const windows = scene.draft.image.os === 'windows';
  const prefix =
    shell !== undefined && shell.length > 0 ? shell : windows ? ['cmd', '/S', '/C'] : ['/bin/sh', '-c'];
  return [...prefix, words.join(' ')];
}

/** The working directory in force, absolute. */
export function workdirOf(draft: Draft): string {
  const dir = draft.config.WorkingDir ?? '';
  return dir.startsWith('/') ? dir : `/${dir}`;
}

/** An absolute path stays as it is written; a relative one is joined to the directory in force. */
export function resolveDirectory(current: string, given: string): string {
  const parent = current.startsWith('/') ? current : joinPath('/', current);
  if (given === '') return parent;
  return given.startsWith('/') ? given : joinPath(parent, given);
}
