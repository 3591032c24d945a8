/**
 * Known answers, computed once by every new instance before anybody uses it. An engine may accept a build and compute
 * it wrongly (Node 20 behind its flag does so with one relaxed instruction), and bytes may have been damaged.
 */
import { KernelTrapError } from './errors.ts';
import * as operations from './operations.ts';
import type { Runtime } from './runtime.ts';

/** Whether this instance computes what it should. */
export function passesSelfTest(runtime: Runtime, op: string): boolean {
  try {
    const attends = attentionIsExact(runtime, op) && attentionIsClose(runtime, op);
    return attends && matmulIsExact(runtime, op) && ropeIsClose(runtime, op);
  } catch (error) {
    if (error instanceof KernelTrapError) return false;
    throw error;
  }
}

/** Small integers: exact in any order of addition, with and without FMA. */
function integers(length: number, step: number, modulus: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => ((i * step) % modulus) - (modulus >> 1));
}

/** [M × 5] · [5 × 37]: whole tiles and what remains of them, one row, and each way that A and B may lie. */
function matmulIsExact(runtime: Runtime, op: string): boolean {
  const [N, K] = [37, 5];
  const b = integers(K * N, 5, 9);
  return [
    { M: 9 },
    { M: 9, transposeA: true },
    { M: 9, transposeB: true },
    { M: 1 },
    { M: 1, transposeB: true },
    { M: 1, batch: 2 },
  ].every((shape) => {
    const { M, batch = 1, transposeA = false, transposeB = false } = shape;
    const a = integers(batch * M * K, 7, 11);
    const c = operations.matmul(runtime, op, a, b, { ...shape, N, K }) as Float32Array;
    return c.every((value, at) => {
      const [row, column] = [Math.floor(at / N), at % N];
      let sum = 0;
      for (let k = 0; k < K; k++) {
        sum += a[transposeA ? k * M + row : row * K + k]! * b[transposeB ? column * K + k : k * N + column]!;
      }
      return value === sum;
    });
  });
}

/**
 * Query i finds key i by a score that leaves the others nothing: weights and values to the bit, causal or not, by the
 * kernels of many queries and of few; heads of a group by four at once and one by one.
 */
function attentionIsExact(runtime: Runtime, op: string): boolean {
  const size = 12;
  const eye = Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 32 : 0));
  return [9, 8].every((valueDim) => {
    const v = integers(size * valueDim, 7, 11);
    const exact = (seqQ: number, heads: number, causal: boolean): boolean => {
      const q = eye.subarray(0, seqQ * heads * size);
      const shape = { seqQ, heads, kvHeads: 1, seqK: size, headDim: size, valueDim };
      const options = { ...shape, scale: 1, causal, queryOffset: causal ? heads * seqQ : undefined };
      const { out, weights } = operations.attentionWeights(runtime, op, q, eye, v, options);
      const [o, w] = [out as Float32Array, weights as Float32Array];
      const found = w.every((weight, at) => {
        const row = Math.floor(at / size);
        const query = (row % seqQ) * heads + Math.floor(row / seqQ);
        return weight === eye[query * size + (at % size)]! / 32;
      });
      return found && o.every((value, at) => value === v[at]);
    };
    return exact(size, 1, false) && exact(size, 1, true) && exact(2, 5, false) && exact(1, 1, true);
  });
}

/**
 * A softmax that spreads over 9 keys, against the same in float64: what the two above cannot see, the exponential and
 * the division. By the law of attention the error is below 1,130·2⁻²⁴ < 2⁻¹³: five elements a score, whose products'
 * magnitudes add up to 5 at most, values of at most 5, one block of keys.
 */
function attentionIsClose(runtime: Runtime, op: string): boolean {
  const [size, dim, scale] = [9, 5, 1 / 8];
  const options = { seqQ: size, headDim: dim, scale };
  const [q, k] = [integers(size * dim, 7, 11), integers(size * dim, 5, 9)];
  const o = operations.attention(runtime, op, q, k, q, options) as Float32Array;
  return o.every((value, at) => {
    const [i, column] = [Math.floor(at / dim), at % dim];
    let [sum, weighted] = [0, 0];
    for (let j = 0; j < size; j++) {
      let score = 0;
      for (let d = 0; d < dim; d++) score += scale * q[i * dim + d]! * k[j * dim + d]!;
      const weight = Math.exp(score);
      sum += weight;
      weighted += weight * q[j * dim + column]!;
    }
    return Math.abs(value - weighted / sum) <= 2 ** -13;
  });
}

/**
 * Five pairs of both kinds by angles in every quadrant, against the same in float64. By the law of rope the error of
 * elements of at most 5 is below 32·2⁻²⁴.
 */
function ropeIsClose(runtime: Runtime, op: string): boolean {
  const [seq, headDim, pairs] = [8, 10, 5];
  const x = integers(seq * headDim, 7, 11);
  return [false, true].every((interleaved) => {
    const options = { seq, heads: 1, headDim, interleaved, theta: 2, offset: -3 };
    const y = operations.rope(runtime, op, x, options) as Float32Array;
    return y.every((value, at) => {
      const [t, d] = [Math.floor(at / headDim), at % headDim];
      const [i, second] = interleaved ? [d >> 1, d % 2 === 1] : [d % pairs, d >= pairs];
      const angle = (t - 3) * 2 ** (-i / pairs);
      const other = x[at + (second ? -1 : 1) * (interleaved ? 1 : pairs)]!;
      const wanted = x[at]! * Math.cos(angle) + (second ? 1 : -1) * other * Math.sin(angle);
      return Math.abs(value - wanted) <= 2 ** -19;
    });
  });
}
