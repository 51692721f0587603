import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Key, type KeyPart } from '../../content/index.ts';
import { resultName } from '../builder/demand.ts';
import type { ImageIdentity } from '../identity/identity.ts';
import type { ImageRequest } from '../request.ts';

/** Keys of an earlier build, for explanations. */
export interface EarlierKeys {
  /** The stages', as stores name them: `build linux/amd64`. */
  readonly stages: ReadonlyMap<string, Key>;
  readonly image: Key | undefined;
}

type Parts = Record<string, KeyPart>;
interface Remembered {
  readonly stages: Readonly<Record<string, Parts>>;
  readonly image: Parts | null;
}

const FORMAT = 2;
/** Larger ones are not worth the time of writing them. */
const LARGEST = 8 * 2 ** 20;

function fileOf(request: ImageRequest): string | undefined {
  return request.state === undefined ? undefined : join(request.state, `image-keys.v${FORMAT}.json`);
}

function nameOf({ dockerfile, target }: ImageRequest): string {
  return `${dockerfile} ${target ?? ''}`;
}

function load(file: string): Record<string, Remembered> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, Remembered>;
  } catch {
    return {}; // It only explains.
  }
}

/** The keys of the last image that was made from this Dockerfile on this machine. */
export function rememberedKeys(request: ImageRequest): EarlierKeys | undefined {
  const file = fileOf(request);
  const before = file === undefined ? undefined : load(file)[nameOf(request)];
  if (before === undefined) return undefined;
  return {
    stages: new Map(Object.entries(before.stages).map(([name, parts]) => [name, Key.of(parts)])),
    image: before.image === null ? undefined : Key.of(before.image),
  };
}

/** Keeps the parts of the keys, so that the next plan can say what has changed. */
export function rememberKeys(request: ImageRequest, identity: ImageIdentity): void {
  const file = fileOf(request);
  if (file === undefined) return;
  const stages = Object.fromEntries([...keysOf(identity)].map(([name, { parts }]) => [name, parts]));
  const now = { stages, image: identity.image?.parts ?? null };
  const known = load(file);
  const text = JSON.stringify({ ...known, [nameOf(request)]: now });
  if (text.length > LARGEST || JSON.stringify(known[nameOf(request)]) === JSON.stringify(now)) return;
  const temporary = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(temporary, text);
    renameSync(temporary, file);
  } catch {
    // A checkout that cannot be written to gets no explanation at the next run.
  }
}

/** The keys of all stages that have one, by the names that stores know them by. */
export function keysOf({ platforms }: ImageIdentity): Map<string, Key> {
  return new Map(
    platforms.flatMap(({ platform, stages }) =>
      stages.flatMap(({ stage, key }) =>
        key === undefined ? [] : [[resultName(stage, platform), key] as const],
      ),
    ),
  );
}
