import { cp, link, mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { missing, type Part } from './part.ts';
import { find, labRoot } from './place.ts';
import { freePort, once, type Running, sessionDirectory, startDaemon, stopDaemon } from './session.ts';

/** A CNCF distribution v3 registry on the loopback address, over plain HTTP. */
export interface Registry {
  /** `127.0.0.1:PORT`, as it stands in an image reference. */
  readonly host: string;
  /** What the registry wrote, one JSON object a line with each request. */
  readonly log: string;
  /** Folder of its blobs and links. */
  readonly storage: string;
}

/** The only account of a registry that was started with `account: true`. */
export const account = {
  user: 'slipway',
  password: 'right-password',
  // bcrypt is the only form that the registry reads.
  htpasswd: 'slipway:$2a$05$faUTZnpG5Rr6Y39ZQY.5OuCLZbPQZvopd2epP9fCZhyLrBHmWteJq',
} as const;

/** Where the base images wait in the form in which a registry stores them. */
export const seededStorage = join(labRoot, 'base-images', 'storage');

/** The session's registry, which holds the base images. Tests share it: use a repository name of your own. */
export function registry(): Promise<Part<Registry>> {
  return once('registry', async () => {
    const program = find('registry');
    if (program === undefined) return missing('the distribution registry was not built, see `npm run lab`');
    const storage = await newStorage();
    await linkTree(seededStorage, storage);
    return { available: true, ...(await start(program, storage, false)) } as const;
  });
}

/** An empty registry of the test's own: one that may be filled, broken, or asks for an account. Call only where `registry()` is there. */
export async function freshRegistry(
  options: { account?: boolean } = {},
): Promise<Registry & Running & AsyncDisposable> {
  const started = await start(find('registry')!, await newStorage(), options.account === true);
  return { ...started, [Symbol.asyncDispose]: () => stopDaemon(started) };
}

async function newStorage(): Promise<string> {
  return mkdtemp(join(sessionDirectory(), 'storage-'));
}

async function start(program: string, storage: string, withAccount: boolean): Promise<Registry & Running> {
  const host = `127.0.0.1:${await freePort()}`;
  const configuration = join(storage, 'config.yml');
  await writeFile(configuration, configure(host, storage, withAccount));
  if (withAccount) await writeFile(join(storage, 'htpasswd'), `${account.htpasswd}\n`);
  const running = await startDaemon({
    name: 'registry',
    program,
    args: ['serve', configuration],
    env: { OTEL_TRACES_EXPORTER: 'none' },
    ready: () => fetch(`http://${host}/v2/`),
  });
  return { host, storage, ...running };
}

/** YAML holds JSON, which needs no quoting rules of our own. */
function configure(host: string, storage: string, withAccount: boolean): string {
  return JSON.stringify({
    version: 0.1,
    log: { level: 'info', formatter: 'json', accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    http: { addr: host },
    ...(withAccount && { auth: { htpasswd: { realm: 'lab', path: join(storage, 'htpasswd') } } }),
  });
}

/** A copy that shares the blobs: a registry replaces files and never writes into one that is there. */
async function linkTree(from: string, to: string): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true, recursive: true }).catch(() => []);
  for (const entry of entries) {
    const source = join(entry.parentPath, entry.name);
    const target = join(to, source.slice(from.length));
    if (entry.isDirectory()) await mkdir(target, { recursive: true });
    else {
      await mkdir(join(target, '..'), { recursive: true });
      await link(source, target).catch(() => cp(source, target));
    }
  }
}
