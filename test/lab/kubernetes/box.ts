import { readFileSync } from 'node:fs';
import { mkdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, run } from '../../../shared/exec/index.ts';
import { makeCgroups } from '../cgroups.ts';
import { find } from '../place.ts';
import { type Running, sessionDirectory, startDaemon, waitFor } from '../session.ts';

/**
 * A small machine on this one, for a whole cluster: processes, network and mounts are its own, files are those of this machine but
 * for /run and what a node writes. Killing its first process ends everything in it at once, pods too, and its mounts and links go
 * with it, so a session that is killed cannot leave half a cluster behind.
 */
export interface Box {
  readonly pid: number;
  /** Its address on the link to this machine. There is no route to anywhere else. */
  readonly address: string;
  /** The group, at the root of the hierarchies, below which its pods are. */
  readonly cgroup: string;
}

/** Folders that programs of a node write to under one name, whatever they are told. */
const ownFolders = ['/run', '/var/log', '/var/lib/kubelet', '/var/lib/cni'] as const;

export async function openBox(): Promise<Box> {
  const { pid } = await startDaemon({
    name: 'kubernetes-box',
    program: 'unshare',
    // biome-ignore format: the namespaces, then what runs in them
    args: [
      '--pid', '--mount', '--net', '--fork', '--kill-child', '--mount-proc',
      '--', find('tini')!, '-g', '--', 'sleep', 'infinity',
    ],
    ready: async () => undefined,
    stubborn: true,
  });
  await separated(pid);
  const cgroup = `slipway-${pid}`;
  await writeFile(join(sessionDirectory(), `cgroup-${cgroup}`), '');
  await makeCgroups(cgroup);
  const box = { pid, cgroup };
  for (const folder of ownFolders) {
    await mkdir(folder, { recursive: true });
    await system(inside(box, 'mount', ['-t', 'tmpfs', 'tmpfs', folder]));
  }
  return { ...box, address: await link(box) };
}

type Program = Pick<Command, 'program' | 'args'>;

/** A command that runs in the box, as one of its processes. */
export function inside({ pid }: Pick<Box, 'pid'>, program: string, args: readonly string[]): Program {
  const namespaces = ['--target', `${pid}`, '--mount', '--net', `--pid=/proc/${pid}/ns/pid_for_children`];
  return { program: 'nsenter', args: [...namespaces, '--', find(program) ?? program, ...args] };
}

/** A process of this machine, which has the network of a box. */
export function onNetwork({ pid }: Pick<Box, 'pid'>, program: string, args: readonly string[]): Program {
  return { program: 'nsenter', args: [`--net=/proc/${pid}/ns/net`, '--', find(program) ?? program, ...args] };
}

/** Starts a server in the box. It ends with the box. */
export async function startInside(
  box: Box,
  name: string,
  [program, ...args]: readonly [string, ...string[]],
  ready: () => Promise<unknown> = async () => undefined,
): Promise<Running> {
  return startDaemon({ name, ...inside(box, program, args), ready });
}

/** `unshare` is another program's process at first, and its child is born last. */
async function separated(pid: number): Promise<void> {
  const own = await readlink('/proc/self/ns/pid');
  await waitFor(
    async () => {
      if ((await readlink(`/proc/${pid}/ns/pid_for_children`)) === own) throw new Error('still one of ours');
      const child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
      if (!readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('tini')) throw new Error('not there yet');
    },
    5_000,
    'the box of the cluster',
  );
}

/**
 * A cable between this machine and the box. The address is of 198.18.0.0/15, which is for benchmarks of networks (RFC 2544) and so
 * collides with neither the user's network nor Docker's; inside, pods have 198.18.128.0/17 and services 198.19.0.0/16.
 */
async function link(box: Pick<Box, 'pid'>): Promise<string> {
  const subnet = await freeSubnet();
  const name = `slwk${box.pid}`;
  const ip = (...args: readonly string[]) => system({ program: find('ip')!, args });
  const ipInside = (...args: readonly string[]) => system(onNetwork(box, 'ip', args));
  await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `${box.pid}`);
  await ip('address', 'add', `${subnet}.1/24`, 'dev', name);
  await ip('link', 'set', name, 'up');
  await ipInside('address', 'add', `${subnet}.2/24`, 'dev', 'eth0');
  await ipInside('link', 'set', 'lo', 'up');
  await ipInside('link', 'set', 'eth0', 'up');
  // Packets to services are routed before kube-proxy's rules turn them elsewhere.
  await ipInside('route', 'add', '198.19.0.0/16', 'dev', 'eth0');
  return `${subnet}.2`;
}

async function freeSubnet(): Promise<string> {
  const told = await run({ program: find('ip')!, args: ['-json', 'address'] });
  const taken = JSON.stringify(JSON.parse(told.stdout.toString()));
  const first = process.pid % 126;
  for (let i = 0; i < 126; i++) {
    const subnet = `198.18.${((first + i) % 126) + 1}`;
    if (!taken.includes(`"${subnet}.`)) return subnet;
  }
  throw new Error('every subnet of the lab is taken');
}

async function system(command: Command): Promise<void> {
  await run({ timeout: 10_000, ...command });
}
