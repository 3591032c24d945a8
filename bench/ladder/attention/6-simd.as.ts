/**
 * Attention, rung 6: SIMD in both products.
 *
 *   S[4 × seq] = Q[4 × headDim] · Kᵀ      lanes are elements of the head: four keys at a time, then each vector is summed
 *   O[4 × headDim] = P · V                lanes are columns of V: the block of the matmul
 *
 * What is new: vectors, where memory lies for them. A row of K is one key, so that neighbours in memory are summed and not
 * kept: after headDim / 4 steps there is a horizontal sum for every score. The softmax is that of rung 5.
 *
 * Needs: seq >= 4, headDim >= 4; scratch for S and three scores. Reads up to three rows past K, and ignores them.
 */
import { hsumFour, loadTail } from '../../../assembly/simd';
import { block } from '../matmul/6-simd.as';
import { softmax } from './5-scalar.as';

/** s[j] = q · k[j], j = 0 … seq − 1: four dot products at a time. */
export function dots(q: usize, k: usize, row: usize, seq: i32, headDim: i32, s: usize): void {
  const tail = headDim & 3;
  const whole = (<usize>(headDim - tail)) << 2;
  for (let j = 0; j < seq; j += 4, k += 4 * row) {
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    for (let d: usize = 0; d < whole; d += 16) {
      const x = v128.load(q + d);
      s0 = f32x4.add(s0, f32x4.mul(x, v128.load(k + d)));
      s1 = f32x4.add(s1, f32x4.mul(x, v128.load(k + row + d)));
      s2 = f32x4.add(s2, f32x4.mul(x, v128.load(k + 2 * row + d)));
      s3 = f32x4.add(s3, f32x4.mul(x, v128.load(k + 3 * row + d)));
    }
    if (tail) {
      const x = loadTail(q + whole, tail);
      s0 = f32x4.add(s0, f32x4.mul(x, loadTail(k + whole, tail)));
      s1 = f32x4.add(s1, f32x4.mul(x, loadTail(k + row + whole, tail)));
      s2 = f32x4.add(s2, f32x4.mul(x, loadTail(k + 2 * row + whole, tail)));
      s3 = f32x4.add(s3, f32x4.mul(x, loadTail(k + 3 * row + whole, tail)));
    }
    v128.store(s + ((<usize>j) << 2), hsumFour(s0, s1, s2, s3));
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
  s: usize,
): void {
  const row = (<usize>(heads * headDim)) << 2;
  const sRow = (<usize>((seq + 3) & ~3)) << 2;
  const scale: f32 = 1 / Mathf.sqrt(<f32>headDim);
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
