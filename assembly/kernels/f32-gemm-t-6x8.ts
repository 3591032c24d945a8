/**
 * C[6 × 8] = A[k × 6]ᵀ · B[k × 8], added to C·f (f32-panel-store.ts, ADD). The weighted sum of attention (A = V, B = Pᵀ) and matmul with transposed A.
 *
 *   a ─► A as it lies, [k × 6], lda bytes a row,    b ─► packed: | k0: c0 … c7 | k1: c0 … c7 | …
 *        6 neighbours splatted a step                  (32 bytes a step)
 *
 * k is unrolled ×4 by hand: the loop then is 48 FMAs, 32 loads and 10 other instructions. Relaxed build only: where
 * the product needs a register of its own (multiply and add) this tile spills and runs at half speed.
 *
 * Needs:     k >= 0; f has 8 floats; C holds the sum so far, or what it begins with.
 * Registers: 12 accumulators + 2 of b + 1 broadcast = the 15 that V8 gives on x64 (with FMA; no spills in its code).
 * FLOPs:     96 · k.
 */
import { madd } from '../simd';
import { ADD, storeRow } from './f32-panel-store';

// @ts-ignore: decorator
@inline
export function f32GemmT6x8(a: usize, lda: usize, b: usize, k: i32, c: usize, ldc: usize, f: usize): void {
  assert(k >= 0);
  const zero = f32x4.splat(0);
  let c00 = zero;
  let c01 = zero;
  let c10 = zero;
  let c11 = zero;
  let c20 = zero;
  let c21 = zero;
  let c30 = zero;
  let c31 = zero;
  let c40 = zero;
  let c41 = zero;
  let c50 = zero;
  let c51 = zero;
  let b0: v128, b1: v128, x: v128;
  const end = b + ((<usize>k) << 5);
  const unrolled = b + ((<usize>(k & ~3)) << 5);

  while (b < unrolled) {
    b0 = v128.load(b);
    b1 = v128.load(b, 16);
    x = v128.load32_splat(a);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    x = v128.load32_splat(a, 16);
    c40 = madd(x, b0, c40);
    c41 = madd(x, b1, c41);
    x = v128.load32_splat(a, 20);
    c50 = madd(x, b0, c50);
    c51 = madd(x, b1, c51);
    a += lda;
    b0 = v128.load(b, 32);
    b1 = v128.load(b, 48);
    x = v128.load32_splat(a);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    x = v128.load32_splat(a, 16);
    c40 = madd(x, b0, c40);
    c41 = madd(x, b1, c41);
    x = v128.load32_splat(a, 20);
    c50 = madd(x, b0, c50);
    c51 = madd(x, b1, c51);
    a += lda;
    b0 = v128.load(b, 64);
    b1 = v128.load(b, 80);
    x = v128.load32_splat(a);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    x = v128.load32_splat(a, 16);
    c40 = madd(x, b0, c40);
    c41 = madd(x, b1, c41);
    x = v128.load32_splat(a, 20);
    c50 = madd(x, b0, c50);
    c51 = madd(x, b1, c51);
    a += lda;
    b0 = v128.load(b, 96);
    b1 = v128.load(b, 112);
    x = v128.load32_splat(a);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    x = v128.load32_splat(a, 16);
    c40 = madd(x, b0, c40);
    c41 = madd(x, b1, c41);
    x = v128.load32_splat(a, 20);
    c50 = madd(x, b0, c50);
    c51 = madd(x, b1, c51);
    a += lda;
    b += 128;
  }
  if (b < end) {
    do {
      b0 = v128.load(b);
      b1 = v128.load(b, 16);
      x = v128.load32_splat(a);
      c00 = madd(x, b0, c00);
      c01 = madd(x, b1, c01);
      x = v128.load32_splat(a, 4);
      c10 = madd(x, b0, c10);
      c11 = madd(x, b1, c11);
      x = v128.load32_splat(a, 8);
      c20 = madd(x, b0, c20);
      c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 12);
      c30 = madd(x, b0, c30);
      c31 = madd(x, b1, c31);
      x = v128.load32_splat(a, 16);
      c40 = madd(x, b0, c40);
      c41 = madd(x, b1, c41);
      x = v128.load32_splat(a, 20);
      c50 = madd(x, b0, c50);
      c51 = madd(x, b1, c51);
      a += lda;
      b += 32;
    } while (b < end);
  }

  const f0 = v128.load(f);
  const f1 = v128.load(f, 16);
  storeRow(c, c00, c01, f0, f1, ADD);
  c += ldc;
  storeRow(c, c10, c11, f0, f1, ADD);
  c += ldc;
  storeRow(c, c20, c21, f0, f1, ADD);
  c += ldc;
  storeRow(c, c30, c31, f0, f1, ADD);
  c += ldc;
  storeRow(c, c40, c41, f0, f1, ADD);
  c += ldc;
  storeRow(c, c50, c51, f0, f1, ADD);
}
