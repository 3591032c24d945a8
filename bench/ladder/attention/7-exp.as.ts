/**
 * Attention, rung 7: the exponential on four lanes.
 *
 *   P = softmax(S)      2^(x − max) / Σ of x = S · log₂e / √headDim, four scores of a row at a time
 *
 * What is new: only the softmax. heed's own 2^x (assembly/exp.ts) is 17 operations for four scores and no branch; a call of
 * AssemblyScript's expf does a table look-up in float64 for one. Base 2, because e^x = 2^(x · log₂e) and scores are scaled anyway.
 *
 * Needs: as rung 6.
 */
import { exp2 } from '../../../assembly/exp';
import { hsum } from '../../../assembly/simd';
import { block } from '../matmul/6-simd.as';
import { dots } from './6-simd.as';

export const LOG2E: f32 = 1.4426950408889634;

/** x = 2^(scale · x − max) / Σ, of n scores. What the last vector has beyond them becomes −∞, whose power is 0. */
function softmax(x: usize, n: i32, scale: f32): void {
  const end = x + ((<usize>n) << 2);
  const rounded = x + ((<usize>((n + 3) & ~3)) << 2);
  for (let p = end; p < rounded; p += 4) store<f32>(p, -Infinity);
  let max = f32x4.splat(-Infinity);
  for (let p = x; p < rounded; p += 16) {
    const scaled = f32x4.mul(v128.load(p), f32x4.splat(scale));
    v128.store(p, scaled);
    max = f32x4.pmax(max, scaled);
  }
  // [m0 m1 m2 m3] => the largest, in all lanes
  max = f32x4.pmax(max, v128.shuffle<f32>(max, max, 2, 3, 0, 1));
  max = f32x4.pmax(max, v128.shuffle<f32>(max, max, 1, 0, 3, 2));
  let sum = f32x4.splat(0);
  for (let p = x; p < rounded; p += 16) {
    const power = exp2(f32x4.sub(v128.load(p), max));
    v128.store(p, power);
    sum = f32x4.add(sum, power);
  }
  const inverse = f32x4.splat(1 / hsum(sum));
  for (let p = x; p < rounded; p += 16) v128.store(p, f32x4.mul(v128.load(p), inverse));
}

export function attention(
  q: usize,
  k: usize,
  v: usize,
  out: usize,
  seq: i32,
  heads: i32,
  headDim: i32,
  s: usize,
): void {
  const row = (<usize>(heads * headDim)) << 2;
  const sRow = (<usize>((seq + 3) & ~3)) << 2;
  const scale = LOG2E / Mathf.sqrt(<f32>headDim);
  for (let h = 0; h < heads; h++) {
    const head = (<usize>(h * headDim)) << 2;
    for (let i = 0; i < seq; i += 4) {
      const at = head + <usize>min(i, seq - 4) * row;
      for (let r: usize = 0; r < 4; r++) {
        dots(q + at + r * row, k + head, row, seq, headDim, s + r * sRow);
        softmax(s + r * sRow, seq, scale);
      }
      for (let d = 0; d < headDim; d += 4) {
        const column = (<usize>min(d, headDim - 4)) << 2;
        block(s, sRow, 4, v + head + column, row, seq, out + at + column, row);
      }
    }
  }
}
