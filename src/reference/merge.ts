/** The merge of attention over disjoint sets of keys in plain float64. */
import type { FloatArray } from '../checks/index.ts';
import { resolveMerge, type AttentionPart, type MergeShape } from '../options/merge.ts';
import { door } from './door.ts';

/** What {@link mergeAttention} takes: float32 or float64, each by itself. */
export type ReferenceAttentionPart = AttentionPart;

/**
 * Attention over disjoint sets of keys, combined, in float64.
 *
 * @param parts at least one: `out` [batch, seqQ, heads, valueDim] in the layout and `logSumExp` [batch, heads, seqQ]
 * @param options seqQ and valueDim, and what differs from the defaults
 * @returns `out` and `logSumExp` of the same shapes, new; zeros and −∞ for a query that saw no key in any part
 * @throws HeedTypeError, HeedRangeError; each option says which
 * @example
 * ```ts
 * import { mergeAttention } from 'heed/reference';
 *
 * const [one, two] = [{ out: new Float32Array([1]), logSumExp: new Float32Array([0]) },
 *   { out: new Float32Array([4]), logSumExp: new Float32Array([Math.log(2)]) }];
 * mergeAttention([one, two], { seqQ: 1, valueDim: 1 }).out; // Float64Array [3]: the second has twice the weight
 * ```
 */
export function mergeAttention(
  parts: readonly ReferenceAttentionPart[],
  options: MergeShape,
): AttentionPart<Float64Array> {
  const problem = resolveMerge('mergeAttention', door, parts, options);
  const { batch, heads, seqQ, valueDim, layout } = problem;
  const given = problem.parts.map(({ out, logSumExp }) => ({
    o: out.value as FloatArray,
    lse: logSumExp.value as FloatArray,
  }));
  const out = new Float64Array(batch * heads * seqQ * valueDim);
  const logSumExp = new Float64Array(batch * heads * seqQ);
  for (const row of logSumExp.keys()) {
    const [query, head, b] = [row % seqQ, Math.floor(row / seqQ) % heads, Math.floor(row / seqQ / heads)];
    const at = valueDim * (layout === 'bshd' ? (b * seqQ + query) * heads + head : row);

    // Pass 1: the maximum. NaN is the maximum of any row it is in.
    let m = -Infinity;
    for (const { lse } of given) m = Math.max(m, lse[row]!);

    // Pass 2: the weights e^(lse − m), their sum l, and the weighted sum of the parts that saw a key.
    let l = 0;
    for (const { o, lse } of given) {
      if (lse[row] === -Infinity) continue;
      const weight = Math.exp(lse[row]! - m);
      l += weight;
      for (let d = 0; d < valueDim; d++) out[at + d]! += weight * o[at + d]!;
    }

    // Pass 3: divide by the sum. A row that no part saw keys for keeps its zeros.
    logSumExp[row] = m + Math.log(l);
    if (l !== 0) for (let d = 0; d < valueDim; d++) out[at + d]! /= l;
  }
  return { out, logSumExp };
}
