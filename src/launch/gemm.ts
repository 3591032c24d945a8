/**
 * Launches matmuls, and the packing of their B.
 *
 *   room: | items | scratch |
 */
import { PANEL } from '../../common/abi.ts';
import type { Feed } from '../call.ts';
import { GEMM_ITEM, writeGemmArgs, writeGemmB, type GemmArgs } from '../descriptor.ts';
import { gemmItems, packItems, slabRows, type Items } from '../items.ts';
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

/** A launch that packs B: as it lies in memory, or from an array piece by piece. */
export interface PackLaunch extends Launch<GemmAddresses> {
  /** Bytes of the largest piece. */
  readonly piece: number;
  /** `feed` brings the pieces of an array: without it B is where its address says. */
  run(addresses: GemmAddresses, room: number, feed?: Feed): void;
}

/** B of a matmul into panels. */
export function launchPack(runtime: Runtime, op: string, shape: GemmShape): PackLaunch {
  const { N, K, transposeB } = shape;
  const matrices = shape.sharedB ? 1 : shape.batch;
  const [length, all] = transposeB ? [4 * K, N] : [4 * N, K];
  const rows = slabRows(length);
  const items = packItems(matrices, N, K, transposeB, rows);
  const launch = launchGemmDriver(runtime, op, shape, items, 'pack');
  const each = items.count / matrices;
  return {
    bytes: launch.bytes,
    piece: length * Math.min(rows, all),
    run(addresses, room, feed) {
      launch.run(
        addresses,
        room,
        feed &&
          ((item) => {
            const row = (item % each) * rows;
            const start = length * (Math.floor(item / each) * all + row);
            feed.load(start, length * Math.min(rows, all - row));
            // Where B would begin, if this piece had all before it.
            writeGemmB(runtime.words, runtime.descriptor, feed.address - start);
          }),
      );
    },
  };
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

interface GemmLaunch extends Launch<GemmAddresses> {
  /** `before` is told of each item before it is run. */
  run(addresses: GemmAddresses, room: number, before?: (item: number) => void): void;
}

function launchGemmDriver(
  runtime: Runtime,
  op: string,
  { M, N, K, transposeA, transposeB, sharedB }: GemmShape,
  items: Items,
  driver: 'gemm' | 'pack',
): GemmLaunch {
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
    run({ a, b, packed, c, bias }, room, before) {
      if (items.count === 0) return;
      args.a = a;
      args.b = b;
      args.packed = packed;
      args.c = c;
      args.bias = bias;
      args.items = room;
      const { words, descriptor, kernels } = runtime;
      writeGemmArgs(words, descriptor, args);
      items.write(words.u32, room >>> 2);
      runtime.run(op, kernels[driver], descriptor, items.count, room + scratch, before);
    },
  };
}
