import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { run } from '../../shared/exec/index.ts';

const project = join(import.meta.dirname, '../..');

/** A clone of this project as a user has it, in a folder of its own. */
export interface Checkout extends AsyncDisposable {
  readonly directory: string;
}

/** Clones the last commit: what is not committed, dist/ too, is not tested. */
export async function freshClone(): Promise<Checkout> {
  const parent = await mkdtemp(join(tmpdir(), 'slipway-clone-'));
  const directory = join(parent, 'slipway');
  await run({
    program: 'git',
    args: ['clone', '--quiet', '--no-hardlinks', '--depth', '1', `file://${project}`, directory],
  });
  return { directory, [Symbol.asyncDispose]: () => removeTree(parent) };
}

/** A user's environment: an empty home without any cache, and the PATH as it was before npm put its own folder first. */
export async function freshHome(
  caches: 'go caches of the machine' | 'no caches' = 'go caches of the machine',
): Promise<{ readonly env: Readonly<Record<string, string>> } & AsyncDisposable> {
  const home = await mkdtemp(join(tmpdir(), 'slipway-home-'));
  await mkdir(join(home, 'tmp'));
  const ours = join(project, 'node_modules', '.bin');
  const path = (process.env.PATH ?? '').split(delimiter).filter((one) => one !== ours);
  const trusted = Object.entries(process.env).filter(([name]) =>
    /^(SSL_CERT_|NODE_EXTRA_CA_CERTS$|GOPROXY$|https?_proxy$|no_proxy$)/i.test(name),
  );
  const env = {
    ...(Object.fromEntries(trusted) as Record<string, string>),
    HOME: home,
    TMPDIR: join(home, 'tmp'),
    PATH: path.join(delimiter),
    LANG: 'C.UTF-8',
    ...(caches === 'no caches' ? {} : await goCaches()),
  };
  return { env, [Symbol.asyncDispose]: () => removeTree(home) };
}

/** What Go has compiled and downloaded before, which is the same for everyone: it saves minutes. */
async function goCaches(): Promise<Record<string, string>> {
  const told = await run({ program: 'go', args: ['env', '-json', 'GOCACHE', 'GOMODCACHE'] });
  return JSON.parse(told.stdout.toString()) as Record<string, string>;
}

/** Go's module cache is read-only, folders too. */
async function removeTree(directory: string): Promise<void> {
  await run({ program: 'chmod', args: ['-R', 'u+rwX', directory], accept: [0, 1] });
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
}
