/**
 * How far onnxruntime may be from float64: the law of plain loops (test/laws.ts, order `chain`), for its own exponential;
 * and the law of the scores, which its fourth output gives and heed does not.
 *
 * Its kernel is a GEMM with alpha = scale, softcap, the mask, a softmax (row maximum, exponentials and their sum, each times
 * the reciprocal of the sum: two roundings, where the law has two) and a GEMM (onnxruntime/core/providers/cpu/llm/
 * attention.cc, core/mlas/lib/compute.cpp). All sums are inside the depth of a chain, whatever their blocks.
 *
 * The exponential. MLAS reduces by a two-part ln 2, exactly but for the last addition (0.35u, as |r| <= 0.3466), and
 * evaluates a polynomial of degree 6 by Horner's rule, multiply and add. With its published coefficients the polynomial is
 * within 0.11u of e^r on the whole range, and the roundings of its six steps add up to at most 2.01u. Together 2.47u; the law
 * has 2u for an exponential. Below e^−87.7 it gives 0: the 2⁻¹²⁶ that the law has.
 *
 * The tangent of softcap is the C library's. In musl it is built from expm1f, right to 1 ulp: 1 − 2/(t + 2), t/(t + 2) or the
 * like, which is off by at most 2u, beside at most 0.45u of the division by softcap and 1u of the product: inside the law's 4u.
 */
import { attentionWeights } from '../../src/reference.ts';
import { attentionLaw, u, type AttentionRowLaw, type Law } from '../laws.ts';
import type { HeedCall } from './call.ts';

const MLAS_EXP = 2.47;

export interface OrtRowLaw {
  readonly out: Law;
  readonly weights: Law;
}

/** The law of each row, as `attentionLaw` counts them. */
export function* ortLaw({
  q,
  k,
  v,
  options,
}: HeedCall): Generator<OrtRowLaw & Pick<AttentionRowLaw, 'row' | 'at'>> {
  const magnitudes = attentionLaw(q, k, v.map(Math.abs), options); // its values are Σ p|v|
  const more = (MLAS_EXP - 2) * u;
  for (const row of attentionLaw(q, k, v, options)) {
    const [out, weights] = [row.out('chain'), row.weights('chain')];
    const sum = (magnitudes.next().value as AttentionRowLaw).out('chain').values;
    yield {
      row: row.row,
      at: row.at,
      out: { ...out, bounds: out.bounds.map((b, d) => b + more * (sum[d]! + Math.abs(out.values[d]!))) },
      weights: { ...weights, bounds: weights.bounds.map((b, j) => b + 2 * more * weights.values[j]!) },
    };
  }
}

/** What `qk_matmul_output` holds: 0 scaled products, 1 after softcap, 2 with mask and bias. */
export type Stage = 0 | 1 | 2;

/**
 * Scores [batch, heads, seqQ, seqK] in float64, and the law of a chain for them: (headDim + 2)·A of the product and its
 * scaling, then 4·softcap, |bias| and |s| where there is any, in u. A key that is not seen has −∞, exactly.
 */
export function scoreLaw({ q, k, options }: HeedCall, stage: Stage): Law {
  const { batch, heads, kvHeads, seqQ, seqK, headDim, layout, softcap = 0, bias } = options;
  const { scale = 1 / Math.sqrt(headDim) } = options;
  const values = new Float64Array(batch * heads * seqQ * seqK);
  const bounds = new Float64Array(values.length);
  const at = (b: number, h: number, i: number, hs: number, seq: number): number =>
    headDim * (layout === 'bhsd' ? (b * hs + h) * seq + i : (b * seq + i) * hs + h);
  const seen = stage === 2 ? seenBy(options) : undefined;
  const addend = stage === 2 ? elements(bias) : undefined;
  for (let n = 0; n < values.length; n++) {
    const [j, i] = [n % seqK, Math.floor(n / seqK) % seqQ];
    const [h, b] = [Math.floor(n / seqK / seqQ) % heads, Math.floor(n / seqK / seqQ / heads)];
    if (seen && seen[n] === 0) {
      values[n] = -Infinity;
      continue;
    }
    const [x, y] = [at(b, h, i, heads, seqQ), at(b, Math.floor((h * kvHeads) / heads), j, kvHeads, seqK)];
    let [dot, magnitude] = [0, 0];
    for (let d = 0; d < headDim; d++) {
      dot += q[x + d]! * k[y + d]!;
      magnitude += Math.abs(q[x + d]! * k[y + d]!);
    }
    let s = scale * dot;
    let error = (headDim + 2) * Math.abs(scale) * magnitude;
    if (stage > 0 && softcap > 0) {
      s = softcap * Math.tanh(s / softcap);
      error += 4 * softcap;
    }
    if (addend) {
      const added = addend(b, h, i, j);
      s += added;
      error += Math.abs(added) + Math.abs(s);
    }
    values[n] = s;
    bounds[n] = u * error;
  }
  return { values, bounds };
}

/** [batch, heads, seqQ, seqK]: not 0 where a query sees a key. With keys of zeros all that are seen weigh the same. */
function seenBy(options: HeedCall['options']): Float64Array {
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, bias } = options;
  const zeros = (hs: number, seq: number, dim: number): Float32Array =>
    new Float32Array(batch * hs * seq * dim);
  const level =
    bias && 'shape' in bias ? { ...bias, data: bias.data.map((x) => (x === -Infinity ? x : 0)) } : undefined;
  return attentionWeights(
    zeros(heads, seqQ, headDim),
    zeros(kvHeads, seqK, headDim),
    zeros(kvHeads, seqK, valueDim),
    {
      ...options,
      bias: level,
    },
  ).weights;
}

function elements(
  bias: HeedCall['options']['bias'],
): ((b: number, h: number, i: number, j: number) => number) | undefined {
  if (bias === undefined || !('shape' in bias)) return undefined;
  const { data, shape } = bias;
  return (...at) =>
    data[at.reduce((index, x, axis) => index * shape[axis]! + (shape[axis] === 1 ? 0 : x), 0)]!;
}
