/**
 * Adds a bias, in place. A bias of −∞ masks, whatever the score is, NaN too:
 *
 *   S[j][q] = B[j][q] = −∞ ? −∞ : S[j][q] + B[j][q]
 *
 *   s: | key 0: q0 … q7 | key 1: q0 … q7 | …         b: the same, its rows `step` bytes apart: 0 where all keys share one
 *
 * Needs:     keys >= 0; b in base 2 (times log₂e).
 * Registers: −∞, bias, sum.
 * FLOPs:     8 · keys.
 */
import { MASKED } from '../constants';

export function f32ScoreBias(s: usize, keys: i32, b: usize, step: usize): void {
  assert(keys >= 0);
  const masked = v128.load(MASKED);
  const end = s + ((<usize>keys) << 5);
  for (; s < end; s += 32, b += step) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const s0 = f32x4.add(v128.load(s), b0);
    const s1 = f32x4.add(v128.load(s, 16), b1);
    v128.store(s, v128.bitselect(masked, s0, f32x4.eq(b0, masked)));
    v128.store(s, v128.bitselect(masked, s1, f32x4.eq(b1, masked)), 16);
  }
}
