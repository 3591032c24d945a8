/** The parts of a transformer that heed does not have: a few lines each, for rows of any float type. */

/** y[seq, dim] = x / √(mean of x² + 1e-5) · gain, row by row. */
export function rmsNorm(x, gain) {
  const dim = gain.length;
  const y = new x.constructor(x.length);
  for (let row = 0; row < x.length; row += dim) {
    let sum = 0;
    for (let d = 0; d < dim; d++) sum += x[row + d] ** 2;
    const factor = 1 / Math.sqrt(sum / dim + 1e-5);
    for (let d = 0; d < dim; d++) y[row + d] = x[row + d] * factor * gain[d];
  }
  return y;
}

/** SwiGLU's middle: silu(gate)·up, with silu(z) = z / (1 + e^−z). */
export function swiGLU(gate, up) {
  return gate.map((z, i) => (z / (1 + Math.exp(-z))) * up[i]);
}

/** The residual: x + y, into x. */
export function addTo(x, y) {
  for (let i = 0; i < x.length; i++) x[i] += y[i];
}

/** Rows of the embedding, one a token: [seq, dim], of the arithmetic's type. */
export function embed(embedding, tokens, dim, array) {
  const x = new array(tokens.length * dim);
  for (const [i, token] of tokens.entries())
    x.set(embedding.subarray(token * dim, (token + 1) * dim), i * dim);
  return x;
}
