import { createHash } from 'node:crypto';
import { cp, readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Finished, run } from '../../shared/exec/index.ts';
import {
  baseImages,
  type Checkout,
  crane,
  describeWith,
  docker,
  engine,
  freshClone,
  freshHome,
  go,
  registry,
  skopeo,
  startContainer,
} from '../lab/index.ts';

// What a user does first: clone, and run one command. Everything here starts from a fresh clone and an empty home.

const example = 'examples/storefront';
const layoutOf = (checkout: Checkout) => join(checkout.directory, example, '.slipway', 'images');

let checkout: Checkout;
let home: Awaited<ReturnType<typeof freshHome>>;

beforeAll(async () => {
  checkout = await freshClone();
  home = await freshHome();
});

afterAll(async () => {
  await checkout[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

/** Runs `bin/slipway` in the clone. What it prints for people is on both streams. */
function slipway(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  return run({
    program: 'bin/slipway',
    args,
    cwd: checkout.directory,
    env: { ...home.env, ...env },
    timeout: 600_000,
  });
}

async function outputs(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Record<string, string>> {
  return JSON.parse((await slipway([...args, '--json'], env)).stdout.toString());
}

describeWith('slipway up on a fresh clone', { go: go() }, ({ go }) => {
  test('--plan says what would be done and does nothing', async () => {
    const { stdout } = await slipway(['up', example, '--plan']);
    expect(stdout.toString()).toMatch(/linux\/amd64/);
    await expect(readFile(join(layoutOf(checkout), 'index.json'))).rejects.toThrow('ENOENT');
  });

  test('the first run makes binary and image', { timeout: 600_000 }, async () => {
    const { stdout } = await slipway(['up', example]);
    expect(stdout.toString()).toMatch(/sha256:[0-9a-f]{12}/);
    const index = JSON.parse(await readFile(join(layoutOf(checkout), 'index.json'), 'utf8'));
    expect(index.manifests).toHaveLength(1);
  });

  test('the second run says that nothing changed', async () => {
    const { stdout } = await slipway(['up', example]);
    expect(stdout.toString()).toMatch(/nothing (has )?changed/i);
    expect(await outputs(['up', example])).toMatchObject({ changed: 'false' });
  });

  test('the binary is stamped with nothing of this machine', async () => {
    const made = JSON.parse((await outputs(['up', example])).binaries!) as { path: string }[];
    const info = await run({ program: go.program, args: ['version', '-m', made[0]!.path] });
    expect(info.stdout.toString()).toMatch(/\sbuild\s-trimpath=true/);
    const bytes = await readFile(made[0]!.path, 'latin1');
    expect(bytes.includes(checkout.directory)).toBe(false);
  });
});

describeWith('the layout', { go: go(), skopeo: skopeo() }, ({ skopeo }) => {
  test('is read by skopeo', async () => {
    const { digest } = await outputs(['up', example]);
    const inspected = await run({ program: skopeo.program, args: ['inspect', `oci:${layoutOf(checkout)}`] });
    expect(JSON.parse(inspected.stdout.toString())).toMatchObject({ Digest: digest, Os: 'linux' });
  });
});

const published = { go: go(), registry: await registry(), crane: crane() };

describeWith('the published image', published, ({ registry, crane }) => {
  test('is valid, and the same as in the layout, under each tag', async () => {
    const tags = ['one', 'two'].map((tag) => `${registry.host}/main-job/storefront:${tag}`);
    const { digest, reference } = await outputs(['up', example, ...tags.flatMap((tag) => ['--push', tag])]);
    expect(reference).toBe(`${tags[0]}@${digest}`);
    for (const tag of tags) {
      await run({ program: crane.program, args: ['validate', '--remote', tag] });
      const there = await run({ program: crane.program, args: ['digest', tag] });
      expect(there.stdout.toString().trim()).toBe(digest);
    }
  });
});

describeWith('the image in the engine', { go: go(), engine: await engine() }, ({ engine }) => {
  test('serves, and drains at SIGTERM', async () => {
    await slipway(['up', example, '--load'], engine.env);
    await using shop = await startContainer(engine, 'storefront:latest', { port: 8080, path: '/healthz' });
    expect(await (await fetch(`${shop.url}/readyz`)).text()).toBe('ready\n');
    expect(await (await fetch(`${shop.url}/metrics`)).text()).toContain('storefront_build_info');
    expect(await shop.stop()).toBe(0);
  });
});

const byDocker = { go: go(), engine: await engine(), baseImages: await baseImages() };

describeWith('the program that Docker builds', byDocker, ({ engine, baseImages }) => {
  test('is the same to the byte, though no container ran here', { timeout: 900_000 }, async () => {
    const [linux] = JSON.parse((await outputs(['up', example])).binaries!) as { digest: string }[];
    const tag = 'main-job-by-docker';
    // biome-ignore format: a flag with its value
    await docker(engine, [
      'buildx', 'build', ...baseImages.buildContexts, '--tag', tag, '--load', join(checkout.directory, example),
    ]);
    const id = (await docker(engine, ['create', tag])).stdout.toString().trim();
    const copy = join(home.env.HOME!, 'storefront');
    await docker(engine, ['cp', `${id}:/storefront`, copy]);
    await docker(engine, ['rm', id]);
    const digest = createHash('sha256')
      .update(await readFile(copy))
      .digest('hex');
    expect(`sha256:${digest}`).toBe(linux!.digest);
  });
});

describeWith('another machine, with empty caches', { go: go() }, () => {
  test('makes the same digest in another folder, at another time, as another user', {
    timeout: 900_000,
  }, async () => {
    const { digest } = await outputs(['up', example]);
    await using other = await freshClone();
    // Really nothing: neither compiled packages nor modules of this machine.
    await using stranger = await freshHome('no caches');
    const elsewhere = join(other.directory, '..', 'a folder with spaces');
    await cp(join(other.directory, example), elsewhere, { recursive: true });
    await utimes(join(elsewhere, 'configs', 'storefront.yaml'), 1_000_000_000, 1_000_000_000);
    const made = await run({
      program: 'sh',
      // The masks of users differ, and must not reach the image.
      args: [
        '-c',
        'umask 077; exec "$@"',
        'sh',
        join(other.directory, 'bin', 'slipway'),
        'up',
        '.',
        '--json',
      ],
      cwd: elsewhere,
      env: { ...stranger.env, TZ: 'Pacific/Kiritimati', USER: 'stranger' },
      timeout: 900_000,
    });
    expect(JSON.parse(made.stdout.toString()).digest).toBe(digest);
  });
});
