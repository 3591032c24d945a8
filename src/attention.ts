/** Attention as plain functions: arrays in, arrays out, nothing to release. */
import type { Inspection } from './operations/attention.ts';
import { defaultEngine } from './make-engine.ts';
import type { AttentionCall, AttentionShape } from './options/attention.ts';
import type { AttentionOptions } from './options/scores.ts';

/**
 * Scaled dot-product attention of many heads, fused: O = softmax(scale · QKᵀ) V, row by row, never storing QKᵀ.
 * "Attention Is All You Need" (Vaswani et al. 2017), computed as FlashAttention (Dao et al. 2022).
 *
 * @param q [batch, seqQ, heads, headDim] ('bshd', the default layout), or [batch, heads, seqQ, headDim] ('bhsd')
 * @param k [batch, seqK, kvHeads, headDim], or in the other order
 * @param v [batch, seqK, kvHeads, valueDim], or in the other order
 * @param options `seqQ` and `headDim`, which a flat array cannot tell, and what differs from the defaults: masks, windows,
 *   biases and what else is in {@link AttentionOptions}, all of which combine. Or `cuSeqlensQ` and `headDim`: packed
 *   sequences, q [totalQ, heads, headDim], k and v [totalK, kvHeads, …]
 * @returns [batch, seqQ, heads, valueDim] in the layout ([totalQ, heads, valueDim] if packed), `options.out` if given. A
 *   query that sees no key gives zeros.
 * @throws HeedTypeError ERR_ARG_TYPE, ERR_UNKNOWN_OPTION, ERR_DETACHED;
 *   HeedRangeError ERR_DIM, ERR_SIZE, ERR_SHAPE, ERR_HEADS, ERR_RANGE, ERR_OPTION, ERR_OVERLAP;
 *   MemoryLimitError ERR_MEMORY_LIMIT. Nothing is written then.
 * @example
 * import { attention } from 'heed';
 *
 * const q = Float32Array.of(0.06, 0.08, 0.14, 0.24, 0.22, 0.4);
 * const k = Float32Array.of(0.04, 0.08, 0.12, 0.2, 0.2, 0.32);
 * const v = Float32Array.of(0.03, 0.03, 0.11, 0.11, 0.19, 0.19);
 * attention(q, k, v, { seqQ: 3, headDim: 2 });   // 0.1105, 0.1105, 0.1115, 0.1115, 0.1125, 0.1125
 */
export function attention(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  options: AttentionCall,
): Float32Array {
  return defaultEngine('attention').attention(q, k, v, options);
}

/**
 * Attention with its weights, for people who want to look: stores the whole [seqQ, seqK] matrix of every head.
 *
 * @param q as of {@link attention}
 * @param k as of {@link attention}
 * @param v as of {@link attention}
 * @param options as of {@link attention}
 * @returns `out` as of {@link attention}; `weights` `[batch, heads, seqQ, seqK]`: rows sum to 1, a masked key has exactly 0;
 *   `logSumExp` [batch, heads, seqQ]
 * @throws as {@link attention}
 * @example
 * import { attentionWeights } from 'heed';
 *
 * const x = Float32Array.of(1, 0, 0, 1);
 * const { weights } = attentionWeights(x, x, x, { seqQ: 2, headDim: 2 });
 * // each token looks at itself: 0.67, 0.33, 0.33, 0.67
 */
export function attentionWeights(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  options: AttentionShape & AttentionOptions,
): Inspection {
  return defaultEngine('attentionWeights').attentionWeights(q, k, v, options);
}
