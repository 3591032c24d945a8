/**
 * Attention, rung 5: scalar WebAssembly. Rung 4 in AssemblyScript; addresses and strides count bytes.
 *
 *   S[4 × seq] = Q[4 × headDim] · Kᵀ / √headDim      P = softmax(S)      O[4 × headDim] = P · V
 *
 * What is new: float32 arithmetic and no check of every index. The exponential is AssemblyScript's own, a call for every score.
 *
 * Needs: seq >= 4, headDim >= 2; scratch for S.
 */
import { block } from '../matmul/5-scalar.as';

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
  const sRow = (<usize>seq) << 2;
  const scale: f32 = 1 / Mathf.sqrt(<f32>headDim);
  for (let h = 0; h < heads; h++) {
    const head = (<usize>(h * headDim)) << 2;
    for (let i = 0; i < seq; i += 4) {
      const at = head + <usize>min(i, seq - 4) * row;

      // S = Q Kᵀ
      for (let j = 0; j < seq; j += 2) {
        const key = <usize>min(j, seq - 2);
        block(q + at, row, 4, k + head + key * row, 4, row, headDim, s + (key << 2), sRow);
      }

      // P = softmax(S / √headDim)
      for (let r = 0; r < 4; r++) softmax(s + <usize>r * sRow, seq, scale);

      // O = P V
      for (let d = 0; d < headDim; d += 2) {
        const column = (<usize>min(d, headDim - 2)) << 2;
        block(s, sRow, 4, v + head + column, row, 4, seq, out + at + column, row);
      }
    }
  }
}

/** x = exp(scale · x − max) / Σ, of n scores */
export function softmax(x: usize, n: i32, scale: f32): void {
  const end = x + ((<usize>n) << 2);
  let max: f32 = -Infinity;
  for (let p = x; p < end; p += 4) {
    store<f32>(p, load<f32>(p) * scale);
    max = load<f32>(p) > max ? load<f32>(p) : max;
  }
  let sum: f32 = 0;
  for (let p = x; p < end; p += 4) {
    store<f32>(p, Mathf.exp(load<f32>(p) - max));
    sum += load<f32>(p);
  }
  for (let p = x; p < end; p += 4) store<f32>(p, load<f32>(p) / sum);
}
