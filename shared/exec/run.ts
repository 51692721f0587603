import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

/** A program with its arguments, never a shell line. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** The whole environment of the child; default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string | Buffer | Readable;
  readonly signal?: AbortSignal;
  /** Milliseconds after which the child and its descendants are killed. */
  readonly timeout?: number;
  /** Called for each line of standard error, or of standard output when `lines` is `stdout` or `both`, as it comes. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Called with the child's number once it runs. */
  readonly onStart?: (pid: number) => void;
  /** Called with the child's standard output in place of collecting it; the returned promise is awaited. */
  readonly consume?: (stdout: Readable) => Promise<void>;
  /** Exit codes that are not errors; default: 0 alone. */
  readonly accept?: readonly number[];
  /** Bytes of each stream that are kept, from its end; default: 16 MiB. */
  readonly keep?: number;
}

/** How a child ended: its exit code, the end of what it printed (see `keep`), and the time that it took. */
export interface Finished {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly milliseconds: number;
}

/** A child that could not be started, was killed, or left with a code that its caller does not accept. */
export class ExecError extends Error {
  override readonly name = 'ExecError';
  readonly command: Command;
  /** undefined when the program could not be started or was killed. */
  readonly code: number | undefined;
  readonly reason: 'missing' | 'exit' | 'signal' | 'timeout' | 'cancelled';
  readonly stdout: Buffer;
  readonly stderr: string;

  constructor(
    command: Command,
    reason: ExecError['reason'],
    code: number | undefined,
    stdout: Buffer,
    stderr: string,
    detail: string,
    cause?: unknown,
  ) {
    super(
      `${[command.program, ...command.args].join(' ')}: ${detail}`,
      cause === undefined ? undefined : { cause },
    );
    this.command = command;
    this.reason = reason;
    this.code = code;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/** Time between the polite SIGTERM and SIGKILL, inside the 7.5 s that a runner grants after SIGINT. */
const GRACE = 5_000;

/**
 * Runs a program to its end. Its process group is its own, so cancelling takes grandchildren (compilers, builders) too; Windows has
 * no such groups, and there the child alone is ended. Throws ExecError; a cancelled run throws one with reason `cancelled`. What
 * `consume` or the stream `input` throws goes on as it is.
 */
export async function run(command: Command): Promise<Finished> {
  command.signal?.throwIfAborted();
  const started = performance.now();
  const child = spawn(command.program, command.args, {
    cwd: command.cwd,
    env: command.env as NodeJS.ProcessEnv | undefined,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  if (child.pid !== undefined) command.onStart?.(child.pid);
  const keep = command.keep ?? 16 * 2 ** 20;
  const stderr = collect(child.stderr, keep, (line) => command.onLine?.(line, 'stderr'));
  const stdout =
    command.consume === undefined
      ? collect(child.stdout, keep, (line) => command.onLine?.(line, 'stdout'))
      : { bytes: () => Buffer.alloc(0) };
  const consumed = command.consume?.(child.stdout);
  // Awaited below. A reader that is done before the end must not leave the child in front of a full pipe for ever.
  consumed?.then(
    () => child.stdout.resume(),
    () => child.stdout.destroy(),
  );

  let stopped: 'timeout' | 'cancelled' | undefined;
  const stop = (why: 'timeout' | 'cancelled') => {
    if (stopped !== undefined) return;
    stopped = why;
    kill(child.pid, 'SIGTERM');
    setTimeout(() => kill(child.pid, 'SIGKILL'), GRACE).unref();
  };
  const onAbort = () => stop('cancelled');
  command.signal?.addEventListener('abort', onAbort, { once: true });
  const timer =
    command.timeout === undefined ? undefined : setTimeout(() => stop('timeout'), command.timeout);

  let inputFault: unknown;
  const onInputFault = (error: unknown) => {
    inputFault ??= error;
    child.stdin.destroy();
  };
  // A child that exits without reading its input closes the pipe; its exit code tells the story, not our EPIPE.
  child.stdin.on('error', () => {});
  if (command.input === undefined || typeof command.input === 'string' || Buffer.isBuffer(command.input))
    child.stdin.end(command.input);
  else command.input.on('error', onInputFault).pipe(child.stdin);

  const fail = (reason: ExecError['reason'], code: number | undefined, detail: string, cause?: unknown) =>
    new ExecError(command, reason, code, stdout.bytes(), stderr.bytes().toString(), detail, cause);
  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exit, by) => resolve([exit, by]));
    });
    if (stopped !== undefined)
      throw fail(
        stopped,
        undefined,
        stopped === 'timeout' ? `no end after ${command.timeout} ms` : 'cancelled',
      );
    if (inputFault !== undefined) throw inputFault;
    await consumed;
    if (code === null) throw fail('signal', undefined, `killed by ${signal}`);
    if (!(command.accept ?? [0]).includes(code)) throw fail('exit', code, `exit code ${code}`);
    return {
      code,
      stdout: stdout.bytes(),
      stderr: stderr.bytes().toString(),
      milliseconds: performance.now() - started,
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !(error instanceof ExecError))
      throw fail('missing', undefined, 'not found', error);
    throw error;
  } finally {
    clearTimeout(timer);
    command.signal?.removeEventListener('abort', onAbort);
  }
}

function kill(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch {
    // It is gone already.
  }
}

function collect(stream: Readable, keep: number, onLine: (line: string) => void) {
  const chunks: Buffer[] = [];
  let size = 0;
  let rest = '';
  const decoder = new TextDecoder();
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    while (size - chunks[0]!.length > keep) size -= chunks.shift()!.length;
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop()!;
    for (const line of parts) onLine(line.replace(/\r$/, ''));
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
  return { bytes: () => Buffer.concat(chunks) };
}
