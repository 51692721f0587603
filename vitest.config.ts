import { defineConfig } from 'vitest/config';

/** Real parts are started once for a whole run, by its global set-up, and take their time. */
const real = (name: string) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
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
      real('e2e'),
    ],
  },
});
