import { expand } from '../../../shared/dockerfile/expand.ts';
import {
  createIgnore,
  createMatcher,
  matchGlob,
  parseDockerfile,
  resolveGraph,
} from '../../../shared/dockerfile/index.ts';
import { ExpansionError } from '../../../shared/dockerfile/shell-pattern.ts';
import { Failure } from '../../../shared/host/index.ts';
import type { ContainerConfig, ImageConfig } from '../../../shared/oci/index.ts';
import type { Build } from './cases.ts';
import { comparable, ourOperations, ourParse } from './compare.ts';

export const REFUSED = 'refused';

/** A refusal counts as an answer; anything else that is thrown is a fault. */
export function answerOf<T>(work: () => T): T | typeof REFUSED {
  try {
    return work();
  } catch (error) {
    if (error instanceof Failure || error instanceof ExpansionError) return REFUSED;
    throw error;
  }
}

const image = (config: ContainerConfig): ImageConfig => ({
  architecture: 'amd64',
  os: 'linux',
  author: 'someone',
  config,
  rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] },
  history: [{ created_by: 'the base', created: '2020-01-01T00:00:00Z' }],
});

/** What the registries of these tests hold; * answers for every other name. */
export const images: Readonly<Record<string, ImageConfig>> = {
  'docker.io/library/base:latest': image({
    Env: ['FOO=bar', 'PATH=/bin', 'A=base'],
    WorkingDir: '/base',
    User: 'nobody',
    Cmd: ['sh'],
    Labels: { a: 'b' },
    ExposedPorts: { '1/tcp': {} },
    OnBuild: ['ENV trig=$A', 'COPY --from=trigimg /x /y', 'RUN <<E\nx\nE'],
  }),
  '*': image({
    Env: ['X'],
    WorkingDir: 'rel',
    Entrypoint: ['/e'],
    Healthcheck: { Test: ['NONE'] },
    Shell: ['zsh'],
    Volumes: { '/v': {} },
    StopSignal: 'SIGINT',
  }),
};

export type Resolved =
  | { readonly config: unknown; readonly operations: readonly string[] }
  | typeof REFUSED
  /** Left to BuildKit. */
  | 'unmodelled';

export async function ourBuild({
  dockerfile,
  target,
  platform = 'linux/arm64',
  buildArgs,
}: Build): Promise<Resolved> {
  const [os, architecture, variant] = platform.split('/') as [string, string, string?];
  try {
    const graph = await resolveGraph(parseDockerfile(dockerfile, 'Dockerfile'), {
      target,
      platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
      buildPlatform: { os: 'linux', architecture: 'amd64' },
      buildArgs,
      labels: { given: 'label' },
      configOf: async (reference) => images[reference] ?? images['*']!,
    });
    if (graph.unmodelled.length > 0) return 'unmodelled';
    const config = graph.stages.find((stage) => stage.index === graph.target)!.config;
    return { config: comparable(config), operations: ourOperations(graph) };
  } catch (error) {
    if (error instanceof Failure) return REFUSED;
    throw error;
  }
}

export const ourFile = (text: string): unknown =>
  answerOf(() => ourParse(parseDockerfile(text, 'Dockerfile')));

/** Variables of the questions about words. */
export const env: Readonly<Record<string, string>> = { A: 'abcab', B: 'x y', E: '', 1: 'one', é: 'accent' };

export interface WordQuestion {
  readonly word: string;
  readonly escape: '\\' | '`';
  readonly rawQuotes: boolean;
  readonly rawEscapes: boolean;
  readonly ignoreQuotes: boolean;
  readonly keepUnset: boolean;
}

export function ourWord(question: WordQuestion): unknown {
  return answerOf(() => {
    const lookup = (name: string) => (Object.hasOwn(env, name) ? env[name] : undefined);
    const { word, words, used, missing } = expand(question.word, lookup, question);
    return [word, words, [...used].sort(), [...missing].sort()];
  });
}

export interface IgnoreQuestion {
  readonly text?: string;
  readonly patterns?: readonly string[];
  readonly paths: readonly string[];
}

export function ourIgnored({ text, patterns, paths }: IgnoreQuestion): boolean[] | typeof REFUSED {
  return answerOf(() => {
    const ignore = text === undefined ? createMatcher(patterns ?? []) : createIgnore(text);
    return paths.map((path) => ignore.ignores(path, false));
  });
}

export interface GlobQuestion {
  readonly pattern: string;
  readonly paths: readonly string[];
}

export function ourMatches({ pattern, paths }: GlobQuestion): boolean[] | typeof REFUSED {
  return answerOf(() => paths.map((path) => matchGlob(pattern, path)));
}

/** What is left of a tree of files: a folder stays when it is not ignored, or when something below it stays. */
export function ourWalk({ text = '', paths }: IgnoreQuestion): string[] | typeof REFUSED {
  return answerOf(() => {
    const ignore = createIgnore(text);
    const kept = new Set<string>();
    const isVisited = (folder: string) => !ignore.ignores(folder, true) || ignore.mayContainIncluded(folder);
    for (const path of paths) {
      const folders = path
        .split('/')
        .slice(0, -1)
        .map((_, at, parts) => parts.slice(0, at + 1).join('/'));
      for (const [at, folder] of folders.entries())
        if (folders.slice(0, at + 1).every(isVisited) && !ignore.ignores(folder, true)) kept.add(folder);
      if (folders.every(isVisited) && !ignore.ignores(path, false))
        for (const one of [...folders, path]) kept.add(one);
    }
    return [...kept].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  });
}
