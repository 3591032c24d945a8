/**
 * The weighted sum for four queries, where few queries meet many keys: lanes are elements of the value.
 *
 *   O[r][d] = O[r][d]·factor[r] + Σ_j P[j][r] · V[j][d]      r = 0 … 3, d = 0 … valueDim − 1
 *
 *   v ─► rows of valueDim floats, ldv bytes apart, in place: eight elements of each key a sweep, for all four queries
 *   p ─► | key 0: q0 … q7 | key 1: q0 … q7 | …, splatted          o ─► rows of whole vectors, ldo bytes apart
 *
 * Each block is summed from zero in ascending order, as in f32Pv1x32, which serves what is left of four queries and any
 * other valueDim, and as in prefill's tiles.
 *
 * Needs:     keys >= 0; valueDim a multiple of 8; o holds the sums so far, zeros at first.
 * Registers: 8 sums + 2 values + 1 weight = 11 (and a product without FMA).
 * FLOPs:     8 · keys · valueDim.
 */
import { madd } from '../simd';

export function f32Pv4x8(
  v: usize,
  ldv: usize,
  valueDim: i32,
  p: usize,
  keys: i32,
  o: usize,
  ldo: usize,
  factor: usize,
): void {
  assert(keys >= 0 && (valueDim & 7) == 0);
  const end = p + ((<usize>keys) << 5);
  for (; valueDim >= 8; valueDim -= 8, v += 32, o += 32) {
    const zero = f32x4.splat(0);
    let a0 = zero;
    let a1 = zero;
    let b0 = zero;
    let b1 = zero;
    let c0 = zero;
    let c1 = zero;
    let d0 = zero;
    let d1 = zero;
    let value = v;
    for (let w = p; w < end; w += 32, value += ldv) {
      const v0 = v128.load(value);
      const v1 = v128.load(value, 16);
      let x = v128.load32_splat(w);
      a0 = madd(x, v0, a0);
      a1 = madd(x, v1, a1);
      x = v128.load32_splat(w, 4);
      b0 = madd(x, v0, b0);
      b1 = madd(x, v1, b1);
      x = v128.load32_splat(w, 8);
      c0 = madd(x, v0, c0);
      c1 = madd(x, v1, c1);
      x = v128.load32_splat(w, 12);
      d0 = madd(x, v0, d0);
      d1 = madd(x, v1, d1);
    }
    add(o, factor, a0);
    add(o + 16, factor, a1);
    add(o + ldo, factor + 4, b0);
    add(o + ldo + 16, factor + 4, b1);
    add(o + 2 * ldo, factor + 8, c0);
    add(o + 2 * ldo + 16, factor + 8, c1);
    add(o + 3 * ldo, factor + 12, d0);
    add(o + 3 * ldo + 16, factor + 12, d1);
  }
}

/** o = o · factor + sum */
// @ts-ignore: decorator
@inline
function add(o: usize, factor: usize, sum: v128): void {
  v128.store(o, madd(v128.load(o), v128.load32_splat(factor), sum));
}
