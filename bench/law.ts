/**
 * The accuracy law for the benchmark: a contender is timed only if every element it computed lies within the bound.
 * Bounds are first order in u = 2⁻²⁴, derived and not fitted; `expected` is what heed/reference computes in float64.
 *
 *   matmul      |C − C₆₄| ≤ (depth + 1) · u · |A||B|, each product meeting at most `depth` roundings
 *   attention   |o − o₆₄| ≤ u · { Σₖ pₖ|vₖ|·(Eₖ + PV) + |o₆₄|·(Σₖ pₖEₖ + L + 2) } + N · 2⁻¹²⁶ · max|v|
 *                 Eₖ = (headDim + 2)·Aₖ + |sₖ − m| + 2 + R      Aₖ = |scale| · Σ_d |q_d·k_kd|
 *               the score's sum and its scaling; the shift by the row's maximum; the exponential (2u); the rescaling R of
 *               the online softmax; the sums of depth PV and L
 *
 * The ways of adding differ in depth only:
 *
 *   blocks   heed: sums over blocks, blocks added in order.   PV = BK + ⌈N/BK⌉   L = BK/4 + ⌈N/BK⌉
 *            R = 4⌈N/BK⌉ + (m − m₁), with m₁ the first block's maximum
 *   chain    one sum from end to end, as plain loops have it. PV = N   L = N   R = 0
 */
import { BK, KC } from '../common/abi.ts';
import { matmul, type FloatArray } from '../src/reference.ts';
import { attentionInputs, type AttentionCase, type MatmulCase } from '../test/cases.ts';

export type Order = 'blocks' | 'chain';

/** What a contender computed, and the order in which it adds. */
export interface Judged {
  readonly actual: Float32Array;
  readonly order: Order;
}

const U = 2 ** -24;

/** Errors by the part of the bound that they use: above 1 breaks the law. NaN counts as infinite. */
function used(error: number, bound: number): number {
  if (Number.isNaN(error)) return Infinity;
  return error === 0 ? 0 : error / bound;
}

/** Every `stride`-th of `count`, and the last. */
function* every(stride: number, count: number): Generator<number> {
  for (let i = 0; i < count; i += stride) yield i;
  if (count > 0 && (count - 1) % stride !== 0) yield count - 1;
}

/** The largest part of the bound that each contender uses, over every `stride`-th row of C. One matrix, not a batch. */
export function matmulUse(
  { options: { M, N, K } }: MatmulCase,
  a: Float32Array,
  b: Float32Array,
  expected: FloatArray,
  judged: readonly Judged[],
  stride = 1,
): number[] {
  const rows = [...every(stride, M)];
  const some = new Float32Array(rows.length * K);
  for (const [i, m] of rows.entries()) some.set(a.subarray(m * K, (m + 1) * K), i * K);
  const products = matmul(some.map(Math.abs), b.map(Math.abs), { M: rows.length, N, K });
  return judged.map(({ actual, order }) => {
    const depth = order === 'chain' ? K : Math.min(K, KC) + Math.ceil(K / KC);
    let worst = 0;
    for (const [i, m] of rows.entries()) {
      for (let n = 0; n < N; n++) {
        const error = Math.abs(actual[m * N + n]! - expected[m * N + n]!);
        worst = Math.max(worst, used(error, (depth + 1) * U * products[i * N + n]!));
      }
    }
    return worst;
  });
}

/**
 * The same over every `stride`-th row (query of a head) of attention. Rows are ordered as in 'bshd', which is the layout
 * it takes; `causal` from the bottom right is the one option it knows.
 */
export function attentionUse(
  { options }: AttentionCase,
  [q, k, v]: ReturnType<typeof attentionInputs>,
  expected: FloatArray,
  judged: readonly Judged[],
  stride = 1,
): number[] {
  const { batch = 1, heads = 1, kvHeads = heads, seqQ, seqK = seqQ, headDim, valueDim = headDim } = options;
  const scale = options.scale ?? 1 / Math.sqrt(headDim);
  const worst = judged.map(() => 0);
  const s = new Float64Array(seqK);
  const e = new Float64Array(seqK);
  let maxV = 0;
  for (const x of v) maxV = Math.max(maxV, Math.abs(x));

  for (const row of every(stride, batch * seqQ * heads)) {
    const h = row % heads;
    const i = Math.floor(row / heads) % seqQ;
    const b = Math.floor(row / heads / seqQ);
    const kvHead = Math.floor((h * kvHeads) / heads);
    const visible = options.causal === true ? Math.min(Math.max(i + seqK - seqQ + 1, 0), seqK) : seqK;
    const keyRow = (j: number): number => (b * seqK + j) * kvHeads + kvHead;

    // Pass 1: scores, the part of E that every order shares, the maximum, and that of the first block.
    let m = -Infinity;
    let firstM = -Infinity;
    for (let j = 0; j < visible; j++) {
      let dot = 0;
      let absolute = 0;
      for (let d = 0; d < headDim; d++) {
        const product = q[row * headDim + d]! * k[keyRow(j) * headDim + d]!;
        dot += product;
        absolute += Math.abs(product);
      }
      s[j] = scale * dot;
      e[j] = (headDim + 2) * Math.abs(scale) * absolute + 2;
      m = Math.max(m, s[j]!);
      if (j < BK) firstM = m;
    }

    // Pass 2: Σ p, Σ pE, Σ p|v| and Σ p|v|E.
    let l = 0;
    let sumE = 0;
    const sumV = new Float64Array(valueDim);
    const sumVE = new Float64Array(valueDim);
    for (let j = 0; j < visible; j++) {
      const p = Math.exp(s[j]! - m);
      const pE = p * (e[j]! + m - s[j]!);
      l += p;
      sumE += pE;
      for (let d = 0; d < valueDim; d++) {
        const value = Math.abs(v[keyRow(j) * valueDim + d]!);
        sumV[d]! += p * value;
        sumVE[d]! += pE * value;
      }
    }

    // Pass 3: the bound of each order.
    const blocks = Math.ceil(visible / BK);
    for (const [c, { actual, order }] of judged.entries()) {
      const inBlocks = order === 'blocks';
      const R = inBlocks ? 4 * blocks + m - firstM : 0;
      const PV = inBlocks ? BK + blocks : visible;
      const L = inBlocks ? BK / 4 + blocks : visible;
      for (let d = 0; d < valueDim; d++) {
        const o = expected[row * valueDim + d]!;
        const values = (sumVE[d]! + sumV[d]! * (R + PV)) / l;
        const bound = U * (values + Math.abs(o) * (sumE / l + R + L + 2)) + visible * 2 ** -126 * maxV;
        worst[c] = Math.max(worst[c]!, used(Math.abs(actual[row * valueDim + d]! - o), bound));
      }
    }
  }
  return worst;
}
