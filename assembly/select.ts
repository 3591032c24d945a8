/**
 * The one place that says which kernel serves which shape. All tiles add in the same order, so nothing that is chosen
 * here touches the bits of a result.
 *
 * Tiles, with what each reaches of the machine's peak at 512³: kernels alone, Node 24 on x64 (see docs/performance.md):
 *   6×8, k unrolled ×4   98 %: the relaxed build on hosts with FMA; 12 accumulators + 2 + 1 of the 15 registers V8 has
 *                        on x64. Without FMA the product needs a register of its own and it spills: `tile` is 4 there.
 *   4×8                  90 % in the baseline build, about 83 % in the relaxed one, where it is what remains of 6
 *   2×8, 1×8             what remains of 4
 */
import { ADD, MAX } from './kernels/f32-panel-store';
import { f32Gemm1x8 } from './kernels/f32-gemm-1x8';
import { f32Gemm2x8 } from './kernels/f32-gemm-2x8';
import { f32Gemm4x8 } from './kernels/f32-gemm-4x8';
import { f32Gemm6x8 } from './kernels/f32-gemm-6x8';
import { f32GemmT1x8 } from './kernels/f32-gemm-t-1x8';
import { f32GemmT2x8 } from './kernels/f32-gemm-t-2x8';
import { f32GemmT4x8 } from './kernels/f32-gemm-t-4x8';
import { f32GemmT6x8 } from './kernels/f32-gemm-t-6x8';

/**
 * C[rows × 8·panels] from A[rows × k] and `panels` panels of B, `stride` bytes apart, by `epilogue`. Row tiles are the outer
 * loop: their rows of A stay in the first cache level while panels of B stream past. f moves by `step` a panel.
 */
// @ts-ignore: decorator
@inline
function rowsTimesPanels(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
  epilogue: i32,
): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (tile == 6) {
      for (; rows >= 6; rows -= 6) {
        for (let j = 0; j < panels; j++) {
          f32Gemm6x8(
            a,
            lda,
            p + <usize>j * stride,
            k,
            c + ((<usize>j) << 5),
            ldc,
            f + <usize>j * step,
            epilogue,
          );
        }
        a += lda * 6;
        c += ldc * 6;
      }
    }
  }
  for (; rows >= 4; rows -= 4) {
    for (let j = 0; j < panels; j++) {
      f32Gemm4x8(a, lda, p + <usize>j * stride, k, c + ((<usize>j) << 5), ldc, f + <usize>j * step, epilogue);
    }
    a += lda << 2;
    c += ldc << 2;
  }
  if (rows & 2) {
    for (let j = 0; j < panels; j++) {
      f32Gemm2x8(a, lda, p + <usize>j * stride, k, c + ((<usize>j) << 5), ldc, f + <usize>j * step, epilogue);
    }
    a += lda << 1;
    c += ldc << 1;
  }
  if (rows & 1) {
    for (let j = 0; j < panels; j++) {
      f32Gemm1x8(a, lda, p + <usize>j * stride, k, c + ((<usize>j) << 5), ldc, f + <usize>j * step, epilogue);
    }
  }
}

// One function a form, not inlined into the drivers: a driver with all tiles in it compiles slowly and spills.

export function rowsAdd(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  rowsTimesPanels(a, lda, rows, p, stride, panels, k, c, ldc, f, step, tile, ADD);
}

export function rowsMax(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  rowsTimesPanels(a, lda, rows, p, stride, panels, k, c, ldc, f, step, tile, MAX);
}

/** The same with A transposed, A[k × rows], its rows lda bytes apart; always added to what is in C. */
export function columnsAdd(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (tile == 6) {
      for (; rows >= 6; rows -= 6) {
        for (let j = 0; j < panels; j++) {
          f32GemmT6x8(a, lda, p + <usize>j * stride, k, c + ((<usize>j) << 5), ldc, f + <usize>j * step);
        }
        a += 24;
        c += ldc * 6;
      }
    }
  }
  for (; rows >= 4; rows -= 4) {
    for (let j = 0; j < panels; j++) {
      f32GemmT4x8(a, lda, p + <usize>j * stride, k, c + ((<usize>j) << 5), ldc, f + <usize>j * step);
    }
    a += 16;
    c += ldc << 2;
  }
  if (rows & 2) {
    for (let j = 0; j < panels; j++) {
      f32GemmT2x8(a, lda, p + <usize>j * stride, k, c + ((<usize>j) << 5), ldc, f + <usize>j * step);
    }
    a += 8;
    c += ldc << 1;
  }
  if (rows & 1) {
    for (let j = 0; j < panels; j++) {
      f32GemmT1x8(a, lda, p + <usize>j * stride, k, c + ((<usize>j) << 5), ldc, f + <usize>j * step);
    }
  }
}
