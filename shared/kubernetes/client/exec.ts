import { formatId, type ObjectId } from '../objects.ts';
import type { Way } from './call.ts';
import { openChannels } from './channels.ts';
import { errorOfStatus } from './status.ts';

/** What a program printed, and how it ended. */
export interface Executed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Bytes of each stream that are kept, from its end. */
const KEEP = 64 * 1024;
/** Channels of the protocol (k8s.io/apimachinery, remotecommand). */
const [STDOUT, STDERR, STATUS] = [1, 2, 3];

/** Runs a program in a container. `path` is that of the pod's `exec`, with its parameters. */
export async function execInPod(
  way: Way,
  { path, pod, signal }: { path: string; pod: ObjectId; signal: AbortSignal },
): Promise<Executed> {
  const what = `EXEC in ${formatId(pod)}`;
  const channels = await openChannels(way, { path, what, signal });
  const [stdout, stderr, status] = [new Tail(KEEP), new Tail(KEEP), new Tail(KEEP)];
  channels.onMessage((channel, data) => {
    if (channel === STDOUT) stdout.add(data);
    else if (channel === STDERR) stderr.add(data);
    else if (channel === STATUS) status.add(data);
  });
  const fault = await new Promise<Error | undefined>((resolve) => channels.onClose(resolve));
  if (status.size === 0) throw fault ?? new Error(`${what} ended without telling how.`);
  return { code: exitCode(status.text(), what), stdout: stdout.text(), stderr: stderr.text() };
}

/** The exit code in the status that ends an exec. A program that did not run is an error. */
export function exitCode(text: string, call: string): number {
  const status = JSON.parse(text) as Parameters<typeof errorOfStatus>[0] & { readonly status?: string };
  if (status.status === 'Success') return 0;
  const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode');
  const code = Number(cause?.message);
  if (status.reason === 'NonZeroExitCode' && Number.isInteger(code)) return code;
  throw errorOfStatus(status, call);
}

/** The last bytes of a stream. */
class Tail {
  readonly #most: number;
  #parts: Buffer[] = [];
  size = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(part: Buffer): void {
    this.#parts.push(part);
    this.size += part.length;
    if (this.size <= 2 * this.#most) return;
    this.#parts = [Buffer.concat(this.#parts).subarray(-this.#most)];
    this.size = this.#most;
  }

  text(): string {
    return Buffer.concat(this.#parts).subarray(-this.#most).toString('utf8');
  }
}
