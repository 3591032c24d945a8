/**
 * f32Pv1x32 with 16 elements a sweep and two keys a step, where multiply and add are two instructions: V8 11 (Node 20) moves
 * all loads of a step to its top, and those of 32 elements spill (1.5 to 1.6 × the time). Same order of addition.
 *
 *   O[d] = O[d]·factor + Σ_j P[j] · V[j][d]      d = 0 … valueDim − 1
 *
 *   v ─► rows of valueDim floats, ldv bytes apart, in place
 *   p ─► | key 0: q0 … q7 | key 1: q0 … q7 | …, one column, splatted       o ─► whole vectors
 *
 * Needs:     keys >= 0; valueDim >= 1; o holds the sums so far, zeros at first. Nothing beyond valueDim floats of a value
 *            is read.
 * Registers: 4 sums + 2 weights + 8 values = 14 of 15.
 * FLOPs:     2 · keys · valueDim.
 */
import { madd } from '../simd';
import { pvLast } from './f32-pv-1x32';

export function f32Pv1x16(
  v: usize,
  ldv: usize,
  valueDim: i32,
  p: usize,
  keys: i32,
  o: usize,
  factor: usize,
): void {
  assert(keys >= 0 && valueDim >= 1);
  const end = p + ((<usize>(keys & ~1)) << 5);
  const f = v128.load32_splat(factor);
  for (; valueDim >= 16; valueDim -= 16, v += 64, o += 64) {
    const zero = f32x4.splat(0);
    let s0 = zero;
    let s1 = zero;
    let s2 = zero;
    let s3 = zero;
    let value = v;
    let w = p;
    for (; w < end; w += 64) {
      let x = v128.load32_splat(w);
      s0 = madd(x, v128.load(value), s0);
      s1 = madd(x, v128.load(value, 16), s1);
      s2 = madd(x, v128.load(value, 32), s2);
      s3 = madd(x, v128.load(value, 48), s3);
      value += ldv;
      x = v128.load32_splat(w, 32);
      s0 = madd(x, v128.load(value), s0);
      s1 = madd(x, v128.load(value, 16), s1);
      s2 = madd(x, v128.load(value, 32), s2);
      s3 = madd(x, v128.load(value, 48), s3);
      value += ldv;
    }
    if (keys & 1) {
      const x = v128.load32_splat(w);
      s0 = madd(x, v128.load(value), s0);
      s1 = madd(x, v128.load(value, 16), s1);
      s2 = madd(x, v128.load(value, 32), s2);
      s3 = madd(x, v128.load(value, 48), s3);
    }
    v128.store(o, madd(v128.load(o), f, s0));
    v128.store(o, madd(v128.load(o, 16), f, s1), 16);
    v128.store(o, madd(v128.load(o, 32), f, s2), 32);
    v128.store(o, madd(v128.load(o, 48), f, s3), 48);
  }
  pvLast(v, ldv, valueDim, p, keys, o, f);
}
