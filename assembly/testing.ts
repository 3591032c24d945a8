/**
 * The test-only surface, compiled with assertions into builds that are never shipped: everything that ships, each
 * kernel by its name, and the offset of each descriptor field.
 *
 * Both builds have all tiles here, though each ships its own: what they compute is the same.
 */
import {
  AppendArgs,
  AppendItem,
  AttentionArgs,
  AttentionItem,
  CombineItem,
  GemmArgs,
  GemmItem,
  MergeArgs,
  MergeItem,
  RopeArgs,
  RopeItem,
  Sequence,
} from './args';
import { exp2, exp2Four } from './exp';
import { f32Gemm1x8 as rows1 } from './kernels/f32-gemm-1x8';
import { f32Gemm2x8 as rows2 } from './kernels/f32-gemm-2x8';
import { f32Gemm4x8 as rows4 } from './kernels/f32-gemm-4x8';
import { f32Gemm6x8 as rows6 } from './kernels/f32-gemm-6x8';
import { f32GemmT1x8 as columns1 } from './kernels/f32-gemm-t-1x8';
import { f32GemmT2x8 as columns2 } from './kernels/f32-gemm-t-2x8';
import { f32GemmT4x8 as columns4 } from './kernels/f32-gemm-t-4x8';
import { f32GemmT6x8 as columns6 } from './kernels/f32-gemm-t-6x8';
import { f32Gemm3x12 as rows3x12 } from './kernels/f32-gemm-3x12';
import { f32GemmT3x12 as columns3x12 } from './kernels/f32-gemm-t-3x12';
import { f32Gemm4x16 as rows4x16 } from './kernels/f32-gemm-4x16';
import { f32GemmT4x16 as columns4x16 } from './kernels/f32-gemm-t-4x16';
import { f32Gemm6x16 as rows6x16 } from './kernels/f32-gemm-6x16';
import { f32GemmT6x16 as columns6x16 } from './kernels/f32-gemm-t-6x16';
import { ADD, MAX } from './kernels/f32-panel-store';
import { f32PanelToRows as panelToRows } from './kernels/f32-transpose';

export * from './index';

// ---- kernels that are functions already, and the choice of tiles ----

export { f16Dot } from './kernels/f16-dot';
export { f16Pv1x32 } from './kernels/f16-pv-1x32';
export { f16Check, f16Narrow } from './kernels/f16-narrow';
export { f16Widen } from './kernels/f16-widen';
export { f32Dot } from './kernels/f32-dot';
export { f32Dot8 } from './kernels/f32-dot-8';
export { f32Gemm1x32 } from './kernels/f32-gemm-1x32';
export { f32Gemm1x32Pairs } from './kernels/f32-gemm-1x32-pairs';
export { f32Gemv1, f32Gemv4, f32Gemv8 } from './kernels/f32-gemv';
export { f32Merge } from './kernels/f32-merge';
export { f32MergeWeights } from './kernels/f32-merge-weights';
export { f32Pack } from './kernels/f32-pack';
export { f32Pv1x16 } from './kernels/f32-pv-1x16';
export { f32Pv1x32 } from './kernels/f32-pv-1x32';
export { f32Pv4x8 } from './kernels/f32-pv-4x8';
export { f32PvExact, f32PvExactRow, f32ScoreSeen } from './kernels/f32-pv-exact';
export { f32Qk4x2 } from './kernels/f32-qk-4x2';
export { f32CopyRows } from './kernels/f32-copy-rows';
export { f32Row } from './kernels/f32-row';
export { f32Touch } from './kernels/f32-touch';
export { f32ScoreAlibi } from './kernels/f32-score-alibi';
export { f32ScoreBias } from './kernels/f32-score-bias';
export { f32ScoreCap } from './kernels/f32-score-cap';
export { f32RopeInterleaved } from './kernels/f32-rope-interleaved';
export { f32RopePairs } from './kernels/f32-rope-pairs';
export { f32RopeSplit } from './kernels/f32-rope-split';
export { f32RopeTable } from './kernels/f32-rope-table';
export { f32ScoreLimit } from './kernels/f32-score-limit';
export { f32MaskSeen, f32ScoreMask } from './kernels/f32-score-mask';
export { f32ScoreScale } from './kernels/f32-score-scale';
export { f32SoftmaxOnline } from './kernels/f32-softmax-online';
export { f32RowsToPanel } from './kernels/f32-transpose';
export { f32Weights } from './kernels/f32-weights';
export { columnsAdd, rowsMax } from './select';

