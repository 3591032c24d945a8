/**
 * Finishes the scores of a block that some of its queries see only in part (the causal diagonal):
 *
 *   S[j][q] = −∞ where first + j >= limit[q];   m[q] = max(m[q], maxⱼ S[j][q])
 *
 *   s: | key 0: q0 … q7 | key 1: q0 … q7 | …          limit: i32 [8], one past the last key that a query sees
 *
 * −∞ is a masked key: 2^−∞ is exactly 0, so it adds nothing to any sum.
 */
import { maxKeep } from '../simd';

export function f32ScoreLimit(s: usize, first: i32, keys: i32, limit: usize, m: usize): void {
  assert(keys >= 0);
  const masked = f32x4.splat(-Infinity);
  const limit0 = v128.load(limit);
  const limit1 = v128.load(limit, 16);
  let m0 = v128.load(m);
  let m1 = v128.load(m, 16);
  for (let j = first; j < first + keys; j++) {
    const key = i32x4.splat(j);
    const s0 = v128.bitselect(v128.load(s), masked, i32x4.lt_s(key, limit0));
    const s1 = v128.bitselect(v128.load(s, 16), masked, i32x4.lt_s(key, limit1));
    v128.store(s, s0);
    v128.store(s, s1, 16);
    m0 = maxKeep(m0, s0);
    m1 = maxKeep(m1, s1);
    s += 32;
  }
  v128.store(m, m0);
  v128.store(m, m1, 16);
}
