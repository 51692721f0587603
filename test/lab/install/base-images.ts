import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../../shared/exec/index.ts';
import { repositories } from '../base-images.ts';
import { find, labRoot } from '../place.ts';
import { freshRegistry, seededStorage } from '../registry.ts';
import { openSession } from '../session.ts';
import { type Step, step } from './step.ts';

const home = dirname(seededStorage);
const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

interface Recipe {
  readonly repository: string;
  /** One folder for each layer, made in a fresh place. */
  readonly layers: readonly ((tree: string) => Promise<void>)[];
  readonly config: readonly string[];
  readonly platforms: readonly string[];
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const recipes: readonly Recipe[] = [
  {
    repository: repositories['alpine:3'],
    layers: [busyboxTree],
    config: ['--cmd', '/bin/sh', '--env', `PATH=${path}`],
    platforms: [architecture],
  },
  {
    repository: repositories['debian:bookworm-slim'],
    layers: [usrMergedTree],
    config: ['--cmd', 'bash', '--env', `PATH=${path}`],
    platforms: [architecture],
  },
  {
    repository: repositories['golang:1.26'],
    layers: [busyboxTree, goTree],
    // biome-ignore format: a flag with its value
    config: [
      '--cmd', 'sh',
      '--workdir', '/go',
      '--env', 'GOPATH=/go', '--env', 'GOTOOLCHAIN=local', '--env', `PATH=/go/bin:/usr/local/go/bin:${path}`,
    ],
    platforms: [architecture],
  },
  {
    repository: repositories['gcr.io/distroless/static-debian12:nonroot'],
    layers: [staticTree],
    // biome-ignore format: a flag with its value
    config: [
      '--user', '65532', '--workdir', '/home/nonroot',
      '--env', `PATH=${path}`, '--env', 'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
    ],
    platforms: ['amd64', 'arm64'],
  },
];

/** Makes the images once and keeps them as a registry stores them, so that a run only has to link the files. */
export async function installBaseImages(): Promise<Step> {
  const stamp = join(home, 'recipe');
  const current = await recipeDigest();
  const present = (await readFile(stamp, 'utf8').catch(() => '')) === current;
  return step('base images', present, async () => {
    for (const program of ['crane', 'registry', 'busybox', 'go', 'tar'])
      if (find(program) === undefined) throw new Error(`${program} is missing`);
    await rm(home, { recursive: true, force: true });
    await mkdir(home, { recursive: true });
    await using _session = await openSession();
    await using registry = await freshRegistry();
    for (const recipe of recipes) await publish(recipe, registry.host);
    await cp(join(registry.storage, 'docker'), join(home, 'new', 'docker'), { recursive: true });
    await rename(join(home, 'new'), seededStorage);
    await writeFile(stamp, current);
  });
}

/** The images are made anew when this file or the toolchain has changed. */
async function recipeDigest(): Promise<string> {
  const version = find('go') === undefined ? '' : (await run({ program: 'go', args: ['version'] })).stdout;
  const recipe = await readFile(fileURLToPath(import.meta.url));
  return createHash('sha256').update(recipe).update(version).digest('hex');
}

async function publish(recipe: Recipe, host: string): Promise<void> {
  const work = await mkdtemp(join(labRoot, 'image-'));
  try {
    const layers = await Promise.all(
      recipe.layers.map((make, index) => archive(join(work, `${index}`), make)),
    );
    const target = `${host}/${recipe.repository}`;
    const [single] = recipe.platforms;
    if (recipe.platforms.length === 1) return await pushOne(recipe, layers, single!, target);
    const references = recipe.platforms.map((platform) => `${target}-${platform}`);
    for (const [index, platform] of recipe.platforms.entries())
      await pushOne(recipe, layers, platform, references[index]!);
    await crane(['index', 'append', ...references.flatMap((one) => ['--manifest', one]), '--tag', target]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function pushOne(
  recipe: Recipe,
  layers: readonly string[],
  platform: string,
  target: string,
): Promise<void> {
  const added = layers.flatMap((layer) => ['--new_layer', layer]);
  await crane(['append', '--oci-empty-base', ...added, '--new_tag', target]);
  await crane(['mutate', target, '--tag', target, '--set-platform', `linux/${platform}`, ...recipe.config]);
}

async function crane(args: readonly string[]): Promise<void> {
  await run({ program: find('crane')!, args, timeout: 300_000 });
}

/** Owners are set in the archive, so that making one takes no root: all is root's but the home of nonroot. */
async function archive(tree: string, make: (tree: string) => Promise<void>): Promise<string> {
  await mkdir(tree, { recursive: true });
  await make(tree);
  const file = `${tree}.tar`;
  const owned = (id: number) => [
    `--owner=${id}`,
    `--group=${id}`,
    '--numeric-owner',
    '--sort=name',
    '--mtime=@0',
  ];
  const tar = (...args: readonly string[]) =>
    run({ program: 'tar', args: ['--directory', tree, '--file', file, ...args] });
  await tar('--create', ...owned(0), '--exclude=./home/nonroot', '.');
  if (existsSync(join(tree, 'home', 'nonroot'))) await tar('--append', ...owned(65532), './home/nonroot');
  return file;
}

/** What Alpine is to a Dockerfile: a small shell with real folders for bin and sbin. */
async function busyboxTree(tree: string): Promise<void> {
  await folders(tree, [
    'bin',
    'etc/ssl/certs',
    'proc',
    'root',
    'run',
    'sbin',
    'sys',
    'dev',
    'usr/bin',
    'usr/sbin',
    'var/log',
  ]);
  await busybox(join(tree, 'bin'));
  await symlink('../run', join(tree, 'var', 'run'));
  await accounts(tree, '/bin/sh');
  await certificates(tree);
}

/** What Debian is to a Dockerfile: the top folders are links into /usr, so a copied path leads elsewhere than it says. */
async function usrMergedTree(tree: string): Promise<void> {
  await folders(tree, [
    'etc/ssl/certs',
    'proc',
    'root',
    'run',
    'sys',
    'dev',
    'usr/bin',
    'usr/sbin',
    'usr/lib',
    'usr/lib64',
    'var/log',
  ]);
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(tree, name));
  await symlink('/run', join(tree, 'var', 'run'));
  await busybox(join(tree, 'usr', 'bin'));
  await symlink('busybox', join(tree, 'usr', 'bin', 'bash'));
  await accounts(tree, '/bin/bash');
  await certificates(tree);
}

/** What distroless static is: accounts, CA roots and a writable /tmp, no program at all. */
async function staticTree(tree: string): Promise<void> {
  await folders(tree, ['etc/ssl/certs', 'home/nonroot', 'root', 'run', 'usr/share', 'var']);
  await accounts(tree, '/sbin/nologin');
  await certificates(tree);
  await writeFile(join(tree, 'etc', 'nsswitch.conf'), 'hosts: files dns\n');
  await writeFile(join(tree, 'etc', 'os-release'), 'NAME="Distroless-like"\nID="debian"\nVERSION_ID="12"\n');
  await chmod(join(tree, 'root'), 0o700);
}

async function goTree(tree: string): Promise<void> {
  const root = (await run({ program: 'go', args: ['env', 'GOROOT'] })).stdout.toString().trim();
  await folders(tree, ['go/src', 'go/bin', 'usr/local']);
  await cp(root, join(tree, 'usr', 'local', 'go'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => !isUnneeded(source.slice(root.length + 1)),
  });
}

/** What no build reads: a third of the files, which every fresh builder would unpack. */
function isUnneeded(path: string): boolean {
  return /^(api|doc|test|src\/cmd)$/.test(path) || path.endsWith('/testdata') || path.endsWith('_test.go');
}

async function folders(tree: string, names: readonly string[]): Promise<void> {
  for (const name of names) await mkdir(join(tree, name), { recursive: true });
  await mkdir(join(tree, 'tmp'));
  await chmod(join(tree, 'tmp'), 0o1777);
}

async function busybox(into: string): Promise<void> {
  const program = find('busybox')!;
  await copyFile(program, join(into, 'busybox'));
  const applets = (await run({ program, args: ['--list'] })).stdout.toString().trim().split('\n');
  for (const applet of applets.filter((one) => one !== 'busybox'))
    await symlink('busybox', join(into, applet));
}

async function accounts(tree: string, shell: string): Promise<void> {
  const users = [
    `root:x:0:0:root:/root:${shell}`,
    'daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin',
    'www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin',
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
    'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin',
  ];
  const groups = [
    'root:x:0:',
    'daemon:x:1:',
    'staff:x:50:',
    'www-data:x:33:',
    'nogroup:x:65534:',
    'nonroot:x:65532:',
  ];
  await writeFile(join(tree, 'etc', 'passwd'), `${users.join('\n')}\n`);
  await writeFile(join(tree, 'etc', 'group'), `${groups.join('\n')}\n`);
  await mkdir(join(tree, 'home', 'nonroot'), { recursive: true });
}

/** The machine's own roots: behind a proxy that opens TLS, no others work. */
async function certificates(tree: string): Promise<void> {
  const bundle = '/etc/ssl/certs/ca-certificates.crt';
  await copyFile(bundle, join(tree, 'etc', 'ssl', 'certs', 'ca-certificates.crt')).catch(() => {});
}