/** A v128 cannot cross to JavaScript: the foreign lanes go to `foreign`. */
export function f32PanelToRows(
  panel: usize,
  n: i32,
  factor: usize,
  rows: usize,
  count: i32,
  foreign: usize,
): void {
  v128.store(foreign, panelToRows(panel, n, factor, rows, count));
}

// ---- the exponential on memory, in place ----

/** 2^x of `vectors` vectors from p on. */
export function exp2Vectors(p: usize, vectors: i32): void {
  for (let i = 0; i < vectors; i++, p += 16) v128.store(p, exp2(v128.load(p)));
}

/** The same by `exp2Four`, whose four vectors lie 32 bytes apart: `vectors` is a multiple of 8. Subtracts 0 first. */
export function exp2FourVectors(p: usize, vectors: i32): void {
  assert((vectors & 7) == 0);
  const zero = f32x4.splat(0);
  for (let i = 0; i < vectors; i += 8, p += 128) {
    exp2Four(p, zero);
    exp2Four(p + 16, zero);
  }
}

// ---- register tiles: inlined wherever they ship, so each gets a function, with the epilogue a literal as there ----

export function f32Gemm1x8(
  a: usize,
  lda: usize,
  b: usize,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  e: i32,
): void {
  if (e == ADD) rows1(a, lda, b, k, c, ldc, f, ADD);
  else rows1(a, lda, b, k, c, ldc, f, MAX);
}

export function f32Gemm2x8(
  a: usize,
  lda: usize,
  b: usize,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  e: i32,
): void {
  if (e == ADD) rows2(a, lda, b, k, c, ldc, f, ADD);
  else rows2(a, lda, b, k, c, ldc, f, MAX);
}

export function f32Gemm4x8(
  a: usize,
  lda: usize,
  b: usize,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  e: i32,
): void {
  if (e == ADD) rows4(a, lda, b, k, c, ldc, f, ADD);
  else rows4(a, lda, b, k, c, ldc, f, MAX);
}

export function f32Gemm6x8(
  a: usize,
  lda: usize,
  b: usize,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  e: i32,
): void {
  if (e == ADD) rows6(a, lda, b, k, c, ldc, f, ADD);
  else rows6(a, lda, b, k, c, ldc, f, MAX);
}

export function f32GemmT1x8(a: usize, lda: usize, b: usize, k: i32, c: usize, ldc: usize, f: usize): void {
  columns1(a, lda, b, k, c, ldc, f);
}

export function f32GemmT2x8(a: usize, lda: usize, b: usize, k: i32, c: usize, ldc: usize, f: usize): void {
  columns2(a, lda, b, k, c, ldc, f);
}

export function f32GemmT4x8(a: usize, lda: usize, b: usize, k: i32, c: usize, ldc: usize, f: usize): void {
  columns4(a, lda, b, k, c, ldc, f);
}

export function f32GemmT6x8(a: usize, lda: usize, b: usize, k: i32, c: usize, ldc: usize, f: usize): void {
  columns6(a, lda, b, k, c, ldc, f);
}

// The wide ones, on panels that follow each other.

