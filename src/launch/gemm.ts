/**
 * Launches matmuls, and the packing of their B.
 *
 *   room: | items | scratch |
 */
import { PANEL } from '../../common/abi.ts';
import { GEMM_ITEM, writeGemmArgs, type GemmArgs } from '../descriptor.ts';
import { gemmItems, packItems, type Items } from '../items.ts';
import { align } from '../memory/allocator.ts';
import type { MatmulProblem } from '../options/matmul.ts';
import type { Recent } from '../recent.ts';
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
function needsPacking({ batch, M, sharedB }: GemmShape): boolean {
  return M > 1 || (sharedB && batch > 1);
}

/** A matmul. Where it packs its B first, `packed` is the address of `panelBytes` of room: none at all where K is 0. */
export interface MatmulLaunch extends Launch<GemmAddresses> {
  readonly panelBytes: number | undefined;
}

/** C = op(A)·op(B) + bias. `again`: the launch of a call before, where that had this problem. */
export function launchMatmul(
  runtime: Runtime,
  op: string,
  problem: MatmulProblem,
  again = false,
): MatmulLaunch {
  if (!again) return new Matmul(runtime, op, problem);
  const { all } = runtime.matmuls as Recent<Matmul>;
  for (let i = 0; i < all.length; i++) if (all[i]!.isOf(op, problem)) return all[i]!;
  const launch = new Matmul(runtime, op, problem);
  runtime.matmuls.keep(launch);
  return launch;
}

class Matmul implements MatmulLaunch {
  readonly bytes: number;
  readonly panelBytes: number | undefined;
  readonly #op: string;
  readonly #problem: MatmulProblem;
  readonly #gemm: Launch<GemmAddresses>;
  readonly #pack: Launch<GemmAddresses> | undefined;

  constructor(runtime: Runtime, op: string, problem: MatmulProblem) {
    const { batch, N, K, sharedB } = problem;
    this.#op = op;
    this.#problem = problem;
    this.#gemm = launchGemm(runtime, op, problem);
    this.#pack = !problem.packed && needsPacking(problem) ? launchPack(runtime, op, problem) : undefined;
    this.panelBytes = this.#pack === undefined ? undefined : (sharedB ? 1 : batch) * packedBytes(N, K);
    this.bytes = Math.max(this.#gemm.bytes, this.#pack === undefined ? 0 : this.#pack.bytes);
  }

  /** Whether another call needs the same. */
  isOf(op: string, problem: MatmulProblem): boolean {
    return problem === this.#problem && op === this.#op;
  }

  run(addresses: GemmAddresses, room: number): void {
    this.#pack?.run(addresses, room);
    this.#gemm.run(addresses, room);
  }
}

/** B of a matmul into panels. */
export function launchPack(runtime: Runtime, op: string, shape: GemmShape): Launch<GemmAddresses> {
  const items = packItems(shape.sharedB ? 1 : shape.batch, shape.N);
  return launchGemmDriver(runtime, op, shape, items, 'pack');
}

/** C = op(A)·op(B) + bias, with B in place or packed. */
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
    tile: 0,
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
      args.tile = TILES[runtime.tile];
      const { words, descriptor, kernels } = runtime;
      writeGemmArgs(words, descriptor, args);
      items.write(words.u32, room >>> 2);
      runtime.run(op, kernels[driver], descriptor, items.count, room + scratch);
    },
  };
}
