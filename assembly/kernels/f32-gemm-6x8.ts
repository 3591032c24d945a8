/**
 * C[6 × 8] = A[6 × k] · B[k × 8], stored by `epilogue` (f32-panel-store.ts). Scores of attention (A = K, B = packed Qᵀ) and matmul.
 *
 *   a ─► row of A, lda bytes apart, in place,       b ─► packed: | k0: c0 … c7 | k1: c0 … c7 | …
 *        splatted element by element                     (32 bytes a step)
 *
 * k is unrolled ×4 by hand: the loop then is 48 FMAs, 32 loads and 10 other instructions. Relaxed build only: where
 * the product needs a register of its own (multiply and add) this tile spills and runs at half speed.
 *
 * Needs:     k >= 0; f has 8 floats.
 * Registers: 12 accumulators + 2 of b + 1 broadcast = the 15 that V8 gives on x64 (with FMA; no spills in its code).
 * FLOPs:     96 · k.
 */
import { madd, maxKeep } from '../simd';
import { MAX, storeRow } from './f32-panel-store';

// @ts-ignore: decorator
@inline
export function f32Gemm6x8(
  a: usize,
  lda: usize,
  b: usize,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  epilogue: i32,
): void {
  assert(k >= 0);
  let a0 = a;
  let a1 = a0 + lda;
  let a2 = a1 + lda;
  let a3 = a2 + lda;
  let a4 = a3 + lda;
  let a5 = a4 + lda;
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
    x = v128.load32_splat(a0);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a1);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a2);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a3);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    x = v128.load32_splat(a4);
    c40 = madd(x, b0, c40);
    c41 = madd(x, b1, c41);
    x = v128.load32_splat(a5);
    c50 = madd(x, b0, c50);
    c51 = madd(x, b1, c51);
    b0 = v128.load(b, 32);
    b1 = v128.load(b, 48);
    x = v128.load32_splat(a0, 4);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a1, 4);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a2, 4);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a3, 4);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    x = v128.load32_splat(a4, 4);
    c40 = madd(x, b0, c40);
    c41 = madd(x, b1, c41);
    x = v128.load32_splat(a5, 4);
    c50 = madd(x, b0, c50);
    c51 = madd(x, b1, c51);
    b0 = v128.load(b, 64);
    b1 = v128.load(b, 80);
    x = v128.load32_splat(a0, 8);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a1, 8);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a2, 8);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a3, 8);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    x = v128.load32_splat(a4, 8);
    c40 = madd(x, b0, c40);
    c41 = madd(x, b1, c41);
    x = v128.load32_splat(a5, 8);
    c50 = madd(x, b0, c50);
    c51 = madd(x, b1, c51);
    b0 = v128.load(b, 96);
    b1 = v128.load(b, 112);
    x = v128.load32_splat(a0, 12);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a1, 12);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a2, 12);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a3, 12);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    x = v128.load32_splat(a4, 12);
    c40 = madd(x, b0, c40);
    c41 = madd(x, b1, c41);
    x = v128.load32_splat(a5, 12);
    c50 = madd(x, b0, c50);
    c51 = madd(x, b1, c51);
    a0 += 16;
    a1 += 16;
    a2 += 16;
    a3 += 16;
    a4 += 16;
    a5 += 16;
    b += 128;
  }
  if (b < end) {
    do {
      b0 = v128.load(b);
      b1 = v128.load(b, 16);
      x = v128.load32_splat(a0);
      c00 = madd(x, b0, c00);
      c01 = madd(x, b1, c01);
      x = v128.load32_splat(a1);
      c10 = madd(x, b0, c10);
      c11 = madd(x, b1, c11);
      x = v128.load32_splat(a2);
      c20 = madd(x, b0, c20);
      c21 = madd(x, b1, c21);
      x = v128.load32_splat(a3);
      c30 = madd(x, b0, c30);
      c31 = madd(x, b1, c31);
      x = v128.load32_splat(a4);
      c40 = madd(x, b0, c40);
      c41 = madd(x, b1, c41);
      x = v128.load32_splat(a5);
      c50 = madd(x, b0, c50);
      c51 = madd(x, b1, c51);
      a0 += 4;
      a1 += 4;
      a2 += 4;
      a3 += 4;
      a4 += 4;
      a5 += 4;
      b += 32;
    } while (b < end);
  }

  let f0 = v128.load(f);
  let f1 = v128.load(f, 16);
  storeRow(c, c00, c01, f0, f1, epilogue);
  c += ldc;
  storeRow(c, c10, c11, f0, f1, epilogue);
  c += ldc;
  storeRow(c, c20, c21, f0, f1, epilogue);
  c += ldc;
  storeRow(c, c30, c31, f0, f1, epilogue);
  c += ldc;
  storeRow(c, c40, c41, f0, f1, epilogue);
  c += ldc;
  storeRow(c, c50, c51, f0, f1, epilogue);
  if (epilogue == MAX) {
    f0 = maxKeep(f0, c00);
    f0 = maxKeep(f0, c10);
    f0 = maxKeep(f0, c20);
    f0 = maxKeep(f0, c30);
    f0 = maxKeep(f0, c40);
    f0 = maxKeep(f0, c50);
    f1 = maxKeep(f1, c01);
    f1 = maxKeep(f1, c11);
    f1 = maxKeep(f1, c21);
    f1 = maxKeep(f1, c31);
    f1 = maxKeep(f1, c41);
    f1 = maxKeep(f1, c51);
    v128.store(f, f0);
    v128.store(f, f1, 16);
  }
}
