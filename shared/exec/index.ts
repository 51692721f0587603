/** Child processes: argument arrays, no shell, limits, cancellation that takes the whole process group with it. */
export { type Command, ExecError, type Finished, run } from './run.ts';
