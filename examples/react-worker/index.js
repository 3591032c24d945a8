/**
 * A page with React that keeps painting while attention runs in heed's workers.
 *
 *   npm run build && npx vite examples/react-worker     to look at
 *   npm run build && node examples/react-worker         to check: built by vite, opened in Chromium, both buttons pressed
 *
 *   App.jsx          the page; Spinner.jsx, Picture.jsx and useEngine.js its parts
 *   picture.js       what is computed: pixels that attend to pixels
 *   frames.js        counts frames
 *   vite.config.js   the two headers that threads need
 *
 * The exit code is 1 where frames stopped during the call in the workers, or where the picture is not what the float64 reference
 * computes. The call on the page's own thread is there to see that a stop is noticed.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import * as vite from 'vite';
import { attention } from 'heed/reference';
import { progress } from '../progress.js';
import { byteOf, noisyPicture, operands, shape } from './picture.js';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
if (!existsSync(executablePath)) {
  console.error(
    `Chromium is not at ${executablePath}: say where in CHROMIUM, or install it (Debian: chromium).`,
  );
  process.exit(1);
}

const bar = progress(4, 'building the page');
bar.next('building the page');
const outDir = mkdtempSync(join(tmpdir(), 'heed-react-'));
const configFile = fileURLToPath(new URL('vite.config.js', import.meta.url));
await vite.build({ configFile, logLevel: 'error', build: { outDir, emptyOutDir: true } });
const server = await vite.preview({ configFile, build: { outDir }, preview: { port: 0 } });
bar.next('starting Chromium');
// Its sandbox wants a user who is not root.
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
  const page = await browser.newPage();
  const broken = new Promise((_, reject) => page.on('pageerror', reject));
  await Promise.race([broken, check(page)]);
} finally {
  bar.stop();
  await browser.close();
  await server.close();
  rmSync(outDir, { recursive: true });
}

async function check(page) {
  await page.goto(server.resolvedUrls.local[0]);
  bar.next('computing on its own thread');
  const onPage = await press(page, 'page');
  bar.next('computing in the workers');
  const inWorkers = await press(page, 'workers');
  bar.stop();

  console.log('\ncomputed                 time   frames meanwhile   longest time without one');
  for (const { where, time, frames, gap } of [inWorkers, onPage])
    console.log(
      `${(where === 'page' ? 'on its own thread' : 'in the workers').padEnd(18)} ${`${time} ms`.padStart(10)}` +
        `${`${frames}`.padStart(19)}${`${gap} ms`.padStart(27)}`,
    );
  console.log();

  const off = Math.max(...[inWorkers, onPage].map(({ pixels }) => levelsOff(pixels)));
  const verdicts = [
    ['the page painted all the while', inWorkers.frames > 2 && inWorkers.gap < inWorkers.time / 2],
    ['a thread that is held is noticed', onPage.frames === 0],
    // A value between two levels may be rounded either way.
    [`pixels are the reference's, within ${off} of 255 levels`, off <= 1],
  ];
  for (const [what, holds] of verdicts) console.log(`${what}: ${holds ? 'holds' : 'FAILS'}`);
  if (!verdicts.every(([, holds]) => holds)) process.exitCode = 1;
}

/** Presses a button and reads the page when it is done. */
async function press(page, where) {
  await page.getByRole('button', { name: where === 'page' ? 'on this thread' : 'in the workers' }).click();
  await page.locator(`#report[data-where=${where}]`).waitFor();
  const number = async (id) => Number(await page.locator(id).textContent());
  const pixels = await page.locator('#result').evaluate((canvas) => {
    return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data];
  });
  return {
    ...{ where, pixels, time: await number('#time') },
    ...{ frames: await number('#frames'), gap: await number('#gap') },
  };
}

/** The most that a pixel's red, green or blue is off from the reference, of every hundred-and-first pixel. */
function levelsOff(pixels) {
  const { q, k, v } = operands(noisyPicture());
  const { headDim, seqQ: seqK } = shape;
  const rows = Array.from({ length: Math.ceil(seqK / 101) }, (_, i) => 101 * i);
  const queries = Float32Array.from(
    rows.flatMap((row) => [...q.subarray(row * headDim, (row + 1) * headDim)]),
  );
  const right = attention(queries, k, v, { ...shape, seqQ: rows.length, seqK });
  const off = rows.flatMap((row, i) =>
    [0, 1, 2].map((c) => Math.abs(pixels[4 * row + c] - byteOf(right[3 * i + c]))),
  );
  return Math.max(...off);
}
