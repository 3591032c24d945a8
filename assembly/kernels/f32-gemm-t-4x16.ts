/**
 * C[4 × 16] = A[k × 4]ᵀ · B[k × 16], added to C·f (f32-panel-store.ts, ADD). The weighted sum of attention (A = V, B = Pᵀ) and matmul with transposed A.
 *
 *   a ─► A as it lies, [k × 4], lda bytes a row,
 *        4 neighbours splatted a step
 *   p, q ─► two packed panels, 32 bytes a step          c, f ─► their first columns; the second panel's lie `next`
 *        and `step` bytes on
 *
 * For machines with 32 vector registers, and for engines that join neighbouring vectors to 256 bits: there it runs at
 * 160 % of the peak of 128, where 4×8 reaches 110; elsewhere it spills (65 %). The baseline build's form of 6×16. All
 * loads of the epilogue come before all stores, and a row's address is one value: only so does V8 find the pairs.
 *
 * Needs:     k >= 0; 8 floats at f and at f + step; C holds the sum so far, or what it begins with.
 * Registers: 16 accumulators + 4 of b + 1 broadcast + 1 product = 22; half as many where pairs are one register.
 * FLOPs:     128 · k.
 */
import { madd } from '../simd';

// @ts-ignore: decorator
@inline
export function f32GemmT4x16(
  a: usize,
  lda: usize,
  p: usize,
  q: usize,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
): void {
  assert(k >= 0);
  const zero = f32x4.splat(0);
  let c00 = zero;
  let c01 = zero;
  let c02 = zero;
  let c03 = zero;
  let c10 = zero;
  let c11 = zero;
  let c12 = zero;
  let c13 = zero;
  let c20 = zero;
  let c21 = zero;
  let c22 = zero;
  let c23 = zero;
  let c30 = zero;
  let c31 = zero;
  let c32 = zero;
  let c33 = zero;
  let b0: v128, b1: v128, b2: v128, b3: v128, x: v128;
  const end = p + ((<usize>k) << 5);
  if (p < end) {
    do {
      b0 = v128.load(p);
      b1 = v128.load(p, 16);
      b2 = v128.load(q);
      b3 = v128.load(q, 16);
      x = v128.load32_splat(a);
      c00 = madd(x, b0, c00);
      c01 = madd(x, b1, c01);
      c02 = madd(x, b2, c02);
      c03 = madd(x, b3, c03);
      x = v128.load32_splat(a, 4);
      c10 = madd(x, b0, c10);
      c11 = madd(x, b1, c11);
      c12 = madd(x, b2, c12);
      c13 = madd(x, b3, c13);
      x = v128.load32_splat(a, 8);
      c20 = madd(x, b0, c20);
      c21 = madd(x, b1, c21);
      c22 = madd(x, b2, c22);
      c23 = madd(x, b3, c23);
      x = v128.load32_splat(a, 12);
      c30 = madd(x, b0, c30);
      c31 = madd(x, b1, c31);
      c32 = madd(x, b2, c32);
      c33 = madd(x, b3, c33);
      a += lda;
      p += 32;
      q += 32;
    } while (p < end);
  }

  const g = f + step;
  const f0 = v128.load(f);
  const f1 = v128.load(f, 16);
  const f2 = v128.load(g);
  const f3 = v128.load(g, 16);
  const l0 = c;
  const r0 = l0 + next;
  const l1 = l0 + ldc;
  const r1 = l1 + next;
  const l2 = l1 + ldc;
  const r2 = l2 + next;
  const l3 = l2 + ldc;
  const r3 = l3 + next;
  c00 = madd(v128.load(l0), f0, c00);
  c01 = madd(v128.load(l0, 16), f1, c01);
  c02 = madd(v128.load(r0), f2, c02);
  c03 = madd(v128.load(r0, 16), f3, c03);
  c10 = madd(v128.load(l1), f0, c10);
  c11 = madd(v128.load(l1, 16), f1, c11);
  c12 = madd(v128.load(r1), f2, c12);
  c13 = madd(v128.load(r1, 16), f3, c13);
  c20 = madd(v128.load(l2), f0, c20);
  c21 = madd(v128.load(l2, 16), f1, c21);
  c22 = madd(v128.load(r2), f2, c22);
  c23 = madd(v128.load(r2, 16), f3, c23);
  c30 = madd(v128.load(l3), f0, c30);
  c31 = madd(v128.load(l3, 16), f1, c31);
  c32 = madd(v128.load(r3), f2, c32);
  c33 = madd(v128.load(r3, 16), f3, c33);
  v128.store(l0, c00);
  v128.store(l0, c01, 16);
  v128.store(r0, c02);
  v128.store(r0, c03, 16);
  v128.store(l1, c10);
  v128.store(l1, c11, 16);
  v128.store(r1, c12);
  v128.store(r1, c13, 16);
  v128.store(l2, c20);
  v128.store(l2, c21, 16);
  v128.store(r2, c22);
  v128.store(r2, c23, 16);
  v128.store(l3, c30);
  v128.store(l3, c31, 16);
  v128.store(r3, c32);
  v128.store(r3, c33, 16);
}
