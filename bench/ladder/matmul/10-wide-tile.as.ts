/**
 * Matmul, rung 10: the tile that FMA makes room for. Twelve accumulators.
 *
 *   C[6 × 8] = A[6 × k] · B[k × 8]      B packed as in rung 8
 *
 * What is new: a fused multiply-add needs no register for its product, so twelve sums fit. It takes longer than an addition,
 * so more of them must be under way; and 8 loads now serve 12 multiply-adds.
 *
 * Needs:     M >= 6, N >= 8; scratch as rung 8.
 * Registers: 12 accumulators + 2 of b + 1 broadcast = the 15 that V8 gives on x64.
 */
import { madd } from '../../../assembly/simd';
import { pack } from './7-packed.as';

// @ts-ignore: decorator
@inline
export function tile6x8(a: usize, aRow: usize, aStep: usize, b: usize, k: i32, c: usize, cRow: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0);
  let c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0);
  let c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0);
  let c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0);
  let c41 = f32x4.splat(0);
  let c50 = f32x4.splat(0);
  let c51 = f32x4.splat(0);
  for (; k > 0; k--) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a + aRow);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a + 2 * aRow);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a + 3 * aRow);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    x = v128.load32_splat(a + 4 * aRow);
    c40 = madd(x, b0, c40);
    c41 = madd(x, b1, c41);
    x = v128.load32_splat(a + 5 * aRow);
    c50 = madd(x, b0, c50);
    c51 = madd(x, b1, c51);
    a += aStep;
    b += 32;
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(c + cRow, c10);
  v128.store(c + cRow, c11, 16);
  v128.store(c + 2 * cRow, c20);
  v128.store(c + 2 * cRow, c21, 16);
  v128.store(c + 3 * cRow, c30);
  v128.store(c + 3 * cRow, c31, 16);
  v128.store(c + 4 * cRow, c40);
  v128.store(c + 4 * cRow, c41, 16);
  v128.store(c + 5 * cRow, c50);
  v128.store(c + 5 * cRow, c51, 16);
}

export function matmul(a: usize, b: usize, c: usize, M: i32, N: i32, K: i32, panels: usize): void {
  pack(b, N, K, 8, panels);
  const aRow = (<usize>K) << 2;
  const row = (<usize>N) << 2;
  for (let i = 0; i < M; i += 6) {
    const m = <usize>min(i, M - 6);
    let panel = panels;
    for (let j = 0; j < N; j += 8, panel += aRow << 3) {
      const n = (<usize>min(j, N - 8)) << 2;
      tile6x8(a + m * aRow, aRow, 4, panel, K, c + m * row + n, row);
    }
  }
}
