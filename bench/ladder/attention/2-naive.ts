/**
 * Attention, rung 2: naive JavaScript. The formula as the paper writes it, head by head, on float32 arrays.
 *
 *   S[seq × seq] = Q Kᵀ / √headDim      P = softmax(S), row by row      O[seq × headDim] = P V
 *
 * Q, K, V and O are [seq, heads, headDim]: a row of a head is `heads · headDim` floats before the next. S and P are whole.
 *
 * What is new: half the memory of rung 1, but S and P with it. V is walked down its columns.
 */
import type { AttentionShape } from '../shapes.ts';

type Floats = Float32Array;

export function attention(q: Floats, k: Floats, v: Floats, out: Floats, shape: AttentionShape): void {
  const { seq, heads, headDim } = shape;
  const row = heads * headDim;
  const s = new Float32Array(seq * seq);
  for (let head = 0; head < row; head += headDim) {
    // S = Q Kᵀ / √headDim
    for (let i = 0; i < seq; i++) {
      for (let j = 0; j < seq; j++) {
        let sum = 0;
        for (let d = 0; d < headDim; d++) sum += q[head + i * row + d]! * k[head + j * row + d]!;
        s[i * seq + j] = sum / Math.sqrt(headDim);
      }
    }

    // P = softmax(S)
    for (let i = 0; i < seq; i++) softmax(s.subarray(i * seq, (i + 1) * seq));

    // O = P V
    for (let i = 0; i < seq; i++) {
      for (let d = 0; d < headDim; d++) {
        let sum = 0;
        for (let j = 0; j < seq; j++) sum += s[i * seq + j]! * v[head + j * row + d]!;
        out[head + i * row + d] = sum;
      }
    }
  }
}

/** x = exp(x − max) / Σ exp(x − max) */
export function softmax(x: Floats): void {
  let max = -Infinity;
  for (let j = 0; j < x.length; j++) max = Math.max(max, x[j]!);
  let sum = 0;
  for (let j = 0; j < x.length; j++) sum += x[j] = Math.exp(x[j]! - max);
  for (let j = 0; j < x.length; j++) x[j]! /= sum;
}
