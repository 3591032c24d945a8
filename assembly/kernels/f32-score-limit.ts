/**
 * The last step of a block's scores, where some of its queries see only a part (the diagonal of causal, the edges of a
 * window) or something changed the scores after the product: masks by place, and raises the maxima.
 *
 *   S[j][q] = start[q] <= first + j < limit[q] ? S[j][q] : −∞;     m[q] = max(m[q], maxⱼ S[j][q])
 *
 *   s: | key 0: q0 … q7 | key 1: q0 … q7 | …          start, limit: i32 [8]
 *
 * −∞ is a masked key: 2^−∞ is exactly 0, so it adds nothing to any sum.
 *
 * Needs:     keys >= 0.
 * Registers: 2 maxima + 2 starts + 2 limits + key + −∞ + 2 scores + 1 mask.
 * FLOPs:     16 · keys, on edges only.
 */
import { MASKED } from '../constants';
import { maxKeep } from '../simd';

export function f32ScoreLimit(s: usize, first: i32, keys: i32, start: usize, limit: usize, m: usize): void {
  assert(keys >= 0);
  const masked = v128.load(MASKED);
  const start0 = v128.load(start);
  const start1 = v128.load(start, 16);
  const limit0 = v128.load(limit);
  const limit1 = v128.load(limit, 16);
  let m0 = v128.load(m);
  let m1 = v128.load(m, 16);
  for (let j = first; j < first + keys; j++) {
    const key = i32x4.splat(j);
    const seen0 = v128.andnot(i32x4.lt_s(key, limit0), i32x4.lt_s(key, start0));
    const seen1 = v128.andnot(i32x4.lt_s(key, limit1), i32x4.lt_s(key, start1));
    const s0 = v128.bitselect(v128.load(s), masked, seen0);
    const s1 = v128.bitselect(v128.load(s, 16), masked, seen1);
    v128.store(s, s0);
    v128.store(s, s1, 16);
    m0 = maxKeep(m0, s0);
    m1 = maxKeep(m1, s1);
    s += 32;
  }
  v128.store(m, m0);
  v128.store(m, m1, 16);
}
