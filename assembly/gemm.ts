/**
 * Driver of blocked matmul: C = op(A) · op(B) + bias, item by item.
 *
 * Three loops as in BLIS (Van Zee & van de Geijn 2015): the item is MC rows by NC columns, the depth goes in blocks of
 * KC, and inside a block one panel of B (KC × 8, first cache level) meets all rows of the item. A is read in place.
 * Each block is summed from zero in ascending order and the blocks are added in order, the bias first.
 */
import { KC, MC } from '../common/abi';
import { GemmArgs, GemmItem } from './args';
import { ONES } from './constants';
import { f32CopyRows } from './kernels/f32-copy-rows';
import { columnsAdd, rowsAdd, rowsMax } from './select';
import { SIDE, dots, panelsAdd, sweep } from './select-rows';

/**
 * Scratch: a bias of eight floats, or maxima that nobody reads; then at TAIL a tail of eight columns, or the running sums of a
 * row (M = 1).
 */
const TAIL: usize = 32;

/** Bytes of scratch that one thread needs for any item of this call. Exact: beyond 2³² too. */
export function gemmScratch(args: usize): f64 {
  const a = changetype<GemmArgs>(args);
  return <f64>TAIL + max(<f64>(32 * MC), a.M == 1 ? 4.0 * <f64>(<u32>a.N) : 0);
}

export function gemm(args: usize, begin: i32, end: i32, scratch: usize): void {
  const a = changetype<GemmArgs>(args);
  for (let i = begin; i < end; i++) {
    const item = changetype<GemmItem>(a.items + <usize>i * offsetof<GemmItem>());
    if (!a.packed) rowInPlace(a, item, scratch);
    else if (a.M == 1) rowTimesPanels(a, item, scratch);
    else block(a, item.batch, item.m0, item.rows, item.n0, item.cols, scratch);
  }
}

/**
 * One depth block of `panels` panels: rows × 8·panels of C, begun with the bias, or stored, and added to. Where there is nothing to
 * add to, the tiles of scores store what they have: zeros written before and read again took 64³ 4 % longer, 1024³ 1 %. The maxima
 * that they keep go to eight floats that nobody reads.
 */
function depthBlock(
  args: GemmArgs,
  a: usize,
  rows: i32,
  packed: usize,
  panels: i32,
  k0: i32,
  c: usize,
  ldc: usize,
  bias: usize,
  unread: usize,
): void {
  const lda = args.lda;
  const stride = args.panel;
  const transposeA = args.transposeA;
  const tile = args.tile;
  const k = min(KC, args.k1 - k0);
  const p = packed + ((<usize>(k0 - args.k0)) << 5);
  if (!k0 && (bias || transposeA)) beginRows(c, ldc, rows, (<usize>panels) << 5, bias);
  if (transposeA) {
    columnsAdd(a + <usize>k0 * lda, lda, rows, p, stride, panels, k, c, 32, ldc, ONES, 0, tile);
  } else {
    const x = a + ((<usize>k0) << 2);
    if (k0 || bias) rowsAdd(x, lda, rows, p, stride, panels, k, c, 32, ldc, ONES, 0, tile);
    else rowsMax(x, lda, rows, p, stride, panels, k, c, 32, ldc, unread, 0, tile);
  }
}

/** Rows of C before a first depth block that is added: the bias, or zeros. */
function beginRows(c: usize, ldc: usize, rows: i32, bytes: usize, bias: usize): void {
  for (let i = 0; i < rows; i++, c += ldc) {
    if (bias) memory.copy(c, bias, bytes);
    else memory.fill(c, 0, bytes);
  }
}

