/**
 * The descriptors: one call, one struct in linear memory, written by the host and read by drivers (never by kernels).
 * Field order is the ABI. Its twin is `src/descriptor.ts`; `test/abi.test.ts` holds the two together.
 * Strides and leading dimensions are in bytes.
 */

/** Attention. Row r of a key head is the pair (query r / group, head of the group r % group). */
@unmanaged
export class AttentionArgs {
  /** Addresses. `weights` and `logSumExp` may be 0: not wanted. */
  q: usize;
  k: usize;
  v: usize;
  out: usize;
  logSumExp: usize;
  weights: usize;
  /** Side inputs, 0 where there are none: bytes; floats; floats [heads]; floats [heads]. */
  mask: usize;
  bias: usize;
  alibi: usize;
  sinks: usize;
  /** Sequence [batch]. */
  sequences: usize;
  /** AttentionItem [ ]. */
  items: usize;

  /** Query heads per key head. */
  group: i32;
  /** Of the longest sequence. */
  seqQ: i32;
  seqK: i32;
  headDim: i32;
  valueDim: i32;
  /** Factor of the packed queries: scale · log₂e (scores are kept in base 2), or what is left of it. */
  scale: f32;
  /** Factor of the scores: 1, or a power of two where scale is so large or small that queries would not bear it. */
  scoreScale: f32;
  /** Softcap as f32ScoreCap takes it: ln 2 / softcap, 2 / softcap, log₂e · softcap; cap 0 is none. */
  capHalf: f32;
  capTwice: f32;
  cap: f32;

  /** Steps from one token to the next, all heads counted (where a sequence begins); from one head, one token to the next. */
  qFirst: usize;
  qHead: usize;
  qToken: usize;
  kFirst: usize;
  kHead: usize;
  kToken: usize;
  vFirst: usize;
  vHead: usize;
  vToken: usize;
  outFirst: usize;
  outHead: usize;
  outToken: usize;
  logSumExpFirst: usize;
  logSumExpHead: usize;
  weightsFirst: usize;
  weightsHead: usize;
  /** Steps in the mask and the bias, 0 where all share one. */
  maskBatch: usize;
  maskHead: usize;
  maskQuery: usize;
  maskKey: usize;
  biasBatch: usize;
  biasHead: usize;
  biasQuery: usize;
  biasKey: usize;
  /** Rows of the widest register tile: 6 or 4. */
  tile: i32;
  /** Slots of a ring of keys, a multiple of BK: key j lies in slot j % ring. 0: key j lies at j. */
  ring: i32;
  /** How K and V lie: FULL, HALF or HALF_SPECIAL. */
  half: i32;
  /** What parts of a decoding call leave for `combine`: | m [8] | l [8] | O [8][⌈valueDim⌉] |, one for eight rows. */
  parts: usize;
  /** CombineItem [ ]. */
  combines: usize;
}

/** One sequence of the batch. Query i stands at key i + offset and sees the keys j < keys with i + start <= j < i + stop. */
@unmanaged
export class Sequence {
  offset: f64;
  /** The ends of i32 where it is open, or so far that no query of a sequence comes there. */
  start: i32;
  stop: i32;
  /** Tokens before this sequence's first, in q and in k. */
  firstQuery: i32;
  firstKey: i32;
  keys: i32;
  /** Keeps f64 aligned. */
  unused: i32;
}

/**
 * One piece of work: rows q0 … q0 + rows of a key head, against keys k0 … k1. k0 lies on the grid of BK. Where decoding
 * splits the keys, an item leaves its sums from slot `part` on; −1: it has all keys and writes the result.
 */
@unmanaged
export class AttentionItem {
  batch: i32;
  /** Key head. */
  head: i32;
  q0: i32;
  rows: i32;
  k0: i32;
  k1: i32;
  part: i32;
}

/** Rows q0 … q0 + rows of a key head whose keys were split: `parts` of them, from slot `part` on. */
@unmanaged
export class CombineItem {
  batch: i32;
  head: i32;
  q0: i32;
  rows: i32;
  part: i32;
  parts: i32;
}

