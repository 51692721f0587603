import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';
import type { BuildKit } from '../../lab/index.ts';
import { type Comparable, comparable, listTar } from '../image/reference.ts';
import { readSteps, type Steps } from './progress.ts';
import type { Checkout, State } from './state.ts';

/** An image for one platform. */
export interface Seen {
  readonly config: Comparable;
  /** By path: type, mode, owner, link target and digest of the content. */
  readonly tree: Readonly<Record<string, string>>;
}

export interface OracleBuild {
  readonly images: Readonly<Record<string, Seen>>;
  readonly steps: Steps;
}

/** Builds a state with plain BuildKit, whose cache tells for each step whether the content allowed its reuse. */
export async function buildByOracle(kit: BuildKit, state: State, checkout: Checkout): Promise<OracleBuild> {
  const out = await mkdtemp(`${checkout.folder}-oracle-`);
  const { folder, contexts, secrets } = checkout;
  const { stderr } = await solve(kit, [
    ...['--local', `context=${folder}`, '--local', `dockerfile=${folder}`],
    ...Object.entries(contexts).flatMap(([name, path]) => [
      ...['--local', `${name}=${path}`, '--opt', `context:${name}=local:${name}`],
    ]),
    ...options('build-arg', checkout.args),
    ...options('label', state.labels),
    ...Object.entries(secrets).flatMap(([id, path]) => ['--secret', `id=${id},src=${path}`]),
    ...['--opt', `platform=${state.platforms.join(',')}`],
    ...(state.target === undefined ? [] : ['--opt', `target=${state.target}`]),
    ...['--output', `type=oci,tar=false,dest=${out}/image`, '--output', `type=tar,dest=${out}/tree.tar`],
  ]);
  const configs = await readConfigs(join(out, 'image'));
  const tree = await listTar(join(out, 'tree.tar'));
  const images = state.platforms.map((platform) => [
    platform,
    { config: configs[platform]!, tree: state.platforms.length === 1 ? tree : below(tree, platform) },
  ]);
  return { images: Object.fromEntries(images), steps: readSteps(stderr) };
}

/** Unpacks an image of a registry as engines do, and lists what is there. */
export async function unpack(
  kit: BuildKit,
  image: string,
  platform: string,
  folder: string,
): Promise<Seen['tree']> {
  const out = await mkdtemp(`${folder}-unpacked-`);
  await run({ program: 'sh', args: ['-c', 'printf "FROM %s\\n" "$1" > "$2/Dockerfile"', 'sh', image, out] });
  await solve(kit, [
    ...['--local', `context=${out}`, '--local', `dockerfile=${out}`, '--opt', `platform=${platform}`],
    ...['--output', `type=tar,dest=${out}/tree.tar`],
  ]);
  return await listTar(join(out, 'tree.tar'));
}

async function solve({ address, buildctl }: BuildKit, args: readonly string[]): Promise<{ stderr: string }> {
  const build = ['build', '--frontend', 'dockerfile.v0', '--progress', 'rawjson'];
  return await run({ program: buildctl, args: ['--addr', address, ...build, ...args] });
}

function options(kind: string, values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['--opt', `${kind}:${name}=${value}`]);
}

/** With several platforms the archive has a folder for each. */
function below(tree: Seen['tree'], platform: string): Seen['tree'] {
  const folder = `${platform.replaceAll('/', '_')}/`;
  const own = Object.entries(tree).filter(([path]) => path.startsWith(folder) && path !== folder);
  return Object.fromEntries(own.map(([path, what]) => [path.slice(folder.length), what]));
}

/** The configurations of a layout's only image, by platform. */
async function readConfigs(layout: string): Promise<Record<string, Comparable>> {
  const read = async (path: string) => JSON.parse(await readFile(join(layout, path), 'utf8'));
  const blob = (digest: string) => read(`blobs/${digest.replace(':', '/')}`);
  const index = await read('index.json');
  const root = await blob(index.manifests[0].digest);
  const manifests = root.manifests === undefined ? [root] : root.manifests;
  const configs: Record<string, Comparable> = {};
  for (const one of manifests) {
    const { config } = one.config === undefined ? await blob(one.digest) : one;
    const content = await blob(config.digest);
    configs[`${content.os}/${content.architecture}`] = comparable(content);
  }
  return configs;
}
