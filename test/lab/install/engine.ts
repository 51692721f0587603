import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';
import { engineBin } from '../engine.ts';
import { find, isRoot, labRoot } from '../place.ts';
import { apt } from './packages.ts';
import { type Step, step } from './step.ts';

const engineRoot = join(labRoot, 'engine');

/**
 * Docker Engine 28 with its containerd and buildx, as GitHub's hosted runners have it, from Debian's archive: unpacked beside the
 * system, not installed. These are the versions it was written with; the archive moves on, and then its newest are taken.
 */
const wanted = {
  'docker.io': '28.5.2+dfsg4-5',
  'docker-cli': '28.5.2+dfsg4-5',
  containerd: '2.1.9+ds1-5',
  'docker-buildx': '0.29.1+ds1-4',
} as const;

/** From the path in a package to the name in the engine's folder. */
const programs = {
  'usr/sbin/dockerd': 'dockerd',
  'usr/sbin/docker-proxy': 'docker-proxy',
  'usr/bin/docker-proxy': 'docker-proxy',
  'usr/bin/docker': 'docker',
  'usr/bin/containerd': 'containerd',
  'usr/bin/containerd-shim-runc-v2': 'containerd-shim-runc-v2',
  'usr/libexec/docker/cli-plugins/docker-buildx': 'docker-buildx',
} as const;

export async function installEngine(): Promise<Step> {
  const present = existsSync(join(engineBin, 'dockerd'));
  return step('Docker Engine with buildx', present || (!isRoot && (await machineHasEngine())), async () => {
    if (!isRoot) throw new Error('starting an engine needs root, and no engine of the machine answers');
    await rm(engineRoot, { recursive: true, force: true });
    const debs = await download();
    await unpack(debs);
  });
}

async function machineHasEngine(): Promise<boolean> {
  const command = { program: 'docker', args: ['version'], timeout: 10_000 };
  return run(command).then(
    () => true,
    () => false,
  );
}

/** Through apt, which checks signatures, with lists and caches of its own: the system's sources stay as they are. */
async function download(): Promise<readonly string[]> {
  const debs = join(engineRoot, 'debs');
  await mkdir(join(engineRoot, 'apt', 'lists', 'partial'), { recursive: true });
  await mkdir(join(engineRoot, 'apt', 'archives', 'partial'), { recursive: true });
  await mkdir(debs, { recursive: true });
  const sources = join(engineRoot, 'apt', 'debian.sources');
  await writeFile(sources, sourcesOf(await mirror(), 'sid'));
  const options = [
    `Dir::Etc::sourcelist=${sources}`,
    'Dir::Etc::sourceparts=/nonexistent',
    `Dir::State::lists=${join(engineRoot, 'apt', 'lists')}`,
    `Dir::Cache=${join(engineRoot, 'apt')}`,
    'APT::Sandbox::User=root',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
    'Acquire::Languages=none',
  ].flatMap((option) => ['-o', option]);
  await apt([...options, '--quiet', 'update']);
  for (const [name, version] of Object.entries(wanted)) {
    await apt([...options, 'download', `${name}=${version}`], debs).catch(() =>
      apt([...options, 'download', `${name}/sid`], debs),
    );
  }
  return (await readdir(debs)).filter((one) => one.endsWith('.deb')).map((one) => join(debs, one));
}

function sourcesOf(uri: string, suite: string): string {
  return `Types: deb
URIs: ${uri}
Suites: ${suite}
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`;
}

/** The mirror that this machine is set up to use. */
async function mirror(): Promise<string> {
  const folder = '/etc/apt/sources.list.d';
  const files = ['/etc/apt/sources.list', ...(await readdir(folder)).map((name) => join(folder, name))];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return /https?:\/\/\S+\/debian\/?(?=\s)/.exec(texts.join('\n'))?.[0] ?? 'http://deb.debian.org/debian';
}

async function unpack(debs: readonly string[]): Promise<void> {
  const tree = join(engineRoot, 'tree');
  const ready = join(engineRoot, 'bin.new');
  await mkdir(ready, { recursive: true });
  for (const deb of debs) await run({ program: 'dpkg-deb', args: ['--extract', deb, tree] });
  for (const [path, name] of Object.entries(programs))
    if (existsSync(join(tree, path))) await copyFile(join(tree, path), join(ready, name));
  // The archive's runc wants a newer C library than the stable release has; the system's does.
  for (const [program, name] of [
    ['runc', 'runc'],
    ['tini', 'docker-init'],
  ] as const) {
    const found = find(program);
    if (found === undefined) throw new Error(`${program} is not installed`);
    await symlink(found, join(ready, name));
  }
  for (const name of ['dockerd', 'containerd', 'docker'])
    await run({ program: join(ready, name), args: ['--version'] });
  await rename(ready, engineBin);
  await rm(tree, { recursive: true });
  await rm(join(engineRoot, 'apt'), { recursive: true });
}
