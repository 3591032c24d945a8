/**
 * Known answers, computed by every new instance before anybody uses what they test: all at once, or those that a first call is
 * about to run. An engine may accept a build and compute it wrongly (Node 20 behind its flag does so with one relaxed instruction),
 * and bytes may have been damaged.
 *
 * It is part of the first call, in code that nobody has run before: every function that it needs is compiled for it, and every
 * step is interpreted. So it begins behind the checks of arguments, and its loops are few and plain.
 */
import type { Operand } from './checks/index.ts';
import { KernelTrapError } from './errors.ts';
import { runAttention, type Inspection } from './operations/attention.ts';
import { runMatmul } from './operations/matmul.ts';
import { runRope } from './operations/rope.ts';
import type { AttentionProblem } from './options/attention.ts';
import type { RopeProblem } from './options/rope.ts';
import { DECODING, MATMUL, PREFILL, ROPE, WEIGHTS, type Runtime } from './runtime.ts';
import type { Values } from './tensor.ts';

/**
 * Whether this instance computes what it should, by these kernels. Attention of many queries; of few, ten rows of a key head (four
 * at once, and one by one), and one of six elements, which four do not divide.
 */
export function passesSelfTest(runtime: Runtime, op: string, kernels: number): boolean {
  const asked = (some: number): boolean => (kernels & some) === some;
  try {
    const weights = asked(WEIGHTS);
    return (
      (!asked(PREFILL) || attends(runtime, op, 11, 9, 11, 1, weights)) &&
      (!asked(DECODING) || attends(runtime, op, 12, 8, 2, 5, weights)) &&
      (!asked(DECODING) || attends(runtime, op, 6, 5, 1, 1, weights)) &&
      (!asked(MATMUL) || matmulIsExact(runtime, op)) &&
      (!asked(ROPE) || ropeIsClose(runtime, op))
    );
  } catch (error) {
    if (error instanceof KernelTrapError) return false;
    throw error;
  }
}

/** Small integers: exact in any order of addition, with and without FMA. */
function integers(length: number, step: number, modulus: number): Float32Array {
  const x = new Float32Array(length);
  for (let i = 0; i < length; i++) x[i] = ((i * step) % modulus) - (modulus >> 1);
  return x;
}

/** A square matrix of zeros but for its diagonal. */
function diagonal(size: number, value: number): Float32Array {
  const x = new Float32Array(size * size);
  for (let i = 0; i < x.length; i += size + 1) x[i] = value;
  return x;
}

/** A matrix by columns. */
function transposed(x: Float32Array, rows: number, columns: number): Float32Array {
  const y = new Float32Array(rows * columns);
  let at = 0;
  for (let column = 0; column < columns; column++) {
    for (let from = column; at < (column + 1) * rows; from += columns) y[at++] = x[from]!;
  }
  return y;
}

/** Whether the result of an operation is what these numbers begin with. */
function begin(wanted: Float32Array, result: Values | undefined): boolean {
  const given = result as Float32Array;
  for (let i = 0; i < given.length; i++) if (given[i] !== wanted[i]) return false;
  return true;
}

/**
 * [M × 5] · [5 × 37]: whole tiles and what remains of them, one row, each way that A and B may lie, and a bias: without one the first
 * depth block, here the only one, is stored and not added.
 */
function matmulIsExact(runtime: Runtime, op: string): boolean {
  const [M, N, K] = [11, 37, 5];
  const a = integers(M * K, 7, 11);
  const b = integers(K * N, 5, 9);
  const c = new Float32Array(M * N);
  for (let ak = 0; ak < M * K; ak++) {
    let at = Math.floor(ak / K) * N;
    let from = (ak % K) * N;
    for (const end = at + N; at < end;) c[at++]! += a[ak]! * b[from++]!;
  }
  const exact = (rows: number, transposeA: boolean, transposeB: boolean, bias?: Operand): boolean => {
    const some = a.subarray(0, rows * K);
    const A = transposeA ? transposed(some, rows, K) : some;
    const B = transposeB ? transposed(b, K, N) : b;
    const problem = {
      batch: 1,
      M: rows,
      N,
      K,
      transposeA,
      transposeB,
      sharedB: true,
      packed: false,
      tensors: false,
      outShape: [rows, N],
      bias,
    };
    return begin(c, runMatmul(runtime, op, A, B, { problem, out: undefined, again: false }));
  };
  const right =
    exact(M, false, false) && exact(9, true, true) && exact(1, false, false) && exact(1, false, true);
  const bias = integers(N, 3, 7);
  for (let i = 0; i < M * N; i++) c[i]! += bias[i % N]!;
  return right && exact(M, false, false, { arg: 'bias', value: bias, shape: undefined });
}

