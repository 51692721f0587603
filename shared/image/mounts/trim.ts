import { OWN_CONTEXT } from './script.ts';

/**
 * A go command that finds no note of the last trim (trim.txt) removes what nobody used for five days when it ends, and in a seed of
 * that age all is that old but what this one command used: a `go vet` would throw away what the `go build` behind it needs. So a note
 * of now is laid over the one that is missing, read-only, for seeds that come near that age. It is not always laid, for it changes with
 * every run, and a RUN that mounts it is never in the builder's own cache.
 */
const NEAR = 3 * 86_400;

/** Whether a seed that was saved then (seconds since 1970) needs the note. */
export function needsTrimNote(saved: number, now: number): boolean {
  return now - saved > NEAR;
}

export const TRIM_NOTE = 'trim.txt';

/** The flag that lays the note over the mount; `{target}` stands for the mount's. */
export const TRIM_OVERLAY = `--mount=type=bind,from=${OWN_CONTEXT},source=/${TRIM_NOTE},target={target}/${TRIM_NOTE}`;
