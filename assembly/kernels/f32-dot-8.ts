/**
 * f32Dot of eight rows at a time: t[n] = Σₖ a[k] · B[n][k], n = 0 … rows − 1, in the same order of addition.
 *
 *   a ─► k floats, each vector loaded once for eight          b ─► rows of k floats, `ldb` bytes apart, in place
 *   t ─► floats, `step` bytes apart
 *
 * Four chains wait for their additions, eight do not: 0.80 to 0.86 of f32Dot's time on V8 13. On V8 11 the loads spill: 1.2.
 *
 * Needs:     rows a multiple of 8; k a multiple of 4.
 * Registers: 8 sums + 1 of a + 1 load.
 * FLOPs:     2 · k · rows.
 */
import { hsumFour, madd, storeLanes } from '../simd';

export function f32Dot8(a: usize, b: usize, ldb: usize, k: i32, rows: i32, t: usize, step: usize): void {
  assert((k & 3) == 0 && k >= 0 && (rows & 7) == 0 && rows >= 0);
  const all = (<usize>k) << 2;
  for (; rows > 0; rows -= 8) {
    const b1 = b + ldb;
    const b2 = b1 + ldb;
    const b3 = b2 + ldb;
    const b4 = b3 + ldb;
    const b5 = b4 + ldb;
    const b6 = b5 + ldb;
    const b7 = b6 + ldb;
    const zero = f32x4.splat(0);
    let s0 = zero;
    let s1 = zero;
    let s2 = zero;
    let s3 = zero;
    let s4 = zero;
    let s5 = zero;
    let s6 = zero;
    let s7 = zero;
    for (let d: usize = 0; d < all; d += 16) {
      const x = v128.load(a + d);
      s0 = madd(x, v128.load(b + d), s0);
      s1 = madd(x, v128.load(b1 + d), s1);
      s2 = madd(x, v128.load(b2 + d), s2);
      s3 = madd(x, v128.load(b3 + d), s3);
      s4 = madd(x, v128.load(b4 + d), s4);
      s5 = madd(x, v128.load(b5 + d), s5);
      s6 = madd(x, v128.load(b6 + d), s6);
      s7 = madd(x, v128.load(b7 + d), s7);
    }
    storeLanes(hsumFour(s0, s1, s2, s3), t, step, 4);
    storeLanes(hsumFour(s4, s5, s6, s7), t + (step << 2), step, 4);
    t += step << 3;
    b += ldb << 3;
  }
}
