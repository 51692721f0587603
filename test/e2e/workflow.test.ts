import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../shared/exec/index.ts';
import {
  act,
  type Checkout,
  crane,
  describeWith,
  freshClone,
  go,
  registry,
  runWorkflow,
} from '../lab/index.ts';
import { makeRepository } from './storefront-repository.ts';

// Workflows as users write them, run by a workflow runner, on the actions as they are committed.

let slipway: Checkout;
let work: string;

beforeAll(async () => {
  slipway = await freshClone();
  work = await mkdtemp(join(tmpdir(), 'slipway-workflow-'));
});

afterAll(async () => {
  await slipway[Symbol.asyncDispose]();
  await rm(work, { recursive: true, force: true });
});

const published = { act: act(), go: go(), registry: await registry(), crane: crane() };

describeWith('the workflow of the storefront', published, ({ act, registry, crane }) => {
  test('publishes an image for two platforms with the actions by name', { timeout: 600_000 }, async () => {
    const repository = join(work, 'storefront');
    await cp(join(slipway.directory, 'examples/storefront'), repository, { recursive: true });
    const commit = await makeRepository(repository);
    const { code, stdout } = await runWorkflow(act, {
      repository,
      workflow: '.github/workflows/ship.yml',
      actions: { 'slipway-dev/slipway@v1': slipway.directory },
      variables: { REGISTRY: registry.host },
    });
    expect(stdout.toString()).toContain('Job succeeded');
    expect(code).toBe(0);

    const tag = `${registry.host}/example/storefront:${commit}`;
    await run({ program: crane.program, args: ['validate', '--remote', tag] });
    const index = JSON.parse(
      (await run({ program: crane.program, args: ['manifest', tag] })).stdout.toString(),
    );
    expect(index.manifests.map((one: { platform: object }) => one.platform)).toEqual([
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
    ]);
    const { digest } = JSON.parse(
      (await run({ program: crane.program, args: ['manifest', tag] })).stdout.toString(),
    ).manifests[0];
    expect(digest).toMatch(/^sha256:/);
    expect(stdout.toString()).toContain(`The image is ${tag}@`);
  });
});

describeWith('the actions by path', { act: act(), go: go() }, ({ act }) => {
  test('set their outputs and write a summary', { timeout: 600_000 }, async () => {
    const repository = join(work, 'by-path');
    await cp(slipway.directory, repository, {
      recursive: true,
      filter: (source) => !source.endsWith('/.git'),
    });
    await mkdir(join(repository, '.github/workflows'), { recursive: true });
    await writeFile(join(repository, '.github/workflows/by-path.yml'), byPath);
    await makeRepository(repository);
    const { code, stdout } = await runWorkflow(act, {
      repository,
      workflow: '.github/workflows/by-path.yml',
      env: { RESULTS: work },
    });
    expect(stdout.toString()).toContain('Job succeeded');
    expect(code).toBe(0);

    const binaries = JSON.parse(await readFile(join(work, 'binaries.json'), 'utf8'));
    expect(binaries).toEqual([
      expect.objectContaining({
        name: 'hello',
        target: 'linux/amd64',
        digest: expect.stringMatching(/^sha256:/),
      }),
    ]);
    expect(await readFile(join(work, 'version.txt'), 'utf8')).toMatch(/^go1\./);
  });

  test('keep what was built although a later step failed', { timeout: 600_000 }, async () => {
    const repository = join(work, 'by-path');
    const store = join(work, 'store');
    await writeFile(join(repository, '.github/workflows/later.yml'), laterFailure);
    const { code, stdout } = await runWorkflow(act, {
      repository,
      workflow: '.github/workflows/later.yml',
      env: { STORE: store },
    });
    expect(code).toBe(1);
    expect(stdout.toString()).toContain('the step after the build fails');
    expect((await readdir(store, { recursive: true })).some((name) => name.includes('programs'))).toBe(true);
  });

  test('fail with an annotation at the line of a compile error', { timeout: 600_000 }, async () => {
    const repository = join(work, 'by-path');
    await writeFile(
      join(repository, 'examples/hello/broken.go'),
      'package main\n\nfunc broken() int { return "no" }\n',
    );
    const { code, stdout } = await runWorkflow(act, {
      repository,
      workflow: '.github/workflows/by-path.yml',
      env: { RESULTS: work },
    });
    expect(code).toBe(1);
    expect(stdout.toString()).toMatch(/::error file=examples\/hello\/broken\.go,line=3/);
  });
});

const laterFailure = `
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - uses: ./actions/go-build
        with:
          working-directory: examples/hello
          targets: linux/amd64
          cache: directory
          cache-directory: \${{ env.STORE }}
      - run: echo the step after the build fails; exit 1
`;

const byPath = `
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - id: build
        uses: ./actions/go-build
        with:
          working-directory: examples/hello
          targets: linux/amd64
      - run: |
          printf '%s' "$BINARIES" > "$RESULTS/binaries.json"
          printf '%s' "$VERSION" > "$RESULTS/version.txt"
        env:
          BINARIES: \${{ steps.build.outputs.binaries }}
          VERSION: \${{ steps.build.outputs.go-version }}
`;
