import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Digest, isDigest } from '../../content/index.ts';
import type { Descriptor } from '../../oci/index.ts';

/** What a layer came out as when it was last made. */
export interface RememberedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** Layers by the key of their members, so that a layer whose members did not change is not compressed again. */
export interface LayerMemory {
  get(key: Digest): RememberedLayer | undefined;
  set(key: Digest, layer: RememberedLayer): void;
  save(): void;
}

const FORMAT = 1;
/** Old entries are dropped beyond this many: they cost little, but the file must not grow for ever. */
const MOST = 1_000;

export function openLayerMemory(file: string | undefined): LayerMemory {
  const known = file === undefined ? new Map<Digest, RememberedLayer>() : load(file);
  let changed = false;
  return {
    get: (key) => known.get(key),
    set: (key, layer) => {
      known.delete(key);
      known.set(key, layer);
      changed = true;
    },
    save: () => {
      if (file !== undefined && changed) store(file, known);
    },
  };
}

function load(file: string): Map<Digest, RememberedLayer> {
  try {
    const { format, layers } = JSON.parse(readFileSync(file, 'utf8')) as {
      format: number;
      layers: [Digest, RememberedLayer][];
    };
    if (format !== FORMAT) return new Map();
    return new Map(
      layers.filter(
        ([key, layer]) => isDigest(key) && isDigest(layer.diffId) && isDigest(layer.descriptor.digest),
      ),
    );
  } catch {
    return new Map(); // It only saves time.
  }
}

function store(file: string, known: Map<Digest, RememberedLayer>): void {
  const temporary = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(temporary, JSON.stringify({ format: FORMAT, layers: [...known].slice(-MOST) }));
    renameSync(temporary, file);
  } catch {
    // A checkout that cannot be written to costs time at the next run, nothing else.
  }
}
