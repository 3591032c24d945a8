/**
 * The one place that says which kernel serves which shape. All tiles add in the same order, so nothing that is chosen
 * here touches the bits of a result.
 *
 * Tiles, with what each reaches of the machine's peak at 512³: kernels alone, Node 24 on x64 (see docs/performance.md):
 *   6×8, k unrolled ×4   98 %: the relaxed build on hosts with FMA; 12 accumulators + 2 + 1 of the 15 registers V8 has
 *                        on x64. Without FMA the product needs a register of its own and it spills.
 *   3×12                 97 % in the baseline build where a timing says that it does not spill (probe.ts); 94 % relaxed
 *   4×8                  95 % in the baseline build, 92 % in the relaxed one: everywhere else
 *   6×16, 4×16           relaxed and baseline: 170 and 160 % where V8 joins neighbouring vectors to 256 bits (by timing), and
 *                        for ARM's 32 registers (by probe); 70 % elsewhere
 *   2×8, 1×8             what remains of 4
 */
import { TILE_3X12, TILE_4X16, TILE_6X16, TILE_6X8 } from '../common/abi';
import { ADD, MAX } from './kernels/f32-panel-store';
import { f32Gemm1x8 } from './kernels/f32-gemm-1x8';
import { f32Gemm2x8 } from './kernels/f32-gemm-2x8';
import { f32Gemm3x12 } from './kernels/f32-gemm-3x12';
import { f32Gemm4x16 } from './kernels/f32-gemm-4x16';
import { f32Gemm4x8 } from './kernels/f32-gemm-4x8';
import { f32Gemm6x16 } from './kernels/f32-gemm-6x16';
import { f32Gemm6x8 } from './kernels/f32-gemm-6x8';
import { f32GemmT1x8 } from './kernels/f32-gemm-t-1x8';
import { f32GemmT2x8 } from './kernels/f32-gemm-t-2x8';
import { f32GemmT3x12 } from './kernels/f32-gemm-t-3x12';
import { f32GemmT4x16 } from './kernels/f32-gemm-t-4x16';
import { f32GemmT4x8 } from './kernels/f32-gemm-t-4x8';
import { f32GemmT6x16 } from './kernels/f32-gemm-t-6x16';
import { f32GemmT6x8 } from './kernels/f32-gemm-t-6x8';

/**
 * C[rows × 8·panels] from A[rows × k] and `panels` panels of B, `stride` bytes apart, by `epilogue`. Row tiles are the outer
 * loop: their rows of A stay in the first cache level while panels of B stream past. A panel's columns of C begin `next`
 * bytes behind those of the one before, its f `step` bytes: added up, as with three products a tile a tile of k = 64 takes 2.5 %
 * longer.
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
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
  epilogue: i32,
): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (tile == TILE_6X8) {
      for (; rows >= 6; rows -= 6) {
        for (let j = panels, q = p, d = c, g = f; j > 0; j--, q += stride, d += next, g += step) {
          f32Gemm6x8(a, lda, q, k, d, ldc, g, epilogue);
        }
        a += lda * 6;
        c += ldc * 6;
      }
    }
  }
  for (; rows >= 4; rows -= 4) {
    for (let j = panels, q = p, d = c, g = f; j > 0; j--, q += stride, d += next, g += step) {
      f32Gemm4x8(a, lda, q, k, d, ldc, g, epilogue);
    }
    a += lda << 2;
    c += ldc << 2;
  }
  if (rows & 2) {
    for (let j = panels, q = p, d = c, g = f; j > 0; j--, q += stride, d += next, g += step) {
      f32Gemm2x8(a, lda, q, k, d, ldc, g, epilogue);
    }
    a += lda << 1;
    c += ldc << 1;
  }
  if (rows & 1) {
    for (let j = panels, q = p, d = c, g = f; j > 0; j--, q += stride, d += next, g += step) {
      f32Gemm1x8(a, lda, q, k, d, ldc, g, epilogue);
    }
  }
}

/** The same with A transposed, A[k × rows], its rows lda bytes apart. */
// @ts-ignore: decorator
@inline
function columnsTimesPanels(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (tile == TILE_6X8) {
      for (; rows >= 6; rows -= 6) {
        for (let j = panels, q = p, d = c, g = f; j > 0; j--, q += stride, d += next, g += step) {
          f32GemmT6x8(a, lda, q, k, d, ldc, g);
        }
        a += 24;
        c += ldc * 6;
      }
    }
  }
  for (; rows >= 4; rows -= 4) {
    for (let j = panels, q = p, d = c, g = f; j > 0; j--, q += stride, d += next, g += step) {
      f32GemmT4x8(a, lda, q, k, d, ldc, g);
    }
    a += 16;
    c += ldc << 2;
  }
  if (rows & 2) {
    for (let j = panels, q = p, d = c, g = f; j > 0; j--, q += stride, d += next, g += step) {
      f32GemmT2x8(a, lda, q, k, d, ldc, g);
    }
    a += 8;
    c += ldc << 1;
  }
  if (rows & 1) {
    for (let j = panels, q = p, d = c, g = f; j > 0; j--, q += stride, d += next, g += step) {
      f32GemmT1x8(a, lda, q, k, d, ldc, g);
    }
  }
}

