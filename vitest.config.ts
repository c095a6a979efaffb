import { defineConfig } from 'vitest/config';
import { skippedTests } from './test/skipped.js';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 120_000,
    reporters: ['default', skippedTests],
  },
});
