/**
 * The weights themselves, for people who want to look:
 *
 *   W[j][q] = 2^(S[j][q] − m[q]) · inverse[q]     in place; exactly 0 where S[j][q] is −∞ (a masked key)
 *
 *   s: | key 0: q0 … q7 | key 1: q0 … q7 | …       inverse = 1 / l
 *
 * Not 2^(S − logSumExp): that form loses accuracy (Blanchard, Higham & Higham 2021).
 *
 * Needs:     keys >= 0; m at least every score of its column, inverse 0 where no key was seen.
 * Registers: −∞, m, inverse, the score, 4 inside 2^x = 8 of 15; its constants are loaded as they are met.
 * FLOPs:     19 a score (1 for x − m, 17 for 2^x as in exp.ts, 1 for the product): 152 · keys.
 */
import { exp2 } from '../exp';

export function f32Weights(s: usize, keys: i32, m: usize, inverse: usize): void {
  assert(keys >= 0);
  const masked = f32x4.splat(-Infinity);
  const zero = f32x4.splat(0);
  const end = s + ((<usize>keys) << 5);
  for (let half: usize = 0; half < 32; half += 16) {
    const maximum = v128.load(m + half);
    const scale = v128.load(inverse + half);
    for (let p = s + half; p < end; p += 32) {
      const x = v128.load(p);
      const weight = f32x4.mul(exp2(f32x4.sub(x, maximum)), scale);
      v128.store(p, v128.bitselect(zero, weight, f32x4.eq(x, masked)));
    }
  }
}
