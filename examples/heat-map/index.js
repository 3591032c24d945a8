/**
 * A picture of real weights: where each column of an image looks while a trained text recogniser reads it, head by head. Each
 * row of a heat-map is a column of the image, and blue where it looks.
 *
 *   npm run build && node examples/heat-map             all heads of both layers, into heat-map.svg in this folder
 *   node examples/heat-map FILE 2.4 1.6 …   layer 2, head 4 and so on, into FILE: so is docs/heads.svg made, of these two
 *
 *   svg.js   the picture
 *
 * The exit code is 1 where a cell is another than the model's own weight would be drawn.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { attend, blocks, manifest, seqQ, tensor } from '../pp-ocr.js';
import { draw, shadeOf } from './svg.js';

const everyHead = blocks.flatMap((_, layer) =>
  Array.from({ length: manifest.heads }, (_, head) => `${layer + 1}.${head + 1}`),
);
const [file = fileURLToPath(new URL('heat-map.svg', import.meta.url)), ...asked] = process.argv.slice(2);
const unknown = asked.filter((name) => !everyHead.includes(name));
if (unknown.length > 0) {
  console.error(`There is no head ${unknown.join(', ')}. There are ${everyHead.join(', ')}.`);
  process.exit(1);
}

const computed = Object.fromEntries(blocks.map((block) => [block, attend(block).weights]));
const names = asked.length > 0 ? asked : everyHead;
const heads = names.map((name) => {
  const [layer, head] = name.split('.').map(Number);
  const block = blocks[layer - 1];
  const part = (weights) => weights.subarray((head - 1) * seqQ * seqQ, head * seqQ * seqQ);
  const weights = part(computed[block]);
  const models = part(tensor(`${block}.attention.weights`));
  return { title: `layer ${layer}, head ${head}`, weights, models };
});
const svg = draw(heads);
writeFileSync(file, svg);
console.log(`wrote ${file}: ${heads.length} heads, ${(svg.length / 1e3).toFixed(0)} kB`);

// Two shades apart, since a weight between two of them may be rounded either way.
const cells = heads.flatMap(({ weights, models }) => Array.from(weights, (w, i) => [w, models[i]]));
const wrong = cells.filter(([weight, models]) => Math.abs(shadeOf(weight) - shadeOf(models)) > 1);
console.log(
  `${cells.length - wrong.length} of ${cells.length} cells are as the model's own weights would be drawn`,
);
if (wrong.length > 0) process.exitCode = 1;
