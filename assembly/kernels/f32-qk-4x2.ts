/**
 * Scores of four queries, where few queries meet many keys: lanes are elements of the head.
 *
 *   S[j][0 … 3] = Σ_d Q[0 … 3][d] · K[j][d]      j = 0 … keys − 1
 *
 *   q ─► rows of headDim floats, ldq bytes apart, scaled
 *   k ─► rows of headDim floats, ldk bytes apart, in place, two at a time: each is loaded once for four queries
 *   s ─► | key 0: q0 … q7 | key 1: q0 … q7 | …, of which four columns are written
 *
 * Every score is one chain of vectors, then (x0 + x2) + (x1 + x3): the same as f32Dot, which serves what is left of four
 * queries and any other headDim.
 *
 * Needs:     keys >= 0; headDim a multiple of 4.
 * Registers: 8 accumulators + 2 keys + 1 query = 11 (and a product without FMA).
 * FLOPs:     8 · keys · headDim.
 */
import { hsumFour, madd } from '../simd';

export function f32Qk4x2(
  q: usize,
  ldq: usize,
  k: usize,
  ldk: usize,
  headDim: i32,
  keys: i32,
  s: usize,
): void {
  assert(keys >= 0 && (headDim & 3) == 0);
  const whole = (<usize>headDim) << 2;
  const q1 = q + ldq;
  const q2 = q1 + ldq;
  const q3 = q2 + ldq;
  for (let j = 0; j < keys; j += 2) {
    // The last of an odd number of keys is taken twice, and written once.
    const other = j + 1 < keys ? k + ldk : k;
    const zero = f32x4.splat(0);
    let a0 = zero;
    let a1 = zero;
    let a2 = zero;
    let a3 = zero;
    let b0 = zero;
    let b1 = zero;
    let b2 = zero;
    let b3 = zero;
    let a: v128, b: v128, x: v128;
    let d: usize = 0;
    for (; d < whole; d += 16) {
      a = v128.load(k + d);
      b = v128.load(other + d);
      x = v128.load(q + d);
      a0 = madd(x, a, a0);
      b0 = madd(x, b, b0);
      x = v128.load(q1 + d);
      a1 = madd(x, a, a1);
      b1 = madd(x, b, b1);
      x = v128.load(q2 + d);
      a2 = madd(x, a, a2);
      b2 = madd(x, b, b2);
      x = v128.load(q3 + d);
      a3 = madd(x, a, a3);
      b3 = madd(x, b, b3);
    }
    v128.store(s, hsumFour(a0, a1, a2, a3));
    if (other != k) v128.store(s, hsumFour(b0, b1, b2, b3), 32);
    s += 64;
    k += ldk << 1;
  }
}
