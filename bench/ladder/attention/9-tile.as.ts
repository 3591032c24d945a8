/**
 * Attention, rung 9: the register tile of the matmul, for both products. Eight queries a panel.
 *
 *   Sᵀ[4 keys × 8 queries] = K · Qᵀ      Pᵀ = softmax(Sᵀ)      Oᵀ[4 d × 8 queries] = Vᵀ · Pᵀ
 *
 * What is new: eight sums under way instead of four in the products, and four powers in the softmax, which take their eight
 * constants from registers. Panels have 32 bytes a step.
 *
 * Needs: seq >= 8; scratch: see `panel` below. Reads past K and V as rung 8.
 */
import { exp2Four } from '../../../assembly/exp';
import { tile4x8 } from '../matmul/8-tile.as';
import { LOG2E } from './7-exp.as';
import { packQueries, unpackOutput } from './8-packed.as';

/** p = 2^(s − max) down a panel of eight queries, and their sums. Rows up to a multiple of four become −∞, and then 0. */
function softmax(s: usize, keys: i32, sums: usize): void {
  const rounded = s + ((<usize>((keys + 3) & ~3)) << 5);
  for (let p = s + ((<usize>keys) << 5); p < rounded; p += 16) v128.store(p, f32x4.splat(-Infinity));
  for (let half: usize = 0; half < 32; half += 16) {
    let max = f32x4.splat(-Infinity);
    for (let p = s + half; p < rounded; p += 32) max = f32x4.pmax(max, v128.load(p));
    let sum = f32x4.splat(0);
    for (let p = s + half; p < rounded; p += 128) sum = f32x4.add(sum, exp2Four(p, max));
    v128.store(sums + half, sum);
  }
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
  const o = panel + ((<usize>headDim) << 5);
  const sums = o + ((<usize>(headDim + 3)) << 5);
  const s = sums + 32;
  for (let h = 0; h < heads; h++) {
    const head = (<usize>(h * headDim)) << 2;
    for (let i = 0; i < seq; i += 8) {
      const at = head + <usize>min(i, seq - 8) * row;
      packQueries(q + at, row, headDim, 8, scale, panel);
      for (let j = 0; j < seq; j += 4) {
        tile4x8(k + head + <usize>j * row, row, 4, panel, headDim, s + ((<usize>j) << 5), 32);
      }
      softmax(s, seq, sums);
      for (let d = 0; d < headDim; d += 4) {
        tile4x8(v + head + ((<usize>d) << 2), 4, row, s, seq, o + ((<usize>d) << 5), 32);
      }
      unpackOutput(o, sums, headDim, 8, out + at, row);
    }
  }
}
