/**
 * Attention, rung 4: blocked JavaScript. Both products by the block of the matmul, four queries at a time.
 *
 *   S[4 × seq] = Q[4 × headDim] · Kᵀ / √headDim      P = softmax(S)      O[4 × headDim] = P · V
 *
 * What is new: reuse. Each row of K and V that is read serves four queries. A transposed matrix costs nothing: Kᵀ is K with
 * its two strides exchanged.
 *
 * Needs: seq >= 4, headDim >= 2.
 */
import { block } from '../matmul/4-blocked.ts';
import type { AttentionShape } from '../shapes.ts';
import { softmax } from './2-naive.ts';

type Floats = Float32Array;

export function attention(q: Floats, k: Floats, v: Floats, out: Floats, shape: AttentionShape): void {
  const { seq, heads, headDim } = shape;
  const row = heads * headDim;
  const scale = 1 / Math.sqrt(headDim);
  const s = new Float32Array(4 * seq);
  for (let head = 0; head < row; head += headDim) {
    for (let i = 0; i < seq; i += 4) {
      const at = head + Math.min(i, seq - 4) * row;

      // S = Q Kᵀ, two keys at a time
      for (let j = 0; j < seq; j += 2) {
        const key = Math.min(j, seq - 2);
        block([q, at, row, 1], [k, head + key * row, 1, row], headDim, [s, key, seq, 1]);
      }

      // P = softmax(S / √headDim)
      for (let r = 0; r < 4; r++) {
        const scores = s.subarray(r * seq, (r + 1) * seq);
        for (let j = 0; j < seq; j++) scores[j]! *= scale;
        softmax(scores);
      }

      // O = P V, two columns at a time
      for (let d = 0; d < headDim; d += 2) {
        const column = Math.min(d, headDim - 2);
        block([s, 0, seq, 1], [v, head + column, row, 1], seq, [out, at + column, row, 1]);
      }
    }
  }
}
