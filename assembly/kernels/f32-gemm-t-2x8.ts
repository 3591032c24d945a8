/**
 * C[2 × 8] = A[k × 2]ᵀ · B[k × 8], added to C·f (f32-panel-store.ts, ADD). The weighted sum of attention (A = V, B = Pᵀ) and matmul with transposed A.
 *
 *   a ─► A as it lies, [k × 2], lda bytes a row,    b ─► packed: | k0: c0 … c7 | k1: c0 … c7 | …
 *        2 neighbours splatted a step                  (32 bytes a step)
 *
 * What remains of a taller tile.
 *
 * Needs:     k >= 0; f has 8 floats; C holds the sum so far, or what it begins with.
 * Registers: 4 accumulators + 2 of b + 1 broadcast + 1 product.
 * FLOPs:     32 · k.
 */
import { madd } from '../simd';
import { ADD, storeRow } from './f32-panel-store';

// @ts-ignore: decorator
@inline
export function f32GemmT2x8(a: usize, lda: usize, b: usize, k: i32, c: usize, ldc: usize, f: usize): void {
  assert(k >= 0);
  const zero = f32x4.splat(0);
  let c00 = zero;
  let c01 = zero;
  let c10 = zero;
  let c11 = zero;
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
      a += lda;
      b += 32;
    } while (b < end);
  }

  const f0 = v128.load(f);
  const f1 = v128.load(f, 16);
  storeRow(c, c00, c01, f0, f1, ADD);
  c += ldc;
  storeRow(c, c10, c11, f0, f1, ADD);
}
