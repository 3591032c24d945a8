/**
 * The weighted sum for one query, where few queries meet many keys: f32Pv4x8 for what is left of four.
 *
 *   O[d] = O[d]·factor + Σ_j P[j] · V[j][d]      d = 0 … valueDim − 1
 *
 *   v ─► rows of valueDim floats, ldv bytes apart, in place: 32 elements of each key a sweep, then 4
 *   p ─► | key 0: q0 … q7 | key 1: q0 … q7 | …, one column, splatted       o ─► whole vectors
 *
 * Needs:     keys >= 0; valueDim >= 1; o holds the sums so far, zeros at first. Nothing beyond valueDim floats of a value
 *            is read.
 * Registers: 8 sums + 1 weight + 1 value.
 * FLOPs:     2 · keys · valueDim.
 */
import { loadTail, madd } from '../simd';

export function f32Pv1x32(
  v: usize,
  ldv: usize,
  valueDim: i32,
  p: usize,
  keys: i32,
  o: usize,
  factor: usize,
): void {
  assert(keys >= 0 && valueDim >= 1);
  const end = p + ((<usize>keys) << 5);
  const f = v128.load32_splat(factor);
  for (; valueDim >= 32; valueDim -= 32, v += 128, o += 128) {
    const zero = f32x4.splat(0);
    let s0 = zero;
    let s1 = zero;
    let s2 = zero;
    let s3 = zero;
    let s4 = zero;
    let s5 = zero;
    let s6 = zero;
    let s7 = zero;
    let value = v;
    for (let w = p; w < end; w += 32, value += ldv) {
      const x = v128.load32_splat(w);
      s0 = madd(x, v128.load(value), s0);
      s1 = madd(x, v128.load(value, 16), s1);
      s2 = madd(x, v128.load(value, 32), s2);
      s3 = madd(x, v128.load(value, 48), s3);
      s4 = madd(x, v128.load(value, 64), s4);
      s5 = madd(x, v128.load(value, 80), s5);
      s6 = madd(x, v128.load(value, 96), s6);
      s7 = madd(x, v128.load(value, 112), s7);
    }
    v128.store(o, madd(v128.load(o), f, s0));
    v128.store(o, madd(v128.load(o, 16), f, s1), 16);
    v128.store(o, madd(v128.load(o, 32), f, s2), 32);
    v128.store(o, madd(v128.load(o, 48), f, s3), 48);
    v128.store(o, madd(v128.load(o, 64), f, s4), 64);
    v128.store(o, madd(v128.load(o, 80), f, s5), 80);
    v128.store(o, madd(v128.load(o, 96), f, s6), 96);
    v128.store(o, madd(v128.load(o, 112), f, s7), 112);
  }
  pvLast(v, ldv, valueDim, p, keys, o, f);
}

/** Elements that are left of a sweep, four at a time. */
// @ts-ignore: decorator
@inline
export function pvLast(v: usize, ldv: usize, valueDim: i32, p: usize, keys: i32, o: usize, f: v128): void {
  const end = p + ((<usize>keys) << 5);
  for (; valueDim > 0; valueDim -= 4, v += 16, o += 16) {
    let sum = f32x4.splat(0);
    let value = v;
    for (let w = p; w < end; w += 32, value += ldv) {
      const x = valueDim >= 4 ? v128.load(value) : loadTail(value, valueDim);
      sum = madd(v128.load32_splat(w), x, sum);
    }
    v128.store(o, madd(v128.load(o), f, sum));
  }
}
