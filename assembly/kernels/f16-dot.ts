/**
 * f32Dot against rows of float16, which are unpacked on the way (f16-widen.ts): t[n] = Σₖ a[k] · B[n][k] · 2⁻¹¹².
 *
 *   a ─► k floats          b ─► rows of k halves, in place, four at a time          t ─► floats, `step` bytes apart
 *
 * The same order of addition as f32Dot. With four chains that one waits for its additions; the shifts and masks here take
 * the time that it waits.
 *
 * Needs:     k a multiple of 8; rows >= 0; finite halves.
 * Registers: 4 sums + 2 of a + the mask + 2 halves = 9.
 * FLOPs:     2 · k · rows, and 3 integer operations for four elements.
 */
import { hsumFour, madd, storeLanes } from '../simd';
import { UNPACK_MASK, unpack } from './f16-widen';

export function f16Dot(a: usize, b: usize, ldb: usize, k: i32, rows: i32, t: usize, step: usize): void {
  assert((k & 7) == 0 && rows >= 0);
  const mask = v128.load32_splat(UNPACK_MASK);
  const all = (<usize>k) << 1;
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
    let x = a;
    for (let d: usize = 0; d < all; d += 8, x += 16) {
      const y = v128.load(x);
      s0 = madd(y, unpack(v128.load16x4_s(b + d), mask), s0);
      s1 = madd(y, unpack(v128.load16x4_s(b1 + d), mask), s1);
      s2 = madd(y, unpack(v128.load16x4_s(b2 + d), mask), s2);
      s3 = madd(y, unpack(v128.load16x4_s(b3 + d), mask), s3);
    }
    storeLanes(hsumFour(s0, s1, s2, s3), t, step, rows);
    t += step << 2;
    b += ldb << 2;
  }
}
