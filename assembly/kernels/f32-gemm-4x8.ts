/**
 * C[4 × 8] = A[4 × k] · B[k × 8], stored by `epilogue` (f32-panel-store.ts). Scores of attention (A = K, B = packed Qᵀ) and matmul.
 *
 *   a ─► row of A, lda bytes apart, in place,       b ─► packed: | k0: c0 … c7 | k1: c0 … c7 | …
 *        splatted element by element                     (32 bytes a step)
 *
 * Not unrolled: with multiply and add, V8 in Node 20 then orders each accumulator's chain by itself and spills (50 % of
 * peak instead of 85). The test stands at the bottom of the loop: one branch a step instead of two, +2 points.
 *
 * Needs:     k >= 0; f has 8 floats.
 * Registers: 8 accumulators + 2 of b + 1 broadcast + 1 product = 12 of 15.
 * FLOPs:     64 · k.
 */
import { madd, maxKeep } from '../simd';
import { MAX, storeRow } from './f32-panel-store';

// @ts-ignore: decorator
@inline
export function f32Gemm4x8(
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
  const zero = f32x4.splat(0);
  let c00 = zero;
  let c01 = zero;
  let c10 = zero;
  let c11 = zero;
  let c20 = zero;
  let c21 = zero;
  let c30 = zero;
  let c31 = zero;
  let b0: v128, b1: v128, x: v128;
  const end = b + ((<usize>k) << 5);
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
      a0 += 4;
      a1 += 4;
      a2 += 4;
      a3 += 4;
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
  if (epilogue == MAX) {
    f0 = maxKeep(f0, c00);
    f0 = maxKeep(f0, c10);
    f0 = maxKeep(f0, c20);
    f0 = maxKeep(f0, c30);
    f1 = maxKeep(f1, c01);
    f1 = maxKeep(f1, c11);
    f1 = maxKeep(f1, c21);
    f1 = maxKeep(f1, c31);
    v128.store(f, f0);
    v128.store(f, f1, 16);
  }
}
