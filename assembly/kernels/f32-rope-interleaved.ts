/**
 * Turns the pairs (2i, 2i + 1) of each of `rows` rows by the angles of a table: the heads of one token
 * (tableStep 0), or the tokens of one head, their tables tableStep bytes apart.
 *
 *   x ─► | x₁[0] x₂[0] x₁[1] x₂[1] … | what is not turned |      rows xStep bytes apart
 *
 *   out₁ = x₁·c − x₂·s        out₂ = x₂·c + x₁·s        table: | c0 … c3 | s0 … s3 | c4 … |, as f32-rope-table writes it
 *
 * Multiply and add apart, as in f32-rope-split: the same bits, in another order.
 *
 * Needs:     rows >= 0; pairs >= 0; out is x, or does not overlap it. Only 2·pairs floats of a row are touched.
 * Registers: c, s, x₁, x₂, 4 products and 2 loads = 10 of 15.
 * FLOPs:     6 · pairs · rows.
 */
import { f32RopePairs } from './f32-rope-pairs';

export function f32RopeInterleaved(
  x: usize,
  xStep: usize,
  out: usize,
  outStep: usize,
  rows: i32,
  table: usize,
  tableStep: usize,
  pairs: i32,
): void {
  assert(rows >= 0 && pairs >= 0);
  const bytes = (<usize>(pairs & ~3)) << 3;
  for (; rows > 0; rows--) {
    let t = table;
    const end = t + bytes;
    let p = x;
    let o = out;
    while (t < end) {
      const c = v128.load(t);
      const s = v128.load(t, 16);
      const lo = v128.load(p);
      const hi = v128.load(p, 16);
      // [a0, b0, a1, b1], [a2, b2, a3, b3] => [a0, a1, a2, a3], [b0, b1, b2, b3]
      const x1 = v128.shuffle<f32>(lo, hi, 0, 2, 4, 6);
      const x2 = v128.shuffle<f32>(lo, hi, 1, 3, 5, 7);
      const y1 = f32x4.sub(f32x4.mul(x1, c), f32x4.mul(x2, s));
      const y2 = f32x4.add(f32x4.mul(x2, c), f32x4.mul(x1, s));
      // and back
      v128.store(o, v128.shuffle<f32>(y1, y2, 0, 4, 1, 5));
      v128.store(o, v128.shuffle<f32>(y1, y2, 2, 6, 3, 7), 16);
      t += 32;
      p += 32;
      o += 32;
    }
    if (pairs & 3) f32RopePairs(p, o, 4, 8, t, pairs & 3);
    x += xStep;
    out += outStep;
    table += tableStep;
  }
}
