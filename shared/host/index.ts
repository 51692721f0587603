export {
  type ActionDefinition,
  defineAction,
  type InputDefinition,
  type Inputs,
  input,
  readInput,
  readInputs,
} from './definition.ts';
export { didYouMean, Failure, type Location, nearest } from './failure.ts';
export type { Annotation, Host, RunContext, Summary, Task } from './host.ts';
