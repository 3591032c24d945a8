/**
 * The accuracy laws, as numbers: how far a right program may be from float64 on the same float32 inputs. Each is derived
 * from the number of roundings that a result has gone through, holds for every element, and has no factor to turn. Tests
 * hold the kernels to them, and the benchmark times nothing that breaks them.
 *
 * u = 2⁻²⁴, the unit roundoff. A sum of n products in float32 is off by at most n·u·Σ|a·b| to first order (Higham 2002,
 * section 3.1); blocks of KC or BK cut n down to the block and the number of blocks.
 */
import { BK, KC } from '../common/abi.ts';
import { PLAIN } from '../src/checks/index.ts';
import { resolveAttention, type AttentionProblem } from '../src/options/attention.ts';
import { resolveMatmul } from '../src/options/matmul.ts';
import type { AttentionCall, MatmulOptions } from '../src/index.ts';

export const u: number = 2 ** -24;

/**
 * How a program adds. `blocks`, heed: each block of KC products or BK keys from zero, then block after block, rescaled to
 * the maximum so far. `chain`, plain loops: one sum from end to end, with the row's maximum known before.
 */
export type Order = 'blocks' | 'chain';

/** True values, and how far computed ones may be from them. */
export interface Law {
  readonly values: Float64Array;
  readonly bounds: Float64Array;
}

/** One row of a result: what it should be and by how much it may differ. */
export interface RowLaw {
  /** Which of all rows: [batch, M] of a matmul, [batch, heads, seqQ] of attention, as in `logSumExp`. */
  readonly row: number;
  /** Index of the row's first element in the result; the row is contiguous. */
  readonly at: number;
  readonly out: (order: Order) => Law;
}

/** One query of one head. */
export interface AttentionRowLaw extends RowLaw {
  /** [seqK]; zeros where a key is not seen. */
  readonly weights: (order: Order) => Law;
  /** [1] */
  readonly logSumExp: (order: Order) => Law;
  /** [valueDim]: the same row from straightforward float32 arithmetic. */
  readonly naive: () => Float64Array;
}

/** Every `stride`-th of `count` rows, and the last. */
export function* every(stride: number, count: number): Generator<number> {
  for (let i = 0; i < count; i += stride) yield i;
  if (count > 0 && (count - 1) % stride !== 0) yield count - 1;
}

/** Some rows, each `width` long, of a result whose law is known in one order of addition only. */
export function* rowsOf({ values, bounds }: Law, width: number, rows: Iterable<number>): Generator<RowLaw> {
  for (const row of rows) {
    const at = row * width;
    const part = { values: values.subarray(at, at + width), bounds: bounds.subarray(at, at + width) };
    yield { row, at, out: () => part };
  }
}

/** Largest share of its bound that any element uses: more than 1 breaks the law. A NaN, or nothing there, is Infinity. */
export function use(computed: ArrayLike<number>, { values, bounds }: Law, at = 0): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    if (computed[at + i] === values[i]) continue;
    const share = Math.abs(computed[at + i]! - values[i]!) / bounds[i]!;
    if (Number.isNaN(share)) return Infinity;
    most = Math.max(most, share);
  }
  return most;
}

/**
 * C₆₄ and its bound, (depth + 1)·u·(|A||B| + |bias|), row by row: each product meets at most `depth` roundings, and one
 * more where a bias is added. The depth is K in a chain, min(K, KC) + ⌈K/KC⌉ in blocks.
 *
 * @param rows their indices in [batch, M]; all by default
 */
