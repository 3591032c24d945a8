/**
 * Launches matmuls, and the packing of their B.
 *
 *   room: | items | scratch, for each thread |
 */
import { KC, PANEL } from '../../common/abi.ts';
import { GEMM_ITEM, writeGemmArgs, writeGemmB, type GemmArgs } from '../descriptor.ts';
import { gemmItems, packItems, slabRows, type Items } from '../items.ts';
import { align } from '../memory/allocator.ts';
import type { MatmulProblem } from '../options/matmul.ts';
import type { Recent } from '../recent.ts';
import type { Runtime } from '../runtime.ts';
import { TILES } from '../tile.ts';
import type { Driver } from '../wasm/exports.ts';
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
function packedBytes(N: number, K: number): number {
  return Math.ceil(N / PANEL) * PANEL * K * 4;
}

/** Whether B pays for packing: a single row reads it once, in place. */
function needsPacking({ batch, M, sharedB }: GemmShape): boolean {
  return M > 1 || (sharedB && batch > 1);
}

/** An array that is brought piece by piece, each to the same place. */
export interface Pieces {
  readonly address: number;
  /** Brings `bytes`, from byte `start` of the array on. */
  load(start: number, bytes: number): void;
}

/** Steps k0 … k1 of a matmul: what of B is packed at once, and multiplied with. */
interface Steps {
  readonly k0: number;
  readonly k1: number;
}

/** B of a matmul into panels, from where it lies in memory, or from an array piece by piece. */
export interface PackLaunch extends Launch<GemmAddresses> {
  /** Bytes of the largest piece. */
  readonly piece: number;
  /** Bytes of the panels, which `packed` is the address of. */
  readonly panels: number;
  /** `feed` brings the pieces of an array: without it B is where its address says. */
  run(addresses: GemmAddresses, room: number, feed?: Pieces): void;
}

/** A matmul. Where it packs its B on the way it has `panels`; else B is packed already, or is read in place. */
export interface MatmulLaunch extends Launch<GemmAddresses> {
  readonly piece: number;
  readonly panels: number | undefined;
  run(addresses: GemmAddresses, room: number, feed?: Pieces): void;
}

/** C = op(A)·op(B) + bias. `again`: the launch of a call before, where that had this problem. */
export function launchMatmul(
  runtime: Runtime,
  op: string,
  problem: MatmulProblem,
  threads = 1,
  again = false,
): MatmulLaunch {
  if (!again) return new Matmul(runtime, op, problem, threads);
  const { all } = runtime.matmuls as Recent<Matmul>;
  for (let i = 0; i < all.length; i++) if (all[i]!.isOf(op, problem, threads)) return all[i]!;
  const launch = new Matmul(runtime, op, problem, threads);
  runtime.matmuls.keep(launch);
  return launch;
}

/**
 * B is packed as a whole, or, where that is faster, depth block by depth block, each used while it is in the second cache level. For
 * several threads as a whole: each block would be two more steps, at whose ends they wait for each other.
 */
class Matmul implements MatmulLaunch {
  readonly bytes: number;
  readonly piece: number;
  readonly panels: number | undefined;
  readonly #op: string;
  readonly #problem: MatmulProblem;
  readonly #threads: number;
  readonly #depth: number;
  readonly #gemm: Gemm;
  readonly #pack: Packing | undefined;
  /** Where in the room that of the multiplication begins. */
  readonly #gemmAt: number;

  constructor(runtime: Runtime, op: string, problem: MatmulProblem, threads: number) {
    const packs = !problem.packed && needsPacking(problem);
    const depth = packs && threads === 1 ? depthOf(problem) : problem.K;
    const pack = packs ? new Packing(runtime, op, problem, depth, threads) : undefined;
    this.#op = op;
    this.#problem = problem;
    this.#threads = threads;
    this.#depth = depth;
    this.#gemm = new Gemm(runtime, op, problem, depth, threads);
    this.#pack = pack;
    this.#gemmAt = pack === undefined ? 0 : pack.bytes;
    this.bytes = this.#gemmAt + this.#gemm.bytes;
    this.piece = pack === undefined ? 0 : pack.piece;
    this.panels = pack?.panels;
  }

