/** Attention in plain float64: what every option means. */
import type { FloatArray } from '../checks/index.ts';
import { resolveAttention } from '../options/attention.ts';
import type { AttentionProblem, AttentionShape, PackedOptions, VarlenShape } from '../options/attention.ts';
import type { AttentionOptions, Broadcast, Shaped } from '../options/scores.ts';
import { deliver, door } from './door.ts';

/** What a call may be told, with float64 allowed wherever the kernels take float32. */
export interface ReferenceFloats<Out extends FloatArray> {
  /** Added to the scaled and capped score; −Infinity masks. */
  readonly bias?: FloatArray | Shaped<FloatArray> | undefined;
  /** [heads] slopes. */
  readonly alibi?: FloatArray | undefined;
  /** [heads] logits that take weight and give no value. */
  readonly sinks?: FloatArray | undefined;
  /** Written and returned, rounded to float32 if it is a Float32Array. May overlap q, k and v. */
  readonly out?: Out | undefined;
  /** [batch, heads, seqQ] ([heads, totalQ] if packed), written when given. */
  readonly logSumExp?: FloatArray | undefined;
}

/** {@link AttentionShape} and {@link AttentionOptions}, with float64 allowed for the side inputs as well. */
export type ReferenceAttentionOptions<Out extends FloatArray = FloatArray> = AttentionShape &
  Omit<AttentionOptions, keyof ReferenceFloats<Out>> &
  ReferenceFloats<Out>;

/** The same for packed sequences: {@link VarlenShape}. */
export type ReferenceVarlenOptions<Out extends FloatArray = FloatArray> = VarlenShape &
  Omit<PackedOptions, keyof ReferenceFloats<Out>> &
  Omit<ReferenceFloats<Out>, 'bias'>;

/** What {@link attentionWeights} gives: `out` as {@link attention} does, the weights and the logarithms of their sums. */
export interface ReferenceAttentionWeights<Out extends FloatArray = Float64Array> {
  /** [batch, seqQ, heads, valueDim] in the layout. */
  readonly out: Out;
  /** `[batch, heads, seqQ, seqK]`: each row sums to 1, or is 0 where the query sees no key. */
  readonly weights: Float64Array;
  /** [batch, heads, seqQ] */
  readonly logSumExp: FloatArray;
}

/** A score, bias or sink beyond this counts as infinite: times log₂e, as the kernels have it, it is past float32's range. */
const MAX_SCORE = 2.3e38;

/**
 * Attention, in float64: `softmax(scale · Q Kᵀ) V` for every batch and head.
 *
 * Scores are finished in this order: scale → softcap → alibi → bias → mask. A query that sees no key gives zeros and a
 * logSumExp of −∞. A key that is masked is never read; a row with a score of +∞ or NaN is NaN.
 *
 * @param q [batch, seqQ, heads, headDim] (`'bshd'`, the default) or [batch, heads, seqQ, headDim] (`'bhsd'`)
 * @param k [batch, seqK, kvHeads, headDim], or in the order of the layout
 * @param v [batch, seqK, kvHeads, valueDim], or in the order of the layout
 * @param options the shape (seqQ and headDim at least), and what differs from the defaults
 * @returns [batch, seqQ, heads, valueDim] in the layout: a new Float64Array, or `options.out`
 * @throws HeedTypeError, HeedRangeError before anything is written; each option says which
 * @example
 * ```ts
 * import { attention } from 'heed/reference';
 *
 * const q = new Float32Array([1, 0]); // one query …
 * const k = new Float32Array([0, 0, 0, 0]); // … and two keys that it likes equally
 * const v = new Float32Array([1, 2, 3, 4]);
 * attention(q, k, v, { seqQ: 1, seqK: 2, headDim: 2 }); // Float64Array [2, 3]: the mean of the values
 * ```
 */
export function attention<Out extends FloatArray = Float64Array>(
  q: FloatArray,
  k: FloatArray,
  v: FloatArray,
  options: ReferenceAttentionOptions<Out> | ReferenceVarlenOptions<Out>,
): Out {
  const { problem, out: given } = resolveAttention('attention', door, q, k, v, options);
  const { out, logSumExp } = attend(problem, q, k, v, undefined);
  deliver(logSumExp, problem.logSumExp);
  return deliver(out, given) as Out;
}

/**
 * Attention, in float64, with the weights to look at: `P = softmax(scale · Q Kᵀ)` and `P V`.
 * ERR_SIZE also where the weights are too large.
 *
 * @param q as of {@link attention}
 * @param k as of {@link attention}
 * @param v as of {@link attention}
 * @param options as of {@link attention}; not of packed sequences
 * @returns out, as {@link attention}; weights [batch, heads, seqQ, seqK], exactly 0 where a key is masked; and logSumExp
 *   [batch, heads, seqQ], `options.logSumExp` if given
 * @throws HeedTypeError, HeedRangeError before anything is written
 * @example
 * ```ts
 * import { attentionWeights } from 'heed/reference';
 *
 * const x = new Float32Array([1, 0, 0, 1]); // two tokens of two elements, as queries, keys and values
 * const { weights } = attentionWeights(x, x, x, { seqQ: 2, headDim: 2, causal: true, scale: 1 });
 * weights; // Float64Array [1, 0, 0.2689…, 0.7310…]: the first token sees itself only
 * ```
 */
