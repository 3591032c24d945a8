/**
 * Known answers, computed once by every new instance before anybody uses it. An engine may accept a build and compute
 * it wrongly (Node 20 behind its flag does so with one relaxed instruction), and bytes may have been damaged.
 */
import * as operations from './operations.ts';
import { KernelTrapError } from './errors.ts';
import type { Runtime } from './runtime.ts';

/** Small integers: exact in any order of addition, with and without FMA. */
const A = Float32Array.from({ length: 9 * 5 }, (_, i) => ((i * 7) % 11) - 5);
const B = Float32Array.from({ length: 5 * 13 }, (_, i) => ((i * 5) % 9) - 4);

/** Whether this instance computes what it should. */
export function passesSelfTest(runtime: Runtime, op: string): boolean {
  try {
    return matmulIsExact(runtime, op) && attentionIsExact(runtime, op) && attentionIsClose(runtime, op);
  } catch (error) {
    if (error instanceof KernelTrapError) return false;
    throw error;
  }
}

/** [9 × 5] · [5 × 13]: whole tiles and what remains of them. */
function matmulIsExact(runtime: Runtime, op: string): boolean {
  const [M, N, K] = [9, 13, 5];
  const c = operations.matmul(runtime, op, A, B, { M, N, K }) as Float32Array;
  return c.every((value, at) => {
    let sum = 0;
    for (let k = 0; k < K; k++) sum += at_(A, Math.floor(at / N) * K + k) * at_(B, k * N + (at % N));
    return value === sum;
  });
}

/** Query i finds key i by a score that leaves the others nothing: the result is its value, bit for bit. */
function attentionIsExact(runtime: Runtime, op: string): boolean {
  const size = 9;
  const eye = Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 32 : 0));
  const v = A.subarray(0, size * 5);
  const o = operations.attention(runtime, op, eye, eye, v, {
    seqQ: size,
    headDim: size,
    valueDim: 5,
    scale: 1,
  });
  return (o as Float32Array).every((value, at) => value === v[at]);
}

/**
 * A softmax that spreads over 9 keys, against the same in float64: what the two above cannot see, the exponential and
 * the division. By the law of attention the error is below 1,130·2⁻²⁴ < 2⁻¹³: five elements a score, whose products'
 * magnitudes add up to 5 at most, values of at most 5, one block of keys.
 */
function attentionIsClose(runtime: Runtime, op: string): boolean {
  const [size, dim, scale] = [9, 5, 1 / 8];
  const options = { seqQ: size, headDim: dim, scale };
  const [q, k, v] = [A, B.subarray(0, size * dim), A];
  const o = operations.attention(runtime, op, q, k, v, options) as Float32Array;
  return o.every((value, at) => {
    const [i, column] = [Math.floor(at / dim), at % dim];
    let [sum, weighted] = [0, 0];
    for (let j = 0; j < size; j++) {
      let score = 0;
      for (let d = 0; d < dim; d++) score += scale * at_(q, i * dim + d) * at_(k, j * dim + d);
      const weight = Math.exp(score);
      sum += weight;
      weighted += weight * at_(v, j * dim + column);
    }
    return Math.abs(value - weighted / sum) <= 2 ** -13;
  });
}

function at_(x: Float32Array, i: number): number {
  return x[i] ?? NaN;
}
