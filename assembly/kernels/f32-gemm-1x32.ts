/**
 * c[4 × 8] += Σₖ a[k] · B[k][4 × 8]: one row of A against four packed panels at once (M = 1, memory-bound).
 *
 *   a ─► k floats, splatted            b ─► four panels, `panel` bytes apart: four streams to read ahead
 *   c ─► eight floats a panel, `step` bytes apart; bias or earlier blocks inside
 *
 * Needs:     k >= 0.
 * Registers: 8 accumulators + 1 broadcast + 1 load.
 * FLOPs:     64 · k.
 */
import { madd } from '../simd';

export function f32Gemm1x32(a: usize, b: usize, panel: usize, k: i32, c: usize, step: usize): void {
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
  const end = b + ((<usize>k) << 5);
  while (b < end) {
    const x = v128.load32_splat(a);
    c0 = madd(x, v128.load(b), c0);
    c1 = madd(x, v128.load(b, 16), c1);
    c2 = madd(x, v128.load(b1), c2);
    c3 = madd(x, v128.load(b1, 16), c3);
    c4 = madd(x, v128.load(b2), c4);
    c5 = madd(x, v128.load(b2, 16), c5);
    c6 = madd(x, v128.load(b3), c6);
    c7 = madd(x, v128.load(b3, 16), c7);
    a += 4;
    b += 32;
    b1 += 32;
    b2 += 32;
    b3 += 32;
  }
  addPanel(c, c0, c1);
  addPanel(c + step, c2, c3);
  addPanel(c + 2 * step, c4, c5);
  addPanel(c + 3 * step, c6, c7);
}

/** c[8] += x, y */
// @ts-ignore: decorator
@inline
export function addPanel(c: usize, x: v128, y: v128): void {
  v128.store(c, f32x4.add(v128.load(c), x));
  v128.store(c, f32x4.add(v128.load(c, 16), y), 16);
}
