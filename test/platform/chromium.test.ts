/** Threads in Chromium, by an import map and in what bundlers make of a page; and kernels that are not those inside. */
import { execFileSync } from 'node:child_process';
import type { OutgoingHttpHeaders } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, inject, it } from 'vitest';
import { createServer, type ViteDevServer } from 'vite';
import { CHROMIUM } from './browsers.ts';
import { PAGES, type Page } from './consumers.ts';
import { ISOLATED, UNCOMPILED, checkIn, testIn, workersFrom, type Situation } from './situations.ts';

testIn(CHROMIUM);

// In Firefox such a module does not arrive, in WebKit the page may not instantiate it.
it('a page in Chromium has the kernels that a worker has compiled, where it may not itself', async () => {
  // A worker has the policy of its own file.
  const headers = (path: string): OutgoingHttpHeaders => (path === '/compiles.js' ? {} : UNCOMPILED);
  const options = { worker: 'compiles.js' };
  await checkIn(CHROMIUM, { headers, check: 'compiledElsewhere', options });
});

describe('in a page of', () => {
  let vite: ViteDevServer;

  beforeAll(async () => {
    const root = inject('stranger');
    execFileSync(process.execPath, [fileURLToPath(new URL('bundles.mjs', import.meta.url)), root]);
    const server = { middlewareMode: true, hmr: false, ws: false } as const;
    vite = await createServer({ root, configFile: false, logLevel: 'warn', server });
    // Bundling takes a few seconds, on a busy machine more than a hook is given.
  }, 60_000);

  afterAll(() => vite.close());

  /** Threads, where workers may be from `blob:` or from the page's own site alone. */
  const threads = async (page: Page, headers: Situation['headers'], more = {}): Promise<void> => {
    const { path, served } = page;
    const site = served ? vite.middlewares : inject('stranger');
    await checkIn(CHROMIUM, { headers, check: 'threads' }, path, more, site);
  };

  it.each(PAGES)('$name: has threads', (page) => threads(page, ISOLATED));

  it.each(PAGES.filter(({ own }) => own))('$name: has them with a worker of the page', (page) =>
    threads(page, workersFrom("'self'"), { own: '' }),
  );

  // The others pass over what is no import.
  it.each(PAGES.filter(({ passesOn }) => passesOn))(
    '$name: passes on worker.js, for where blob: is refused (fault 60)',
    (page) => threads(page, workersFrom("'self'")),
  );
});
