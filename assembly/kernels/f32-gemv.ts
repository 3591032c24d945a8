/**
 * t[n] += a[0]·B[0][n] + a[1]·B[1][n] + … : up to eight rows of a row-major B swept once, n = 0 … cols − 1.
 * M = 1 without packing: B is read exactly once, in place.
 *
 *   b ─► row of B, ldb bytes a row        t ─► cols floats that stay in the first cache level
 *
 * Sums go down the rows in ascending order, as in every other matmul kernel.
 *
 * Needs:     cols >= 0; t holds zeros or the sums so far. f32Gemv8 takes exactly eight rows, f32Gemv1 one.
 * Registers: 8 broadcasts + 1 sum + 1 load; f32Gemv1 1 + 1 + 1.
 * FLOPs:     f32Gemv8 16 · cols, f32Gemv1 2 · cols.
 */
import { madd } from '../simd';

/** Eight rows. */
export function f32Gemv8(a: usize, b: usize, ldb: usize, cols: i32, t: usize): void {
  assert(cols >= 0);
  const a0 = v128.load32_splat(a);
  const a1 = v128.load32_splat(a, 4);
  const a2 = v128.load32_splat(a, 8);
  const a3 = v128.load32_splat(a, 12);
  const a4 = v128.load32_splat(a, 16);
  const a5 = v128.load32_splat(a, 20);
  const a6 = v128.load32_splat(a, 24);
  const a7 = v128.load32_splat(a, 28);
  let b1 = b + ldb;
  let b2 = b1 + ldb;
  let b3 = b2 + ldb;
  let b4 = b3 + ldb;
  let b5 = b4 + ldb;
  let b6 = b5 + ldb;
  let b7 = b6 + ldb;
  for (let j = cols >> 2; j > 0; j--) {
    let sum = madd(a0, v128.load(b), v128.load(t));
    sum = madd(a1, v128.load(b1), sum);
    sum = madd(a2, v128.load(b2), sum);
    sum = madd(a3, v128.load(b3), sum);
    sum = madd(a4, v128.load(b4), sum);
    sum = madd(a5, v128.load(b5), sum);
    sum = madd(a6, v128.load(b6), sum);
    sum = madd(a7, v128.load(b7), sum);
    v128.store(t, sum);
    b += 16;
    b1 += 16;
    b2 += 16;
    b3 += 16;
    b4 += 16;
    b5 += 16;
    b6 += 16;
    b7 += 16;
    t += 16;
  }
  for (let j = cols & 3; j > 0; j--) {
    // One lane of the same vector operations, so that a column's bits do not depend on where it stands.
    let sum = madd(a0, v128.load32_splat(b), v128.load32_splat(t));
    sum = madd(a1, v128.load32_splat(b1), sum);
    sum = madd(a2, v128.load32_splat(b2), sum);
    sum = madd(a3, v128.load32_splat(b3), sum);
    sum = madd(a4, v128.load32_splat(b4), sum);
    sum = madd(a5, v128.load32_splat(b5), sum);
    sum = madd(a6, v128.load32_splat(b6), sum);
    sum = madd(a7, v128.load32_splat(b7), sum);
    store<f32>(t, f32x4.extract_lane(sum, 0));
    b += 4;
    b1 += 4;
    b2 += 4;
    b3 += 4;
    b4 += 4;
    b5 += 4;
    b6 += 4;
    b7 += 4;
    t += 4;
  }
}

/** One row: what is left of a block of rows. */
export function f32Gemv1(a: usize, b: usize, cols: i32, t: usize): void {
  assert(cols >= 0);
  const a0 = v128.load32_splat(a);
  for (let j = cols >> 2; j > 0; j--) {
    v128.store(t, madd(a0, v128.load(b), v128.load(t)));
    b += 16;
    t += 16;
  }
  for (let j = cols & 3; j > 0; j--) {
    store<f32>(t, f32x4.extract_lane(madd(a0, v128.load32_splat(b), v128.load32_splat(t)), 0));
    b += 4;
    t += 4;
  }
}
