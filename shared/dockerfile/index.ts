/** Dockerfiles: read, expanded, resolved to a graph of stages, and linted, as BuildKit's frontend does it. */
export { type Edit, editDockerfile, isWritten } from './edit.ts';
export { hasWildcards, matchGlob } from './glob.ts';
export { createIgnore, createMatcher, type Ignore, ignoreFileNames } from './ignore.ts';
export {
  type Finding,
  type Level,
  type LintOptions,
  lint,
  lintRules,
  type RuleSummary,
} from './lint/index.ts';
export type * from './model.ts';
export { parseDockerfile } from './parse.ts';
export { isGitReference } from './remote.ts';
export type { ResolveOptions } from './resolution.ts';
export { resolveGraph } from './resolve.ts';
export type { NamedContext } from './stages.ts';
