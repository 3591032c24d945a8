/** The steps of attention for a sentence, each kept to be looked at. All of it is heed's but the division by √2. */
import { attentionWeights, matmul } from 'heed';
import { HEAD_DIM, MODEL_DIM, WIDTH, type Sentence } from './sentence.ts';

/** Matrices of one head: [words, words]. */
export interface HeadSteps {
  readonly products: Float32Array;
  readonly scores: Float32Array;
  readonly weights: Float32Array;
}

export interface Steps {
  /** [words, heads · HEAD_DIM]: the heads side by side. */
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly heads: readonly HeadSteps[];
  /** [words, heads · HEAD_DIM]: what the heads found, side by side. */
  readonly joined: Float32Array;
  /** [words, MODEL_DIM] */
  readonly result: Float32Array;
}

export function stepsOf({ words, x, heads, wq, wk, wv, wo }: Sentence): Steps {
  const seqQ = words.length;
  const width = heads * HEAD_DIM;
  const [q, k, v] = [wq, wk, wv].map((w) => {
    const used = columns(w, WIDTH, 0, width);
    return matmul(x, used, { M: seqQ, K: MODEL_DIM, N: width });
  }) as [Float32Array, Float32Array, Float32Array];
  const { out: joined, weights } = attentionWeights(q, k, v, { seqQ, heads, headDim: HEAD_DIM });
  const result = matmul(joined, wo.subarray(0, width * MODEL_DIM), { M: seqQ, K: width, N: MODEL_DIM });
  const each = Array.from({ length: heads }, (_, h): HeadSteps => {
    const [qh, kh] = [q, k].map((all) => columns(all, width, h * HEAD_DIM, HEAD_DIM)) as [
      Float32Array,
      Float32Array,
    ];
    const products = matmul(qh, kh, { M: seqQ, K: HEAD_DIM, N: seqQ, transposeB: true });
    return {
      products,
      scores: products.map((product) => product / Math.sqrt(HEAD_DIM)),
      weights: weights.subarray(h * seqQ * seqQ, (h + 1) * seqQ * seqQ),
    };
  });
  return { q, k, v, heads: each, joined, result };
}

/** `count` columns of a matrix whose rows are `width` long. */
function columns(matrix: Float32Array, width: number, from: number, count: number): Float32Array {
  return matrix.filter((_, i) => i % width >= from && i % width < from + count);
}