/** From the first vector of a 3×12 tile, or its last, to the next tile's. Of three panels an even tile has 0 1 | 2, an odd one 3 | 4 5. */
// @ts-ignore: decorator
@inline
function toNext(panel: usize, isEven: bool): usize {
  return isEven ? panel + 16 : 2 * panel - 16;
}

/** Panels that a tile takes at once. */
// @ts-ignore: decorator
@inline
export function panelsOf(tile: i32): i32 {
  return !ASC_FEATURE_RELAXED_SIMD && tile == TILE_3X12 ? 3 : tile == TILE_4X16 || tile == TILE_6X16 ? 2 : 1;
}

/** Panels, of so many, that a tile takes several at once; 0: it takes one by one. */
// @ts-ignore: decorator
@inline
function wholePanels(tile: i32, panels: i32): i32 {
  const wide = panelsOf(tile);
  return wide == 1 ? 0 : panels - (panels % wide);
}

/** Rows that are left for 4×8 when a wide tile has taken what it can of `rows`. Of four rows 3×12 takes none: 3 + 1 would leave it one. */
function rowsLeft(tile: i32, rows: i32): i32 {
  if (ASC_FEATURE_RELAXED_SIMD || tile != TILE_3X12) return rows % (ASC_FEATURE_RELAXED_SIMD ? 6 : 4);
  return rows % 3 == 1 && rows >= 4 ? 4 : rows % 3;
}

/** As rowsTimesPanels, for whole tiles of 3×12, 4×16 or 6×16. */
// @ts-ignore: decorator
@inline
function wideRows(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
  epilogue: i32,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD && tile == TILE_3X12) {
    const tiles = (2 * panels) / 3;
    for (; rows >= 3; rows -= 3) {
      let p0 = p;
      let p1 = p + 16;
      let p2 = p + stride;
      let c0 = c;
      let c1 = c + 16;
      let c2 = c + next;
      let f0 = f;
      let f1 = f + 16;
      let f2 = f + step;
      for (let t = tiles; t > 0; t--) {
        f32Gemm3x12(a, lda, p0, p1, p2, k, c0, c1, c2, ldc, f0, f1, f2, epilogue);
        const isEven = (t & 1) == 0;
        const pStep = toNext(stride, isEven);
        const cStep = toNext(next, isEven);
        const fStep = toNext(step, isEven);
        p0 += pStep;
        p1 += 3 * stride - pStep;
        p2 += pStep;
        c0 += cStep;
        c1 += 3 * next - cStep;
        c2 += cStep;
        f0 += fStep;
        f1 += 3 * step - fStep;
        f2 += fStep;
      }
      a += lda * 3;
      c += ldc * 3;
    }
    return;
  }
  const most = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
  for (; rows > 0; rows -= most) {
    for (let j = 0; j < panels; j += 2) {
      const q = p + <usize>j * stride;
      const d = c + <usize>j * next;
      const g = f + <usize>j * step;
      if (ASC_FEATURE_RELAXED_SIMD) f32Gemm6x16(a, lda, q, q + stride, k, d, next, ldc, g, step, epilogue);
      else f32Gemm4x16(a, lda, q, q + stride, k, d, next, ldc, g, step, epilogue);
    }
    a += lda * most;
    c += ldc * most;
  }
}