export function attentionWeights<Out extends FloatArray = Float64Array>(
  q: FloatArray,
  k: FloatArray,
  v: FloatArray,
  options: ReferenceAttentionOptions<Out>,
): ReferenceAttentionWeights<Out> {
  const resolved = resolveAttention('attentionWeights', door, q, k, v, options, true);
  const { problem } = resolved;
  const { batch, heads, seqQ, seqK } = problem;
  const weights = new Float64Array(batch * heads * seqQ * seqK);
  const { out, logSumExp } = attend(problem, q, k, v, weights);
  return {
    logSumExp: deliver(logSumExp, problem.logSumExp),
    out: deliver(out, resolved.out) as Out,
    weights,
  };
}

/**
 * Every row: sequence b, head h, query i.
 *
 *   s_j = finish(scale · Σ_d q_d · k_jd)     m = max(sink, max_j s_j)     p_j = exp(s_j − m)
 *   l = exp(sink − m) + Σ_j p_j              o_d = Σ_j p_j · v_jd / l     lse = m + ln l     weight_j = p_j / l
 *
 * over the keys j < keys that the query sees: −before <= j − (i + offset) <= after, mask and bias let it pass, and
 * s_j > −∞ or NaN. Nothing of other keys is read.
 */
function attend(
  problem: AttentionProblem,
  q: FloatArray,
  k: FloatArray,
  v: FloatArray,
  weights: Float64Array | undefined,
): { out: Float64Array; logSumExp: Float64Array } {
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout, packed, totalQ } = problem;
  const { scale, softcap, before, after, sequence } = problem;
  const out = new Float64Array(totalQ * heads * valueDim);
  const logSumExp = new Float64Array(totalQ * heads);
  if (out.length === 0) return { out, logSumExp };
  const group = heads / kvHeads;
  const sinks = problem.sinks?.value as FloatArray | undefined;
  const alibi = problem.alibi?.value as FloatArray | undefined;
  const mask = lookup(problem.mask);
  const bias = lookup(problem.bias);
  const s = new Float64Array(seqK); // one row: scores, then p in their place
  const o = new Float64Array(valueDim);

  // Element [b, token, head, d] is at row · dim + d in either layout, with
  //   bshd: row = (first + token) · headCount + head       bhsd: row = first · headCount + head · seqLength + token
  const bshd = layout === 'bshd';
  const [qSeq, qHead] = bshd ? [heads, 1] : [1, seqQ];
  const [kSeq, kHead] = bshd ? [kvHeads, 1] : [1, seqK];

  for (let b = 0; b < batch; b++) {
    const { queries, keys, firstQuery, firstKey, offset } = sequence(b);
    for (let h = 0; h < heads; h++) {
      const kRow0 = firstKey * kvHeads + Math.floor(h / group) * kHead;
      const sink = limited(sinks?.[h] ?? -Infinity);
      for (let i = 0; i < queries; i++) {
        const qRow = firstQuery * heads + i * qSeq + h * qHead;
        const row = packed ? h * totalQ + firstQuery + i : firstQuery * heads + h * seqQ + i;
        const place = i + offset;
        const begin = Math.max(0, place - before);
        const end = Math.max(begin, Math.min(keys, place + after + 1));

        // Pass 1: s[j], finished, and their maximum. NaN is the maximum of any row it is in.
        let m = sink;
        for (let j = begin; j < end; j++) {
          s[j] = -Infinity;
          const added = limited(bias?.(b, h, i, j) ?? 0);
          if (mask?.(b, h, i, j) === 0 || added === -Infinity) continue;
          const qAt = qRow * headDim;
          const kAt = (kRow0 + j * kSeq) * headDim;
          let dot = 0;
          for (let d = 0; d < headDim; d++) dot += q[qAt + d]! * k[kAt + d]!;
          let score = limited(scale * dot);
          if (softcap > 0) score = softcap * Math.tanh(score / softcap);
          if (alibi) score = limited(score - alibi[h]! * Math.abs(place - j));
          s[j] = bias ? limited(score + added) : score;
          m = Math.max(m, s[j]!);
        }

        // Pass 2: p[j] = exp(s[j] − m), their sum l, and o[valueDim] = Σ p[j] · v[j, valueDim].
        let l = sink === -Infinity ? 0 : Math.exp(sink - m);
        o.fill(0);
        for (let j = begin; j < end; j++) {
          if (s[j] === -Infinity) continue; // a masked key: no weight, and its value is not read
          const p = Math.exp(s[j]! - m);
          s[j] = p;
          l += p;
          const vAt = (kRow0 + j * kSeq) * valueDim;
          for (let d = 0; d < valueDim; d++) o[d]! += p * v[vAt + d]!;
        }

        // Pass 3: divide by the sum. A row that saw no key keeps its zeros.
        logSumExp[row] = m + Math.log(l);
        if (l === 0) continue;
        for (let d = 0; d < valueDim; d++) out[qRow * valueDim + d] = o[d]! / l;
        if (weights === undefined) continue;
        for (let j = begin; j < end; j++) {
          if (s[j] !== -Infinity) weights[row * seqK + j] = s[j]! / l;
        }
      }
    }
  }
  return { out, logSumExp };
}

/** Element [b, h, i, j] of a mask or bias. */
function lookup(
  given: Broadcast | undefined,
): ((b: number, h: number, i: number, j: number) => number) | undefined {
  if (given === undefined) return undefined;
  const data = given.data.value as ArrayLike<number>;
  const [batch, head, query, key] = given.steps;
  return (b, h, i, j) => data[b * batch + h * head + i * query + j * key]!;
}

/** A score beyond ±{@link MAX_SCORE} is infinite. */
function limited(score: number): number {
  if (score > MAX_SCORE) return Infinity;
  return score < -MAX_SCORE ? -Infinity : score;
}
