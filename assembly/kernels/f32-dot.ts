/**
 * t[n] = Σₖ a[k] · B[n][k], n = 0 … rows − 1: dot products of one row with rows that lie `ldb` bytes apart. A matmul with
 * M = 1 and B transposed; scores of one query where few queries meet many keys.
 *
 *   a ─► k floats          b ─► rows of k floats, in place, four at a time so that a is loaded once for four
 *   t ─► floats, `step` bytes apart: 4, or 32 where they are a column of a panel of scores
 *
 * Every sum is one chain of vectors, what is left of k in its first lane, then (x0 + x2) + (x1 + x3): depth k/4 + 6, and the
 * same as in f32Dot8 and f32Qk4x2, so that the number of queries does not touch the bits.
 *
 * Needs:     k >= 0; rows >= 0. Nothing beyond k floats of a or of a row is read.
 * Registers: 4 sums + 2 of a + 8 loads, which V8 11 moves to the top of a step = 14 of 15.
 * FLOPs:     2 · k · rows.
 */
import { hsumFour, madd, storeLanes } from '../simd';

export function f32Dot(a: usize, b: usize, ldb: usize, k: i32, rows: i32, t: usize, step: usize): void {
  assert(k >= 0 && rows >= 0);
  const pairs = (<usize>(k & ~7)) << 2;
  const whole = (<usize>(k & ~3)) << 2;
  const all = (<usize>k) << 2;
  for (; rows > 0; rows -= 4) {
    // Of the last rows the last one is taken again, and written once.
    const b1 = rows > 1 ? b + ldb : b;
    const b2 = rows > 2 ? b1 + ldb : b1;
    const b3 = rows > 3 ? b2 + ldb : b2;
    const zero = f32x4.splat(0);
    let s0 = zero;
    let s1 = zero;
    let s2 = zero;
    let s3 = zero;
    let d: usize = 0;
    for (; d < pairs; d += 32) {
      let x = v128.load(a + d);
      s0 = madd(x, v128.load(b + d), s0);
      s1 = madd(x, v128.load(b1 + d), s1);
      s2 = madd(x, v128.load(b2 + d), s2);
      s3 = madd(x, v128.load(b3 + d), s3);
      x = v128.load(a + d, 16);
      s0 = madd(x, v128.load(b + d, 16), s0);
      s1 = madd(x, v128.load(b1 + d, 16), s1);
      s2 = madd(x, v128.load(b2 + d, 16), s2);
      s3 = madd(x, v128.load(b3 + d, 16), s3);
    }
    if (d < whole) {
      const x = v128.load(a + d);
      s0 = madd(x, v128.load(b + d), s0);
      s1 = madd(x, v128.load(b1 + d), s1);
      s2 = madd(x, v128.load(b2 + d), s2);
      s3 = madd(x, v128.load(b3 + d), s3);
      d += 16;
    }
    // What is left of k, element by element in the first lane.
    for (; d < all; d += 4) {
      const x = v128.load32_zero(a + d);
      s0 = madd(x, v128.load32_zero(b + d), s0);
      s1 = madd(x, v128.load32_zero(b1 + d), s1);
      s2 = madd(x, v128.load32_zero(b2 + d), s2);
      s3 = madd(x, v128.load32_zero(b3 + d), s3);
    }
    storeLanes(hsumFour(s0, s1, s2, s3), t, step, rows);
    t += step << 2;
    b += ldb << 2;
  }
}