/** C[M × N] = op(A)[M × K] · op(B)[K × N] + bias, for every matrix of a batch. */
@unmanaged
export class GemmArgs {
  a: usize;
  b: usize;
  /** B in panels of 8 columns: [⌈N/8⌉][K][8], or of steps k0 … k1 only; 0 where B is read in place (M = 1). */
  packed: usize;
  c: usize;
  /** [N], or 0. */
  bias: usize;
  /** GemmItem [ ]. */
  items: usize;

  M: i32;
  N: i32;
  K: i32;
  /** 1: A lies as [K × M]; B lies as [N × K]. */
  transposeA: i32;
  transposeB: i32;

  lda: usize;
  ldb: usize;
  ldc: usize;
  aBatch: usize;
  /** 0 where one B serves all. */
  bBatch: usize;
  packedBatch: usize;
  cBatch: usize;
  tile: i32;
  /** Steps of this run, from a multiple of KC on. The first begins C, the others add to it. */
  k0: i32;
  k1: i32;
  /** From one panel to the next. */
  panel: usize;
}

/** One block of C for `gemm`; for `pack` steps m0 … m0 + rows of columns n0 … n0 + cols of B (n0 a multiple of 8 in both). */
@unmanaged
export class GemmItem {
  batch: i32;
  m0: i32;
  rows: i32;
  n0: i32;
  cols: i32;
}

/** New tokens of a cache's keys, or of its values. */
@unmanaged
export class AppendArgs {
  from: usize;
  to: usize;
  /** AppendItem [ ]. */
  items: usize;
  heads: i32;
  dim: i32;
  fromBatch: usize;
  fromHead: usize;
  fromToken: usize;
  toBatch: usize;
  toHead: usize;
  toToken: usize;
  /** Slots of a ring, or 0. */
  ring: i32;
  /** COPY, NARROW or CHECK. */
  mode: i32;
  /** Written by CHECK, as of f16Check. */
  found: i32;
}

/** `count` new tokens of one row of the batch, at positions from `start` on. */
@unmanaged
export class AppendItem {
  batch: i32;
  start: i32;
  count: i32;
}

/** Rotary position embeddings: x turned into out, [batch, seq, heads, headDim] at any strides. out may be x itself. */
@unmanaged
export class RopeArgs {
  x: usize;
  out: usize;
  /** i32: the position of each token, or (positionToken 0) of the first token of each batch. */
  positions: usize;
  /** f64 [pairs rounded up to 4]: angle i is position · frequencies[i]. */
  frequencies: usize;
  /** RopeItem [ ]. */
  items: usize;

  heads: i32;
  headDim: i32;
  /** rotaryDim / 2 */
  pairs: i32;
  /** Most tokens of one item. */
  tokens: i32;
  /** 1: pair i is (2i, 2i + 1); 0: (i, i + pairs). */
  interleaved: i32;

  /** Steps from one batch, token or head to the next. */
  positionBatch: usize;
  positionToken: usize;
  xBatch: usize;
  xToken: usize;
  xHead: usize;
  outBatch: usize;
  outToken: usize;
  outHead: usize;
}

/** Tokens token0 … token0 + tokens of a batch, all their heads. */
@unmanaged
export class RopeItem {
  batch: i32;
  token0: i32;
  tokens: i32;
}

/** Attention over disjoint sets of keys, combined: out and logSumExp of all from those of each. */
@unmanaged
export class MergeArgs {
  /** Address of out, address of logSumExp, part by part. All parts and the result lie alike. */
  parts: usize;
  out: usize;
  logSumExp: usize;
  /** MergeItem [ ]. */
  items: usize;

  /** Parts. */
  count: i32;
  heads: i32;
  seqQ: i32;
  valueDim: i32;
  /** Steps of out from one batch, head or token to the next. */
  outBatch: usize;
  outHead: usize;
  outToken: usize;
}

/** Queries q0 … q0 + rows of a batch, all their heads. */
@unmanaged
export class MergeItem {
  batch: i32;
  q0: i32;
  rows: i32;
}