  /** Whether another call needs the same. */
  isOf(op: string, problem: MatmulProblem, threads: number): boolean {
    return problem === this.#problem && op === this.#op && threads === this.#threads;
  }

  run(addresses: GemmAddresses, room: number, feed?: Pieces): void {
    const { K } = this.#problem;
    // With K = 0 too: that gives the bias, or zeros.
    let k0 = 0;
    do {
      const steps = { k0, k1: Math.min(K, k0 + this.#depth) };
      this.#pack?.run(addresses, room, steps, feed);
      this.#gemm.run(addresses, room + this.#gemmAt, steps);
      k0 += this.#depth;
    } while (k0 < K);
  }
}

/** All of B. */
export function launchPack(runtime: Runtime, op: string, shape: GemmShape, threads = 1): PackLaunch {
  const pack = new Packing(runtime, op, shape, shape.K, threads);
  return {
    bytes: pack.bytes,
    piece: pack.piece,
    panels: pack.panels,
    run(addresses, room, feed) {
      pack.run(addresses, room, { k0: 0, k1: shape.K }, feed);
    },
  };
}

/** C = op(A)·op(B) + bias with a B that is packed already, or is read in place. */
export function launchGemm(
  runtime: Runtime,
  op: string,
  shape: GemmShape,
  threads = 1,
): Launch<GemmAddresses> {
  const gemm = new Gemm(runtime, op, shape, shape.K, threads);
  return {
    bytes: gemm.bytes,
    run(addresses, room) {
      gemm.run(addresses, room, { k0: 0, k1: shape.K });
    },
  };
}

/** Rows of C up to which B is packed depth block by depth block. */
const LOW = 1024;

/**
 * Steps of B that are packed at once. A depth block of B is written and read in the second cache level, where all of B may not
 * fit; but C is read and written once more for each, which costs more where it is tall: 128 × 768 × 768 takes 0.95 of the time,
 * 128 × 768 × 3072 0.89, 1024³ 0.97, 2048³ 1.04. Rows of a transposed B are columns: they are packed whole.
 */
function depthOf({ batch, M, K, transposeB }: GemmShape): number {
  return batch * M <= LOW && !transposeB ? Math.min(K, KC) : K;
}

/** Packs steps of B. */
class Packing {
  readonly bytes: number;
  readonly piece: number;
  readonly panels: number;
  readonly #runtime: Runtime;
  readonly #op: string;
  readonly #args: GemmArgs;
  readonly #matrices: number;
  /** Bytes of a row of B as it lies, rows of a piece. */
  readonly #length: number;
  readonly #rows: number;

  readonly #slab: number;

  constructor(runtime: Runtime, op: string, shape: GemmShape, depth: number, threads: number) {
    const { N, K, transposeB } = shape;
    this.#runtime = runtime;
    this.#op = op;
    this.#args = argsOf(shape, depth);
    this.#matrices = shape.sharedB ? 1 : shape.batch;
    this.#length = 4 * (transposeB ? K : N);
    this.#rows = slabRows(this.#length);
    this.panels = this.#matrices * packedBytes(N, depth);
    this.piece = this.#length * Math.min(this.#rows, transposeB ? N : depth);
    const items = this.#items(depth);
    this.#slab = slabOf(runtime, this.#args, items);
    this.bytes = roomFor(items, this.#slab, threads);
  }

  run(addresses: GemmAddresses, room: number, { k0, k1 }: Steps, feed: Pieces | undefined): void {
    const runtime = this.#runtime;
    const args = this.#args;
    const { transposeB, N, K } = args;
    const [all, first, count] = transposeB ? [N, 0, N] : [K, k0, k1 - k0];
    const length = this.#length;
    const rows = this.#rows;
    const items = this.#items(k1 - k0);
    const each = items.count / this.#matrices;
    args.b = addresses.b + length * first;
    args.packed = addresses.packed;
    const before = (item: number): void => {
      const row = (item % each) * rows;
      const start = length * (Math.floor(item / each) * all + row);
      feed!.load(start + length * first, length * Math.min(rows, count - row));
      // Where B would begin, if this piece had all before it.
      writeGemmB(runtime.words, runtime.descriptor, feed!.address - start);
    };
    drive(runtime, this.#op, runtime.kernels.pack, args, items, room, this.#slab, feed && before);
  }

  #items(depth: number): Items {
    const { N, transposeB } = this.#args;
    return packItems(this.#matrices, N, depth, transposeB !== 0, this.#rows);
  }
}

/** Multiplies steps of A and B, and adds them up. */
class Gemm {
  readonly bytes: number;
  readonly #runtime: Runtime;
  readonly #op: string;
  readonly #args: GemmArgs;
  readonly #items: Items;
  readonly #slab: number;

  constructor(runtime: Runtime, op: string, shape: GemmShape, depth: number, threads: number) {
    const { sharedB } = shape;
    // A single row lies the same way transposed or not; a batch that shares B is one tall matrix.
    const transposeA = shape.transposeA && shape.M > 1;
    const tall = sharedB && !transposeA;
    const batch = tall ? 1 : shape.batch;
    const M = tall ? shape.batch * shape.M : shape.M;
    this.#runtime = runtime;
    this.#op = op;
    this.#args = argsOf({ ...shape, M, transposeA }, depth);
    this.#items = gemmItems(batch, M, shape.N, threads);
    this.#slab = slabOf(runtime, this.#args, this.#items);
    this.bytes = roomFor(this.#items, this.#slab, threads);
  }

  run({ a, b, packed, c, bias }: GemmAddresses, room: number, { k0, k1 }: Steps): void {
    const runtime = this.#runtime;
    const args = this.#args;
    args.a = a;
    args.b = b;
    args.packed = packed;
    args.c = c;
    args.bias = bias;
    args.k0 = k0;
    args.k1 = k1;
    drive(runtime, this.#op, runtime.kernels.gemm, args, this.#items, room, this.#slab);
  }
}

/** A descriptor without addresses, of a B whose panels hold `depth` steps. */
function argsOf(shape: Omit<GemmShape, 'batch'>, depth: number): GemmArgs {
  const { M, N, K, transposeA, transposeB, sharedB } = shape;
  return {
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
    packedBatch: sharedB ? 0 : packedBytes(N, depth),
    cBatch: 4 * M * N,
    tile: 0,
    k0: 0,
    k1: K,
    panel: 4 * PANEL * depth,
  };
}

/** Bytes of one thread's scratch. */
function slabOf(runtime: Runtime, args: GemmArgs, items: Items): number {
  if (items.count === 0) return 0;
  writeGemmArgs(runtime.words, runtime.descriptor, args);
  return align(runtime.kernels.gemmScratch(runtime.descriptor));
}

/** Bytes of items and scratch. */
function roomFor(items: Items, slab: number, threads: number): number {
  return items.count === 0 ? 0 : scratchAt(items) + threads * slab;
}

/** Where in the room scratch begins. */
function scratchAt(items: Items): number {
  return align(4 * GEMM_ITEM.length * items.count);
}

function drive(
  runtime: Runtime,
  op: string,
  driver: Driver,
  args: GemmArgs,
  items: Items,
  room: number,
  slab: number,
  before?: (item: number) => void,
): void {
  if (items.count === 0) return;
  const { words, descriptor } = runtime;
  args.items = room;
  args.tile = TILES[runtime.tile];
  writeGemmArgs(words, descriptor, args);
  items.write(words.u32, room >>> 2);
  runtime.run(op, driver, descriptor, items.count, room + scratchAt(items), slab, before);
}
