/**
 * Known answers, computed once by every new instance before anybody uses it. An engine may accept a build and compute
 * it wrongly (Node 20 behind its flag does so with one relaxed instruction), and bytes may have been damaged.
 *
 * It is part of the first call, in code that nobody has run before. So results are compared in one piece, and what is to be
 * compared with is computed once: a loop of a few thousand steps is slow in the interpreter, and hot enough to be compiled
 * in vain.
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
function integers(length: number, step: number, modulus: number): Int8Array {
  return Int8Array.from({ length }, (_, i) => ((i * step) % modulus) - (modulus >> 1));
}

function floats(x: Int8Array): Float32Array {
  return new Float32Array(x);
}

/** A matrix by columns. */
function transposed(x: Int8Array, rows: number, columns: number): Int8Array {
  return x.map((_, at) => x[(at % rows) * columns + Math.floor(at / rows)]!);
}

/** Whether the result of an operation is what these integers begin with. */
function begin(wanted: Int8Array | Int16Array, result: unknown): boolean {
  return (result as Float32Array).every((value, i) => value === wanted[i]);
}

/** [M × 5] · [5 × 37]: whole tiles and what remains of them, one row, and each way that A and B may lie. */
function matmulIsExact(runtime: Runtime, op: string): boolean {
  const [M, N, K] = [11, 37, 5];
  const a = integers(M * K, 7, 11);
  const b = integers(K * N, 5, 9);
  const c = new Int16Array(M * N);
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      for (let k = 0; k < K; k++) c[m * N + n]! += a[m * K + k]! * b[k * N + n]!;
    }
  }
  const exact = (rows: number, transposeA: boolean, transposeB: boolean): boolean => {
    const some = a.subarray(0, rows * K);
    const A = floats(transposeA ? transposed(some, rows, K) : some);
    const B = floats(transposeB ? transposed(b, K, N) : b);
    return begin(c, operations.matmul(runtime, op, A, B, { M: rows, N, K, transposeA, transposeB }));
  };
  return exact(M, false, false) && exact(9, true, true) && exact(1, false, false) && exact(1, false, true);
}

/**
 * Query i finds key i by a score that leaves the others nothing: weights and values to the bit, by
 * the kernels of many queries and of few; heads of a group by four at once and one by one.
 */
function attentionIsExact(runtime: Runtime, op: string): boolean {
  const exact = (size: number, valueDim: number, seqQ: number, heads: number): boolean => {
    const unit = Int8Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
    const v = integers(size * valueDim, 7, 11);
    const k = floats(unit.map((x) => 32 * x));
    const q = k.subarray(0, seqQ * heads * size);
    const options = {
      ...{ seqQ, heads, kvHeads: 1, seqK: size, headDim: size, valueDim, layout: 'bhsd' },
      ...{ scale: 1, causal: true, queryOffset: seqQ * heads },
    };
    const { out, weights } = operations.attentionWeights(runtime, op, q, k, floats(v), options);
    return begin(unit, weights) && begin(v, out);
  };
  return exact(11, 9, 11, 1) && exact(12, 8, 2, 5) && exact(11, 9, 1, 1);
}

/**
 * A softmax that spreads over 9 keys, against the same in float64: what the two above cannot see, the exponential and
 * the division. By the law of attention the error is below 1,130·2⁻²⁴ < 2⁻¹³: five elements a score, whose products'
 * magnitudes add up to 5 at most, values of at most 5, one block of keys.
 */
function attentionIsClose(runtime: Runtime, op: string): boolean {
  // Not one array with the fraction: its integers would be doubles then, and with them `seqQ` in the hidden class that a user's
  // `{ seqQ, heads, headDim }` shares, whose loops took 1.6 to 1.8 times as long (test/user-objects.test.ts).
  const [size, dim] = [9, 5];
  const scale = 1 / 8;
  const q = integers(size * dim, 7, 11);
  const k = integers(size * dim, 5, 9);
  const Q = floats(q);
  const options = { seqQ: size, headDim: dim, scale };
  const o = operations.attention(runtime, op, Q, floats(k), Q, options) as Float32Array;
  for (let i = 0; i < q.length; i += dim) {
    const weighted = new Float64Array(dim);
    let sum = 0;
    for (let j = 0; j < q.length; j += dim) {
      let score = 0;
      for (let d = 0; d < dim; d++) score += q[i + d]! * k[j + d]!;
      const weight = Math.exp(scale * score);
      sum += weight;
      for (let d = 0; d < dim; d++) weighted[d]! += weight * q[j + d]!;
    }
    for (let d = 0; d < dim; d++) if (!(Math.abs(o[i + d]! - weighted[d]! / sum) <= 2 ** -13)) return false;
  }
  return true;
}

/**
 * Five pairs of both kinds by angles in every quadrant, against the same in float64. By the law of rope the error of
 * elements of at most 5 is below 32·2⁻²⁴.
 */
function ropeIsClose(runtime: Runtime, op: string): boolean {
  const [seq, headDim, pairs] = [8, 10, 5];
  const x = floats(integers(seq * headDim, 7, 11));
  const close = (interleaved: boolean): boolean => {
    const options = { seq, heads: 1, headDim, interleaved, theta: 2, offset: -3 };
    const y = operations.rope(runtime, op, x, options) as Float32Array;
    for (let t = 0; t < seq; t++) {
      for (let i = 0; i < pairs; i++) {
        const first = t * headDim + (interleaved ? 2 * i : i);
        const second = first + (interleaved ? 1 : pairs);
        const angle = (t - 3) * 2 ** (-i / pairs);
        const cos = Math.cos(angle);
        const sin = Math.sin(angle);
        const error = Math.max(
          Math.abs(y[first]! - (x[first]! * cos - x[second]! * sin)),
          Math.abs(y[second]! - (x[first]! * sin + x[second]! * cos)),
        );
        if (!(error <= 2 ** -19)) return false;
      }
    }
    return true;
  };
  return close(false) && close(true);
}
