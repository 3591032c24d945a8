/**
 * C[4 × 8] = A[k × 4]ᵀ · B[k × 8], added to C·f (f32-panel-store.ts, ADD). The weighted sum of attention (A = V, B = Pᵀ) and matmul with transposed A.
 *
 *   a ─► A as it lies, [k × 4], lda bytes a row,    b ─► packed: | k0: c0 … c7 | k1: c0 … c7 | …
 *        4 neighbours splatted a step                  (32 bytes a step)
 *
 * Not unrolled: with multiply and add, V8 in Node 20 then orders each accumulator's chain by itself and spills (50 % of
 * peak instead of 85). The test stands at the bottom of the loop: one branch a step instead of two, +2 points.
 *
 * Needs:     k >= 0; f has 8 floats; C holds the sum so far, or what it begins with.
 * Registers: 8 accumulators + 2 of b + 1 broadcast + 1 product = 12 of 15.
 * FLOPs:     64 · k.
 */
import { madd } from '../simd';
import { ADD, storeRow } from './f32-panel-store';

// @ts-ignore: decorator
@inline
export function f32GemmT4x8(a: usize, lda: usize, b: usize, k: i32, c: usize, ldc: usize, f: usize): void {
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
  let b0: v128, b1: v128, x: v128;
  const end = b + ((<usize>k) << 5);
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
}
