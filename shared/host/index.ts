/** The runner boundary: what an action reads, says and hands back, on a GitHub runner and in a terminal. */
export {
  type ActionEntry,
  type ActionModule,
  exit,
  outliveReader,
  runAction,
  runInTerminal,
  runPost,
} from './action.ts';
export { type Ending, EXIT_CODES } from './attempt.ts';
export {
  type ActionDefinition,
  defineAction,
  type InputDefinition,
  type Inputs,
  input,
  parseDuration,
  readInput,
  readInputs,
} from './definition.ts';
export type {
  DeploymentDetails,
  DeploymentState,
  Deployments,
  DeploymentTarget,
} from './deployments.ts';
export { didYouMean, Failure, type Location, nearest } from './failure.ts';
export { formatBytes, formatDuration } from './format.ts';
export type { Annotation, Host, RunContext, Summary, Task, WorkflowRun } from './host.ts';
export { claimsOf, type IdentityToken } from './identity-token.ts';
export { createPaint, type Paint, wantsColor } from './paint.ts';
export type { Screen, TerminalOptions } from './terminal.ts';
export { harmless, pad, truncate, widthOf, wrap } from './text-width.ts';
export { useAllCores } from './thread-pool.ts';
