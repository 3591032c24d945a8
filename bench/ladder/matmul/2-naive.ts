/**
 * Matmul, rung 2: naive JavaScript. The formula as a textbook writes it, on float32 arrays.
 *
 *   C[M × N] = A[M × K] · B[K × N]      C[i, j] = Σ_k A[i, k] · B[k, j]
 *
 * What is new: half the memory of rung 1. The arithmetic stays float64, for JavaScript has no other, and every element is
 * converted when it is read. B is walked down its columns: a row of memory further at every step.
 */
import type { MatmulShape } from '../shapes.ts';

export function matmul(a: Float32Array, b: Float32Array, c: Float32Array, { M, N, K }: MatmulShape): void {
  for (let i = 0; i < M; i++) {
    for (let j = 0; j < N; j++) {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += a[i * K + k]! * b[k * N + j]!;
      c[i * N + j] = sum;
    }
  }
}
