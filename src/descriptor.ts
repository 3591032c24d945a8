/**
 * Writes descriptors and work items into linear memory: the twin of `assembly/args.ts`. Every field is four bytes, in
 * the order of these lists; `test/abi.test.ts` compares them with the offsets that the kernels were compiled with.
 */
import type { Words } from './memory/words.ts';

/** AttentionArgs. Addresses, strides and leading dimensions are in bytes. */
export const ATTENTION_ARGS = [
  'q',
  'k',
  'v',
  'out',
  'logSumExp',
  'weights',
  'mask',
  'bias',
  'alibi',
  'sinks',
  'sequences',
  'items',
  'group',
  'seqQ',
  'seqK',
  'headDim',
  'valueDim',
  'scale',
  'scoreScale',
  'capHalf',
  'capTwice',
  'cap',
  'qFirst',
  'qHead',
  'qToken',
  'kFirst',
  'kHead',
  'kToken',
  'vFirst',
  'vHead',
  'vToken',
  'outFirst',
  'outHead',
  'outToken',
  'logSumExpFirst',
  'logSumExpHead',
  'weightsFirst',
  'weightsHead',
  'maskBatch',
  'maskHead',
  'maskQuery',
  'maskKey',
  'biasBatch',
  'biasHead',
  'biasQuery',
  'biasKey',
  'tile',
  'ring',
  'half',
  'parts',
  'combines',
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
  'k0',
  'k1',
  'panel',
] as const;

/** Sequence, one of a batch. `offset` is float64, eight bytes. */
export const SEQUENCE = ['offset', 'start', 'stop', 'firstQuery', 'firstKey', 'keys', 'unused'] as const;

/** Bytes of a Sequence. */
export const SEQUENCE_BYTES = 32;

/** AttentionItem: rows q0 … q0 + rows of a key head against keys k0 … k1; its slot among the parts, or −1. */
export const ATTENTION_ITEM = ['batch', 'head', 'q0', 'rows', 'k0', 'k1', 'part'] as const;

/** CombineItem: rows whose keys were split into `parts`, from slot `part` on. */
export const COMBINE_ITEM = ['batch', 'head', 'q0', 'rows', 'part', 'parts'] as const;

/** AppendArgs, for `append`. */
export const APPEND_ARGS = [
  'from',
  'to',
  'items',
  'heads',
  'dim',
  'fromBatch',
  'fromHead',
  'fromToken',
  'toBatch',
  'toHead',
  'toToken',
  'ring',
  'mode',
  'found',
] as const;

/** AppendItem: new tokens of one row of the batch. */
export const APPEND_ITEM = ['batch', 'start', 'count'] as const;

/** GemmItem: a block of C; for `pack` steps of columns of B. */
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
type AttentionOperand =
  'q' | 'k' | 'v' | 'out' | 'logSumExp' | 'weights' | 'mask' | 'bias' | 'alibi' | 'sinks';
export type AttentionOperands = Readonly<Pick<AttentionArgs, AttentionOperand>>;
/** All that is said of a shape. */
type AttentionShapeArgs = Omit<
  AttentionArgs,
  AttentionOperand | 'sequences' | 'items' | 'parts' | 'combines' | 'tile'
>;
export type AppendArgs = Record<(typeof APPEND_ARGS)[number], number>;
export type GemmArgs = Record<(typeof GEMM_ARGS)[number], number>;
export type RopeArgs = Record<(typeof ROPE_ARGS)[number], number>;
export type MergeArgs = Record<(typeof MERGE_ARGS)[number], number>;

/** Bytes of the largest descriptor. */
export const DESCRIPTOR_BYTES: number =
  4 *
  Math.max(...[ATTENTION_ARGS, APPEND_ARGS, GEMM_ARGS, ROPE_ARGS, MERGE_ARGS].map(({ length }) => length));

// Addresses lie above 2³¹ in large memories: shift by >>>, never by >>. (Divided, an index is a float64.) One store a field, written
// out: a loop over the names takes ten times as long, and a small call is little else.

/**
 * All but addresses. `half` is here too, as scratch is asked for by it: FULL or HALF, until it is known whether ∞ or NaN is in a
 * float16 cache.
 */
