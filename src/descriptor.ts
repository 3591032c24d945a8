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

export type AttentionArgs = Readonly<Record<(typeof ATTENTION_ARGS)[number], number>>;
export type GemmArgs = Readonly<Record<(typeof GEMM_ARGS)[number], number>>;
export type AttentionItem = Readonly<Record<(typeof ATTENTION_ITEM)[number], number>>;
export type GemmItem = Readonly<Record<(typeof GEMM_ITEM)[number], number>>;

/** Bytes of the larger descriptor. */
export const DESCRIPTOR_BYTES: number = 4 * Math.max(ATTENTION_ARGS.length, GEMM_ARGS.length);

/** Linear memory as both kinds of word. */
export interface Words {
  readonly u32: Uint32Array;
  readonly f32: Float32Array;
}

export function writeAttentionArgs(memory: Words, address: number, args: AttentionArgs): void {
  writeWords(memory.u32, address, ATTENTION_ARGS, args);
  memory.f32[address / 4 + ATTENTION_ARGS.indexOf('scale')] = args.scale;
}

export function writeGemmArgs(memory: Words, address: number, args: GemmArgs): void {
  writeWords(memory.u32, address, GEMM_ARGS, args);
}

/** Writes a table of items, one behind the other. */
export function writeItems<Field extends string>(
  memory: Words,
  address: number,
  fields: readonly Field[],
  items: readonly Readonly<Record<Field, number>>[],
): void {
  for (const [i, item] of items.entries())
    writeWords(memory.u32, address + 4 * fields.length * i, fields, item);
}

function writeWords<Field extends string>(
  u32: Uint32Array,
  address: number,
  fields: readonly Field[],
  values: Readonly<Record<Field, number>>,
): void {
  // Addresses lie above 2³¹ in large memories: divide, never shift.
  let at = address / 4;
  for (const field of fields) u32[at++] = values[field];
}
