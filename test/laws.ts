/**
 * The accuracy laws, as numbers: how far a right kernel may be from float64 on the same float32 inputs. Each is derived
 * from the number of roundings that a result has gone through, holds for every element, and has no factor to turn.
 *
 * u = 2⁻²⁴, the unit roundoff. A sum of n products in float32 is off by at most n·u·Σ|a·b| to first order (Higham 2002,
 * section 3.1); blocks of KC or BK cut n down to the block and the number of blocks.
 */
import { BK, KC } from '../common/abi.ts';
import { PLAIN } from '../src/checks.ts';
import { resolveAttention, resolveMatmul } from '../src/options.ts';
import type { AttentionOptions, AttentionShape, MatmulOptions } from '../src/index.ts';

export const u: number = 2 ** -24;

/** A true value and how far a computed one may be from it. */
export interface Bounded {
  readonly value: number;
  readonly bound: number;
}

/** One query of one head: what it should be and by how much it may differ. */
export interface RowLaw {
  readonly batch: number;
  readonly head: number;
  readonly query: number;
  /** Index of the row's first element in `out`; the row is contiguous. */
  readonly at: number;
  /** [valueDim] */
  readonly out: readonly Bounded[];
  /** The same row from straightforward float32 arithmetic. */
  readonly naive: readonly number[];
  /** [seqK]; zeros where a key is not seen. */
  readonly weights: readonly Bounded[];
  readonly logSumExp: Bounded;
}

/**
 * C₆₄ and its bound, (min(K, KC) + ⌈K/KC⌉ + 1)·u·(|A||B| + |bias|): at most KC roundings inside a block, one for each
 * block that is added, one for the bias.
 */
export function matmulLaw(a: Float32Array, b: Float32Array, options: MatmulOptions): Bounded[] {
  const { batch, M, N, K, transposeA, transposeB, sharedB } = resolveMatmul('law', PLAIN, a, b, options);
  const roundings = Math.min(K, KC) + Math.ceil(K / KC) + 1;
  const law: Bounded[] = [];
  for (let z = 0; z < batch; z++) {
    const [aBase, bBase] = [z * M * K, sharedB ? 0 : z * K * N];
    for (let i = 0; i < M; i++) {
      for (let j = 0; j < N; j++) {
        let value = options.bias?.[j] ?? 0;
        let magnitude = Math.abs(value);
        for (let k = 0; k < K; k++) {
          const x = a[aBase + (transposeA ? k * M + i : i * K + k)]!;
          const y = b[bBase + (transposeB ? j * K + k : k * N + j)]!;
          value += x * y;
          magnitude += Math.abs(x * y);
        }
        law.push({ value, bound: roundings * u * magnitude });
      }
    }
  }
  return law;
}

/**
 * Attention by the law of RELIABILITY (2.4), for the rows asked for (all by default). With A_k = |scale|·Σ|q·k|, blocks of
 * BK keys, m₁ the maximum of the first block and R = 4·⌈N/BK⌉ + (m − m₁) for the rescales:
 *
 *   E_k  = (headDim + 2)·A_k + |s_k − m| + 2 + R                               relative error of p_k, in u
 *   |o − o₆₄| <= u·{ Σ p_k|v_k|·(E_k + BK + N/BK) + |o|·(Σ p_k(E_k + BK/4 + N/BK) + 2) } + N·2⁻¹²⁶·max|v|
 *
 * A weight p_k / l errs by its own E_k and by that of l; a logSumExp by the scores and by the depth of l.
 */
export function attentionLaw(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  options: AttentionShape & AttentionOptions,
  wanted: (batch: number, head: number, query: number) => boolean = () => true,
): RowLaw[] {
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, ...problem } = resolveAttention(
    'law',
    PLAIN,
    q,
    k,
    v,
    options,
  );
  const { layout, scale, queryOffset } = problem;
  const start = (b: number, h: number, i: number, hs: number, seq: number, dim: number): number =>
    dim * (layout === 'bshd' ? (b * seq + i) * hs + h : (b * hs + h) * seq + i);
  const rows: RowLaw[] = [];
  for (let b = 0; b < batch; b++) {
    for (let head = 0; head < heads; head++) {
      for (let query = 0; query < seqQ; query++) {
        if (!wanted(b, head, query)) continue;
        const kvHead = Math.floor((head * kvHeads) / heads);
        const keys = Math.max(0, Math.min(seqK, query + queryOffset[b]! + 1));
        const row = {
          q: q.subarray(start(b, head, query, heads, seqQ, headDim)).subarray(0, headDim),
          k: Array.from({ length: keys }, (_, j) => k.subarray(start(b, kvHead, j, kvHeads, seqK, headDim))),
          v: Array.from({ length: keys }, (_, j) => v.subarray(start(b, kvHead, j, kvHeads, seqK, valueDim))),
        };
        const at = start(b, head, query, heads, seqQ, valueDim);
        rows.push({ batch: b, head, query, at, ...rowLaw(row, scale, headDim, valueDim, seqK) });
      }
    }
  }
  return rows;
}

