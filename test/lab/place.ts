import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The folder that keeps what the lab built or unpacked, from run to run. */
export const labRoot =
  process.env.SLIPWAY_LAB ?? join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'slipway-lab');

export const labBin = join(labRoot, 'bin');

/** Also the parts that take minutes to compile and that most tests do without: `SLIPWAY_LAB_FULL=1`. */
export const full = process.env.SLIPWAY_LAB_FULL === '1';

export const isRoot = process.getuid?.() === 0;

/** Where Debian's package of CNI plugins puts them. */
export const networkPlugins = '/usr/lib/cni';

/** Debian's system programs are not on every user's PATH. */
const systemPlaces = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The absolute path of a program: the lab's own, then the PATH's, then the system's. */
export function find(program: string, first: string = labBin): string | undefined {
  const places = [first, ...(process.env.PATH ?? '').split(delimiter), ...systemPlaces];
  return places.map((place) => join(place, program)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
