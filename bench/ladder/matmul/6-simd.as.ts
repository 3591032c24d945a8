/**
 * Matmul, rung 6: SIMD. Four neighbours in a row of C are the lanes of one vector.
 *
 *   C[4 × 4] = A[4 × k] · B[k × 4]      for every block of C[M × N]
 *
 *   b ─► [b0 b1 b2 b3], a row of B        a ─► one element, in all four lanes ("splat")
 *
 * What is new: one instruction for four multiplications. The block is twice as wide in half as many accumulators.
 *
 * Needs: M >= 4, N >= 4.
 */

/** As in rung 5; the four columns of B are neighbours. */
// @ts-ignore: decorator
@inline
export function block(
  a: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  bStep: usize,
  k: i32,
  c: usize,
  cRow: usize,
): void {
  let c0 = f32x4.splat(0);
  let c1 = f32x4.splat(0);
  let c2 = f32x4.splat(0);
  let c3 = f32x4.splat(0);
  for (; k > 0; k--) {
    const b0 = v128.load(b);
    c0 = f32x4.add(c0, f32x4.mul(v128.load32_splat(a), b0));
    c1 = f32x4.add(c1, f32x4.mul(v128.load32_splat(a + aRow), b0));
    c2 = f32x4.add(c2, f32x4.mul(v128.load32_splat(a + 2 * aRow), b0));
    c3 = f32x4.add(c3, f32x4.mul(v128.load32_splat(a + 3 * aRow), b0));
    a += aStep;
    b += bStep;
  }
  v128.store(c, c0);
  v128.store(c + cRow, c1);
  v128.store(c + 2 * cRow, c2);
  v128.store(c + 3 * cRow, c3);
}

export function matmul(a: usize, b: usize, c: usize, M: i32, N: i32, K: i32): void {
  const aRow = (<usize>K) << 2;
  const row = (<usize>N) << 2;
  for (let i = 0; i < M; i += 4) {
    const m = <usize>min(i, M - 4);
    for (let j = 0; j < N; j += 4) {
      const n = (<usize>min(j, N - 4)) << 2;
      block(a + m * aRow, aRow, 4, b + n, row, K, c + m * row + n, row);
    }
  }
}
