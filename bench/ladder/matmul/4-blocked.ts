/**
 * Matmul, rung 4: blocked JavaScript. A block of C stays in local variables while k runs.
 *
 *   C[4 × 2] = A[4 × k] · B[k × 2]      for every block of C[M × N]
 *
 * What is new: reuse. A step of k reads 4 + 2 floats for 8 multiply-adds, and C is written once; rung 3 reads two floats
 * and writes one for every multiply-add. Blocks at an edge are moved back inside, and compute some of C twice.
 *
 * Needs: M >= 4, N >= 2.
 */
import type { MatmulShape } from '../shapes.ts';

/** A part of an array as a matrix: element [i, j] is data[at + i · row + j · column]. */
export type Matrix = readonly [data: Float32Array, at: number, row: number, column: number];

export function block(
  [a, aAt, aRow, aStep]: Matrix,
  [b, bAt, bStep, bColumn]: Matrix,
  k: number,
  [c, cAt, cRow]: Matrix,
): void {
  let c00 = 0;
  let c01 = 0;
  let c10 = 0;
  let c11 = 0;
  let c20 = 0;
  let c21 = 0;
  let c30 = 0;
  let c31 = 0;
  for (; k > 0; k--) {
    const b0 = b[bAt]!;
    const b1 = b[bAt + bColumn]!;
    c00 += a[aAt]! * b0;
    c01 += a[aAt]! * b1;
    c10 += a[aAt + aRow]! * b0;
    c11 += a[aAt + aRow]! * b1;
    c20 += a[aAt + 2 * aRow]! * b0;
    c21 += a[aAt + 2 * aRow]! * b1;
    c30 += a[aAt + 3 * aRow]! * b0;
    c31 += a[aAt + 3 * aRow]! * b1;
    aAt += aStep;
    bAt += bStep;
  }
  c[cAt] = c00;
  c[cAt + 1] = c01;
  c[cAt + cRow] = c10;
  c[cAt + cRow + 1] = c11;
  c[cAt + 2 * cRow] = c20;
  c[cAt + 2 * cRow + 1] = c21;
  c[cAt + 3 * cRow] = c30;
  c[cAt + 3 * cRow + 1] = c31;
}

export function matmul(a: Float32Array, b: Float32Array, c: Float32Array, { M, N, K }: MatmulShape): void {
  for (let i = 0; i < M; i += 4) {
    const row = Math.min(i, M - 4);
    for (let j = 0; j < N; j += 2) {
      const column = Math.min(j, N - 2);
      block([a, row * K, K, 1], [b, column, N, 1], K, [c, row * N + column, N, 1]);
    }
  }
}
