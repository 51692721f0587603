import { Failure } from '../../host/index.ts';
import { type FileSystem, follow, lookup, type RegularFile } from './tree.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** One half of `--chown`, before names are looked up. */
type Part = { readonly id: number } | { readonly name: string };

/** Reads the bytes of a file of the tree. */
export type ReadContent = (file: RegularFile) => Promise<Uint8Array>;

const MOST_BYTES = 10 * 2 ** 20;

/**
 * Who `user[:group]` is in a tree, as BuildKit decides it: a number without a group is the group's number too; a name brings the
 * group of its passwd line; a name that is not there is root, which `warn` is told.
 */
export async function resolveOwner(
  given: string,
  fs: FileSystem,
  read: ReadContent,
  warn: (message: string) => void,
): Promise<Owner> {
  const [userText, groupText] = splitOnce(given);
  const user = part(userText);
  const group = groupText === undefined ? undefined : part(groupText);
  const named = [user, group].find((one) => one !== undefined && 'name' in one);
  if (fs.pristine && named !== undefined && 'name' in named) throw nobodyKnows(given, named.name);
  const owner = 'id' in user ? { uid: user.id, gid: user.id } : await findUser(user.name, fs, read, warn);
  if (group === undefined) return owner;
  if ('id' in group) return { ...owner, gid: group.id };
  const gid = await findGroup(group.name, fs, read, warn);
  return gid === undefined ? owner : { ...owner, gid };
}

function splitOnce(text: string): [string, string | undefined] {
  const colon = text.indexOf(':');
  return colon === -1 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}

function part(text: string): Part {
  if (text === '' || text === 'root') return { id: 0 };
  if (!/^[-+]?\d+$/.test(text)) return { name: text };
  const number = Number(text);
  return number >= -(2 ** 31) && number < 2 ** 31 ? { id: number >>> 0 } : { name: text };
}

function nobodyKnows(given: string, name: string): Failure {
  return new Failure(
    `"${given}" cannot be an owner here: "${name}" is a name, and this step has no file system with an /etc/passwd or /etc/group to look it up in (it starts from scratch or uses --link). Use numbers, such as 65532:65532.`,
  );
}

async function findUser(
  name: string,
  fs: FileSystem,
  read: ReadContent,
  warn: (message: string) => void,
): Promise<Owner> {
  for (const fields of await records('etc/passwd', fs, read))
    if (fields[0] === name) return { uid: number(fields[2]), gid: number(fields[3]) };
  warn(
    `There is no user "${name}" in /etc/passwd of the image: what it should own belongs to root, as with BuildKit.`,
  );
  return { uid: 0, gid: 0 };
}

async function findGroup(
  name: string,
  fs: FileSystem,
  read: ReadContent,
  warn: (message: string) => void,
): Promise<number | undefined> {
  for (const fields of await records('etc/group', fs, read)) if (fields[0] === name) return number(fields[2]);
  warn(
    `There is no group "${name}" in /etc/group of the image: the group stays that of the user, as with BuildKit.`,
  );
  return undefined;
}

async function records(path: string, fs: FileSystem, read: ReadContent): Promise<string[][]> {
  const node = lookup(fs.root, follow(fs.root, path));
  if (node === undefined) return [];
  if (node.type !== 'file')
    throw new Failure(`/${path} of the image is not a regular file, so no owner can be looked up in it.`);
  if (node.size > MOST_BYTES)
    throw new Failure(`/${path} of the image has ${node.size} bytes; at most ${MOST_BYTES} are read.`);
  return Buffer.from(await read(node))
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function number(field: string | undefined): number {
  const value = Number.parseInt(field ?? '', 10);
  return Number.isNaN(value) ? 0 : value;
}
