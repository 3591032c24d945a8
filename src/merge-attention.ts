/** The merge of attention over disjoint sets of keys as a plain function: arrays in, arrays out, nothing to release. */
import { defaultEngine } from './make-engine.ts';
import type { AttentionPart, MergeShape } from './options/merge.ts';

/**
 * Attention over disjoint sets of keys, combined: what one call over all the keys gives. The split of FlashAttention (Dao
 * et al. 2022; Milakov & Gimelshein 2018), for keys that come in pieces or lie apart.
 *
 *     m = max lse_p        out = Σ e^(lse_p − m)·out_p / Σ e^(lse_p − m)        lse = m + ln Σ e^(lse_p − m)
 *
 * A part that saw no key for a query (logSumExp −∞) counts nothing there, and its out is not read. Where there are sinks,
 * exactly one part may have them.
 *
 * @param parts at least one (ERR_SHAPE): `out` [batch, seqQ, heads, valueDim] in the layout, `logSumExp` [batch, heads, seqQ];
 *   results of `attentionWeights` will do as they are
 * @param options `seqQ` and `valueDim`, which flat arrays cannot tell, and what differs from the defaults
 * @returns `out` and `logSumExp` of the same shapes; zeros and −∞ for a query that saw no key in any part
 * @throws HeedTypeError, HeedRangeError, MemoryLimitError, as `attention`
 * @example
 * import { attentionWeights, mergeAttention } from 'heed';
 *
 * const [q, k, v] = [Float32Array.of(1, 0), Float32Array.of(0, 1, 2, 0), Float32Array.of(1, 2, 3, 4)];
 * const shape = { seqQ: 1, seqK: 1, headDim: 2 };
 * const first = attentionWeights(q, k.subarray(0, 2), v.subarray(0, 2), shape);
 * const second = attentionWeights(q, k.subarray(2), v.subarray(2), shape);
 * mergeAttention([first, second], { seqQ: 1, valueDim: 2 }).out;   // as attention(q, k, v, { ...shape, seqK: 2 })
 */
export function mergeAttention(
  parts: readonly AttentionPart<Float32Array>[],
  options: MergeShape,
): AttentionPart<Float32Array> {
  return defaultEngine('mergeAttention').mergeAttention(parts, options);
}
