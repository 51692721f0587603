import type { Context } from '../image/context.ts';
import type { State } from './state.ts';

/**
 * A Dockerfile with RUN stages, and where the edits take hold of it. A stage that writes a random number under a name that starts
 * with `nonce` proves by it whether it was run again or reused: the number stays or changes, whatever anyone reports.
 */
export interface StageCase {
  readonly name: string;
  /** A stage called `final` is the target, and a stage that nothing uses is put behind it. */
  readonly dockerfile: string;
  readonly files?: Context;
  readonly args?: Readonly<Record<string, string>>;
  readonly contexts?: Readonly<Record<string, Context>>;
  readonly platforms?: readonly string[];
  readonly target?: string;
  /** A file that a stage takes; default: src/main.txt. */
  readonly used?: string;
  /** A file that can be called otherwise without breaking the build; default: src/lib/b.txt; null: none. */
  readonly renamed?: string | null;
  /** A name that .dockerignore leaves out; default: ignored/new.txt; null: none. */
  readonly ignored?: string | null;
  /** A new file in a folder that a stage takes; default: src/lib/new.txt. */
  readonly added?: string;
  /** A file that no stage takes; default: docs/guide.txt; null: all are taken. */
  readonly outside?: string | null;
  /** Another value of an argument that the Dockerfile declares. */
  readonly argument?: Readonly<Record<string, string>>;
  /** Two instructions, one after the other, that may change places. */
  readonly swapped?: readonly [string, string];
  /** Edits after which we reuse more than BuildKit does, and why that is right. */
  readonly more?: Readonly<Record<string, string>>;
  /** Further inputs of the action. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Stages that may be made without the builder. */
  readonly lifted?: readonly string[];
  /** Takes seconds: the default run gives it the fewest edits. */
  readonly slow?: true;
}

export const tree: Context = {
  '.dockerignore': 'ignored\n*.log\n.git\n',
  'src/main.txt': 'main\n',
  'src/lib/a.txt': 'a\n',
  'src/lib/b.txt': 'b\n',
  'src/run.sh': { text: '#!/bin/sh\necho run\n', mode: 0o755 },
  'src/link': { link: 'lib/a.txt' },
  'conf/app.conf': 'conf\n',
  'docs/guide.txt': 'guide\n',
  'ignored/old.txt': 'ignored\n',
};

/** A random number of the kernel. */
export const nonce = (path: string) => `cat /proc/sys/kernel/random/uuid > ${path}`;

export function stateOf(one: StageCase): State {
  const final = / AS final$/m.test(one.dockerfile);
  const unused = '\nFROM @alpine@ AS never\nRUN echo unused > /unused\n';
  return {
    dockerfile: `${one.dockerfile.trim()}\n${final ? unused : ''}`,
    files: one.files ?? tree,
    contexts: one.contexts ?? {},
    args: one.args ?? {},
    secrets: { token: 'hush' },
    labels: {},
    platforms: one.platforms ?? ['linux/amd64'],
    target: one.target ?? (final ? 'final' : undefined),
    bases: 'first',
  };
}
