/**
 * The arithmetic that a model runs in: heed's, in float32 on an engine, or the reference's, in float64. Both have the same
 * functions, so that the model is written once:
 *
 *   array                          the typed array of all values
 *   linear(w, { K, N, transposeB }) a matrix that many inputs will meet: packed on the engine, as it is in the reference
 *   multiply(x, linear, M)         [M, K]·[K, N]
 *   rope, attention                as of heed
 */
import * as reference from 'heed/reference';

export function float32(engine) {
  return {
    array: Float32Array,
    linear: (w, shape) => engine.packMatrix(w, shape),
    multiply: (x, packed, M) => engine.matmul(x, packed, { M }),
    rope: (x, options) => engine.rope(x, options),
    attention: (q, k, v, options) => engine.attention(q, k, v, options),
  };
}

export const float64 = {
  array: Float64Array,
  linear: (w, shape) => ({ w, shape }),
  multiply: (x, { w, shape }, M) => reference.matmul(x, w, { M, ...shape }),
  rope: reference.rope,
  attention: reference.attention,
};
