/**
 * Draws docs/lab.png for the README: the lab's second panel in Chromium, pointed at a weight. Needs the built package and
 * Debian's chromium: `npm run build && node scripts/draw-lab.mjs`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { build, preview } from 'vite';
import { manifest, tensor } from '../test/fixtures/pp-ocr/read.js';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const configFile = path('../web/vite.config.ts');
const outDir = mkdtempSync(join(tmpdir(), 'heed-lab-'));
const settings = { configFile, logLevel: 'error', build: { outDir } };
await build(settings);
const server = await preview({ ...settings, preview: { host: '127.0.0.1', port: 0 } });
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({ viewport: { width: 1168, height: 2000 } });
  await page.goto(server.resolvedUrls.local[0]);
  await page.getByText('As the model has it').waitFor();
  // Where the column that is read as “f” looks most.
  const [head, row, size] = [3, manifest.recognised.columns.indexOf('f'), manifest.steps];
  const weights = tensor('block1.attention.weights')
    .subarray((head * size + row) * size)
    .subarray(0, size);
  const column = weights.indexOf(Math.max(...weights));
  const map = page.locator(`[data-map="Head ${head + 1}"] .map`);
  const { width } = await map.boundingBox();
  await map.hover({ position: { x: (width * (column + 0.5)) / size, y: (width * (row + 0.5)) / size } });
  const place = await page.locator('#heads').boundingBox();
  const top = (await page.locator('#heads-title').boundingBox()).y - 32;
  const clip = { x: 0, y: top, width: 1168, height: place.y + place.height - top };
  await page.screenshot({ path: path('../docs/lab.png'), clip });
} finally {
  await browser.close();
  await server.close();
  rmSync(outDir, { recursive: true });
}
