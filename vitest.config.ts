/** The test runner. `npm test` runs the fast suite, `npm run test:slow` (mode slow) the exhaustive one. */
import { defineConfig, type ViteUserConfigFnObject } from 'vitest/config';

const config: ViteUserConfigFnObject = defineConfig(({ mode }) => {
  const slow = mode === 'slow';
  return {
    test: {
      include: slow ? ['test/slow/**/*.test.ts'] : ['test/**/*.test.ts'],
      exclude: slow ? [] : ['test/slow/**', 'test/platform/**', '**/node_modules/**'],
      globalSetup: ['test/announce.ts'],
      setupFiles: ['test/setup.ts'],
      reporters: ['default', './test/closing-line.ts'],
      testTimeout: slow ? 30 * 60_000 : 60_000,
    },
  };
});

export default config;
