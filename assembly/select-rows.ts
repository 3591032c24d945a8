/**
 * The one place that says which kernel serves a single row: one row of a matmul, one query of a key head. They add in the
 * same order, so nothing that is chosen here touches the bits of a result.
 *
 * V8 11 (Node 20) moves all loads of a step to its top: what has more than about eight of them spills there, and so does the
 * tile 3×12. Where the timing of tiles found that one best, or relaxed instructions are there (V8 12 and later), loads stay
 * where they stand: the engine is `inOrder`.
 */
import { TILE_3X12 } from '../common/abi';
import { f32Dot } from './kernels/f32-dot';
import { f32Dot8 } from './kernels/f32-dot-8';
import { f32Gemm1x32 } from './kernels/f32-gemm-1x32';
import { f32Gemm1x32Pairs } from './kernels/f32-gemm-1x32-pairs';
import { f32Gemv1, f32Gemv4, f32Gemv8 } from './kernels/f32-gemv';
import { f32Pv1x16 } from './kernels/f32-pv-1x16';
import { f32Pv1x32 } from './kernels/f32-pv-1x32';

// @ts-ignore: decorator
@inline
function inOrder(tile: i32): bool {
  return ASC_FEATURE_RELAXED_SIMD || tile == TILE_3X12;
}

/** Panels that `panelsAdd` takes side by side. */
export const SIDE: i32 = 4;

/** Bytes of a B that no cache holds. Eight rows side by side are then 1.1 to 1.2 × as fast as four, and slower otherwise. */
const LARGE: f64 = 16 * 1024 * 1024;

/** c[SIDE × 8], `step` bytes apart, += a[k] times SIDE panels, `stride` bytes apart. */
// @ts-ignore: decorator
@inline
export function panelsAdd(
  a: usize,
  panel: usize,
  stride: usize,
  k: i32,
  c: usize,
  step: usize,
  tile: i32,
): void {
  if (inOrder(tile)) f32Gemm1x32(a, panel, stride, k, c, step);
  else f32Gemm1x32Pairs(a, panel, stride, k, c, step);
}

/** t[cols] += a[k] times k rows of a B of `bytes`, in place. */
export function sweep(a: usize, b: usize, ldb: usize, k: i32, cols: i32, t: usize, bytes: f64): void {
  if (bytes >= LARGE) {
    for (; k >= 8; k -= 8, a += 32, b += ldb << 3) f32Gemv8(a, b, ldb, cols, t);
  }
  for (; k >= 4; k -= 4, a += 16, b += ldb << 2) f32Gemv4(a, b, ldb, cols, t);
  for (; k > 0; k--, a += 4, b += ldb) f32Gemv1(a, b, cols, t);
}

/** t[rows], `step` bytes apart, = a[k] times rows of k floats. */
export function dots(a: usize, b: usize, ldb: usize, k: i32, rows: i32, t: usize, step: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD && (k & 3) == 0) {
    const eights = rows & ~7;
    f32Dot8(a, b, ldb, k, eights, t, step);
    b += <usize>eights * ldb;
    t += <usize>eights * step;
    rows -= eights;
  }
  f32Dot(a, b, ldb, k, rows, t, step);
}

/** O[valueDim] = O·factor + Σ P[j] · V[j]. */
// @ts-ignore: decorator
@inline
export function weightedSum(
  v: usize,
  ldv: usize,
  valueDim: i32,
  p: usize,
  keys: i32,
  o: usize,
  factor: usize,
  tile: i32,
): void {
  if (inOrder(tile)) f32Pv1x32(v, ldv, valueDim, p, keys, o, factor);
  else f32Pv1x16(v, ldv, valueDim, p, keys, o, factor);
}
