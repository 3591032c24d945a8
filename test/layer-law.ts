/**
 * The law of a whole layer, composed of those of its steps (test/laws.ts): how far MultiHeadAttention may be from float64 on
 * the same float32 inputs and weights. No factor of its own.
 *
 * A projection is off by ε, element by element (matmulLaw). So is then what attention is given, and a score moves by
 *
 *   Δ_j = |scale|·Σ_d ( |q_d|·εk_jd + εq_d·|k_jd| + εq_d·εk_jd )          D = max over the keys that are seen
 *
 * A weight is e^s_j over a sum of such terms, a sink among them with Δ = 0, so it moves by at most p_j·E_j, and its output by
 *
 *   E_j = e^(Δ_j + D) − 1          εo_d = Σ_j p_j·( E_j·|v_jd| + (1 + E_j)·εv_jd )
 *
 * To this comes the law of attention on what it was given (attentionLaw). The last projection passes on what reaches it,
 * Σ |W^O|·εo, and adds its own (matmulLaw). The laws are to first order in u, so they may be taken at the true projections,
 * rounded, instead of at the computed ones.
 */
import type { SeparateWeights } from '../src/options/layer.ts';
import type { AttentionOptions } from '../src/options/scores.ts';
import { attentionLaw, every, matmulLaw, type Law, type Order } from './laws.ts';

/** A layer and one pass through it. `past` are projected keys and values that a cache held before: [batch, n, …]. */
export interface Pass {
  readonly modelDim: number;
  readonly contextDim?: number;
  readonly heads: number;
  readonly kvHeads?: number;
  readonly headDim: number;
  /** 'out-in' */
  readonly weights: SeparateWeights;
  readonly x: Float32Array;
  readonly context?: Float32Array;
  readonly past?: { readonly k: Float32Array; readonly v: Float32Array };
  readonly batch: number;
  readonly seqQ: number;
  readonly options: AttentionOptions;
}

/** True values and bounds: of the result [batch, seqQ, modelDim], and of the weights [batch, heads, seqQ, seqK]. */
export interface PassLaw {
  readonly out: Law;
  readonly weights: Law;
}

/**
 * @param order of every step
 * @param rows those of [batch, seqQ] that are asked for, the others being zeros; all by default
 */
export function layerLaw(pass: Pass, order: Order = 'blocks', rows?: readonly number[]): PassLaw {
  const { modelDim, contextDim = modelDim, heads, kvHeads = heads, headDim, weights, x, batch, seqQ } = pass;
  const context = pass.context ?? x;
  const width = heads * headDim;
  const kvWidth = kvHeads * headDim;

  // Pass 1: the projections, and by how much each element may be off. What was in a cache is exact, and comes first.
  const Q = product(x, weights.wq, weights.bq, modelDim, order, rows);
  const K = joined(pass.past?.k, product(context, weights.wk, weights.bk, contextDim, order), batch);
  const V = joined(pass.past?.v, product(context, weights.wv, weights.bv, contextDim, order), batch);
  const seqK = K.values.length / (batch * kvWidth);

  // Pass 2: attention, row by row: the law of what it was given, and what was wrong with that.
  const [q, k, v] = [Q, K, V].map(({ values }) => Float32Array.from(values)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const shape = { batch, seqQ, seqK, heads, kvHeads, headDim, ...pass.options };
  const scale = Math.abs(pass.options.scale ?? 1 / Math.sqrt(headDim));
  const O: Law = {
    values: new Float64Array(batch * seqQ * width),
    bounds: new Float64Array(Q.values.length),
  };
  const size = batch * heads * seqQ * seqK;
  const P: Law = { values: new Float64Array(size), bounds: new Float64Array(size) };
  // Rows of attention are [batch, heads, seqQ].
  const asked = rows?.flatMap((row) =>
    Array.from({ length: heads }, (_, h) => (Math.floor(row / seqQ) * heads + h) * seqQ + (row % seqQ)),
  );
  for (const law of attentionLaw(q, k, v, shape, asked)) {
    const [b, h] = [Math.floor(law.row / seqQ / heads), Math.floor(law.row / seqQ) % heads];
    const out = law.out(order);
    const p = law.weights(order);
    const keyAt = (j: number): number =>
      (b * seqK + j) * kvWidth + Math.floor((h * kvHeads) / heads) * headDim;
    const moved = Float64Array.from(p.values, (weight, j) => {
      if (weight === 0) return 0;
      let sum = 0;
      for (let d = 0; d < headDim; d++) {
        const [a, ea] = [Math.abs(Q.values[law.at + d]!), Q.bounds[law.at + d]!];
        const [c, ec] = [Math.abs(K.values[keyAt(j) + d]!), K.bounds[keyAt(j) + d]!];
        sum += a * ec + ea * c + ea * ec;
      }
      return scale * sum;
    });
    const most = moved.reduce((a, c) => Math.max(a, c), 0);
    O.values.set(out.values, law.at);
    O.bounds.set(out.bounds, law.at);
    P.values.set(p.values, law.row * seqK);
    for (const [j, weight] of p.values.entries()) {
      const E = Math.expm1(moved[j]! + most);
      P.bounds[law.row * seqK + j] = p.bounds[j]! + weight * E;
      for (let d = 0; d < headDim; d++) {
        const [value, error] = [Math.abs(V.values[keyAt(j) + d]!), V.bounds[keyAt(j) + d]!];
        O.bounds[law.at + d]! += weight * (E * value + (1 + E) * error);
      }
    }
  }

  // Pass 3: the last projection passes on what reaches it, and adds its own.
  const out = product(Float32Array.from(O.values), weights.wo, weights.bo, width, order, rows);
  for (const row of rows ?? every(1, batch * seqQ)) {
    for (let n = 0; n < modelDim; n++) {
      let passed = 0;
      for (let c = 0; c < width; c++)
        passed += Math.abs(weights.wo[n * width + c]!) * O.bounds[row * width + c]!;
      out.bounds[row * modelDim + n]! += passed;
    }
  }
  return { out, weights: P };
}

/** A·Wᵀ + bias with its law, in all rows or some: W [outDim, K]. */
function product(
  a: Float32Array,
  w: Float32Array,
  bias: Float32Array | undefined,
  K: number,
  order: Order,
  rows?: readonly number[],
): Law {
  const [M, N] = [a.length / K, w.length / K];
  const law: Law = { values: new Float64Array(M * N), bounds: new Float64Array(M * N) };
  for (const { at, out } of matmulLaw(a, w, { M, N, K, transposeB: true, bias }, rows)) {
    const { values, bounds } = out(order);
    law.values.set(values, at);
    law.bounds.set(bounds, at);
  }
  return law;
}

/** `past` before `rest` in each sequence. */
function joined(past: Float32Array | undefined, rest: Law, batch: number): Law {
  if (past === undefined) return rest;
  const both = (first: Float64Array, second: Float64Array): Float64Array =>
    Float64Array.from({ length: first.length + second.length }, (_, at) => {
      const [n, m] = [first.length / batch, second.length / batch];
      const [b, inner] = [Math.floor(at / (n + m)), at % (n + m)];
      return inner < n ? first[b * n + inner]! : second[b * m + inner - n]!;
    });
  return {
    values: both(Float64Array.from(past), rest.values),
    bounds: both(new Float64Array(past.length), rest.bounds),
  };
}
