/** Matrix multiplication in plain float64. */
import type { FloatArray } from '../checks/index.ts';
import { resolveMatmul, type MatmulOptions } from '../options/matmul.ts';
import { deliver, door } from './door.ts';

/** {@link MatmulOptions}, with float64 allowed for `bias` and `out` as well. */
export interface ReferenceMatmulOptions<Out extends FloatArray = FloatArray> extends Omit<
  MatmulOptions,
  'bias' | 'out'
> {
  /** [N], added to every row. */
  readonly bias?: FloatArray | undefined;
  /** [batch, M, N], written and returned. May overlap a, b and bias. */
  readonly out?: Out | undefined;
}

/**
 * `C = A·B + bias`, in float64. Each sum starts from the bias (or 0) and adds in ascending k.
 *
 * @param a [batch, M, K], or [batch, K, M] with transposeA
 * @param b [batch, K, N], or one [K, N] for the whole batch; [N, K] with transposeB
 * @param options M, N and K, and what differs from the defaults
 * @returns `[batch, M, N]`: a new Float64Array, or `options.out`
 * @throws HeedTypeError, HeedRangeError before anything is written; each option says which
 * @example
 * ```ts
 * import { matmul } from 'heed/reference';
 *
 * const a = new Float32Array([1, 2, 3, 4]);
 * const b = new Float32Array([5, 6, 7, 8]);
 * matmul(a, b, { M: 2, N: 2, K: 2 }); // Float64Array [19, 22, 43, 50]
 * ```
 */
export function matmul<Out extends FloatArray = Float64Array>(
  a: FloatArray,
  b: FloatArray,
  options: ReferenceMatmulOptions<Out>,
): Out {
  const { problem, out } = resolveMatmul('matmul', door, a, b, options);
  const { batch, M, N, K, transposeA, transposeB, sharedB } = problem;
  const bias = problem.bias?.value as FloatArray | undefined;
  const c = new Float64Array(batch * M * N);
  if (c.length === 0) return deliver(c, out) as Out;
  // a[m, k] is at m·aRow + k·aStep of its matrix.
  const [aRow, aStep] = transposeA ? [1, M] : [K, 1];

  for (let i = 0; i < batch; i++) {
    const aBase = i * M * K;
    const bBase = sharedB ? 0 : i * K * N;
    for (let m = 0; m < M; m++) {
      const row = (i * M + m) * N;

      // C[m, n] = bias[n]
      if (bias !== undefined) for (let n = 0; n < N; n++) c[row + n] = bias[n]!;

      if (transposeB) {
        // C[m, n] += Σ_k A[m, k] · B[n, k]: along a row of b for each n
        for (let n = 0; n < N; n++) {
          let sum = c[row + n]!;
          for (let k = 0; k < K; k++) sum += a[aBase + m * aRow + k * aStep]! * b[bBase + n * K + k]!;
          c[row + n] = sum;
        }
      } else {
        // C[m, :] += A[m, k] · B[k, :]: along a row of b for each k
        for (let k = 0; k < K; k++) {
          const factor = a[aBase + m * aRow + k * aStep]!;
          for (let n = 0; n < N; n++) c[row + n]! += factor * b[bBase + k * N + n]!;
        }
      }
    }
  }
  return deliver(c, out) as Out;
}
