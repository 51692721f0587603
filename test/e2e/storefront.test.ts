import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../shared/exec/index.ts';
import { baseImages, describeWith, docker, engine, go, startContainer } from '../lab/index.ts';

// The example is what everything else is proved on, so it is proved first, by the tools that everyone has.

const storefront = join(import.meta.dirname, '../../examples/storefront');

describeWith('the storefront in Go', { go: go() }, ({ go }) => {
  test('its own tests pass', async () => {
    await run({ program: go.program, args: ['vet', './...'], cwd: storefront });
    const tested = await run({ program: go.program, args: ['test', './...'], cwd: storefront });
    expect(tested.stdout.toString()).toMatch(/^ok\s+example\.com\/storefront\/internal\/httpapi/m);
  });

  test('go.mod and go.sum are tidy', async () => {
    await run({ program: go.program, args: ['mod', 'tidy', '-diff'], cwd: storefront });
  });
});

const parts = { engine: await engine(), baseImages: await baseImages() };

describeWith('the storefront built by Docker', parts, ({ engine, baseImages }) => {
  test.for([
    { dockerfile: 'Dockerfile', version: 'dev' },
    { dockerfile: 'Dockerfile.distroless', version: 'v9.8.7' },
  ])(
    '$dockerfile makes an image that serves and drains',
    { timeout: 600_000 },
    async ({ dockerfile, version }) => {
      const tag = `storefront-by-docker:${dockerfile.toLowerCase()}`;
      // biome-ignore format: a flag with its value
      await docker(engine, [
      'buildx', 'build', ...baseImages.buildContexts, '--build-arg', `VERSION=${version}`,
      '--file', join(storefront, dockerfile), '--tag', tag, '--load', storefront,
    ], { timeout: 600_000 });

      await using shop = await startContainer(engine, tag, { port: 8080, path: '/healthz' });
      const told = await fetch(`${shop.url}/api/version`);
      expect(await told.json()).toMatchObject({ version, go: expect.stringMatching(/^go1\.26/) });
      const found = await fetch(`${shop.url}/api/products?q=mug`);
      expect(await found.json()).toMatchObject({ total: 2 });

      expect(await shop.stop()).toBe(0);
      expect(await shop.logs()).toMatch(/"msg":"draining".*\n.*"msg":"stopped"/);
    },
  );
});