/** Attention of plain arrays in 'bhsd' with one key head: the last query sees all keys, the one before it one key less. */
function causal(
  heads: number,
  seqQ: number,
  seqK: number,
  headDim: number,
  valueDim: number,
): AttentionProblem {
  const one = { queries: seqQ, keys: seqK, firstQuery: 0, firstKey: 0, offset: seqK - seqQ };
  return {
    batch: 1,
    heads,
    kvHeads: 1,
    seqQ,
    seqK,
    headDim,
    valueDim,
    layout: 'bhsd',
    tensors: false,
    packed: false,
    totalQ: seqQ,
    totalK: seqK,
    sequence: () => one,
    scale: 1,
    before: Infinity,
    after: 0,
    softcap: 0,
    mask: undefined,
    bias: undefined,
    alibi: undefined,
    sinks: undefined,
    logSumExp: undefined,
    cache: undefined,
  };
}

/** With the weights, if they were asked for. */
type Result = Pick<Inspection, 'out'> & Partial<Inspection>;

/**
 * Most rows find one key, by a score that leaves the others nothing: weights and values to the bit. Every sixth spreads: see
 * `isClose`.
 */
function attends(
  runtime: Runtime,
  op: string,
  size: number,
  valueDim: number,
  seqQ: number,
  heads: number,
  inspect: boolean,
): boolean {
  const last = seqQ * heads - 1;
  const unit = diagonal(size, 1);
  const k = integers(size * size, 5, 9);
  for (let i = 0; i < k.length; i += size + 1) k[i]! += 32;
  const v = integers(size * valueDim, 7, 11);
  const q = diagonal(size, 32).subarray(0, (last + 1) * size);
  for (let row = last; row >= 0; row -= 6) {
    for (let d = 0; d < size; d++) q[row * size + d] = (((d * 7) % 11) - 5) / 128;
  }
  const problem = causal(heads, seqQ, size, size, valueDim);
  const resolved = { problem, out: undefined, again: false };
  const { out, weights } = runAttention(runtime, op, q, k, v, resolved, inspect) as Result;
  for (let row = last; row >= 0; row--) {
    const W = weights?.subarray(row * size, row * size + size);
    const O = out.subarray(row * valueDim, row * valueDim + valueDim);
    const right =
      (last - row) % 6 === 0
        ? isClose(W, O, q.subarray(row * size), k, v, size - seqQ + (row % seqQ) + 1)
        : (!W || begin(unit.subarray(row * size), W)) && begin(v.subarray(row * valueDim), O);
    if (!right) return false;
  }
  return true;
}

/**
 * A row that spreads over the first keys, against the same in float64, which sees the exponential and the division. By the law of
 * attention its error is below 1,000·2⁻²⁴ < 2⁻¹³: up to 12 elements a score, whose products' magnitudes add up to 2 at most,
 * values of at most 5, one block of keys.
 */
function isClose(
  weights: Float32Array | undefined,
  out: Float32Array,
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  seen: number,
): boolean {
  const valueDim = out.length;
  const size = v.length / valueDim;
  const values = new Float64Array(valueDim);
  const exps = new Float64Array(size);
  let sum = 0;
  for (let j = 0; j < seen; j++) {
    let score = 0;
    for (let d = 0; d < size; d++) score += q[d]! * k[j * size + d]!;
    const weight = Math.exp(score);
    sum += exps[j] = weight;
    for (let d = 0; d < valueDim; d++) values[d]! += weight * v[j * valueDim + d]!;
  }
  return near(out, values, sum) && (weights === undefined || near(weights, exps, sum));
}

/** Whether these are the numbers divided by their sum. */
function near(given: Float32Array, numbers: Float64Array, sum: number): boolean {
  for (let i = 0; i < given.length; i++) {
    if (!(Math.abs(given[i]! - numbers[i]! / sum) <= 2 ** -13)) return false;
  }
  return true;
}

/**
 * Five pairs of both kinds by angles in every quadrant, against the same in float64. By the law of rope the error of
 * elements of at most 5 is below 32·2⁻²⁴.
 */
function ropeIsClose(runtime: Runtime, op: string): boolean {
  const [seq, headDim, pairs] = [8, 10, 5];
  const x = integers(seq * headDim, 7, 11);
  const close = (interleaved: boolean): boolean => {
    const problem: RopeProblem = {
      batch: 1,
      seq,
      heads: 1,
      headDim,
      layout: 'bshd',
      interleaved,
      theta: 2,
      rotaryDim: headDim,
      scaling: 1,
      positions: Int32Array.of(-3),
      tensors: false,
      out: undefined,
    };
    const y = runRope(runtime, op, x, problem) as Float32Array;
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
