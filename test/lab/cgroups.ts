import { copyFile, mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Makes a group at the root of every hierarchy: of version 1 with its many, of version 2, or of both. */
export async function makeCgroups(name: string): Promise<void> {
  for (const root of await hierarchies()) {
    const group = join(root, name);
    await mkdir(group, { recursive: true });
    // A new group of version 1's cpuset may use nothing.
    for (const file of ['cpuset.mems', 'cpuset.cpus'])
      await copyFile(join(root, file), join(group, file)).catch(() => {});
  }
}

/** Removes the groups with all below them. Their processes have been killed, and the last of them may just be ending. */
export async function removeCgroups(name: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (const root of await hierarchies()) {
    for (;;) {
      const removed = await removeTree(join(root, name)).then(
        () => true,
        () => false,
      );
      if (removed || performance.now() > deadline) break;
      await sleep(20);
    }
  }
}

/** The files of a group go with its folder. */
async function removeTree(group: string): Promise<void> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return;
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(group, entry.name));
  await rmdir(group);
}

async function hierarchies(): Promise<readonly string[]> {
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  return mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, target, type]) => /^cgroup2?$/.test(type ?? '') && target!.startsWith('/sys/fs/cgroup'))
    .map(([, target]) => target!);
}
