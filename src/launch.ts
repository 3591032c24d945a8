/**
 * From a complete problem and addresses to kernels that have run: writes the descriptor and its items, asks wasm for
 * scratch, runs. A launch says first how much room it needs, so that a call takes all its memory at once.
 *
 *   room: | items | queryOffset (attention) | scratch |
 */
import { PANEL } from '../common/abi.ts';
import { ATTENTION_ITEM, GEMM_ITEM, writeAttentionArgs, writeGemmArgs } from './descriptor.ts';
import type { AttentionArgs, GemmArgs } from './descriptor.ts';
import { attentionItems, gemmItems, packItems, type Items } from './items.ts';
import { align } from './memory/allocator.ts';
import type { AttentionProblem } from './options.ts';
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
  readonly out: number;
  /** 0 where they are not wanted. */
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

/** Attention, and its weights where their address is given. */
export function launchAttention(
  runtime: Runtime,
  op: string,
  problem: AttentionProblem,
): Launch<AttentionAddresses> {
  const { heads, kvHeads, seqQ, seqK, headDim, valueDim, queryOffset } = problem;
  const items = attentionItems(problem);
  const offsets = align(4 * ATTENTION_ITEM.length * items.count);
  const scratch = offsets + align(4 * queryOffset.length);
  // Bytes from one head and from one token to the next.
  const bshd = problem.layout === 'bshd';
  const head = (seq: number, dim: number): number => 4 * (bshd ? dim : seq * dim);
  const token = (hs: number, dim: number): number => 4 * (bshd ? hs * dim : dim);
  const { query, score } = splitScale(problem.scale);
  const args: AttentionArgs = {
    q: 0,
    k: 0,
    v: 0,
    out: 0,
    logSumExp: 0,
    weights: 0,
    queryOffset: 0,
    items: 0,
    group: heads / kvHeads,
    seqQ,
    seqK,
    headDim,
    valueDim,
    scale: query,
    scoreScale: score,
    qBatch: 4 * heads * seqQ * headDim,
    qHead: head(seqQ, headDim),
    qToken: token(heads, headDim),
    kBatch: 4 * kvHeads * seqK * headDim,
    kHead: head(seqK, headDim),
    kToken: token(kvHeads, headDim),
    vBatch: 4 * kvHeads * seqK * valueDim,
    vHead: head(seqK, valueDim),
    vToken: token(kvHeads, valueDim),
    outBatch: 4 * heads * seqQ * valueDim,
    outHead: head(seqQ, valueDim),
    outToken: token(heads, valueDim),
    heads,
    tile: TILES[runtime.tile],
  };
  writeAttentionArgs(runtime.words, runtime.descriptor, args);
  const scratchBytes = runtime.kernels.attentionScratch(runtime.descriptor);
  return {
    bytes: items.count > 0 ? scratch + align(scratchBytes) : 0,
    run({ q, k, v, out, logSumExp, weights }, room) {
      if (items.count === 0) return;
      args.q = q;
      args.k = k;
      args.v = v;
      args.out = out;
      args.logSumExp = logSumExp;
      args.weights = weights;
      args.queryOffset = room + offsets;
      args.items = room;
      const { words, descriptor, kernels } = runtime;
      writeAttentionArgs(words, descriptor, args);
      items.write(words.u32, room / 4);
      words.u32.set(queryOffset, (room + offsets) / 4);
      runtime.run(op, kernels.attention, items.count, room + scratch);
      if (weights) runtime.run(op, kernels.weights, items.count, room + scratch);
    },
  };
}

/**
 * scale · log₂e (in base 2 the exponential is 2^x) as the factor of the packed queries, and what of it goes to the scores
 * instead: a power of two that is 1 unless the queries' factor would leave 2⁻⁶⁴ … 2⁶⁴. Beyond 2¹⁹⁰ the factor stays what
 * it is there: a score that is not 0 is then infinite in any case.
 */
function splitScale(scale: number): { query: number; score: number } {
  const exponent = scale === 0 ? 0 : Math.floor(Math.log2(Math.abs(scale)));
  const excess = exponent - Math.max(-64, Math.min(64, exponent));
  const score = 2 ** Math.max(-126, Math.min(126, excess));
  const query = Math.min((Math.abs(scale) / score) * Math.LOG2E, 2 ** 66);
  return { query: Math.sign(scale) * query, score };
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
      runtime.run(op, kernels[driver], items.count, room + scratch);
    },
  };
}
