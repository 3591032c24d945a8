/**
 * What a good JavaScript programmer writes without a library: float32 arrays, plain loops that run along memory, one
 * buffer for a row of scores. The contender that heed's speed-up is counted against. Not the definition (that is
 * `heed/reference`, in float64), and not tuned further: no blocks, no unrolling.
 */
import type { AttentionOptions, AttentionShape, MatmulOptions } from '../src/index.ts';

/** What the loops know of a call: the shape in 'bshd' layout, causal from the bottom right. */
type Known = Omit<AttentionShape, 'layout'> & Pick<AttentionOptions, 'causal'>;

/** No other option can be given: they would compute something else than heed. */
export type PlainCall = Known & Partial<Record<Exclude<keyof AttentionOptions | 'layout', 'causal'>, never>>;

export type PlainMatmul = Pick<MatmulOptions, 'M' | 'N' | 'K'> &
  Partial<Record<Exclude<keyof MatmulOptions, 'M' | 'N' | 'K'>, never>>;

/** C[M × N] = A[M × K] · B[K × N], into `out`. */
export function plainMatmul(
  a: Float32Array,
  b: Float32Array,
  { M, N, K }: PlainMatmul,
  out: Float32Array,
): Float32Array {
  out.fill(0);
  for (let m = 0; m < M; m++) {
    const row = m * N;
    for (let k = 0; k < K; k++) {
      const factor = a[m * K + k]!;
      const from = k * N;
      for (let n = 0; n < N; n++) out[row + n]! += factor * b[from + n]!;
    }
  }
  return out;
}

/** O = softmax(Q Kᵀ / √headDim) V for every head, into `out`; q, k, v and out are [batch, seq, heads, dim]. */
export function plainAttention(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  shape: PlainCall,
  out: Float32Array,
): Float32Array {
  const { batch = 1, heads = 1, kvHeads = heads, seqQ, seqK = seqQ, headDim, valueDim = headDim } = shape;
  const scale = 1 / Math.sqrt(headDim);
  const group = heads / kvHeads;
  const scores = new Float32Array(seqK);
  out.fill(0);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor(h / group);
      for (let i = 0; i < seqQ; i++) {
        const visible = shape.causal === true ? Math.min(Math.max(i + seqK - seqQ + 1, 0), seqK) : seqK;
        const row = (b * seqQ + i) * heads + h;

        // scores = q · kᵀ · scale, and their maximum
        const qAt = row * headDim;
        let max = -Infinity;
        for (let j = 0; j < visible; j++) {
          const kAt = ((b * seqK + j) * kvHeads + kvHead) * headDim;
          let dot = 0;
          for (let d = 0; d < headDim; d++) dot += q[qAt + d]! * k[kAt + d]!;
          const score = dot * scale;
          scores[j] = score;
          if (score > max) max = score;
        }

        // weights, not yet divided by their sum
        let sum = 0;
        for (let j = 0; j < visible; j++) {
          const weight = Math.exp(scores[j]! - max);
          scores[j] = weight;
          sum += weight;
        }

        // out = weights · v
        const outAt = row * valueDim;
        for (let j = 0; j < visible; j++) {
          const weight = scores[j]! / sum;
          const vAt = ((b * seqK + j) * kvHeads + kvHead) * valueDim;
          for (let d = 0; d < valueDim; d++) out[outAt + d]! += weight * v[vAt + d]!;
        }
      }
    }
  }
  return out;
}
