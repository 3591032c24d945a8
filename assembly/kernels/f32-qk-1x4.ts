/**
 * Scores of one query, where few queries meet many keys: f32Qk4x2 for what is left of four.
 *
 *   S[j][0] = Σ_d Q[d] · K[j][d]      j = 0 … keys − 1
 *
 *   q ─► whole vectors, scaled, zeros behind headDim        k ─► rows of headDim floats, ldk bytes apart, four at a time
 *   s ─► | key 0: q0 … q7 | key 1: q0 … q7 | …, of which one column is written
 *
 * Needs:     keys >= 0; headDim >= 1. Nothing beyond headDim floats of a key is read.
 * Registers: 4 accumulators + 1 query + 1 key.
 * FLOPs:     2 · keys · headDim.
 */
import { hsumFour, loadTail, madd } from '../simd';

export function f32Qk1x4(q: usize, k: usize, ldk: usize, headDim: i32, keys: i32, s: usize): void {
  assert(keys >= 0 && headDim >= 1);
  const whole = (<usize>(headDim & ~3)) << 2;
  const tail = headDim & 3;
  for (let j = 0; j < keys; j += 4) {
    const left = keys - j;
    // Of the last keys the last one is taken again, and written once.
    const k1 = left > 1 ? k + ldk : k;
    const k2 = left > 2 ? k1 + ldk : k1;
    const k3 = left > 3 ? k2 + ldk : k2;
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    let d: usize = 0;
    for (; d < whole; d += 16) {
      const x = v128.load(q + d);
      s0 = madd(x, v128.load(k + d), s0);
      s1 = madd(x, v128.load(k1 + d), s1);
      s2 = madd(x, v128.load(k2 + d), s2);
      s3 = madd(x, v128.load(k3 + d), s3);
    }
    if (tail) {
      const x = v128.load(q + d);
      s0 = madd(x, loadTail(k + d, tail), s0);
      s1 = madd(x, loadTail(k1 + d, tail), s1);
      s2 = madd(x, loadTail(k2 + d, tail), s2);
      s3 = madd(x, loadTail(k3 + d, tail), s3);
    }
    const sums = hsumFour(s0, s1, s2, s3);
    v128.store_lane<f32>(s, sums, 0);
    if (left > 1) v128.store_lane<f32>(s, sums, 1, 32);
    if (left > 2) v128.store_lane<f32>(s, sums, 2, 64);
    if (left > 3) v128.store_lane<f32>(s, sums, 3, 96);
    s += 128;
    k += ldk << 2;
  }
}
