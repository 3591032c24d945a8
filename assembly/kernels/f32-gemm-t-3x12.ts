/**
 * C[3 × 12] = A[k × 3]ᵀ · B[k × 12], added to C·f (f32-panel-store.ts, ADD). The weighted sum of attention (A = V, B = Pᵀ) and matmul with transposed A.
 *
 *   a ─► A as it lies, [k × 3], lda bytes a row,
 *        3 neighbours splatted a step
 *   p0 p1 p2 ─► three neighbouring vectors of packed panels, 32 bytes a step: 2 + 1 or 1 + 2 of two panels, so that
 *        three panels of eight columns are two tiles
 *   q0 q1 q2, f0 f1 f2 ─► where these columns of C begin, and their f
 *
 * Nine accumulators take six loads a step, where 4×8 takes six for eight: 97 % of peak instead of 95 in the baseline build
 * under V8 13. V8 11 moves the loads of a step together and spills (45 %), so it is chosen by timing only (probe.ts).
 *
 * Needs:     k >= 0; 4 floats at each f; C holds the sum so far, or what it begins with.
 * Registers: 9 accumulators + 3 of b + 1 broadcast + 1 product = 14 of 15.
 * FLOPs:     72 · k.
 */
import { madd } from '../simd';
import { ADD, storeVector } from './f32-panel-store';

// @ts-ignore: decorator
@inline
export function f32GemmT3x12(
  a: usize,
  lda: usize,
  p0: usize,
  p1: usize,
  p2: usize,
  k: i32,
  q0: usize,
  q1: usize,
  q2: usize,
  ldc: usize,
  f0: usize,
  f1: usize,
  f2: usize,
): void {
  assert(k >= 0);
  const zero = f32x4.splat(0);
  let c00 = zero;
  let c01 = zero;
  let c02 = zero;
  let c10 = zero;
  let c11 = zero;
  let c12 = zero;
  let c20 = zero;
  let c21 = zero;
  let c22 = zero;
  let b0: v128, b1: v128, b2: v128, x: v128;
  const end = p0 + ((<usize>k) << 5);
  if (p0 < end) {
    do {
      b0 = v128.load(p0);
      b1 = v128.load(p1);
      b2 = v128.load(p2);
      x = v128.load32_splat(a);
      c00 = madd(x, b0, c00);
      c01 = madd(x, b1, c01);
      c02 = madd(x, b2, c02);
      x = v128.load32_splat(a, 4);
      c10 = madd(x, b0, c10);
      c11 = madd(x, b1, c11);
      c12 = madd(x, b2, c12);
      x = v128.load32_splat(a, 8);
      c20 = madd(x, b0, c20);
      c21 = madd(x, b1, c21);
      c22 = madd(x, b2, c22);
      a += lda;
      p0 += 32;
      p1 += 32;
      p2 += 32;
    } while (p0 < end);
  }

  const y0 = v128.load(f0);
  const y1 = v128.load(f1);
  const y2 = v128.load(f2);
  storeVector(q0, c00, y0, ADD);
  storeVector(q1, c01, y1, ADD);
  storeVector(q2, c02, y2, ADD);
  q0 += ldc;
  q1 += ldc;
  q2 += ldc;
  storeVector(q0, c10, y0, ADD);
  storeVector(q1, c11, y1, ADD);
  storeVector(q2, c12, y2, ADD);
  q0 += ldc;
  q1 += ldc;
  q2 += ldc;
  storeVector(q0, c20, y0, ADD);
  storeVector(q1, c21, y1, ADD);
  storeVector(q2, c22, y2, ADD);
}
