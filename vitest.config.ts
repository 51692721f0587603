import { defineConfig } from 'vitest/config';

/** Real parts are started once for a whole run, by its global set-up, and take their time. */
const real = (name: string, options: { include?: string; exclude?: string; maxWorkers?: number } = {}) => ({
  test: {
    name,
    include: [`${options.include ?? `test/${name}`}/**/*.test.ts`],
    exclude: options.exclude === undefined ? [] : [`${options.exclude}/**`],
    ...(options.maxWorkers !== undefined && { maxWorkers: options.maxWorkers }),
    globalSetup: ['test/lab/vitest-setup.ts'],
    testTimeout: 180_000,
    hookTimeout: 300_000,
  },
});

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 20_000 } },
      real('conformance'),
      // Most of their time is waiting for builders and registries.
      real('e2e', { exclude: 'test/e2e/kubernetes', maxWorkers: 2 }),
      // One after the other: a cluster is on the same machine, and some of what is shown here is a time.
      real('cluster', { include: 'test/e2e/kubernetes', maxWorkers: 1 }),
    ],
  },
});
