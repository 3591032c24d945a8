/**
 * The test runner. `npm test` runs the fast suite, `npm run test:slow` (mode slow) the exhaustive one, `npm run test:onnx`
 * (mode onnx) the comparison with onnxruntime-web, `npm run test:chromium` and its like (mode platform) the package elsewhere. In pages the fast
 * suite has a configuration of its own, test/browser/vitest.config.ts.
 */
import { defineConfig, type ViteUserConfigFnObject } from 'vitest/config';
import { APART } from './test/of-node.ts';

const config: ViteUserConfigFnObject = defineConfig(({ mode }) => {
  const slow = mode === 'slow';
  const apart = APART.find((each) => each === mode);
  return {
    test: {
      include: [apart ? `test/${apart}/**/*.test.ts` : 'test/**/*.test.ts'],
      exclude: ['**/node_modules/**', ...(apart ? [] : APART.map((each) => `test/${each}/**`))],
      globalSetup: [apart === 'platform' ? 'test/platform/stranger.ts' : 'test/announce.ts'],
      setupFiles: ['test/setup.ts'],
      // By itself vitest leaves a core free, which of two is half: 239 s of the fast suite, for 187. Other suites take gigabytes, or time.
      ...(slow || apart ? {} : { maxWorkers: '100%' }),
      reporters: ['default', './test/closing-line.ts'],
      testTimeout: slow ? 30 * 60_000 : 60_000,
    },
  };
});

export default config;
