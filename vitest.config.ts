import { defineConfig } from 'vitest/config';

/** Unit, contract, crash and integration tests. `source` makes #wal and #files mean the sources, never a stale dist. */
export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source', 'node', 'import', 'default'] } },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/acceptance/**', 'node_modules/**'],
    testTimeout: 60_000,
    maxWorkers: '100%',
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts', 'wal/**/*.ts'],
      exclude: ['src/bin.cts', 'src/main.ts'],
      reporter: ['text-summary', 'text'],
      thresholds: { lines: 90 },
    },
  },
});
