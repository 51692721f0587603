import { Failure } from './failure.ts';
import type { Host } from './host.ts';

/** How a run ended. `misused`: an input was wrong and nothing was started; a fault is an error of Slipway itself. */
export type Ending = 'done' | 'failed' | 'misused' | 'fault' | 'cancelled';

/** The exit codes of a command; 130 is 128 + SIGINT, as shells report it. */
export const EXIT_CODES: Readonly<Record<Ending, number>> = {
  done: 0,
  failed: 1,
  fault: 1,
  misused: 2,
  cancelled: 130,
};

/** Where a fault is reported. */
const ISSUES = 'https://github.com/slipway-dev/slipway/issues';

/** Runs `work` and shows what it throws, once: a Failure as an annotation, anything else as a fault with its stack. */
export async function attempt(host: Host, work: () => Promise<void>): Promise<Ending> {
  try {
    await work();
    return 'done';
  } catch (error) {
    return show(host, error);
  }
}

/** Shows an error that reached the door, and says how the run ended because of it. */
export function show(host: Host, error: unknown): Ending {
  const failures = failuresIn(error);
  if (host.signal.aborted) {
    // Whatever breaks after a cancellation breaks because of it: a killed child, a closed socket.
    const told = failures?.map(({ message }) => ` ${message}`).join('') ?? '';
    host.annotate({ level: 'notice', message: `The run was cancelled.${told}` });
    return 'cancelled';
  }
  if (failures === undefined) {
    showFault(host, error);
    return 'fault';
  }
  for (const { message, location } of failures) host.annotate({ level: 'error', message, location });
  return 'failed';
}

/** The failures that make up an error, or undefined when it is, or holds, anything else. */
function failuresIn(error: unknown): readonly Failure[] | undefined {
  if (error instanceof Failure) return [error];
  const known = systemFailure(error);
  if (known !== undefined) return [known];
  if (!(error instanceof AggregateError) || error.errors.length === 0) return undefined;
  const parts = error.errors.map(failuresIn);
  return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
}

const SYSTEM: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full',
  EDQUOT: 'The disk quota is used up',
  EROFS: 'The file system is read-only',
  EACCES: 'Permission was denied',
  EPERM: 'The operation is not permitted',
  EMFILE: 'Too many files are open (see `ulimit -n`)',
  ENFILE: 'Too many files are open on this machine',
  ENOMEM: 'There is not enough memory',
};

/** The machine's own refusals, which can come from any file operation anywhere and are nobody's fault in the code. */
function systemFailure(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const { code, path } = error as NodeJS.ErrnoException;
  const sentence = SYSTEM[code ?? ''];
  if (sentence === undefined) return undefined;
  return new Failure(`${sentence}${path === undefined ? '' : `: ${path}`} (${code}).`, { cause: error });
}

function showFault(host: Host, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  for (const line of stackLines(error)) host.log(line);
  host.annotate({
    level: 'error',
    title: 'Fault in Slipway',
    message: `${message}\nThis is a fault in Slipway, not in your files. Please report it with the stack above: ${ISSUES}`,
  });
}

function stackLines(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  const cause = error.cause === undefined ? [] : stackLines(error.cause);
  const parts = error instanceof AggregateError ? error.errors.flatMap(stackLines) : [];
  return [...(error.stack ?? error.message).split('\n'), ...prefixed(cause, 'because of '), ...parts];
}

const prefixed = (lines: readonly string[], prefix: string) =>
  lines.map((line, index) => (index === 0 ? prefix + line : line));
