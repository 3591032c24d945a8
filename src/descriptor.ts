/**
 * Writes descriptors and work items into linear memory: the twin of `assembly/args.ts`. Every field is four bytes, in
 * the order of these lists; `test/abi.test.ts` compares them with the offsets that the kernels were compiled with.
 */

/** AttentionArgs. Addresses, strides and leading dimensions are in bytes. */
export const ATTENTION_ARGS = [
  'q',
  'k',
  'v',
  'out',
  'logSumExp',
  'weights',
  'queryOffset',
  'items',
  'group',
  'seqQ',
  'seqK',
  'headDim',
  'valueDim',
  'scale',
  'scoreScale',
  'qBatch',
  'qHead',
  'qToken',
  'kBatch',
  'kHead',
  'kToken',
  'vBatch',
  'vHead',
  'vToken',
  'outBatch',
  'outHead',
  'outToken',
  'heads',
  'tile',
] as const;

/** GemmArgs, for `gemm` and `pack`. */
export const GEMM_ARGS = [
  'a',
  'b',
  'packed',
  'c',
  'bias',
  'items',
  'M',
  'N',
  'K',
  'transposeA',
  'transposeB',
  'lda',
  'ldb',
  'ldc',
  'aBatch',
  'bBatch',
  'packedBatch',
  'cBatch',
  'tile',
] as const;

/** AttentionItem: rows q0 … q0 + rows of a key head against keys k0 … k1. */
export const ATTENTION_ITEM = ['batch', 'head', 'q0', 'rows', 'k0', 'k1'] as const;

/** GemmItem: a block of C; for `pack` columns of B. */
export const GEMM_ITEM = ['batch', 'm0', 'rows', 'n0', 'cols'] as const;

/** RopeArgs: strides in bytes; `positions` and `frequencies` are addresses of tables. */
export const ROPE_ARGS = [
  'x',
  'out',
  'positions',
  'frequencies',
  'items',
  'heads',
  'headDim',
  'pairs',
  'tokens',
  'interleaved',
  'positionBatch',
  'positionToken',
  'xBatch',
  'xToken',
  'xHead',
  'outBatch',
  'outToken',
  'outHead',
] as const;

/** RopeItem: tokens token0 … token0 + tokens of a batch. */
export const ROPE_ITEM = ['batch', 'token0', 'tokens'] as const;

/** MergeArgs: `parts` is the address of a table of addresses. */
export const MERGE_ARGS = [
  'parts',
  'out',
  'logSumExp',
  'items',
  'count',
  'heads',
  'seqQ',
  'valueDim',
  'outBatch',
  'outHead',
  'outToken',
] as const;

/** MergeItem: queries q0 … q0 + rows of a batch. */
export const MERGE_ITEM = ['batch', 'q0', 'rows'] as const;

export type AttentionArgs = Record<(typeof ATTENTION_ARGS)[number], number>;
export type GemmArgs = Record<(typeof GEMM_ARGS)[number], number>;
export type RopeArgs = Record<(typeof ROPE_ARGS)[number], number>;
export type MergeArgs = Record<(typeof MERGE_ARGS)[number], number>;

/** Bytes of the largest descriptor. */
export const DESCRIPTOR_BYTES: number =
  4 * Math.max(...[ATTENTION_ARGS, GEMM_ARGS, ROPE_ARGS, MERGE_ARGS].map(({ length }) => length));

/** Linear memory as both kinds of word. */
export interface Words {
  readonly u32: Uint32Array;
  readonly f32: Float32Array;
}

// Addresses lie above 2³¹ in large memories: divide, never shift. One store a field, written out: a loop over the names
// takes ten times as long, and a small call is little else.

export function writeAttentionArgs({ u32, f32 }: Words, address: number, args: AttentionArgs): void {
  const at = address / 4;
  u32[at] = args.q;
  u32[at + 1] = args.k;
  u32[at + 2] = args.v;
  u32[at + 3] = args.out;
  u32[at + 4] = args.logSumExp;
  u32[at + 5] = args.weights;
  u32[at + 6] = args.queryOffset;
  u32[at + 7] = args.items;
  u32[at + 8] = args.group;
  u32[at + 9] = args.seqQ;
  u32[at + 10] = args.seqK;
  u32[at + 11] = args.headDim;
  u32[at + 12] = args.valueDim;
  f32[at + 13] = args.scale;
  f32[at + 14] = args.scoreScale;
  u32[at + 15] = args.qBatch;
  u32[at + 16] = args.qHead;
  u32[at + 17] = args.qToken;
  u32[at + 18] = args.kBatch;
  u32[at + 19] = args.kHead;
  u32[at + 20] = args.kToken;
  u32[at + 21] = args.vBatch;
  u32[at + 22] = args.vHead;
  u32[at + 23] = args.vToken;
  u32[at + 24] = args.outBatch;
  u32[at + 25] = args.outHead;
  u32[at + 26] = args.outToken;
  u32[at + 27] = args.heads;
  u32[at + 28] = args.tile;
}

export function writeGemmArgs({ u32 }: Words, address: number, args: GemmArgs): void {
  const at = address / 4;
  u32[at] = args.a;
  u32[at + 1] = args.b;
  u32[at + 2] = args.packed;
  u32[at + 3] = args.c;
  u32[at + 4] = args.bias;
  u32[at + 5] = args.items;
  u32[at + 6] = args.M;
  u32[at + 7] = args.N;
  u32[at + 8] = args.K;
  u32[at + 9] = args.transposeA;
  u32[at + 10] = args.transposeB;
  u32[at + 11] = args.lda;
  u32[at + 12] = args.ldb;
  u32[at + 13] = args.ldc;
  u32[at + 14] = args.aBatch;
  u32[at + 15] = args.bBatch;
  u32[at + 16] = args.packedBatch;
  u32[at + 17] = args.cBatch;
  u32[at + 18] = args.tile;
}

export function writeRopeArgs({ u32 }: Words, address: number, args: RopeArgs): void {
  const at = address / 4;
  u32[at] = args.x;
  u32[at + 1] = args.out;
  u32[at + 2] = args.positions;
  u32[at + 3] = args.frequencies;
  u32[at + 4] = args.items;
  u32[at + 5] = args.heads;
  u32[at + 6] = args.headDim;
  u32[at + 7] = args.pairs;
  u32[at + 8] = args.tokens;
  u32[at + 9] = args.interleaved;
  u32[at + 10] = args.positionBatch;
  u32[at + 11] = args.positionToken;
  u32[at + 12] = args.xBatch;
  u32[at + 13] = args.xToken;
  u32[at + 14] = args.xHead;
  u32[at + 15] = args.outBatch;
  u32[at + 16] = args.outToken;
  u32[at + 17] = args.outHead;
}

export function writeMergeArgs({ u32 }: Words, address: number, args: MergeArgs): void {
  const at = address / 4;
  u32[at] = args.parts;
  u32[at + 1] = args.out;
  u32[at + 2] = args.logSumExp;
  u32[at + 3] = args.items;
  u32[at + 4] = args.count;
  u32[at + 5] = args.heads;
  u32[at + 6] = args.seqQ;
  u32[at + 7] = args.valueDim;
  u32[at + 8] = args.outBatch;
  u32[at + 9] = args.outHead;
  u32[at + 10] = args.outToken;
}
