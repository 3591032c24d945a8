/**
 * How far a right float32 pass may be from the float64 one. Rounding is amplified from layer to layer, by how much depends on
 * the model; so it is measured, not guessed:
 *
 *   M   how far float64 logits move, at most, where every weight moves by one float32 rounding, w·(1 ± 2⁻²⁴), signs by
 *       lot. This moves each product of each sum once.
 *   K   the longest sum of products (here that over the MLP's hidden values). Float32 rounds a sum after every addition, K
 *       times instead of once, the partial sums growing: as roundings fall, at random, that is √(K/2) times the error of
 *       moving each product once (Σ of the partial sums' variances, 1 + 2 + … + K = K²/2, beside K). Higham & Mary, "A New
 *       Approach to Probabilistic Rounding Error Analysis", 2019: √K where the worst case has K.
 *
 *   |float32 − float64| ≤ √K·M             |cached − recomputed| ≤ 2·√K·M, each of the two on its own side
 *
 * The roundings outside of sums (norms, exponentials, residuals) are one for each of those K. Not a worst case, as the laws
 * of docs/reliability.md are, but near to what happens: keys turned to a position that is off by one are ten thousand times
 * beyond it.
 */
import { largestDifference } from './compare.js';

/** √K·M. `truth`, `moved`: float64 logits by the weights as they are, and by the moved ones. */
export function bound(truth, moved, { modelDim, hiddenDim, heads, headDim }) {
  const K = Math.max(modelDim, hiddenDim, heads * headDim);
  const M = largestDifference(truth, moved);
  return { K, M, limit: Math.sqrt(K) * M };
}
