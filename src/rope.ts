/** Rotary position embeddings as a plain function: arrays in, arrays out, nothing to release. */
import { defaultEngine } from './make-engine.ts';
import type { RopeOptions } from './options/rope.ts';

/**
 * Rotary position embeddings: turns pairs of elements of every head by angles that grow with the token's position, so that
 * q·k depends on how far two tokens are apart. "RoFormer" (Su et al. 2021).
 *
 * Pair i of rotaryDim / 2 turns by angle = position / scaling · theta^(−2i / rotaryDim):
 *
 *     x₁' = x₁·cos − x₂·sin        x₂' = x₂·cos + x₁·sin
 *
 * Sines and cosines are computed in float64, by code of our own: a result has the same bits on every engine.
 *
 * @param x [batch, seq, heads, headDim] ('bshd', the default layout), or [batch, heads, seq, headDim] ('bhsd')
 * @param options `seq`, `heads` and `headDim`, which a flat array cannot tell, and what differs from the defaults
 * @returns of x's shape; `options.out` if given, which may be x itself
 * @throws HeedTypeError ERR_ARG_TYPE, ERR_UNKNOWN_OPTION, ERR_DETACHED;
 *   HeedRangeError ERR_DIM, ERR_SIZE, ERR_SHAPE, ERR_RANGE (also where an angle would exceed 2³¹), ERR_OPTION;
 *   MemoryLimitError ERR_MEMORY_LIMIT. Nothing is written then.
 * @example
 * import { rope } from 'heed';
 *
 * const x = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0);   // two tokens of one head
 * rope(x, { seq: 2, heads: 1, headDim: 4 });           // 1, 0, 0, 0, 0.5403, 0, 0.8415, 0
 * rope(x, { seq: 2, heads: 1, headDim: 4, offset: 7 });   // the eighth and the ninth token of a longer text
 */
export function rope(x: Float32Array, options: RopeOptions): Float32Array {
  return defaultEngine('rope').rope(x, options);
}
