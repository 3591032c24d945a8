/**
 * Matmul, rung 8: a register tile. Eight accumulators instead of four.
 *
 *   C[4 × 8] = A[4 × k] · B[k × 8]      B packed: | k0: b0 … b7 | k1: b0 … b7 | …
 *
 * What is new: enough independent sums. An addition takes some cycles until the next one of the same sum may start; eight
 * chains keep the adders busy meanwhile. And reuse: 6 loads for 8 multiply-adds, where rung 7 has 5 for 4.
 *
 * Needs:     M >= 4, N >= 8; scratch for K rows of N floats, N rounded up to 8.
 * Registers: 8 accumulators + 2 of b + 1 broadcast + 1 product = 12 of the 15 that V8 gives on x64.
 */
import { madd } from '../../../assembly/simd';
import { pack } from './7-packed.as';

/** A[i, k] lies at a + i · aRow + k · aStep; rows of C are cRow bytes apart. */
// @ts-ignore: decorator
@inline
export function tile4x8(a: usize, aRow: usize, aStep: usize, b: usize, k: i32, c: usize, cRow: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0);
  let c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0);
  let c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0);
  let c31 = f32x4.splat(0);
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
}

export function matmul(a: usize, b: usize, c: usize, M: i32, N: i32, K: i32, panels: usize): void {
  pack(b, N, K, 8, panels);
  const aRow = (<usize>K) << 2;
  const row = (<usize>N) << 2;
  for (let i = 0; i < M; i += 4) {
    const m = <usize>min(i, M - 4);
    let panel = panels;
    for (let j = 0; j < N; j += 8, panel += aRow << 3) {
      const n = (<usize>min(j, N - 8)) << 2;
      tile4x8(a + m * aRow, aRow, 4, panel, K, c + m * row + n, row);
    }
  }
}
