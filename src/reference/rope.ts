/** Rotary position embeddings in plain float64. */
import type { FloatArray } from '../checks/index.ts';
import { resolveRope, type RopeOptions } from '../options/rope.ts';
import { deliver, door } from './door.ts';

/** {@link RopeOptions}, with float64 allowed for `out` as well. */
export interface ReferenceRopeOptions<Out extends FloatArray = FloatArray> extends Omit<RopeOptions, 'out'> {
  /** Of x's shape, written and returned. May be x itself or overlap it. */
  readonly out?: Out | undefined;
}

/**
 * Rotary position embeddings, in float64: pair i of each head turned by position / scaling · theta^(−2i / rotaryDim).
 *
 * @param x [batch, seq, heads, headDim] (`'bshd'`, the default) or [batch, heads, seq, headDim] (`'bhsd'`)
 * @param options seq, heads and headDim, and what differs from the defaults
 * @returns of x's shape: a new Float64Array, or `options.out`
 * @throws HeedTypeError, HeedRangeError before anything is written; each option says which
 * @example
 * ```ts
 * import { rope } from 'heed/reference';
 *
 * rope(new Float32Array([1, 0, 1, 0]), { seq: 2, heads: 1, headDim: 2 }); // Float64Array [1, 0, 0.5403…, 0.8414…]
 * ```
 */
export function rope<Out extends FloatArray = Float64Array>(
  x: FloatArray,
  options: ReferenceRopeOptions<Out>,
): Out {
  const problem = resolveRope('rope', door, x, options);
  const { batch, seq, heads, headDim, layout, theta, rotaryDim, interleaved, scaling, positions } = problem;
  const y = Float64Array.from(x);
  const pairs = rotaryDim / 2;
  // Elements of pair i: the first and how far the second is from it.
  const [step, gap] = interleaved ? [2, 1] : [1, pairs];
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < seq; t++) {
      const position = positions.length === batch ? positions[b]! + t : positions[b * seq + t]!;
      for (let i = 0; i < pairs; i++) {
        const angle = (position / scaling) * theta ** (-i / pairs);
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        for (let h = 0; h < heads; h++) {
          const row = layout === 'bshd' ? (b * seq + t) * heads + h : (b * heads + h) * seq + t;
          const at = row * headDim + i * step;
          const [x1, x2] = [x[at]!, x[at + gap]!];
          y[at] = x1 * cos - x2 * sin;
          y[at + gap] = x2 * cos + x1 * sin;
        }
      }
    }
  }
  return deliver(y, problem.out) as Out;
}
