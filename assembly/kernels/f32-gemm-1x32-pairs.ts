/**
 * c[4 × 8] += Σₖ a[k] · B[k][4 × 8]: f32Gemm1x32 with eight steps of the first two panels, then eight of the others.
 *
 *   a ─► k floats, splatted            b ─► four panels, `panel` bytes apart: four streams to read ahead
 *   c ─► eight floats a panel, `step` bytes apart; bias or earlier blocks inside
 *
 * V8 11 (Node 20) moves all loads of a step to its top. Those of four panels spill, and reading falls to 0.4 to 0.5 of what it
 * can be; those of two do not: 0.86 from the third cache level, 0.9 from memory. Two panels alone are two streams: 0.86 and 0.8.
 *
 * Needs:     k >= 0.
 * Registers: 8 accumulators + 1 broadcast + 4 loads = 13 of 15.
 * FLOPs:     64 · k, 32 a step of either two.
 */
import { madd } from '../simd';
import { addPanel } from './f32-gemm-1x32';

/** Bytes of `a` in eight steps. */
const TURN: usize = 32;

export function f32Gemm1x32Pairs(a: usize, b: usize, panel: usize, k: i32, c: usize, step: usize): void {
  assert(k >= 0);
  let b1 = b + panel;
  let b2 = b1 + panel;
  let b3 = b2 + panel;
  const zero = f32x4.splat(0);
  let c0 = zero;
  let c1 = zero;
  let c2 = zero;
  let c3 = zero;
  let c4 = zero;
  let c5 = zero;
  let c6 = zero;
  let c7 = zero;
  const end = a + ((<usize>k) << 2);
  while (a < end) {
    const turn = min(end, a + TURN);
    let x = a;
    do {
      const y = v128.load32_splat(x);
      c0 = madd(y, v128.load(b), c0);
      c1 = madd(y, v128.load(b, 16), c1);
      c2 = madd(y, v128.load(b1), c2);
      c3 = madd(y, v128.load(b1, 16), c3);
      x += 4;
      b += 32;
      b1 += 32;
    } while (x < turn);
    do {
      const y = v128.load32_splat(a);
      c4 = madd(y, v128.load(b2), c4);
      c5 = madd(y, v128.load(b2, 16), c5);
      c6 = madd(y, v128.load(b3), c6);
      c7 = madd(y, v128.load(b3, 16), c7);
      a += 4;
      b2 += 32;
      b3 += 32;
    } while (a < turn);
  }
  addPanel(c, c0, c1);
  addPanel(c + step, c2, c3);
  addPanel(c + 2 * step, c4, c5);
  addPanel(c + 3 * step, c6, c7);
}
