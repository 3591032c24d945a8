/**
 * t[n] = Σₖ a[k] · B[n][k], n = 0 … rows − 1: dot products of one row with rows of a B that lies transposed (M = 1).
 *
 *   a ─► k floats          b ─► rows of k floats, ldb bytes apart, four at a time so that a is loaded once for four
 *
 * Four lanes a sum, (x0 + x2) + (x1 + x3) at the end, then what is left of k: depth k/4 + 5.
 *
 * Needs:     k >= 0; rows >= 0; t has room for `rows` floats. Nothing beyond k floats of a row is read.
 * Registers: 4 sums + 1 of a + 1 load.
 * FLOPs:     2 · k · rows.
 */
import { hsum, madd } from '../simd';

export function f32Dot(a: usize, b: usize, ldb: usize, k: i32, rows: i32, t: usize): void {
  assert(k >= 0 && rows >= 0);
  for (; rows >= 4; rows -= 4) {
    let b0 = b;
    let b1 = b0 + ldb;
    let b2 = b1 + ldb;
    let b3 = b2 + ldb;
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    const end = b + ((<usize>(k & ~3)) << 2);
    let x = a;
    while (b0 < end) {
      const av = v128.load(x);
      s0 = madd(av, v128.load(b0), s0);
      s1 = madd(av, v128.load(b1), s1);
      s2 = madd(av, v128.load(b2), s2);
      s3 = madd(av, v128.load(b3), s3);
      x += 16;
      b0 += 16;
      b1 += 16;
      b2 += 16;
      b3 += 16;
    }
    store<f32>(t, rest(hsum(s0), x, b0, k & 3));
    store<f32>(t, rest(hsum(s1), x, b1, k & 3), 4);
    store<f32>(t, rest(hsum(s2), x, b2, k & 3), 8);
    store<f32>(t, rest(hsum(s3), x, b3, k & 3), 12);
    b += ldb << 2;
    t += 16;
  }
  for (; rows > 0; rows--) {
    let s = f32x4.splat(0);
    let x = a;
    let y = b;
    const end = b + ((<usize>(k & ~3)) << 2);
    while (y < end) {
      s = madd(v128.load(x), v128.load(y), s);
      x += 16;
      y += 16;
    }
    store<f32>(t, rest(hsum(s), x, y, k & 3));
    b += ldb;
    t += 4;
  }
}

/** sum + a[0]·b[0] + … for the last n < 4 elements. */
// @ts-ignore: decorator
@inline
function rest(sum: f32, a: usize, b: usize, n: i32): f32 {
  for (; n > 0; n--) {
    sum += load<f32>(a) * load<f32>(b);
    a += 4;
    b += 4;
  }
  return sum;
}
