/** Draws the line of text that the recogniser is to read. */
import { readFileSync } from 'node:fs';
import { expect } from './expect.mjs';
import { require } from './packages.mjs';

const TEXT = 'You found me';
const FONT = 'DejaVu Sans';
const FONT_SIZE = 34;
const BASELINE = 36;
const HEIGHT = 48; // the height the recogniser was trained on
const WIDTH = 264; // eight pixels make one column of features: 33 of them, an odd number on purpose

/**
 * @typedef {{ text: string, font: string, fontSize: number, width: number, height: number, rgba: Uint8Array,
 *   png: Uint8Array }} Image
 */

/** Black on white. WebAssembly and a font that is packaged: the same pixels everywhere. @returns {Promise<Image>} */
export async function drawText() {
  const { initWasm, Resvg } = require('@resvg/resvg-wasm');
  await initWasm(readFileSync(require.resolve('@resvg/resvg-wasm/index_bg.wasm')));
  const font = readFileSync(require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'));
  const svg = `
    <svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">
      <rect width="100%" height="100%" fill="white"/>
      <text x="50%" y="${BASELINE}" text-anchor="middle" font-family="${FONT}" font-size="${FONT_SIZE}">
        ${TEXT}
      </text>
    </svg>`;
  const drawn = new Resvg(svg, { font: { fontBuffers: [font] } }).render();
  expect(drawn.width === WIDTH && drawn.height === HEIGHT, 'the image is not of its own size');
  return {
    text: TEXT,
    font: FONT,
    fontSize: FONT_SIZE,
    width: WIDTH,
    height: HEIGHT,
    rgba: drawn.pixels,
    png: drawn.asPng(),
  };
}