/** As columnsTimesPanels, for whole tiles of 3×12, 4×16 or 6×16. */
// @ts-ignore: decorator
@inline
function wideColumns(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD && tile == TILE_3X12) {
    const tiles = (2 * panels) / 3;
    for (; rows >= 3; rows -= 3) {
      let p0 = p;
      let p1 = p + 16;
      let p2 = p + stride;
      let c0 = c;
      let c1 = c + 16;
      let c2 = c + next;
      let f0 = f;
      let f1 = f + 16;
      let f2 = f + step;
      for (let t = tiles; t > 0; t--) {
        f32GemmT3x12(a, lda, p0, p1, p2, k, c0, c1, c2, ldc, f0, f1, f2);
        const isEven = (t & 1) == 0;
        const pStep = toNext(stride, isEven);
        const cStep = toNext(next, isEven);
        const fStep = toNext(step, isEven);
        p0 += pStep;
        p1 += 3 * stride - pStep;
        p2 += pStep;
        c0 += cStep;
        c1 += 3 * next - cStep;
        c2 += cStep;
        f0 += fStep;
        f1 += 3 * step - fStep;
        f2 += fStep;
      }
      a += 12;
      c += ldc * 3;
    }
    return;
  }
  const most = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
  for (; rows > 0; rows -= most) {
    for (let j = 0; j < panels; j += 2) {
      const q = p + <usize>j * stride;
      const d = c + <usize>j * next;
      const g = f + <usize>j * step;
      if (ASC_FEATURE_RELAXED_SIMD) f32GemmT6x16(a, lda, q, q + stride, k, d, next, ldc, g, step);
      else f32GemmT4x16(a, lda, q, q + stride, k, d, next, ldc, g, step);
    }
    a += 4 * most;
    c += ldc * most;
  }
}

// One function a form, not inlined into the drivers: a driver with all tiles in it compiles slowly and spills.

function narrowAdd(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  rowsTimesPanels(a, lda, rows, p, stride, panels, k, c, next, ldc, f, step, tile, ADD);
}

function wideAdd(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  wideRows(a, lda, rows, p, stride, panels, k, c, next, ldc, f, step, tile, ADD);
}

function narrowMax(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  rowsTimesPanels(a, lda, rows, p, stride, panels, k, c, next, ldc, f, step, tile, MAX);
}

function wideMax(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  wideRows(a, lda, rows, p, stride, panels, k, c, next, ldc, f, step, tile, MAX);
}

function narrowColumns(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  columnsTimesPanels(a, lda, rows, p, stride, panels, k, c, next, ldc, f, step, tile);
}

function wideColumnsAdd(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  wideColumns(a, lda, rows, p, stride, panels, k, c, next, ldc, f, step, tile);
}

/** C = C·f + A·B. */
export function rowsAdd(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  const whole = wholePanels(tile, panels);
  if (whole) {
    const tall = rows - rowsLeft(tile, rows);
    if (tall) wideAdd(a, lda, tall, p, stride, whole, k, c, next, ldc, f, step, tile);
    narrowAdd(
      a + lda * tall,
      lda,
      rows - tall,
      p,
      stride,
      whole,
      k,
      c + ldc * tall,
      next,
      ldc,
      f,
      step,
      tile,
    );
    p += <usize>whole * stride;
    c += <usize>whole * next;
    f += <usize>whole * step;
    panels -= whole;
  }
  if (panels) narrowAdd(a, lda, rows, p, stride, panels, k, c, next, ldc, f, step, tile);
}

/** C = A·B, and f rises to the columns' maxima. */
export function rowsMax(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  const whole = wholePanels(tile, panels);
  if (whole) {
    const tall = rows - rowsLeft(tile, rows);
    if (tall) wideMax(a, lda, tall, p, stride, whole, k, c, next, ldc, f, step, tile);
    narrowMax(
      a + lda * tall,
      lda,
      rows - tall,
      p,
      stride,
      whole,
      k,
      c + ldc * tall,
      next,
      ldc,
      f,
      step,
      tile,
    );
    p += <usize>whole * stride;
    c += <usize>whole * next;
    f += <usize>whole * step;
    panels -= whole;
  }
  if (panels) narrowMax(a, lda, rows, p, stride, panels, k, c, next, ldc, f, step, tile);
}

/** C = C·f + Aᵀ·B, A[k × rows]; the rows of A lie lda bytes apart. */
export function columnsAdd(
  a: usize,
  lda: usize,
  rows: i32,
  p: usize,
  stride: usize,
  panels: i32,
  k: i32,
  c: usize,
  next: usize,
  ldc: usize,
  f: usize,
  step: usize,
  tile: i32,
): void {
  const whole = wholePanels(tile, panels);
  if (whole) {
    const tall = rows - rowsLeft(tile, rows);
    if (tall) wideColumnsAdd(a, lda, tall, p, stride, whole, k, c, next, ldc, f, step, tile);
    narrowColumns(
      a + ((<usize>tall) << 2),
      lda,
      rows - tall,
      p,
      stride,
      whole,
      k,
      c + ldc * tall,
      next,
      ldc,
      f,
      step,
      tile,
    );
    p += <usize>whole * stride;
    c += <usize>whole * next;
    f += <usize>whole * step;
    panels -= whole;
  }
  if (panels) narrowColumns(a, lda, rows, p, stride, panels, k, c, next, ldc, f, step, tile);
}
