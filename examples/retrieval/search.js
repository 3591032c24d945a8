/** The exhaustive search: every text's cosine with every other, in float64. Vectors have length 1, so a cosine is a product. */

/** For each text the nearest of the others: { cosines [texts, texts], nearest [texts], lead [texts] over the second }. */
export function search(vectors, dim) {
  const count = vectors.length / dim;
  const cosines = new Float64Array(count * count);
  const [nearest, lead] = [new Int32Array(count), new Float64Array(count)];
  for (let i = 0; i < count; i++) {
    let [best, second, at] = [-Infinity, -Infinity, -1];
    for (let j = 0; j < count; j++) {
      if (j === i) continue;
      let cosine = 0;
      for (let d = 0; d < dim; d++) cosine += vectors[i * dim + d] * vectors[j * dim + d];
      cosines[i * count + j] = cosine;
      if (cosine > best) [best, second, at] = [cosine, best, j];
      else second = Math.max(second, cosine);
    }
    [nearest[i], lead[i]] = [at, best - second];
  }
  return { cosines, nearest, lead };
}

/**
 * How far apart two cosines may be of which float32 takes the smaller for the larger: each score is off by at most
 * (headDim + 2)·u·Σ|q·k|, u = 2⁻²⁴ (docs/reliability.md), and Σ|q·k| ≤ 1 where both have length 1 (Cauchy–Schwarz).
 */
export function rounding(dim) {
  return 2 * (dim + 2) * 2 ** -24;
}
