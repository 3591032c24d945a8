/** The fast suite in pages of Chromium (`npm run test:browser`): with the two headers that give them shared memory, and without. */
import { playwright } from '@vitest/browser-playwright';
import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectInlineConfiguration, type ViteUserConfig } from 'vitest/config';
import { ofNode } from '../of-node.ts';
import { CHROMIUM, pathOf, requireBrowser } from '../platform/browsers.ts';

requireBrowser(CHROMIUM);

const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What is in the place of Node's modules. */
const alias = Object.fromEntries(
  ['fs', 'v8', 'vm', 'worker_threads'].map((name) => {
    return [`node:${name}`, fileURLToPath(new URL('node.ts', import.meta.url))];
  }),
);

const config: ViteUserConfig = defineConfig({
  root,
  test: {
    reporters: ['./test/browser/announce.ts', 'default', './test/closing-line.ts'],
    projects: [
      pages('isolated', HEADERS),
      // Without the headers there is no shared memory, which all of these are about.
      pages('not isolated', {}, [
        'test/threads*.test.ts',
        'test/properties-threads.test.ts',
        'test/transfers.test.ts',
      ]),
    ],
  },
});

function pages(
  name: 'isolated' | 'not isolated',
  headers: Readonly<Record<string, string>>,
  exclude: readonly string[] = [],
): TestProjectInlineConfiguration {
  const launchOptions = {
    executablePath: pathOf('chromium')!,
    // Its sandbox wants a user who is not root. Tests of what is no longer held collect garbage.
    args: ['--no-sandbox', '--js-flags=--expose-gc'],
  };
  return {
    root,
    server: { headers },
    resolve: { alias },
    test: {
      name,
      include: ['test/*.test.ts', 'test/kernels/*.test.ts', 'test/browser/*.test.ts'],
      exclude: [...ofNode().keys(), ...exclude],
      setupFiles: ['test/setup.ts'],
      provide: { page: name },
      // Random cases of a property: the kernels are those that Node runs, with as many as there are.
      env: { HEED_RUNS: '250' },
      testTimeout: 60_000,
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: playwright({ launchOptions }),
        instances: [{ browser: 'chromium' }],
      },
    },
  };
}

declare module 'vitest' {
  export interface ProvidedContext {
    readonly page: 'isolated' | 'not isolated';
  }
}

export default config;