export function* matmulLaw(
  a: Float32Array,
  b: Float32Array,
  options: MatmulOptions,
  rows?: Iterable<number>,
): Generator<RowLaw> {
  const { batch, M, N, K, transposeA, transposeB, sharedB } = resolveMatmul(
    'law',
    PLAIN,
    a,
    b,
    options,
  ).problem;
  const [aRow, aStep] = transposeA ? [1, M] : [K, 1];
  const [bRow, bStep] = transposeB ? [1, K] : [N, 1];
  const depths = { blocks: Math.min(K, KC) + Math.ceil(K / KC), chain: K };
  for (const row of rows ?? every(1, batch * M)) {
    const z = Math.floor(row / M);
    const values = new Float64Array(N);
    if (options.bias) values.set(options.bias);
    const magnitudes = values.map(Math.abs);
    for (let k = 0; k < K; k++) {
      const x = a[z * M * K + (row % M) * aRow + k * aStep]!;
      const start = (sharedB ? 0 : z * K * N) + k * bRow;
      for (let n = 0; n < N; n++) {
        const product = x * b[start + n * bStep]!;
        values[n]! += product;
        magnitudes[n]! += Math.abs(product);
      }
    }
    const out = (order: Order): Law => {
      return { values, bounds: magnitudes.map((x) => (depths[order] + 1) * u * x) };
    };
    yield { row, at: row * N, out };
  }
}

/**
 * The law of attention, row by row; see `attentionRow`.
 *
 * @param rows their indices in [batch, heads, seqQ], or [heads, totalQ] of packed sequences; all by default
 */
export function* attentionLaw(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  options: AttentionCall,
  rows?: Iterable<number>,
): Generator<AttentionRowLaw> {
  const { problem } = resolveAttention('law', PLAIN, q, k, v, options);
  const { heads, kvHeads, seqQ, seqK, headDim, valueDim, layout, packed, totalQ } = problem;
  const bshd = layout === 'bshd';
  const step = bshd ? kvHeads : 1;
  for (const row of rows ?? every(1, totalQ * heads)) {
    const [b, head, i] = packed
      ? placed(problem, row)
      : [Math.floor(row / seqQ / heads), Math.floor(row / seqQ) % heads, row % seqQ];
    const { firstQuery, firstKey } = problem.sequence(b);
    const kvHead = Math.floor((head * kvHeads) / heads);
    const place = firstQuery * heads + (bshd ? i * heads + head : head * seqQ + i);
    const first = firstKey * kvHeads + (bshd ? kvHead : kvHead * seqK);
    const given: Given = {
      q: q.subarray(place * headDim, (place + 1) * headDim),
      k: { data: k, start: first * headDim, step: step * headDim },
      v: { data: v, start: first * valueDim, step: step * valueDim },
      ...meeting(problem, b, head, i),
      sink: sinkOf(problem, head),
      ...{ seqK, valueDim, scale: problem.scale },
    };
    yield { row, at: place * valueDim, ...attentionRow(given), naive: () => naiveRow(given) };
  }
}

/** [sequence, head, query] of a row of packed sequences. */
function placed({ batch, totalQ, sequence }: AttentionProblem, row: number): [number, number, number] {
  const token = row % totalQ;
  let b = 0;
  while (b < batch - 1 && sequence(b + 1).firstQuery <= token) b++;
  return [b, Math.floor(row / totalQ), token - sequence(b).firstQuery];
}

function numbers(given: { readonly value: object } | undefined): Float32Array | undefined {
  return given?.value as Float32Array | undefined;
}

/** A sink of −∞ is none. */
function sinkOf({ sinks }: AttentionProblem, head: number): number | undefined {
  const sink = numbers(sinks)?.[head];
  return sink === -Infinity ? undefined : sink;
}

/** Which keys a query sees, and what becomes of their scaled products. */
function meeting(
  problem: AttentionProblem,
  b: number,
  head: number,
  i: number,
): Pick<Given, 'sees' | 'finish'> {
  const { before, after, softcap } = problem;
  const { keys, offset } = problem.sequence(b);
  const element = (given: AttentionProblem['bias'], j: number): number | undefined => {
    if (given === undefined) return undefined;
    const [perBatch, perHead, perQuery, perKey] = given.steps;
    return numbers(given.data)![b * perBatch + head * perHead + i * perQuery + j * perKey]!;
  };
  const sees: number[] = [];
  for (let j = 0; j < keys; j++) {
    const distance = j - (i + offset);
    if (distance < -before || distance > after) continue;
    if (element(problem.mask, j) === 0 || element(problem.bias, j) === -Infinity) continue;
    sees.push(j);
  }
  const slope = numbers(problem.alibi)?.[head];
  const finish = (score: number, j: number): Finished => {
    let s = score;
    let error = 0;
    if (softcap > 0) {
      s = softcap * Math.tanh(s / softcap);
      error += 4 * softcap;
    }
    if (slope !== undefined) {
      const term = slope * Math.abs(i + offset - j);
      s -= term;
      error += Math.abs(term);
    }
    const bias = element(problem.bias, j);
    if (bias !== undefined) {
      s += bias;
      error += Math.abs(bias);
    }
    return { s, error: error > 0 || bias !== undefined ? error + Math.abs(s) : 0 };
  };
  return { sees, finish };
}

