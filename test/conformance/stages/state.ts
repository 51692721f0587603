import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../image/context.ts';
import { makeContext } from '../image/context.ts';

/** All that decides about an image: what a commit, a workflow file and a registry hold at one moment. */
export interface State {
  /** `@alpine@`, `@debian@` and `@golang@` stand for base images. */
  readonly dockerfile: string;
  readonly files: Context;
  readonly contexts: Readonly<Record<string, Context>>;
  readonly args: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly platforms: readonly string[];
  readonly target: string | undefined;
  /** Which image the tags of the bases name at that moment. */
  readonly bases: 'first' | 'second';
}

/** A state on disk, in a checkout that no build has seen. */
export interface Checkout {
  readonly folder: string;
  readonly contexts: Readonly<Record<string, string>>;
  readonly args: State['args'];
  /** Files with the secrets, by id. */
  readonly secrets: Readonly<Record<string, string>>;
}

export function checkOut(
  state: State,
  folder: string,
  references: Readonly<Record<string, string>>,
): Checkout {
  makeContext(folder, state.files);
  const fill = (text: string) => text.replaceAll(/@\w+@/g, (name) => references[name]!);
  writeFileSync(join(folder, 'Dockerfile'), fill(state.dockerfile));
  const beside = `${folder}-beside`;
  mkdirSync(beside);
  const contexts: Record<string, string> = {};
  for (const [name, files] of Object.entries(state.contexts)) {
    contexts[name] = join(beside, `context-${name}`);
    makeContext(contexts[name], files);
  }
  const secrets: Record<string, string> = {};
  for (const [id, value] of Object.entries(state.secrets)) {
    secrets[id] = join(beside, `secret-${id}`);
    writeFileSync(secrets[id], value);
  }
  const args = Object.fromEntries(Object.entries(state.args).map(([name, value]) => [name, fill(value)]));
  return { folder, contexts, args, secrets };
}
