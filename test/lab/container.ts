import { docker, type Engine } from './engine.ts';
import { freePort, waitFor } from './session.ts';

/** A container that serves HTTP on a loopback port of the machine. */
export interface Container extends AsyncDisposable {
  readonly url: string;
  /** Sends SIGTERM, waits for the end, and gives the exit code. */
  stop(): Promise<number>;
  logs(): Promise<string>;
}

/** Starts `image` and waits until `path` answers with success. `port` is the one that the program listens on. */
export async function startContainer(
  engine: Engine,
  image: string,
  options: { readonly port: number; readonly path: string; readonly args?: readonly string[] },
): Promise<Container> {
  const published = await freePort();
  // biome-ignore format: a flag with its value
  const started = await docker(engine, [
    'run', '--detach', '--publish', `127.0.0.1:${published}:${options.port}`,
    ...(options.args ?? []), image,
  ]);
  const id = started.stdout.toString().trim();
  const logs = async () => {
    const written = await docker(engine, ['logs', id]);
    return written.stdout.toString() + written.stderr;
  };
  const container: Container = {
    url: `http://127.0.0.1:${published}`,
    logs,
    async stop() {
      await docker(engine, ['stop', '--timeout', '30', id]);
      const state = await docker(engine, ['inspect', '--format', '{{.State.ExitCode}}', id]);
      return Number(state.stdout.toString());
    },
    async [Symbol.asyncDispose]() {
      await docker(engine, ['rm', '--force', '--volumes', id]);
    },
  };
  await waitFor(() => succeeds(container.url + options.path), 30_000, image).catch(async (error) => {
    const written = await logs();
    await container[Symbol.asyncDispose]();
    throw new Error(`${error.message}\n${written}`);
  });
  return container;
}

async function succeeds(url: string): Promise<void> {
  const answer = await fetch(url);
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
}
