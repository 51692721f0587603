import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';
import type { BaseImages, Registry, Tool } from '../../lab/index.ts';
import type { State } from './state.ts';

const IMAGES = { alpine: 'alpine:3', debian: 'debian:bookworm-slim', golang: 'golang:1.26' } as const;

/** Tags of bases that a case has for itself, and that can be moved to another image, as their owners do it with fixes. */
export interface MovingBases {
  /** From `@alpine@` and its like to what stands for them. */
  readonly references: Readonly<Record<string, string>>;
  moveTo(which: State['bases']): Promise<void>;
}

/** Makes two images for each base: as it is, and with one more file. */
export async function preparedBases(
  have: { bases: BaseImages; registry: Registry; crane: Tool },
  folder: string,
): Promise<(id: string) => MovingBases> {
  const work = await mkdtemp(join(folder, 'bases-'));
  await writeFile(join(work, 'moved'), 'the second\n');
  const layer = join(work, 'layer.tar');
  const owners = ['--owner=0', '--group=0', '--numeric-owner'];
  await run({ program: 'tar', args: ['-cf', layer, '-C', work, ...owners, 'moved'] });
  const crane = (...args: readonly string[]) => run({ program: have.crane.program, args });
  const { host } = have.registry;
  const manifests = new Map<string, Manifest>();
  for (const [name, image] of Object.entries(IMAGES)) {
    const at = `${host}/${repository(name)}`;
    // The official image says in its configuration which Go it has; the lab's stand-in does not.
    const told = name === 'golang' ? ['--env', `GOLANG_VERSION=${await goVersion()}`] : [];
    await crane('copy', have.bases.references[image], `${at}:first`);
    if (told.length > 0) await crane('mutate', `${at}:first`, ...told, '--tag', `${at}:first`);
    await crane('append', '--base', `${at}:first`, '--new_layer', layer, '--new_tag', `${at}:second`);
    for (const which of ['first', 'second'])
      manifests.set(`${name} ${which}`, await readManifest(host, name, which));
  }
  const names = Object.keys(IMAGES);
  return (id) => ({
    references: Object.fromEntries(names.map((name) => [`@${name}@`, `${host}/${repository(name)}:${id}`])),
    moveTo: async (which) => {
      for (const name of names) await putManifest(host, name, id, manifests.get(`${name} ${which}`)!);
    },
  });
}

async function goVersion(): Promise<string> {
  const { stdout } = await run({ program: 'go', args: ['env', 'GOVERSION'] });
  return stdout.toString().trim().replace(/^go/, '');
}

/** Named as the official images are, wherever they are mirrored: a Go stage on one of them may be lifted. */
const repository = (name: string) => `stages/library/${name}`;

interface Manifest {
  readonly type: string;
  readonly bytes: ArrayBuffer;
}

async function readManifest(host: string, name: string, tag: string): Promise<Manifest> {
  const accept =
    'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';
  const url = `http://${host}/v2/${repository(name)}/manifests/${tag}`;
  const answer = await fetch(url, { headers: { accept } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return { type: answer.headers.get('content-type')!, bytes: await answer.arrayBuffer() };
}

async function putManifest(
  host: string,
  name: string,
  tag: string,
  { type, bytes }: Manifest,
): Promise<void> {
  const url = `http://${host}/v2/${repository(name)}/manifests/${tag}`;
  const answer = await fetch(url, { method: 'PUT', headers: { 'content-type': type }, body: bytes });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
}
