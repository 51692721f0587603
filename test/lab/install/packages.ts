import { run } from '../../../shared/exec/index.ts';
import { find, isRoot } from '../place.ts';
import { type Step, step } from './step.ts';

/** System programs and the Debian packages that bring them. */
const packages = {
  skopeo: 'skopeo',
  busybox: 'busybox-static',
  runc: 'runc',
  iptables: 'iptables',
  ip: 'iproute2',
  tini: 'tini',
  xz: 'xz-utils',
} as const;

type Program = keyof typeof packages;

/** All that is missing in one call to apt: it locks, and each call reads its lists again. */
export async function installPackages(): Promise<readonly Step[]> {
  const lacking = (Object.keys(packages) as Program[]).filter((program) => find(program) === undefined);
  const names = lacking.map((program) => packages[program]);
  return [
    await step(names.length === 0 ? 'system packages' : names.join(' '), names.length === 0, async () => {
      await apt(['install', '--yes', '--no-install-recommends', ...names]).catch(async () => {
        await apt(['update', '--quiet']);
        await apt(['install', '--yes', '--no-install-recommends', ...names]);
      });
    }),
  ];
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
