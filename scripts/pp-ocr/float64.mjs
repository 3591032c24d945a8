/**
 * The blocks once more, in float64 and from nothing but the fixture's numbers: what the extraction is checked with.
 * Plain loops, nothing of heed: heed is tested against this fixture.
 */
import { expect } from './expect.mjs';

/** @typedef {import('./recogniser.mjs').Tensor} Tensor */

/** x · weight + bias @param {ArrayLike<number>} x @param {Tensor} weight @param {Tensor} bias */
function linear(x, { shape: [inDim, outDim], data: weight }, { data: bias }) {
  const rows = x.length / inDim;
  const y = new Float64Array(rows * outDim);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < outDim; column++) {
      let sum = bias[column];
      for (let i = 0; i < inDim; i++) sum += x[row * inDim + i] * weight[i * outDim + column];
      y[row * outDim + column] = sum;
    }
  }
  return y;
}

/** @param {ArrayLike<number>} x @param {Tensor} weight @param {Tensor} bias @param {number} epsilon */
function layerNorm(x, { data: weight }, { data: bias }, epsilon) {
  const width = weight.length;
  const y = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    let mean = 0;
    for (let i = 0; i < width; i++) mean += x[start + i] / width;
    let variance = 0;
    for (let i = 0; i < width; i++) variance += (x[start + i] - mean) ** 2 / width;
    const deviation = Math.sqrt(variance + epsilon);
    for (let i = 0; i < width; i++) y[start + i] = ((x[start + i] - mean) / deviation) * weight[i] + bias[i];
  }
  return y;
}

/**
 * Softmax(q · kᵀ · scale) · v for every head, the heads' columns side by side.
 *
 * @param {Float64Array} qkv [T, 3, heads, headDim]
 * @param {{ heads: number, headDim: number, scale: number }} settings
 */
function attend(qkv, { heads, headDim, scale }) {
  const width = heads * headDim;
  const steps = qkv.length / (3 * width);
  const at = (step, part, head, i) => qkv[((step * 3 + part) * heads + head) * headDim + i];
  const weights = new Float64Array(heads * steps * steps);
  const context = new Float64Array(steps * width);
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < steps; row++) {
      const line = weights.subarray((head * steps + row) * steps, (head * steps + row + 1) * steps);
      for (let column = 0; column < steps; column++) {
        for (let i = 0; i < headDim; i++)
          line[column] += at(row, 0, head, i) * scale * at(column, 1, head, i);
      }
      const top = Math.max(...line);
      for (let column = 0; column < steps; column++) line[column] = Math.exp(line[column] - top);
      const total = line.reduce((sum, value) => sum + value, 0);
      for (let column = 0; column < steps; column++) {
        line[column] /= total;
        for (let i = 0; i < headDim; i++) {
          context[row * width + head * headDim + i] += line[column] * at(column, 2, head, i);
        }
      }
    }
  }
  return { weights, context };
}

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function maxAbsDifference(a, b) {
  expect(a.length === b.length, `${a.length} values cannot equal ${b.length}`);
  let max = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= max)) max = difference; // written so that a NaN is kept rather than skipped
  }
  return max;
}

/**
 * How far each of the recogniser's own values is from the same value computed from the fixture's numbers.
 *
 * @param {(name: string) => Tensor} get a tensor of this block
 * @param {import('./blocks.mjs').Settings} settings
 */
export function recompute(get, settings) {
  const project = (x, name) => linear(x, get(`${name}.weight`), get(`${name}.bias`));
  const normalise = (x, name) => layerNorm(x, get(`${name}.weight`), get(`${name}.bias`), settings.epsilon);

  /** What attention makes of its input, from the projection to q, k and v to the one after the heads. */
  const attention = (/** @type {ArrayLike<number>} */ x) => {
    const { weights, context } = attend(project(x, 'qkv'), settings);
    return { weights, output: project(context, 'proj') };
  };

  // First every stage from its own recorded input, then the whole block from nothing but its input.
  const input = get('input').data;
  const fromNorm = attention(get('attention.input').data);
  const normalised = normalise(input, 'norm1');
  const middle = attention(normalised).output.map((value, i) => value + input[i]);
  const hidden = project(normalise(middle, 'norm2'), 'mlp.fc1').map((x) => x / (1 + Math.exp(-x)));
  const output = project(hidden, 'mlp.fc2').map((value, i) => value + middle[i]);
  return {
    'attention.input': maxAbsDifference(normalised, get('attention.input').data),
    'attention.weights': maxAbsDifference(fromNorm.weights, get('attention.weights').data),
    'attention.output': maxAbsDifference(fromNorm.output, get('attention.output').data),
    output: maxAbsDifference(output, get('output').data),
  };
}