export function writeAttentionShape({ u32, f32 }: Words, address: number, args: AttentionShapeArgs): void {
  const at = address >>> 2;
  u32[at + 12] = args.group;
  u32[at + 13] = args.seqQ;
  u32[at + 14] = args.seqK;
  u32[at + 15] = args.headDim;
  u32[at + 16] = args.valueDim;
  f32[at + 17] = args.scale;
  f32[at + 18] = args.scoreScale;
  f32[at + 19] = args.capHalf;
  f32[at + 20] = args.capTwice;
  f32[at + 21] = args.cap;
  u32[at + 22] = args.qFirst;
  u32[at + 23] = args.qHead;
  u32[at + 24] = args.qToken;
  u32[at + 25] = args.kFirst;
  u32[at + 26] = args.kHead;
  u32[at + 27] = args.kToken;
  u32[at + 28] = args.vFirst;
  u32[at + 29] = args.vHead;
  u32[at + 30] = args.vToken;
  u32[at + 31] = args.outFirst;
  u32[at + 32] = args.outHead;
  u32[at + 33] = args.outToken;
  u32[at + 34] = args.logSumExpFirst;
  u32[at + 35] = args.logSumExpHead;
  u32[at + 36] = args.weightsFirst;
  u32[at + 37] = args.weightsHead;
  u32[at + 38] = args.maskBatch;
  u32[at + 39] = args.maskHead;
  u32[at + 40] = args.maskQuery;
  u32[at + 41] = args.maskKey;
  u32[at + 42] = args.biasBatch;
  u32[at + 43] = args.biasHead;
  u32[at + 44] = args.biasQuery;
  u32[at + 45] = args.biasKey;
  u32[at + 47] = args.ring;
  u32[at + 48] = args.half;
}

/** What a launch knows last: where everything is, whether ∞ or NaN is in a float16 cache, and the best tile. */
export function writeAttentionAddresses(
  { u32 }: Words,
  address: number,
  operands: AttentionOperands,
  sequences: number,
  parts: number,
  combines: number,
  half: number,
  tile: number,
): void {
  const at = address >>> 2;
  u32[at] = operands.q;
  u32[at + 1] = operands.k;
  u32[at + 2] = operands.v;
  u32[at + 3] = operands.out;
  u32[at + 4] = operands.logSumExp;
  u32[at + 5] = operands.weights;
  u32[at + 6] = operands.mask;
  u32[at + 7] = operands.bias;
  u32[at + 8] = operands.alibi;
  u32[at + 9] = operands.sinks;
  u32[at + 10] = sequences;
  u32[at + 46] = tile;
  u32[at + 48] = half;
  u32[at + 49] = parts;
  u32[at + 50] = combines;
}

/** Where the items of the next driver are. */
export function writeAttentionItems({ u32 }: Words, address: number, items: number): void {
  u32[(address >>> 2) + 11] = items;
}

/** One Sequence, whose queries see `before` keys before and `after` keys behind where they stand. `address` is a multiple of 8. */
export function writeSequence(
  { u32, f64 }: Words,
  address: number,
  each: Readonly<Record<'offset' | 'firstQuery' | 'firstKey' | 'keys', number>>,
  before: number,
  after: number,
): void {
  f64[address >>> 3] = each.offset;
  const at = address >>> 2;
  u32[at + 2] = int32(each.offset - before);
  u32[at + 3] = int32(each.offset + after + 1);
  u32[at + 4] = each.firstQuery;
  u32[at + 5] = each.firstKey;
  u32[at + 6] = each.keys;
  u32[at + 7] = 0;
}

/** The nearest int32: beyond it lies no key that any query could see. */
function int32(x: number): number {
  return Math.max(-(2 ** 31), Math.min(x, 2 ** 31 - 1));
}

export function writeGemmArgs({ u32 }: Words, address: number, args: GemmArgs): void {
  const at = address >>> 2;
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
  u32[at + 19] = args.k0;
  u32[at + 20] = args.k1;
  u32[at + 21] = args.panel;
}

/** Where b is, alone. Modulo 2³², as addresses are in the kernels. */
export function writeGemmB({ u32 }: Words, address: number, b: number): void {
  u32[(address >>> 2) + 1] = b;
}

export function writeAppendArgs({ u32 }: Words, address: number, args: AppendArgs): void {
  const at = address >>> 2;
  u32[at] = args.from;
  u32[at + 1] = args.to;
  u32[at + 2] = args.items;
  u32[at + 3] = args.heads;
  u32[at + 4] = args.dim;
  u32[at + 5] = args.fromBatch;
  u32[at + 6] = args.fromHead;
  u32[at + 7] = args.fromToken;
  u32[at + 8] = args.toBatch;
  u32[at + 9] = args.toHead;
  u32[at + 10] = args.toToken;
  u32[at + 11] = args.ring;
  u32[at + 12] = args.mode;
  u32[at + 13] = args.found;
}

export function writeRopeArgs({ u32 }: Words, address: number, args: RopeArgs): void {
  const at = address >>> 2;
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
  const at = address >>> 2;
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
