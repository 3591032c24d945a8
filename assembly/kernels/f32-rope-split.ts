/**
 * Turns the pairs (i, i + pairs) of each of `rows` rows by the angles of a table: the heads of one token
 * (tableStep 0), or the tokens of one head, their tables tableStep bytes apart.
 *
 *   x ─► | x₁: 0 … pairs − 1 | x₂: pairs … 2·pairs − 1 | what is not turned |      rows xStep bytes apart
 *
 *   out₁ = x₁·c − x₂·s        out₂ = x₂·c + x₁·s        table: | c0 … c3 | s0 … s3 | c4 … |, as f32-rope-table writes it
 *
 * Multiply and add apart in every build: memory is the limit, and all builds and both pairings give the same bits.
 *
 * Needs:     rows >= 0; pairs >= 0; out is x, or does not overlap it. Only 2·pairs floats of a row are touched.
 * Registers: c, s, x₁, x₂ and 4 products = 8 of 15.
 * FLOPs:     6 · pairs · rows.
 */
import { f32RopePairs } from './f32-rope-pairs';

export function f32RopeSplit(
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
  const half = (<usize>pairs) << 2;
  const bytes = (<usize>(pairs & ~3)) << 3;
  for (; rows > 0; rows--) {
    let t = table;
    const end = t + bytes;
    let p = x;
    let o = out;
    while (t < end) {
      const c = v128.load(t);
      const s = v128.load(t, 16);
      const x1 = v128.load(p);
      const x2 = v128.load(p + half);
      v128.store(o, f32x4.sub(f32x4.mul(x1, c), f32x4.mul(x2, s)));
      v128.store(o + half, f32x4.add(f32x4.mul(x2, c), f32x4.mul(x1, s)));
      t += 32;
      p += 16;
      o += 16;
    }
    if (pairs & 3) f32RopePairs(p, o, half, 4, t, pairs & 3);
    x += xStep;
    out += outStep;
    table += tableStep;
  }
}
