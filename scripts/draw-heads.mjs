/**
 * Draws docs/heads.svg for the README: where each column of a real image looks, in two heads of a trained model
 * (test/fixtures/pp-ocr). The weights come from heed. Needs the built package: `npm run build && node scripts/draw-heads.mjs`.
 */
import { writeFileSync } from 'node:fs';
import { MultiHeadAttention } from 'heed';
import { imagePng, manifest, tensor } from '../test/fixtures/pp-ocr/read.js';

const heads = [
  { block: 'block1', head: 3 },
  { block: 'block0', head: 5 },
];
const png = Buffer.from(imagePng()).toString('base64');
const [seq, modelDim] = manifest.tensors['block0.input'].shape;
const letters = [...manifest.recognised.columns].map((c) => (c === manifest.recognised.blank ? '' : c));

const cell = 11;
const side = seq * cell;
const picture = (side * manifest.image.height) / manifest.image.width;
const [left, top, gap] = [26, picture + 46, 40];
const width = left + 2 * side + gap + 12;
const height = top + side + 14;
const parts = [
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif">`,
  `<rect width="${width}" height="${height}" fill="#fff"/>`,
];
for (const [at, { block, head }] of heads.entries()) {
  const x = left + at * (side + gap);
  parts.push(`<text x="${x}" y="18" font-size="13" fill="#222">${block}, head ${head}</text>`);
  parts.push(
    `<image x="${x}" y="26" width="${side}" height="${picture}" href="data:image/png;base64,${png}"/>`,
  );
  const weights = weightsOf(block).subarray(head * seq * seq, (head + 1) * seq * seq);
  for (let i = 0; i < seq; i++) {
    const y = top + i * cell;
    const label = `font-size="9" fill="#555" text-anchor="middle"`;
    parts.push(`<text x="${x - 9}" y="${y + 8.5}" ${label}>${letters[i]}</text>`);
    parts.push(`<text x="${x + i * cell + 5.5}" y="${top - 5}" ${label}>${letters[i]}</text>`);
    for (let j = 0; j < seq; j++) {
      const weight = weights[i * seq + j];
      if (weight < 0.01) continue;
      // A square root lets small weights be seen too.
      const opacity = Math.sqrt(weight).toFixed(2);
      parts.push(
        `<rect x="${x + j * cell}" y="${y}" width="${cell}" height="${cell}" fill="#14509b" fill-opacity="${opacity}"/>`,
      );
    }
  }
  parts.push(`<rect x="${x}" y="${top}" width="${side}" height="${side}" fill="none" stroke="#bbb"/>`);
}
parts.push('</svg>');
writeFileSync(new URL('../docs/heads.svg', import.meta.url), parts.join('\n') + '\n');

function weightsOf(block) {
  const mha = new MultiHeadAttention({
    ...{ modelDim, heads: manifest.heads, weightLayout: 'in-out' },
    weights: {
      ...{ wqkv: tensor(`${block}.qkv.weight`), bqkv: tensor(`${block}.qkv.bias`) },
      ...{ wo: tensor(`${block}.proj.weight`), bo: tensor(`${block}.proj.bias`) },
    },
  });
  const { weights } = mha.inspect(tensor(`${block}.attention.input`), { seqQ: seq });
  mha.dispose();
  return weights;
}