/** A score with everything added, and by how many u more than its product it may be off. */
interface Finished {
  readonly s: number;
  readonly error: number;
}

/** The rows of one head in a larger array: element d of row j is data[start + j · step + d]. */
interface Head {
  readonly data: Float32Array;
  readonly start: number;
  readonly step: number;
}

/** One query, and what it sees. */
interface Given {
  readonly q: Float32Array;
  readonly k: Head;
  readonly v: Head;
  readonly sees: readonly number[];
  readonly finish: (score: number, j: number) => Finished;
  readonly sink: number | undefined;
  readonly seqK: number;
  readonly valueDim: number;
  readonly scale: number;
}

/**
 * The law of one row of attention (docs/reliability.md). N keys are seen, in B blocks, A_k = |scale|·Σ|q·k|, and
 *
 *   E_k = (headDim + 2)·A_k + X_k + |s_k − m| + 2 + R                                 relative error of p_k, in u
 *   |o − o₆₄| <= u·{ Σ p_k|v_k|·(E_k + PV) + |o|·(Σ p_k(E_k + L) + 2) } + N·2⁻¹²⁶·max|v|
 *
 * in E_k the score's sum and its scaling, what is added to the score (X_k = 4·softcap + |alibi's term| + |bias| + |s_k|,
 * where there is any), the shift by the maximum m, the exponential (2u) and the rescales R; PV and L are the depths of the
 * sums of p·v and of p. They are all that the order of addition changes:
 *
 *   blocks   PV = BK + D   L = BK/4 + D   R = 4·B + (m − m₁), with m₁ the maximum of the first block, D = max(N/BK, B − 1)
 *   chain    PV = N        L = N          R = 0
 *
 * A sink is one more key, seen first, with v = 0 and X = |sink|. A weight p_k / l errs by its own E_k and by that of l; a
 * logSumExp by the scores and by the depth of l.
 */
