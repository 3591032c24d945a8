/**
 * From a complete problem and addresses to kernels that have run: writes the descriptor and its items, asks wasm for
 * scratch, runs. Each launch says first how much room it needs, so that a call stages everything at once.
 */
import { PANEL } from '../common/abi.ts';
import { ATTENTION_ITEM, GEMM_ITEM, writeAttentionArgs, writeGemmArgs, writeItems } from './descriptor.ts';
import type { AttentionItem, GemmItem } from './descriptor.ts';
import { attentionItems, gemmItems, packItems } from './items.ts';
import { align } from './memory/allocator.ts';
import type { AttentionProblem, Layout } from './options.ts';
import { TILES, type Runtime } from './runtime.ts';

/** A call whose items are cut: `bytes` of room for its side tables and scratch. */
export interface Launch<Addresses> {
  readonly bytes: number;
  run(addresses: Addresses, room: number): void;
}

export interface AttentionAddresses {
  readonly q: number;
  readonly k: number;
  readonly v: number;
  /** 0 where only the weights are wanted, as the two below where they are not. */
  readonly out: number;
  readonly logSumExp: number;
  readonly weights: number;
}

/** What a matmul launch has to know. */
export interface GemmShape {
  readonly batch: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly sharedB: boolean;
}

export interface GemmAddresses {
  readonly a: number;
  readonly b: number;
  /** 0: B in place. */
  readonly packed: number;
  readonly c: number;
  readonly bias: number;
}

/** Attention, and its weights where their address is given. */
export function launchAttention(
  runtime: Runtime,
  op: string,
  problem: AttentionProblem,
): Launch<AttentionAddresses> {
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout, queryOffset } = problem;
  const items = attentionItems(problem);
  const itemBytes = align(4 * ATTENTION_ITEM.length * items.length);
  const offsetBytes = align(4 * batch);
  const args = {
    ...{ group: heads / kvHeads, seqQ, seqK, headDim, valueDim, heads },
    // Scores in base 2, so that the exponential is 2^x.
    scale: problem.scale * Math.LOG2E,
    ...strides('q', layout, heads, seqQ, headDim),
    ...strides('k', layout, kvHeads, seqK, headDim),
    ...strides('v', layout, kvHeads, seqK, valueDim),
    ...strides('out', layout, heads, seqQ, valueDim),
    tile: TILES[runtime.tile],
  };
  const write = (addresses: AttentionAddresses, room: number): void => {
    writeAttentionArgs(runtime.words, runtime.descriptor, {
      ...args,
      ...addresses,
      items: room,
      queryOffset: room + itemBytes,
    });
  };
  write({ q: 0, k: 0, v: 0, out: 0, logSumExp: 0, weights: 0 }, 0);
  const scratchBytes = runtime.kernels.attentionScratch(runtime.descriptor);
  return {
    bytes: itemBytes + offsetBytes + align(scratchBytes),
    run(addresses, room) {
      write(addresses, room);
      writeItems<keyof AttentionItem>(runtime.words, room, ATTENTION_ITEM, items);
      runtime.words.u32.set(queryOffset, (room + itemBytes) / 4);
      const scratch = room + itemBytes + offsetBytes;
      if (addresses.out) runtime.run(op, runtime.kernels.attention, items.length, scratch);
      if (addresses.weights) runtime.run(op, runtime.kernels.weights, items.length, scratch);
    },
  };
}

/** Bytes of a packed B: whole panels. */
export function packedBytes(N: number, K: number): number {
  return Math.ceil(N / PANEL) * PANEL * K * 4;
}

/** B of a matmul into panels. */
export function launchPack(runtime: Runtime, op: string, shape: GemmShape): Launch<GemmAddresses> {
  const items = packItems(shape.sharedB ? 1 : shape.batch, shape.N);
  return launchGemmDriver(runtime, op, shape, items, 'pack');
}

/** Whether B pays for packing: a single row reads it once, in place. */
export function needsPacking({ batch, M, sharedB }: GemmShape): boolean {
  return M > 1 || (sharedB && batch > 1);
}

/** C = op(A)·op(B) + bias. */
export function launchGemm(runtime: Runtime, op: string, given: GemmShape): Launch<GemmAddresses> {
  // A batch that shares B is one tall matrix; a single row lies the same way transposed or not.
  const transposeA = given.transposeA && given.M > 1;
  const tall = given.sharedB && !transposeA;
  const shape = {
    ...given,
    transposeA,
    batch: tall ? 1 : given.batch,
    M: tall ? given.batch * given.M : given.M,
  };
  return launchGemmDriver(runtime, op, shape, gemmItems(shape.batch, shape.M, shape.N), 'gemm');
}

function launchGemmDriver(
  runtime: Runtime,
  op: string,
  shape: GemmShape,
  items: readonly GemmItem[],
  driver: 'gemm' | 'pack',
): Launch<GemmAddresses> {
  const { M, N, K, transposeA, transposeB, sharedB } = shape;
  const itemBytes = align(4 * GEMM_ITEM.length * items.length);
  const args = {
    ...{ M, N, K, transposeA: Number(transposeA), transposeB: Number(transposeB) },
    ...{ lda: 4 * (transposeA ? M : K), ldb: 4 * (transposeB ? K : N), ldc: 4 * N },
    ...{ aBatch: 4 * M * K, bBatch: sharedB ? 0 : 4 * K * N, cBatch: 4 * M * N },
    packedBatch: sharedB ? 0 : packedBytes(N, K),
    tile: TILES[runtime.tile],
  };
  const write = (addresses: GemmAddresses, room: number): void => {
    writeGemmArgs(runtime.words, runtime.descriptor, { ...args, ...addresses, items: room });
  };
  write({ a: 0, b: 0, packed: 0, c: 0, bias: 0 }, 0);
  const scratchBytes = runtime.kernels.gemmScratch(runtime.descriptor);
  return {
    bytes: itemBytes + align(scratchBytes),
    run(addresses, room) {
      write(addresses, room);
      writeItems<keyof GemmItem>(runtime.words, room, GEMM_ITEM, items);
      runtime.run(op, runtime.kernels[driver], items.length, room + itemBytes);
    },
  };
}

/** Bytes from one batch, head or token to the next. */
function strides<Name extends string>(
  name: Name,
  layout: Layout,
  heads: number,
  seq: number,
  dim: number,
): Record<`${Name}${'Batch' | 'Head' | 'Token'}`, number> {
  const [head, token] = layout === 'bshd' ? [dim, heads * dim] : [seq * dim, dim];
  return {
    [`${name}Batch`]: 4 * heads * seq * dim,
    [`${name}Head`]: 4 * head,
    [`${name}Token`]: 4 * token,
  } as Record<`${Name}${'Batch' | 'Head' | 'Token'}`, number>;
}
