/**
 * Attention, rung 8: packed panels. Lanes are queries.
 *
 *   Sᵀ[4 keys × 4 queries] = K · Qᵀ        Qᵀ packed:  | d0: q0 q1 q2 q3 | d1: q0 q1 q2 q3 | …   (scale · log₂e inside)
 *   Pᵀ = softmax(Sᵀ), down the keys        panels of S and P: | key 0: q0 … q3 | key 1: q0 … q3 | …
 *   Oᵀ[4 d × 4 queries] = Vᵀ · Pᵀ
 *
 * What is new: the transposed problem. Four queries are packed once and meet all keys; maximum, power and sum go down the keys
 * with one query a lane, so nothing is horizontal. K and V are read in place, an element at a time, in all four lanes.
 *
 * Needs: seq >= 4; scratch: see `panels` below. Reads up to three rows past K and three floats past V, and ignores them.
 */
import { exp2 } from '../../../assembly/exp';
import { block } from '../matmul/6-simd.as';
import { LOG2E } from './7-exp.as';

/** to[d][lane] = q[lane][d] · scale, for `lanes` queries. */
export function packQueries(q: usize, row: usize, headDim: i32, lanes: i32, scale: f32, to: usize): void {
  for (let d = 0; d < headDim; d++, q += 4) {
    for (let lane = 0; lane < lanes; lane++, to += 4)
      store<f32>(to, load<f32>(q + <usize>lane * row) * scale);
  }
}

/** out[lane][d] = o[d][lane] / sums[lane], for `lanes` queries. */
export function unpackOutput(o: usize, sums: usize, headDim: i32, lanes: i32, out: usize, row: usize): void {
  for (let lane: usize = 0; lane < <usize>lanes; lane++, out += row) {
    const inverse: f32 = 1 / load<f32>(sums + 4 * lane);
    for (let d: usize = 0; d < <usize>headDim; d++) {
      store<f32>(out + 4 * d, load<f32>(o + 4 * (d * <usize>lanes + lane)) * inverse);
    }
  }
}

/** p = 2^(s − max) down a panel of four queries; returns their sums. */
function softmax(s: usize, keys: i32): v128 {
  const end = s + ((<usize>keys) << 4);
  let max = f32x4.splat(-Infinity);
  for (let p = s; p < end; p += 16) max = f32x4.pmax(max, v128.load(p));
  let sum = f32x4.splat(0);
  for (; s < end; s += 16) {
    const power = exp2(f32x4.sub(v128.load(s), max));
    v128.store(s, power);
    sum = f32x4.add(sum, power);
  }
  return sum;
}

export function attention(
  q: usize,
  k: usize,
  v: usize,
  out: usize,
  seq: i32,
  heads: i32,
  headDim: i32,
  panel: usize,
): void {
  const row = (<usize>(heads * headDim)) << 2;
  const scale = LOG2E / Mathf.sqrt(<f32>headDim);
  const o = panel + ((<usize>headDim) << 4);
  const sums = o + ((<usize>(headDim + 3)) << 4);
  const s = sums + 16;
  for (let h = 0; h < heads; h++) {
    const head = (<usize>(h * headDim)) << 2;
    for (let i = 0; i < seq; i += 4) {
      const at = head + <usize>min(i, seq - 4) * row;
      packQueries(q + at, row, headDim, 4, scale, panel);
      for (let j = 0; j < seq; j += 4) {
        block(k + head + <usize>j * row, row, 4, panel, 16, headDim, s + ((<usize>j) << 4), 16);
      }
      v128.store(sums, softmax(s, seq));
      for (let d = 0; d < headDim; d += 4) {
        block(v + head + ((<usize>d) << 2), 4, row, s, 16, seq, o + ((<usize>d) << 4), 16);
      }
      unpackOutput(o, sums, headDim, 4, out + at, row);
    }
  }
}
