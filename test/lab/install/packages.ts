import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';
import { find, isRoot, networkPlugins } from '../place.ts';
import { type Step, step } from './step.ts';

/** System programs, or files that are on nobody's PATH, and the Debian packages that bring them. */
const packages: Readonly<Record<string, string>> = {
  skopeo: 'skopeo',
  busybox: 'busybox-static',
  runc: 'runc',
  iptables: 'iptables',
  ip: 'iproute2',
  tini: 'tini',
  conntrack: 'conntrack',
  [join(networkPlugins, 'host-local')]: 'containernetworking-plugins',
  xz: 'xz-utils',
};

/** All that is missing in one call to apt: it locks, and each call reads its lists again. */
export async function installPackages(): Promise<readonly Step[]> {
  const names = Object.entries(packages).flatMap(([program, name]) => (isThere(program) ? [] : [name]));
  return [
    await step(names.length === 0 ? 'system packages' : names.join(' '), names.length === 0, async () => {
      await apt(['install', '--yes', '--no-install-recommends', ...names]).catch(async () => {
        await apt(['update', '--quiet']);
        await apt(['install', '--yes', '--no-install-recommends', ...names]);
      });
    }),
  ];
}

function isThere(program: string): boolean {
  return program.startsWith('/') ? existsSync(program) : find(program) !== undefined;
}

/** apt-get as root, by sudo where that asks for no password. It waits for another apt that holds the lock. */
export async function apt(args: readonly string[], cwd?: string): Promise<void> {
  if (find('apt-get') === undefined) throw new Error('this is not a Debian or Ubuntu machine');
  const command = ['apt-get', '-o', 'DPkg::Lock::Timeout=300', ...args];
  const [program, ...rest] = isRoot ? command : ['sudo', '--non-interactive', ...command];
  await run({
    program: program!,
    args: rest,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 600_000,
    ...(cwd !== undefined && { cwd }),
  });
}
