/**
 * table = cos θ[i], sin θ[i] of one position, θ[i] = position · frequencies[i], i = 0 … pairs − 1.
 *
 *   frequencies: float64          table: | c0 c1 c2 c3 | s0 s1 s2 s3 | c4 c5 c6 c7 | s4 … |      32 bytes for four pairs
 *
 * Computed in float64 (sincos.ts: below 2⁻⁴⁰ off), rounded to float32 once, at the end.
 *
 * Needs:     pairs >= 0; both have room for `pairs` rounded up to 4. |θ| <= 2³¹, or the table is no cosine.
 * Registers: the position, two angles and what is made of them; constants are loaded as they are met.
 * FLOPs:     37 a pair.
 */
import { cosine, next, quadrant, reduced, sine, turned } from '../sincos';

export function f32RopeTable(position: f64, frequencies: usize, pairs: i32, table: usize): void {
  assert(pairs >= 0);
  const p = f64x2.splat(position);
  for (let i = 0; i < pairs; i += 2) {
    const x = f64x2.mul(p, v128.load(frequencies));
    const n = quadrant(x);
    const r = reduced(x, n);
    const sin = sine(r);
    const cos = cosine(r);
    // The first or the second half of four pairs.
    const t = table + ((<usize>(i & ~3)) << 3) + ((<usize>(i & 2)) << 2);
    v128.store64_lane(t, f32x4.demote_f64x2_zero(turned(sin, cos, next(n))), 0);
    v128.store64_lane(t, f32x4.demote_f64x2_zero(turned(sin, cos, n)), 0, 16);
    frequencies += 16;
  }
}
