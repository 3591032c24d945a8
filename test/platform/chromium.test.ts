/** Threads in Chromium, and what bundlers make of them. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, inject, it } from 'vitest';
import { CHROMIUM } from './browsers.ts';
import { ISOLATED, checkIn, testIn, workersFrom } from './situations.ts';

testIn(CHROMIUM);

describe('bundled by', () => {
  beforeAll(() => {
    execFileSync(process.execPath, [
      fileURLToPath(new URL('bundles.mjs', import.meta.url)),
      inject('stranger'),
    ]);
  });

  const bundlers = ['esbuild', 'rollup', 'webpack', 'vite'] as const;

  it.each(['esbuild-script', ...bundlers])('%s: has threads', async (bundler) => {
    await checkIn(CHROMIUM, { headers: ISOLATED, check: 'threads' }, `bundled/${bundler}/page.html`);
  });

  it.each(bundlers)('%s: has them with a worker of the page', async (bundler) => {
    const page = `bundled/${bundler}/page.html`;
    await checkIn(CHROMIUM, { headers: workersFrom("'self'"), check: 'threads' }, page, { own: '' });
  });

  // The others pass over what is no import.
  it.each(['webpack', 'vite'])('%s: passes on worker.js, for where blob: is refused', async (bundler) => {
    const headers = workersFrom("'self'");
    await checkIn(CHROMIUM, { headers, check: 'threads' }, `bundled/${bundler}/page.html`);
  });
});