/** Any M: depth blocks outermost, then panels; a tail of fewer than eight columns goes through scratch. */
function block(args: GemmArgs, batch: i32, m0: i32, rows: i32, n0: i32, cols: i32, scratch: usize): void {
  const k1 = args.k1;
  const a = args.a + <usize>batch * args.aBatch + <usize>m0 * (args.transposeA ? 4 : args.lda);
  const c = args.c + <usize>batch * args.cBatch + <usize>m0 * args.ldc + ((<usize>n0) << 2);
  const packed = args.packed + <usize>batch * args.packedBatch + <usize>(n0 >> 3) * args.panel;
  const panels = cols >> 3;
  const tail = cols & 7;
  const bias = args.bias ? args.bias + ((<usize>n0) << 2) : 0;

  // K = 0 still runs once: it leaves the bias or zeros.
  let k0 = args.k0;
  do {
    depthBlock(args, a, rows, packed, panels, k0, c, args.ldc, bias, scratch);
    k0 += KC;
  } while (k0 < k1);
  if (!tail) return;

  // The last, incomplete panel: its bias padded to eight floats and its columns kept in scratch.
  const last = c + ((<usize>panels) << 5);
  const lastPanel = packed + <usize>panels * args.panel;
  if (args.bias) memory.copy(scratch, bias + ((<usize>panels) << 5), (<usize>tail) << 2);
  k0 = args.k0;
  if (k0) f32CopyRows(last, args.ldc, rows, tail, scratch + TAIL, 32);
  do {
    depthBlock(args, a, rows, lastPanel, 1, k0, scratch + TAIL, 32, args.bias ? scratch : 0, scratch);
    k0 += KC;
  } while (k0 < k1);
  f32CopyRows(scratch + TAIL, 32, rows, tail, last, args.ldc);
}

/**
 * M = 1, B packed. As many panels side by side as their kernel takes, each the next of its own part of B: streams that go on
 * from the first panel to the last, which processors fetch ahead for (neighbours would begin anew every four). What is left
 * goes one by one.
 */
function rowTimesPanels(args: GemmArgs, item: GemmItem, scratch: usize): void {
  const K = args.K;
  const panelBytes = args.panel;
  const a = args.a + <usize>item.batch * args.aBatch;
  let c = args.c + <usize>item.batch * args.cBatch + ((<usize>item.n0) << 2);
  let panel = args.packed + <usize>item.batch * args.packedBatch + <usize>(item.n0 >> 3) * panelBytes;
  const part = (item.cols >> 3) / SIDE;
  const cols = (SIDE * part) << 3;
  beginRows(c, 0, 1, (<usize>cols) << 2, args.bias ? args.bias + ((<usize>item.n0) << 2) : 0);
  for (let n = 0; n < part; n++, panel += panelBytes, c += 32) {
    for (let k0 = 0; k0 < K; k0 += KC) {
      const x = a + ((<usize>k0) << 2);
      const p = panel + ((<usize>k0) << 5);
      panelsAdd(x, p, <usize>part * panelBytes, min(KC, K - k0), c, (<usize>part) << 5, args.tile);
    }
  }
  if (cols < item.cols) block(args, item.batch, 0, 1, item.n0 + cols, item.cols - cols, scratch);
}

/** M = 1, B in place: c = bias + Σ blocks of KC, each summed from zero in scratch. */
function rowInPlace(args: GemmArgs, item: GemmItem, scratch: usize): void {
  const K = args.K;
  const cols = item.cols;
  const bytes = (<usize>cols) << 2;
  const a = args.a + <usize>item.batch * args.aBatch;
  const c = args.c + <usize>item.batch * args.cBatch + ((<usize>item.n0) << 2);
  const b = args.b + <usize>item.batch * args.bBatch + <usize>item.n0 * (args.transposeB ? args.ldb : 4);
  const t = scratch + TAIL;
  const all = <f64>K * <f64>args.ldb;
  beginRows(c, 0, 1, bytes, args.bias ? args.bias + ((<usize>item.n0) << 2) : 0);
  for (let k0 = 0; k0 < K; k0 += KC) {
    const k = min(KC, K - k0);
    const x = a + ((<usize>k0) << 2);
    if (args.transposeB) {
      dots(x, b + ((<usize>k0) << 2), args.ldb, k, cols, t, 4);
    } else {
      memory.fill(t, 0, bytes);
      sweep(x, b + <usize>k0 * args.ldb, args.ldb, k, cols, t, all);
    }
    addRow(c, t, bytes);
  }
}

/** c += t */
function addRow(c: usize, t: usize, bytes: usize): void {
  let i: usize = 0;
  for (const whole = bytes & ~15; i < whole; i += 16) {
    v128.store(c + i, f32x4.add(v128.load(c + i), v128.load(t + i)));
  }
  for (; i < bytes; i += 4) store<f32>(c + i, load<f32>(c + i) + load<f32>(t + i));
}
