import { defineConfig } from 'vitest/config';

/** Acceptance tests: the built server as a process of its own, spoken to over HTTP. They import no source. */
export default defineConfig({
  test: {
    include: ['test/acceptance/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
});