export function f32Gemm3x12(
  a: usize,
  lda: usize,
  b: usize,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  e: i32,
): void {
  const b2 = b + ((<usize>k) << 5);
  if (e == ADD) rows3x12(a, lda, b, b + 16, b2, k, c, c + 16, c + 32, ldc, f, f + 16, f + 32, ADD);
  else rows3x12(a, lda, b, b + 16, b2, k, c, c + 16, c + 32, ldc, f, f + 16, f + 32, MAX);
}

export function f32GemmT3x12(a: usize, lda: usize, b: usize, k: i32, c: usize, ldc: usize, f: usize): void {
  const b2 = b + ((<usize>k) << 5);
  columns3x12(a, lda, b, b + 16, b2, k, c, c + 16, c + 32, ldc, f, f + 16, f + 32);
}

export function f32Gemm4x16(
  a: usize,
  lda: usize,
  b: usize,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  e: i32,
): void {
  const b2 = b + ((<usize>k) << 5);
  if (e == ADD) rows4x16(a, lda, b, b2, k, c, 32, ldc, f, 32, ADD);
  else rows4x16(a, lda, b, b2, k, c, 32, ldc, f, 32, MAX);
}

export function f32GemmT4x16(a: usize, lda: usize, b: usize, k: i32, c: usize, ldc: usize, f: usize): void {
  const b2 = b + ((<usize>k) << 5);
  columns4x16(a, lda, b, b2, k, c, 32, ldc, f, 32);
}

export function f32Gemm6x16(
  a: usize,
  lda: usize,
  b: usize,
  k: i32,
  c: usize,
  ldc: usize,
  f: usize,
  e: i32,
): void {
  const b2 = b + ((<usize>k) << 5);
  if (e == ADD) rows6x16(a, lda, b, b2, k, c, 32, ldc, f, 32, ADD);
  else rows6x16(a, lda, b, b2, k, c, 32, ldc, f, 32, MAX);
}

export function f32GemmT6x16(a: usize, lda: usize, b: usize, k: i32, c: usize, ldc: usize, f: usize): void {
  const b2 = b + ((<usize>k) << 5);
  columns6x16(a, lda, b, b2, k, c, 32, ldc, f, 32);
}

// ---- descriptors: class_field is an offset in bytes, class_size the bytes of the whole ----

