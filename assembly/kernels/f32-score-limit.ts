/**
 * Finishes the scores of a block that some of its queries see only in part (the causal diagonal), or whose scale did not
 * fit into the queries:
 *
 *   S[j][q] = S[j][q]·scale, −∞ where first + j >= limit[q];   m[q] = max(m[q], maxⱼ S[j][q])
 *
 *   s: | key 0: q0 … q7 | key 1: q0 … q7 | …          limit: i32 [8], one past the last key that a query sees
 *
 * −∞ is a masked key: 2^−∞ is exactly 0, so it adds nothing to any sum. The scale is a power of two, mostly 1: exact.
 *
 * Needs:     keys >= 0.
 * Registers: 2 maxima + 2 limits + key + scale + −∞ + 2 scores + 1 mask.
 * FLOPs:     32 · keys, on edges only.
 */
import { MASKED } from '../constants';
import { maxKeep } from '../simd';

export function f32ScoreLimit(s: usize, first: i32, keys: i32, limit: usize, m: usize, scale: f32): void {
  assert(keys >= 0);
  const masked = v128.load(MASKED);
  const factor = f32x4.splat(scale);
  const limit0 = v128.load(limit);
  const limit1 = v128.load(limit, 16);
  let m0 = v128.load(m);
  let m1 = v128.load(m, 16);
  for (let j = first; j < first + keys; j++) {
    const key = i32x4.splat(j);
    const s0 = v128.bitselect(f32x4.mul(v128.load(s), factor), masked, i32x4.lt_s(key, limit0));
    const s1 = v128.bitselect(f32x4.mul(v128.load(s, 16), factor), masked, i32x4.lt_s(key, limit1));
    v128.store(s, s0);
    v128.store(s, s1, 16);
    m0 = maxKeep(m0, s0);
    m1 = maxKeep(m1, s1);
    s += 32;
  }
  v128.store(m, m0);
  v128.store(m, m1, 16);
}
