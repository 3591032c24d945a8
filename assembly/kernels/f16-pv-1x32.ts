/**
 * f32Pv1x32 with values of float16, which are unpacked on the way (f16-widen.ts): O[d] = O[d]·factor + Σ_j P[j] · V[j][d],
 * where P holds 2¹¹² times the weights, as V is 2⁻¹¹² of the values.
 *
 *   v ─► rows of valueDim halves, ldv bytes apart, in place: 32 elements of each key a sweep
 *   p ─► | key 0: q0 … q7 | key 1: q0 … q7 | …, one column, splatted       o ─► whole vectors
 *
 * Needs:     keys >= 0; valueDim a multiple of 32; finite halves; o holds the sums so far, zeros at first.
 * Registers: 8 sums + 1 weight + the mask + 1 value = 11.
 * FLOPs:     2 · keys · valueDim, and 3 integer operations for four elements.
 */
import { madd } from '../simd';
import { UNPACK_MASK, unpack } from './f16-widen';

export function f16Pv1x32(
  v: usize,
  ldv: usize,
  valueDim: i32,
  p: usize,
  keys: i32,
  o: usize,
  factor: usize,
): void {
  assert(keys >= 0 && (valueDim & 31) == 0);
  const mask = v128.load32_splat(UNPACK_MASK);
  const end = p + ((<usize>keys) << 5);
  const f = v128.load32_splat(factor);
  for (; valueDim > 0; valueDim -= 32, v += 64, o += 128) {
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
      s0 = madd(x, unpack(v128.load16x4_s(value), mask), s0);
      s1 = madd(x, unpack(v128.load16x4_s(value, 8), mask), s1);
      s2 = madd(x, unpack(v128.load16x4_s(value, 16), mask), s2);
      s3 = madd(x, unpack(v128.load16x4_s(value, 24), mask), s3);
      s4 = madd(x, unpack(v128.load16x4_s(value, 32), mask), s4);
      s5 = madd(x, unpack(v128.load16x4_s(value, 40), mask), s5);
      s6 = madd(x, unpack(v128.load16x4_s(value, 48), mask), s6);
      s7 = madd(x, unpack(v128.load16x4_s(value, 56), mask), s7);
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
}