export const AttentionArgs_q: usize = offsetof<AttentionArgs>('q');
export const AttentionArgs_k: usize = offsetof<AttentionArgs>('k');
export const AttentionArgs_v: usize = offsetof<AttentionArgs>('v');
export const AttentionArgs_out: usize = offsetof<AttentionArgs>('out');
export const AttentionArgs_logSumExp: usize = offsetof<AttentionArgs>('logSumExp');
export const AttentionArgs_weights: usize = offsetof<AttentionArgs>('weights');
export const AttentionArgs_mask: usize = offsetof<AttentionArgs>('mask');
export const AttentionArgs_bias: usize = offsetof<AttentionArgs>('bias');
export const AttentionArgs_alibi: usize = offsetof<AttentionArgs>('alibi');
export const AttentionArgs_sinks: usize = offsetof<AttentionArgs>('sinks');
export const AttentionArgs_sequences: usize = offsetof<AttentionArgs>('sequences');
export const AttentionArgs_items: usize = offsetof<AttentionArgs>('items');
export const AttentionArgs_group: usize = offsetof<AttentionArgs>('group');
export const AttentionArgs_seqQ: usize = offsetof<AttentionArgs>('seqQ');
export const AttentionArgs_seqK: usize = offsetof<AttentionArgs>('seqK');
export const AttentionArgs_headDim: usize = offsetof<AttentionArgs>('headDim');
export const AttentionArgs_valueDim: usize = offsetof<AttentionArgs>('valueDim');
export const AttentionArgs_scale: usize = offsetof<AttentionArgs>('scale');
export const AttentionArgs_scoreScale: usize = offsetof<AttentionArgs>('scoreScale');
export const AttentionArgs_capHalf: usize = offsetof<AttentionArgs>('capHalf');
export const AttentionArgs_capTwice: usize = offsetof<AttentionArgs>('capTwice');
export const AttentionArgs_cap: usize = offsetof<AttentionArgs>('cap');
export const AttentionArgs_qFirst: usize = offsetof<AttentionArgs>('qFirst');
export const AttentionArgs_qHead: usize = offsetof<AttentionArgs>('qHead');
export const AttentionArgs_qToken: usize = offsetof<AttentionArgs>('qToken');
export const AttentionArgs_kFirst: usize = offsetof<AttentionArgs>('kFirst');
export const AttentionArgs_kHead: usize = offsetof<AttentionArgs>('kHead');
export const AttentionArgs_kToken: usize = offsetof<AttentionArgs>('kToken');
export const AttentionArgs_vFirst: usize = offsetof<AttentionArgs>('vFirst');
export const AttentionArgs_vHead: usize = offsetof<AttentionArgs>('vHead');
export const AttentionArgs_vToken: usize = offsetof<AttentionArgs>('vToken');
export const AttentionArgs_outFirst: usize = offsetof<AttentionArgs>('outFirst');
export const AttentionArgs_outHead: usize = offsetof<AttentionArgs>('outHead');
export const AttentionArgs_outToken: usize = offsetof<AttentionArgs>('outToken');
export const AttentionArgs_logSumExpFirst: usize = offsetof<AttentionArgs>('logSumExpFirst');
export const AttentionArgs_logSumExpHead: usize = offsetof<AttentionArgs>('logSumExpHead');
export const AttentionArgs_weightsFirst: usize = offsetof<AttentionArgs>('weightsFirst');
export const AttentionArgs_weightsHead: usize = offsetof<AttentionArgs>('weightsHead');
export const AttentionArgs_maskBatch: usize = offsetof<AttentionArgs>('maskBatch');
export const AttentionArgs_maskHead: usize = offsetof<AttentionArgs>('maskHead');
export const AttentionArgs_maskQuery: usize = offsetof<AttentionArgs>('maskQuery');
export const AttentionArgs_maskKey: usize = offsetof<AttentionArgs>('maskKey');
export const AttentionArgs_biasBatch: usize = offsetof<AttentionArgs>('biasBatch');
export const AttentionArgs_biasHead: usize = offsetof<AttentionArgs>('biasHead');
export const AttentionArgs_biasQuery: usize = offsetof<AttentionArgs>('biasQuery');
export const AttentionArgs_biasKey: usize = offsetof<AttentionArgs>('biasKey');
export const AttentionArgs_tile: usize = offsetof<AttentionArgs>('tile');
export const AttentionArgs_ring: usize = offsetof<AttentionArgs>('ring');
export const AttentionArgs_half: usize = offsetof<AttentionArgs>('half');
export const AttentionArgs_parts: usize = offsetof<AttentionArgs>('parts');
export const AttentionArgs_combines: usize = offsetof<AttentionArgs>('combines');
export const AttentionArgs_size: usize = offsetof<AttentionArgs>();

export const Sequence_offset: usize = offsetof<Sequence>('offset');
export const Sequence_start: usize = offsetof<Sequence>('start');
export const Sequence_stop: usize = offsetof<Sequence>('stop');
export const Sequence_firstQuery: usize = offsetof<Sequence>('firstQuery');
export const Sequence_firstKey: usize = offsetof<Sequence>('firstKey');
export const Sequence_keys: usize = offsetof<Sequence>('keys');
export const Sequence_unused: usize = offsetof<Sequence>('unused');
export const Sequence_size: usize = offsetof<Sequence>();

export const AttentionItem_batch: usize = offsetof<AttentionItem>('batch');
export const AttentionItem_head: usize = offsetof<AttentionItem>('head');
export const AttentionItem_q0: usize = offsetof<AttentionItem>('q0');
export const AttentionItem_rows: usize = offsetof<AttentionItem>('rows');
export const AttentionItem_k0: usize = offsetof<AttentionItem>('k0');
export const AttentionItem_k1: usize = offsetof<AttentionItem>('k1');
export const AttentionItem_part: usize = offsetof<AttentionItem>('part');
export const AttentionItem_size: usize = offsetof<AttentionItem>();

