import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Finished, run } from '../../shared/exec/index.ts';
import { openBridge } from './network.ts';
import { missing, type Part } from './part.ts';
import { find, isRoot, labRoot } from './place.ts';
import { type Registry, registry } from './registry.ts';
import { once, sessionDirectory, socketFolder, startDaemon } from './session.ts';

/** A Docker Engine with buildx: the lab's own, or the one of the machine. */
export interface Engine {
  readonly docker: string;
  /** `unix://…` */
  readonly host: string;
  readonly version: string;
  /** To be added to the environment of a process that shall reach this engine: DOCKER_HOST and DOCKER_CONFIG. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether it is the machine's own, which other people's containers may share. */
  readonly shared: boolean;
}

/** Where the engine's programs were unpacked, beside the system's and not installed. */
export const engineBin = join(labRoot, 'engine', 'bin');

/** Images of Docker Hub are looked for in the lab's registry first, so `FROM golang:1.26` works without a way out. */
export function engine(): Promise<Part<Engine>> {
  return once('engine', async () => {
    const own = await ownEngine('graph driver');
    if (own.available) return own;
    const machines = await machineEngine();
    return machines ?? own;
  });
}

/** An engine with the containerd image store, the default of new installations. Its containers have no network. */
export function containerdEngine(): Promise<Part<Engine>> {
  return once('engine-containerd', () => ownEngine('containerd'));
}

/** Runs `docker` against an engine. */
export function docker(
  engine: Engine,
  args: readonly string[],
  options: { readonly cwd?: string; readonly timeout?: number } = {},
): Promise<Finished> {
  return run({
    program: engine.docker,
    args,
    env: { ...process.env, ...engine.env },
    timeout: 600_000,
    ...options,
  });
}

/** Where an engine keeps its images. */
type Store = 'graph driver' | 'containerd';

async function ownEngine(store: Store): Promise<Part<Engine>> {
  const dockerd = find('dockerd', engineBin);
  const client = find('docker', engineBin);
  if (dockerd === undefined || client === undefined)
    return missing('Docker Engine was not unpacked, see `npm run lab`');
  if (!isRoot) return missing('a Docker Engine of its own needs root');
  const mirror = await registry();
  const sockets = await socketFolder();
  const socket = join(sockets, 'docker.sock');
  const directory = join(sessionDirectory(), store === 'containerd' ? 'engine-containerd' : 'engine');
  await mkdir(directory);
  const configuration = join(directory, 'daemon.json');
  await writeFile(configuration, JSON.stringify(configure(mirror, store)));
  const env = { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: await clientFolder(directory) };
  const version = { program: client, args: ['version', '--format', '{{.Server.Version}}'] };
  const answer = () => run({ ...version, env: { ...process.env, ...env }, timeout: 5_000 });
  try {
    await startDaemon({
      name: 'engine',
      program: dockerd,
      // biome-ignore format: one flag with its value a line
      args: [
        '--config-file', configuration,
        '--data-root', join(directory, 'data'),
        '--exec-root', join(sockets, 'x'),
        '--pidfile', join(sockets, 'pid'),
        '--host', env.DOCKER_HOST,
        '--bridge', store === 'containerd' ? 'none' : await openBridge(sessionDirectory()),
        '--iptables=false', '--ip6tables=false',
      ],
      env: { PATH: `${engineBin}:/usr/sbin:/sbin:${process.env.PATH}` },
      ready: answer,
    });
  } catch (error) {
    return missing(`Docker Engine does not start here: ${(error as Error).message}`);
  }
  const told = (await answer()).stdout.toString().trim();
  return { available: true, docker: client, host: env.DOCKER_HOST, version: told, env, shared: false };
}

/** The overlay2 graph driver is what GitHub's hosted runners have. */
function configure(mirror: Part<Registry>, store: Store): object {
  return {
    features: { 'containerd-snapshotter': store === 'containerd' },
    ...(mirror.available && { 'registry-mirrors': [`http://${mirror.host}`] }),
  };
}

/** An empty client configuration: neither the user's credentials nor his plugins take part. */
async function clientFolder(directory: string): Promise<string> {
  const folder = join(directory, 'client');
  await mkdir(join(folder, 'cli-plugins'), { recursive: true });
  const buildx = find('docker-buildx', engineBin);
  if (buildx !== undefined) await symlink(buildx, join(folder, 'cli-plugins', 'docker-buildx'));
  return folder;
}

async function machineEngine(): Promise<Part<Engine> | undefined> {
  const client = find('docker');
  if (client === undefined) return undefined;
  const host = process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock';
  try {
    const answer = await run({
      program: client,
      args: ['--host', host, 'version', '--format', '{{.Server.Version}}'],
      timeout: 10_000,
    });
    const env = { DOCKER_HOST: host };
    return {
      available: true,
      docker: client,
      host,
      version: answer.stdout.toString().trim(),
      env,
      shared: true,
    };
  } catch {
    return undefined;
  }
}