function attentionRow(given: Given): Pick<AttentionRowLaw, 'out' | 'weights' | 'logSumExp'> {
  const { q, k, v, sees, finish, sink, seqK, valueDim, scale } = given;
  const headDim = q.length;
  const N = sees.length;
  const values = new Float64Array(valueDim);
  if (N === 0) {
    const exact = (x: Float64Array, bound = 0): (() => Law) => {
      return () => ({ values: x, bounds: new Float64Array(x.length).fill(bound) });
    };
    const sum = sink ?? -Infinity;
    return {
      out: exact(values),
      weights: exact(new Float64Array(seqK)),
      logSumExp: exact(Float64Array.of(sum), sink === undefined ? 0 : 4 * u * Math.abs(sum)),
    };
  }

  // Pass 1: s, the part of E that every order shares, their maximum and that of the first block, and the largest A + X.
  const s = new Float64Array(N);
  const E = new Float64Array(N);
  let [m, m1, most] = [sink ?? -Infinity, sink ?? -Infinity, sink === undefined ? 0 : Math.abs(sink)];
  const first = Math.floor(sees[0]! / BK);
  let [blocks, last] = [sink === undefined ? 0 : 1, -1];
  for (const [n, j] of sees.entries()) {
    const start = k.start + j * k.step;
    let dot = 0;
    let magnitude = 0;
    for (let d = 0; d < headDim; d++) {
      const product = q[d]! * k.data[start + d]!;
      dot += product;
      magnitude += Math.abs(product);
    }
    const A = Math.abs(scale) * magnitude;
    const finished = finish(scale * dot, j);
    s[n] = finished.s;
    E[n] = (headDim + 2) * A + finished.error + 2;
    m = Math.max(m, s[n]);
    if (Math.floor(j / BK) === first && sink === undefined) m1 = m;
    if (Math.floor(j / BK) !== last) {
      blocks++;
      last = Math.floor(j / BK);
    }
    most = Math.max(most, (headDim + 4) * A + finished.error);
  }
  const extra = sink === undefined ? 0 : Math.exp(sink - m);
  let l = extra;
  for (const x of s) l += Math.exp(x - m);

  // Pass 2: p, and with it Σ p·E, o, Σ p|v|, Σ p|v|·E and max|v|. The sink has a part in Σ p·E and in no value.
  const p = new Float64Array(seqK);
  const [sumV, sumVE, mostV] = [values.slice(), values.slice(), values.slice()];
  const error = new Float64Array(seqK);
  let sumE = sink === undefined ? 0 : (extra / l) * (Math.abs(sink) + m - sink + 2);
  for (const [n, j] of sees.entries()) {
    const weight = Math.exp(s[n]! - m) / l;
    const start = v.start + j * v.step;
    p[j] = weight;
    error[j] = E[n]! + m - s[n]!;
    sumE += weight * error[j];
    for (let d = 0; d < valueDim; d++) {
      const x = v.data[start + d]!;
      const magnitude = Math.abs(x);
      values[d]! += weight * x;
      sumV[d]! += weight * magnitude;
      sumVE[d]! += weight * error[j] * magnitude;
      if (magnitude > mostV[d]!) mostV[d] = magnitude;
    }
  }

  // Pass 3: the bounds, by the order of addition. The weights sum to 1, so that R and L leave Σ p(E + R + L) as they are.
  const depth = Math.max(N / BK, blocks - 1);
  const depths = {
    blocks: { PV: BK + depth, L: BK / 4 + depth, R: 4 * blocks + m - m1 },
    chain: { PV: N, L: N, R: 0 },
  };
  return {
    out: (order) => {
      const { PV, L, R } = depths[order];
      const bounds = values.map((o, d) => {
        const terms = sumVE[d]! + sumV[d]! * (R + PV);
        return u * (terms + Math.abs(o) * (sumE + R + L + 2)) + N * 2 ** -126 * mostV[d]!;
      });
      return { values, bounds };
    },
    weights: (order) => {
      const { L, R } = depths[order];
      const bounds = new Float64Array(seqK);
      for (const j of sees) bounds[j] = u * p[j]! * (error[j]! + R + (sumE + R + L) + 2) + 2 ** -126;
      return { values: p, bounds };
    },
    logSumExp: (order) => {
      const sum = m + Math.log(l);
      const bound = u * (2 * Math.abs(sum) + most + depths[order].L + 4);
      return { values: Float64Array.of(sum), bounds: Float64Array.of(bound) };
    },
  };
}

/** What the plainest float32 program gives: one sum after the other, every step rounded. */
function naiveRow({ q, k, v, sees, finish, sink, valueDim, scale }: Given): Float64Array {
  const { fround } = Math;
  const p = sees.map((j) => {
    let dot = 0;
    for (const [d, x] of q.entries()) dot = fround(dot + fround(x * k.data[k.start + j * k.step + d]!));
    return fround(finish(fround(dot * fround(scale)), j).s);
  });
  const m = p.reduce((x, y) => Math.max(x, y), sink ?? -Infinity);
  for (let n = 0; n < p.length; n++) p[n] = fround(Math.exp(fround(p[n]! - m)));
  const l = p.reduce((x, y) => fround(x + y), sink === undefined ? 0 : fround(Math.exp(fround(sink - m))));
  return Float64Array.from({ length: valueDim }, (_, d) => {
    let sum = 0;
    for (const [n, j] of sees.entries()) {
      sum = fround(sum + fround(fround(p[n]! / l) * v.data[v.start + j * v.step + d]!));
    }
    return sum;
  });
}
