/**
 * t[n] += a[0]·B[0][n] + a[1]·B[1][n] + … : four or eight rows of a row-major B swept once, n = 0 … cols − 1.
 * M = 1 without packing: B is read exactly once, in place.
 *
 *   b ─► row of B, ldb bytes a row, eight columns a step        t ─► cols floats that stay in the first cache level
 *
 * Sums go down the rows in ascending order, as in every other matmul kernel: how many are swept at once does not touch the bits.
 *
 * Needs:     cols >= 0; t holds zeros or the sums so far. f32Gemv8 takes exactly eight rows, f32Gemv4 four, f32Gemv1 one.
 * Registers: a broadcast a row + 2 sums + 1 load: 11, 7 and 3.
 * FLOPs:     f32Gemv8 16 · cols, f32Gemv4 8 · cols, f32Gemv1 2 · cols.
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
  let b0 = b;
  let b1 = b0 + ldb;
  let b2 = b1 + ldb;
  let b3 = b2 + ldb;
  let b4 = b3 + ldb;
  let b5 = b4 + ldb;
  let b6 = b5 + ldb;
  let b7 = b6 + ldb;
  for (let j = cols >> 3; j > 0; j--) {
    let s0 = madd(a0, v128.load(b0), v128.load(t));
    let s1 = madd(a0, v128.load(b0, 16), v128.load(t, 16));
    s0 = madd(a1, v128.load(b1), s0);
    s1 = madd(a1, v128.load(b1, 16), s1);
    s0 = madd(a2, v128.load(b2), s0);
    s1 = madd(a2, v128.load(b2, 16), s1);
    s0 = madd(a3, v128.load(b3), s0);
    s1 = madd(a3, v128.load(b3, 16), s1);
    s0 = madd(a4, v128.load(b4), s0);
    s1 = madd(a4, v128.load(b4, 16), s1);
    s0 = madd(a5, v128.load(b5), s0);
    s1 = madd(a5, v128.load(b5, 16), s1);
    s0 = madd(a6, v128.load(b6), s0);
    s1 = madd(a6, v128.load(b6, 16), s1);
    s0 = madd(a7, v128.load(b7), s0);
    s1 = madd(a7, v128.load(b7, 16), s1);
    v128.store(t, s0);
    v128.store(t, s1, 16);
    b0 += 32;
    b1 += 32;
    b2 += 32;
    b3 += 32;
    b4 += 32;
    b5 += 32;
    b6 += 32;
    b7 += 32;
    t += 32;
  }
  lastColumns(a, b0, ldb, 8, cols & 7, t);
}

/** Four rows. */
export function f32Gemv4(a: usize, b: usize, ldb: usize, cols: i32, t: usize): void {
  assert(cols >= 0);
  const a0 = v128.load32_splat(a);
  const a1 = v128.load32_splat(a, 4);
  const a2 = v128.load32_splat(a, 8);
  const a3 = v128.load32_splat(a, 12);
  let b0 = b;
  let b1 = b0 + ldb;
  let b2 = b1 + ldb;
  let b3 = b2 + ldb;
  for (let j = cols >> 3; j > 0; j--) {
    let s0 = madd(a0, v128.load(b0), v128.load(t));
    let s1 = madd(a0, v128.load(b0, 16), v128.load(t, 16));
    s0 = madd(a1, v128.load(b1), s0);
    s1 = madd(a1, v128.load(b1, 16), s1);
    s0 = madd(a2, v128.load(b2), s0);
    s1 = madd(a2, v128.load(b2, 16), s1);
    s0 = madd(a3, v128.load(b3), s0);
    s1 = madd(a3, v128.load(b3, 16), s1);
    v128.store(t, s0);
    v128.store(t, s1, 16);
    b0 += 32;
    b1 += 32;
    b2 += 32;
    b3 += 32;
    t += 32;
  }
  lastColumns(a, b0, ldb, 4, cols & 7, t);
}

/** One row: what is left of a block of rows. */
export function f32Gemv1(a: usize, b: usize, cols: i32, t: usize): void {
  assert(cols >= 0);
  const a0 = v128.load32_splat(a);
  for (let j = cols >> 3; j > 0; j--) {
    v128.store(t, madd(a0, v128.load(b), v128.load(t)));
    v128.store(t, madd(a0, v128.load(b, 16), v128.load(t, 16)), 16);
    b += 32;
    t += 32;
  }
  lastColumns(a, b, 0, 1, cols & 7, t);
}

/** Columns one by one: one lane of the same vector operations, so that a column's bits do not depend on where it stands. */
function lastColumns(a: usize, b: usize, ldb: usize, rows: i32, cols: i32, t: usize): void {
  const end = a + ((<usize>rows) << 2);
  for (; cols > 0; cols--, b += 4, t += 4) {
    let sum = v128.load32_splat(t);
    let row = b;
    for (let x = a; x < end; x += 4, row += ldb) {
      sum = madd(v128.load32_splat(x), v128.load32_splat(row), sum);
    }
    store<f32>(t, f32x4.extract_lane(sum, 0));
  }
}
