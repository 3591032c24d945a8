/**
 * C[6 × 16] = A[6 × k] · B[k × 16], stored by `epilogue` (f32-panel-store.ts). Scores of attention (A = K, B = packed Qᵀ) and matmul.
 *
 *   a ─► row of A, lda bytes apart, in place,
 *        splatted element by element
 *   p, q ─► two packed panels, 32 bytes a step          c, f ─► their first columns; the second panel's lie `next`
 *        and `step` bytes on
 *
 * For machines with 32 vector registers, and for engines that join neighbouring vectors to 256 bits: there it runs at
 * 170 % of the peak of 128, where 6×8 reaches 130; elsewhere it spills (70 %). The relaxed build's: with multiply and add
 * the product needs a register more. All loads of the epilogue come before all stores, and a row's address is one
 * value: only so does V8 find the pairs.
 *
 * Needs:     k >= 0; 8 floats at f and at f + step.
 * Registers: 24 accumulators + 4 of b + 1 broadcast = the 29 that V8 gives on ARM; half as many where pairs are one register.
 * FLOPs:     192 · k.
 */
import { madd, maxKeep } from '../simd';
import { ADD } from './f32-panel-store';

// @ts-ignore: decorator
@inline
export function f32Gemm6x16(
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
  let c40 = zero;
  let c41 = zero;
  let c42 = zero;
  let c43 = zero;
  let c50 = zero;
  let c51 = zero;
  let c52 = zero;
  let c53 = zero;
  let b0: v128, b1: v128, b2: v128, b3: v128, x: v128;
  const end = p + ((<usize>k) << 5);
  if (p < end) {
    do {
      b0 = v128.load(p);
      b1 = v128.load(p, 16);
      b2 = v128.load(q);
      b3 = v128.load(q, 16);
      x = v128.load32_splat(a0);
      c00 = madd(x, b0, c00);
      c01 = madd(x, b1, c01);
      c02 = madd(x, b2, c02);
      c03 = madd(x, b3, c03);
      x = v128.load32_splat(a1);
      c10 = madd(x, b0, c10);
      c11 = madd(x, b1, c11);
      c12 = madd(x, b2, c12);
      c13 = madd(x, b3, c13);
      x = v128.load32_splat(a2);
      c20 = madd(x, b0, c20);
      c21 = madd(x, b1, c21);
      c22 = madd(x, b2, c22);
      c23 = madd(x, b3, c23);
      x = v128.load32_splat(a3);
      c30 = madd(x, b0, c30);
      c31 = madd(x, b1, c31);
      c32 = madd(x, b2, c32);
      c33 = madd(x, b3, c33);
      x = v128.load32_splat(a4);
      c40 = madd(x, b0, c40);
      c41 = madd(x, b1, c41);
      c42 = madd(x, b2, c42);
      c43 = madd(x, b3, c43);
      x = v128.load32_splat(a5);
      c50 = madd(x, b0, c50);
      c51 = madd(x, b1, c51);
      c52 = madd(x, b2, c52);
      c53 = madd(x, b3, c53);
      a0 += 4;
      a1 += 4;
      a2 += 4;
      a3 += 4;
      a4 += 4;
      a5 += 4;
      p += 32;
      q += 32;
    } while (p < end);
  }

  const g = f + step;
  let f0 = v128.load(f);
  let f1 = v128.load(f, 16);
  let f2 = v128.load(g);
  let f3 = v128.load(g, 16);
  const l0 = c;
  const r0 = l0 + next;
  const l1 = l0 + ldc;
  const r1 = l1 + next;
  const l2 = l1 + ldc;
  const r2 = l2 + next;
  const l3 = l2 + ldc;
  const r3 = l3 + next;
  const l4 = l3 + ldc;
  const r4 = l4 + next;
  const l5 = l4 + ldc;
  const r5 = l5 + next;
  if (epilogue == ADD) {
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
    c40 = madd(v128.load(l4), f0, c40);
    c41 = madd(v128.load(l4, 16), f1, c41);
    c42 = madd(v128.load(r4), f2, c42);
    c43 = madd(v128.load(r4, 16), f3, c43);
    c50 = madd(v128.load(l5), f0, c50);
    c51 = madd(v128.load(l5, 16), f1, c51);
    c52 = madd(v128.load(r5), f2, c52);
    c53 = madd(v128.load(r5, 16), f3, c53);
  } else {
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
    f2 = maxKeep(f2, c02);
    f2 = maxKeep(f2, c12);
    f2 = maxKeep(f2, c22);
    f2 = maxKeep(f2, c32);
    f2 = maxKeep(f2, c42);
    f2 = maxKeep(f2, c52);
    f3 = maxKeep(f3, c03);
    f3 = maxKeep(f3, c13);
    f3 = maxKeep(f3, c23);
    f3 = maxKeep(f3, c33);
    f3 = maxKeep(f3, c43);
    f3 = maxKeep(f3, c53);
    v128.store(f, f0);
    v128.store(f, f1, 16);
    v128.store(g, f2);
    v128.store(g, f3, 16);
  }
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
  v128.store(l4, c40);
  v128.store(l4, c41, 16);
  v128.store(r4, c42);
  v128.store(r4, c43, 16);
  v128.store(l5, c50);
  v128.store(l5, c51, 16);
  v128.store(r5, c52);
  v128.store(r5, c53, 16);
}