interface Row {
  readonly q: Float32Array;
  readonly k: readonly Float32Array[];
  readonly v: readonly Float32Array[];
}

function rowLaw(
  { q, k, v }: Row,
  scale: number,
  headDim: number,
  valueDim: number,
  seqK: number,
): Pick<RowLaw, 'out' | 'naive' | 'weights' | 'logSumExp'> {
  const N = k.length;
  const zero = { value: 0, bound: 0 };
  const weights = new Array<Bounded>(seqK).fill(zero);
  if (N === 0) {
    const out = new Array<Bounded>(valueDim).fill(zero);
    return { out, naive: out.map(() => 0), weights, logSumExp: { value: -Infinity, bound: 0 } };
  }
  const s: number[] = [];
  const A: number[] = [];
  for (const key of k) {
    let dot = 0;
    let magnitude = 0;
    for (let d = 0; d < headDim; d++) {
      dot += q[d]! * key[d]!;
      magnitude += Math.abs(q[d]! * key[d]!);
    }
    s.push(scale * dot);
    A.push(Math.abs(scale) * magnitude);
  }
  const m = max(s);
  const e = s.map((x) => Math.exp(x - m));
  const l = e.reduce((x, y) => x + y, 0);
  const p = e.map((x) => x / l);

  const blocks = Math.ceil(N / BK);
  const R = 4 * blocks + (m - max(s.slice(0, BK)));
  const E = s.map((x, j) => (headDim + 2) * A[j]! + Math.abs(x - m) + 2 + R);
  const sumDepth = BK / 4 + N / BK;
  const errorOfSum = p.reduce((sum, pk, j) => sum + pk * (E[j]! + sumDepth), 0);
  const out: Bounded[] = [];
  for (let d = 0; d < valueDim; d++) {
    let value = 0;
    let weighted = 0;
    let largest = 0;
    for (let j = 0; j < N; j++) {
      const x = v[j]![d]!;
      value += p[j]! * x;
      weighted += p[j]! * Math.abs(x) * (E[j]! + BK + N / BK);
      largest = Math.max(largest, Math.abs(x));
    }
    const bound = u * (weighted + Math.abs(value) * (errorOfSum + 2)) + N * 2 ** -126 * largest;
    out.push({ value, bound });
  }
  for (let j = 0; j < N; j++) {
    weights[j] = { value: p[j]!, bound: u * p[j]! * (E[j]! + errorOfSum + 2) + 2 ** -126 };
  }
  const lse = m + Math.log(l);
  const lseBound = u * (2 * Math.abs(lse) + (headDim + 4) * max(A) + sumDepth + 4);
  return {
    out,
    naive: naiveRow({ q, k, v }, scale, headDim, valueDim),
    weights,
    logSumExp: { value: lse, bound: lseBound },
  };
}

/** What the plainest float32 program gives: one sum after the other, every step rounded. */
function naiveRow({ q, k, v }: Row, scale: number, headDim: number, valueDim: number): number[] {
  const { fround } = Math;
  const s = k.map((key) => {
    let dot = 0;
    for (let d = 0; d < headDim; d++) dot = fround(dot + fround(q[d]! * key[d]!));
    return fround(dot * fround(scale));
  });
  const m = max(s);
  const p = s.map((x) => fround(Math.exp(fround(x - m))));
  const l = p.reduce((x, y) => fround(x + y), 0);
  return Array.from({ length: valueDim }, (_, d) => {
    let sum = 0;
    for (let j = 0; j < k.length; j++) sum = fround(sum + fround(fround(p[j]! / l) * v[j]![d]!));
    return sum;
  });
}

function max(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), -Infinity);
}
