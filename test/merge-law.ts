/**
 * The accuracy law of mergeAttention: how far a right program may be from float64 on the same float32 parts, as in `laws.ts`.
 *
 * N parts saw a key, W_p = e^(lse_p − m) / l are their weights, Δ_p = m − lse_p, and
 *
 *   E_p = 3·Δ_p + 2                                                        relative error of e^(lse_p − m), in u
 *   |o − o₆₄| <= u·{ Σ W_p|o_p|·(E_p + N + 1) + |o|·(Σ W_p E_p + N − 1) } + N·(2⁻¹²⁵·max|o_p| + 2⁻¹⁴⁹)
 *   |lse − lse₆₄| <= u·{ |lse| + Σ W_p E_p + N − 1 + 2·ln l } + N·2⁻¹²⁶
 *
 * In E_p the difference, log₂e and the product with it, each of which moves the exponent by Δ_p·u, and the exponential (2u).
 * A term meets the quotient by l, its product and N − 1 sums; l itself errs as its terms do, and by N − 1 sums. Below 2⁻¹²⁶
 * a weight errs by that; the logarithm of l by one of its last places.
 */
import { PLAIN, type FloatArray } from '../src/checks/index.ts';
import type { AttentionPart, MergeShape } from '../src/index.ts';
import { resolveMerge } from '../src/options/merge.ts';
import { u, type Law } from './laws.ts';

/** One query of one head. */
export interface MergeRowLaw {
  /** Its index in logSumExp, and that of its first element in out. */
  readonly row: number;
  readonly at: number;
  /** [valueDim] */
  readonly out: Law;
  /** [1] */
  readonly logSumExp: Law;
  /** The weight of each part; 0 where it saw no key. */
  readonly weights: readonly number[];
}

export function* mergeLaw(
  parts: readonly AttentionPart<Float32Array>[],
  options: MergeShape,
): Generator<MergeRowLaw> {
  const problem = resolveMerge('law', PLAIN, parts, options);
  const { batch, heads, seqQ, valueDim, layout } = problem;
  for (let row = 0; row < batch * heads * seqQ; row++) {
    const [query, head, b] = [row % seqQ, Math.floor(row / seqQ) % heads, Math.floor(row / seqQ / heads)];
    const at = valueDim * (layout === 'bshd' ? (b * seqQ + query) * heads + head : row);
    const seen = parts.filter(({ logSumExp }) => logSumExp[row] !== -Infinity);
    const lse = seen.map(({ logSumExp }) => logSumExp[row]!);
    const m = Math.max(...lse);
    const l = lse.reduce((sum, x) => sum + Math.exp(x - m), 0);
    const N = seen.length;
    const W = lse.map((x) => Math.exp(x - m) / l);
    const E = lse.map((x) => 3 * (m - x) + 2);
    const sumE = W.reduce((sum, w, p) => sum + w * E[p]!, 0);
    const element = (p: number, d: number): number => (seen[p]!.out as FloatArray)[at + d]!;
    const values = Float64Array.from({ length: valueDim }, (_, d) =>
      W.reduce((sum, w, p) => sum + w * element(p, d), 0),
    );
    const bounds = values.map((o, d) => {
      const terms = W.reduce((sum, w, p) => sum + w * Math.abs(element(p, d)) * (E[p]! + N + 1), 0);
      const most = W.reduce((most, _, p) => Math.max(most, Math.abs(element(p, d))), 0);
      const floor = N * (2 ** -125 * most + 2 ** -149);
      return N === 0 ? 0 : u * (terms + Math.abs(o) * (sumE + N - 1)) + floor;
    });
    const sum = N === 0 ? -Infinity : m + Math.log(l);
    const bound = u * (Math.abs(sum) + sumE + N - 1 + 2 * Math.log(l)) + N * 2 ** -126;
    const weights = parts.map(({ logSumExp }) => (N === 0 ? 0 : Math.exp(logSumExp[row]! - m) / l));
    yield {
      ...{ row, at, weights, out: { values, bounds } },
      logSumExp: { values: Float64Array.of(sum), bounds: Float64Array.of(N === 0 ? 0 : bound) },
    };
  }
}