export const CombineItem_batch: usize = offsetof<CombineItem>('batch');
export const CombineItem_head: usize = offsetof<CombineItem>('head');
export const CombineItem_q0: usize = offsetof<CombineItem>('q0');
export const CombineItem_rows: usize = offsetof<CombineItem>('rows');
export const CombineItem_part: usize = offsetof<CombineItem>('part');
export const CombineItem_parts: usize = offsetof<CombineItem>('parts');
export const CombineItem_size: usize = offsetof<CombineItem>();

export const AppendArgs_from: usize = offsetof<AppendArgs>('from');
export const AppendArgs_to: usize = offsetof<AppendArgs>('to');
export const AppendArgs_items: usize = offsetof<AppendArgs>('items');
export const AppendArgs_heads: usize = offsetof<AppendArgs>('heads');
export const AppendArgs_dim: usize = offsetof<AppendArgs>('dim');
export const AppendArgs_fromBatch: usize = offsetof<AppendArgs>('fromBatch');
export const AppendArgs_fromHead: usize = offsetof<AppendArgs>('fromHead');
export const AppendArgs_fromToken: usize = offsetof<AppendArgs>('fromToken');
export const AppendArgs_toBatch: usize = offsetof<AppendArgs>('toBatch');
export const AppendArgs_toHead: usize = offsetof<AppendArgs>('toHead');
export const AppendArgs_toToken: usize = offsetof<AppendArgs>('toToken');
export const AppendArgs_ring: usize = offsetof<AppendArgs>('ring');
export const AppendArgs_mode: usize = offsetof<AppendArgs>('mode');
export const AppendArgs_found: usize = offsetof<AppendArgs>('found');
export const AppendArgs_size: usize = offsetof<AppendArgs>();

export const AppendItem_batch: usize = offsetof<AppendItem>('batch');
export const AppendItem_start: usize = offsetof<AppendItem>('start');
export const AppendItem_count: usize = offsetof<AppendItem>('count');
export const AppendItem_size: usize = offsetof<AppendItem>();

export const GemmArgs_a: usize = offsetof<GemmArgs>('a');
export const GemmArgs_b: usize = offsetof<GemmArgs>('b');
export const GemmArgs_packed: usize = offsetof<GemmArgs>('packed');
export const GemmArgs_c: usize = offsetof<GemmArgs>('c');
export const GemmArgs_bias: usize = offsetof<GemmArgs>('bias');
export const GemmArgs_items: usize = offsetof<GemmArgs>('items');
export const GemmArgs_M: usize = offsetof<GemmArgs>('M');
export const GemmArgs_N: usize = offsetof<GemmArgs>('N');
export const GemmArgs_K: usize = offsetof<GemmArgs>('K');
export const GemmArgs_transposeA: usize = offsetof<GemmArgs>('transposeA');
export const GemmArgs_transposeB: usize = offsetof<GemmArgs>('transposeB');
export const GemmArgs_lda: usize = offsetof<GemmArgs>('lda');
export const GemmArgs_ldb: usize = offsetof<GemmArgs>('ldb');
export const GemmArgs_ldc: usize = offsetof<GemmArgs>('ldc');
export const GemmArgs_aBatch: usize = offsetof<GemmArgs>('aBatch');
export const GemmArgs_bBatch: usize = offsetof<GemmArgs>('bBatch');
export const GemmArgs_packedBatch: usize = offsetof<GemmArgs>('packedBatch');
export const GemmArgs_cBatch: usize = offsetof<GemmArgs>('cBatch');
export const GemmArgs_tile: usize = offsetof<GemmArgs>('tile');
export const GemmArgs_k0: usize = offsetof<GemmArgs>('k0');
export const GemmArgs_k1: usize = offsetof<GemmArgs>('k1');
export const GemmArgs_panel: usize = offsetof<GemmArgs>('panel');
export const GemmArgs_size: usize = offsetof<GemmArgs>();

