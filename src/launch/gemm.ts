/**
 * Launches matmuls, and the packing of their B.
 *
 *   room: | items | scratch |
 */
import { PANEL } from '../../common/abi.ts';
import { GEMM_ITEM, writeGemmArgs, type GemmArgs } from '../descriptor.ts';
import { gemmItems, packItems, type Items } from '../items.ts';
import { align } from '../memory/allocator.ts';
import type { Runtime } from '../runtime.ts';
import { TILES } from '../tile.ts';
import type { Launch } from './launch.ts';

/** What a matmul launch has to know. */
export interface GemmShape {
  readonly batch: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** One B for the whole batch. */
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

/** Bytes of a packed B: whole panels. */
export function packedBytes(N: number, K: number): number {
  return Math.ceil(N / PANEL) * PANEL * K * 4;
}

/** Whether B pays for packing: a single row reads it once, in place. */
export function needsPacking({ batch, M, sharedB }: GemmShape): boolean {
  return M > 1 || (sharedB && batch > 1);
}

/** B of a matmul into panels. */
export function launchPack(runtime: Runtime, op: string, shape: GemmShape): Launch<GemmAddresses> {
  const items = packItems(shape.sharedB ? 1 : shape.batch, shape.N);
  return launchGemmDriver(runtime, op, shape, items, 'pack');
}

/** C = op(A)·op(B) + bias. */
export function launchGemm(runtime: Runtime, op: string, given: GemmShape): Launch<GemmAddresses> {
  const { N, K, transposeB, sharedB } = given;
  // A single row lies the same way transposed or not; a batch that shares B is one tall matrix.
  const transposeA = given.transposeA && given.M > 1;
  const tall = sharedB && !transposeA;
  const batch = tall ? 1 : given.batch;
  const M = tall ? given.batch * given.M : given.M;
  const shape = { batch, M, N, K, transposeA, transposeB, sharedB };
  return launchGemmDriver(runtime, op, shape, gemmItems(batch, M, N), 'gemm');
}

function launchGemmDriver(
  runtime: Runtime,
  op: string,
  { M, N, K, transposeA, transposeB, sharedB }: GemmShape,
  items: Items,
  driver: 'gemm' | 'pack',
): Launch<GemmAddresses> {
  const scratch = align(4 * GEMM_ITEM.length * items.count);
  const args: GemmArgs = {
    a: 0,
    b: 0,
    packed: 0,
    c: 0,
    bias: 0,
    items: 0,
    M,
    N,
    K,
    transposeA: Number(transposeA),
    transposeB: Number(transposeB),
    lda: 4 * (transposeA ? M : K),
    ldb: 4 * (transposeB ? K : N),
    ldc: 4 * N,
    aBatch: 4 * M * K,
    bBatch: sharedB ? 0 : 4 * K * N,
    packedBatch: sharedB ? 0 : packedBytes(N, K),
    cBatch: 4 * M * N,
    tile: TILES[runtime.tile],
  };
  writeGemmArgs(runtime.words, runtime.descriptor, args);
  const scratchBytes = runtime.kernels.gemmScratch(runtime.descriptor);
  return {
    bytes: items.count > 0 ? scratch + align(scratchBytes) : 0,
    run({ a, b, packed, c, bias }, room) {
      if (items.count === 0) return;
      args.a = a;
      args.b = b;
      args.packed = packed;
      args.c = c;
      args.bias = bias;
      args.items = room;
      const { words, descriptor, kernels } = runtime;
      writeGemmArgs(words, descriptor, args);
      items.write(words.u32, room / 4);
      runtime.run(op, kernels[driver], descriptor, items.count, room + scratch);
    },
  };
}
