/** Matrix multiplication as a plain function: arrays in, arrays out, nothing to release. */
import { defaultEngine } from './make-engine.ts';
import type { MatmulOptions } from './options/matmul.ts';

/**
 * C = A · B + bias, for every matrix of a batch.
 *
 * @param a [batch, M, K], or [batch, K, M] with `transposeA`
 * @param b [batch, K, N] or one [K, N] for all; [N, K] with `transposeB`. A weight that meets many inputs is better packed
 *   once: `engine.packMatrix`.
 * @param options `M`, `N`, `K`, which flat arrays cannot tell, and what differs from the defaults
 * @returns [batch, M, N], `options.out` if given. With K = 0 the bias, or zeros.
 * @throws HeedTypeError, HeedRangeError, MemoryLimitError, as `attention`
 * @example
 * import { matmul } from 'heed';
 *
 * matmul(Float32Array.of(1, 2, 3, 4), Float32Array.of(1, 0, 0, 1), { M: 2, N: 2, K: 2 });   // 1, 2, 3, 4
 */
export function matmul(a: Float32Array, b: Float32Array, options: MatmulOptions): Float32Array {
  return defaultEngine('matmul').matmul(a, b, options);
}