export const GemmItem_batch: usize = offsetof<GemmItem>('batch');
export const GemmItem_m0: usize = offsetof<GemmItem>('m0');
export const GemmItem_rows: usize = offsetof<GemmItem>('rows');
export const GemmItem_n0: usize = offsetof<GemmItem>('n0');
export const GemmItem_cols: usize = offsetof<GemmItem>('cols');
export const GemmItem_size: usize = offsetof<GemmItem>();

export const RopeArgs_x: usize = offsetof<RopeArgs>('x');
export const RopeArgs_out: usize = offsetof<RopeArgs>('out');
export const RopeArgs_positions: usize = offsetof<RopeArgs>('positions');
export const RopeArgs_frequencies: usize = offsetof<RopeArgs>('frequencies');
export const RopeArgs_items: usize = offsetof<RopeArgs>('items');
export const RopeArgs_heads: usize = offsetof<RopeArgs>('heads');
export const RopeArgs_headDim: usize = offsetof<RopeArgs>('headDim');
export const RopeArgs_pairs: usize = offsetof<RopeArgs>('pairs');
export const RopeArgs_tokens: usize = offsetof<RopeArgs>('tokens');
export const RopeArgs_interleaved: usize = offsetof<RopeArgs>('interleaved');
export const RopeArgs_positionBatch: usize = offsetof<RopeArgs>('positionBatch');
export const RopeArgs_positionToken: usize = offsetof<RopeArgs>('positionToken');
export const RopeArgs_xBatch: usize = offsetof<RopeArgs>('xBatch');
export const RopeArgs_xToken: usize = offsetof<RopeArgs>('xToken');
export const RopeArgs_xHead: usize = offsetof<RopeArgs>('xHead');
export const RopeArgs_outBatch: usize = offsetof<RopeArgs>('outBatch');
export const RopeArgs_outToken: usize = offsetof<RopeArgs>('outToken');
export const RopeArgs_outHead: usize = offsetof<RopeArgs>('outHead');
export const RopeArgs_size: usize = offsetof<RopeArgs>();

export const RopeItem_batch: usize = offsetof<RopeItem>('batch');
export const RopeItem_token0: usize = offsetof<RopeItem>('token0');
export const RopeItem_tokens: usize = offsetof<RopeItem>('tokens');
export const RopeItem_size: usize = offsetof<RopeItem>();

export const MergeArgs_parts: usize = offsetof<MergeArgs>('parts');
export const MergeArgs_out: usize = offsetof<MergeArgs>('out');
export const MergeArgs_logSumExp: usize = offsetof<MergeArgs>('logSumExp');
export const MergeArgs_items: usize = offsetof<MergeArgs>('items');
export const MergeArgs_count: usize = offsetof<MergeArgs>('count');
export const MergeArgs_heads: usize = offsetof<MergeArgs>('heads');
export const MergeArgs_seqQ: usize = offsetof<MergeArgs>('seqQ');
export const MergeArgs_valueDim: usize = offsetof<MergeArgs>('valueDim');
export const MergeArgs_outBatch: usize = offsetof<MergeArgs>('outBatch');
export const MergeArgs_outHead: usize = offsetof<MergeArgs>('outHead');
export const MergeArgs_outToken: usize = offsetof<MergeArgs>('outToken');
export const MergeArgs_size: usize = offsetof<MergeArgs>();

export const MergeItem_batch: usize = offsetof<MergeItem>('batch');
export const MergeItem_q0: usize = offsetof<MergeItem>('q0');
export const MergeItem_rows: usize = offsetof<MergeItem>('rows');
export const MergeItem_size: usize = offsetof<MergeItem>();
