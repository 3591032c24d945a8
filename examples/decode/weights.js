/** The weights: seeded noise. Rounding, caches and speed are those of a trained model; what the tokens say is nothing. */
import { noise, uniform } from '../noise.js';

export const source = 'seeded noise';

/** Matrices as a row vector meets them, x·W: [inputs, outputs]. Their size 1/√inputs keeps x·W of the size of x. */
export function makeWeights({ layers, modelDim, heads, kvHeads, headDim, hiddenDim, vocabulary }) {
  let seed = 0;
  const matrix = (inputs, outputs) => noise(inputs * outputs, ++seed, 1 / Math.sqrt(inputs));
  const gain = () => noise(modelDim, ++seed, 0.1).map((x) => 1 + x);
  return {
    // [vocabulary, modelDim], for both ends. Small: a layer's part in x would else be lost beside the token's own row, and
    // the likeliest token would always be the one before.
    embedding: noise(vocabulary * modelDim, ++seed, 1 / Math.sqrt(modelDim)),
    norm: gain(),
    layers: Array.from({ length: layers }, () => ({
      attentionNorm: gain(),
      wq: matrix(modelDim, heads * headDim),
      wk: matrix(modelDim, kvHeads * headDim),
      wv: matrix(modelDim, kvHeads * headDim),
      wo: matrix(heads * headDim, modelDim),
      mlpNorm: gain(),
      wGate: matrix(modelDim, hiddenDim),
      wUp: matrix(modelDim, hiddenDim),
      wDown: matrix(hiddenDim, modelDim),
    })),
  };
}

/** How many numbers there are. */
export function countWeights({ embedding, norm, layers }) {
  const all = [embedding, norm, ...layers.flatMap((layer) => Object.values(layer))];
  return all.reduce((sum, { length }) => sum + length, 0);
}

/** The same weights in float64, each moved by one float32 rounding: w·(1 ± 2⁻²⁴), the sign by lot. */
export function nudge(weights) {
  const next = uniform(4711);
  const each = (w) => Float64Array.from(w, (x) => x * (1 + (next() < 0.5 ? -1 : 1) * 2 ** -24));
  const layer = (of) => Object.fromEntries(Object.entries(of).map(([name, w]) => [name, each(w)]));
  return {
    embedding: each(weights.embedding),
    norm: each(weights.norm),
    layers: weights.layers.map(layer),
  };
}
