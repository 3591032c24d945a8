/**
 * Matmul, rung 5: scalar WebAssembly. The block of rung 4 in AssemblyScript; addresses and strides count bytes.
 *
 *   C[4 × 2] = A[4 × k] · B[k × 2]      for every block of C[M × N]
 *
 * What is new: float32 arithmetic, where JavaScript converts to float64 and back, and no check of every index.
 *
 * Needs: M >= 4, N >= 2.
 */

/** A[i, k] lies at a + i · aRow + k · aStep, B[k, j] at b + k · bStep + j · bColumn, C[i, j] at c + i · cRow + 4 · j. */
// @ts-ignore: decorator
@inline
export function block(
  a: usize,
  aRow: usize,
  aStep: usize,
  b: usize,
  bStep: usize,
  bColumn: usize,
  k: i32,
  c: usize,
  cRow: usize,
): void {
  let c00: f32 = 0;
  let c01: f32 = 0;
  let c10: f32 = 0;
  let c11: f32 = 0;
  let c20: f32 = 0;
  let c21: f32 = 0;
  let c30: f32 = 0;
  let c31: f32 = 0;
  for (; k > 0; k--) {
    const b0 = load<f32>(b);
    const b1 = load<f32>(b + bColumn);
    c00 += load<f32>(a) * b0;
    c01 += load<f32>(a) * b1;
    c10 += load<f32>(a + aRow) * b0;
    c11 += load<f32>(a + aRow) * b1;
    c20 += load<f32>(a + 2 * aRow) * b0;
    c21 += load<f32>(a + 2 * aRow) * b1;
    c30 += load<f32>(a + 3 * aRow) * b0;
    c31 += load<f32>(a + 3 * aRow) * b1;
    a += aStep;
    b += bStep;
  }
  storePair(c, c00, c01);
  storePair(c + cRow, c10, c11);
  storePair(c + 2 * cRow, c20, c21);
  storePair(c + 3 * cRow, c30, c31);
}

// @ts-ignore: decorator
@inline
function storePair(c: usize, left: f32, right: f32): void {
  store<f32>(c, left);
  store<f32>(c, right, 4);
}

export function matmul(a: usize, b: usize, c: usize, M: i32, N: i32, K: i32): void {
  const aRow = (<usize>K) << 2;
  const row = (<usize>N) << 2;
  for (let i = 0; i < M; i += 4) {
    const m = <usize>min(i, M - 4);
    for (let j = 0; j < N; j += 2) {
      const n = (<usize>min(j, N - 2)) << 2;
      block(a + m * aRow, aRow, 4, b + n, row, 4, K, c + m * row + n, row);
    }
  }
}
