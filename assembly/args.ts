/**
 * The descriptors: one call, one struct in linear memory, written by the host and read by drivers (never by kernels).
 * Field order is the ABI. Its twin is `src/descriptor.ts`; `test/abi.test.ts` holds the two together. docs/embedding.md has this
 * page as tables (`npm run docs:abi`).
 *
 * Strides and leading dimensions are in bytes; a number lies at a multiple of its size.
 */

/**
 * Attention: of `attention` and `decode`, whose parts `combine` adds up, and of `weights`. Row r of a key head is the pair (query
 * r / group, head of the group r % group).
 */
@unmanaged
export class AttentionArgs {
  /** Queries, float32. */
  q: usize;
  /** Keys, float32 or float16: see half. */
  k: usize;
  /** Values, as the keys. */
  v: usize;
  /** The result, float32. May be q where it is strided as q is: `attention` packs the queries of an item before it writes (`decode` does not). */
  out: usize;
  /** Float32, m + ln l of each row; 0: not wanted. */
  logSumExp: usize;
  /** Float32, for `weights`, which writes nothing else; 0 for the others. */
  weights: usize;
  /** Bytes, other than 0 where a query may see a key; 0: none. */
  mask: usize;
  /** Float32, added to the scaled and capped score; 0: none. */
  bias: usize;
  /** Float32 slopes, one for each query head; 0: none. */
  alibi: usize;
  /** Float32 logits, one for each query head; 0: none. `decode` leaves them to `combine`. */
  sinks: usize;
  /** Sequence [batch]. */
  sequences: usize;
  /** AttentionItem [ ]. */
  items: usize;

  /** Query heads per key head. */
  group: i32;
  /** Queries of the longest sequence. */
  seqQ: i32;
  /** Keys of the longest sequence. */
  seqK: i32;
  /** Elements of a query and a key. */
  headDim: i32;
  /** Elements of a value. */
  valueDim: i32;
  /** Factor of the packed queries: scale · log₂e (scores are kept in base 2), or what is left of it. */
  scale: f32;
  /** Factor of the scores: 1, or a power of two where scale is so large or small that queries would not bear it. */
  scoreScale: f32;
  /** ln 2 / softcap. */
  capHalf: f32;
  /** 2 / softcap. */
  capTwice: f32;
  /** log₂e · softcap; 0: none. */
  cap: f32;

  /** From one token to the next of q, all heads counted: a sequence begins at firstQuery · qFirst. */
  qFirst: usize;
  /** From one query head to the next. */
  qHead: usize;
  /** From one query to the next of a head. */
  qToken: usize;
  /** As qFirst, of k: a sequence begins at firstKey · kFirst. */
  kFirst: usize;
  /** From one key head to the next. */
  kHead: usize;
  /** From one key to the next of a head. */
  kToken: usize;
  /** As kFirst, of v. */
  vFirst: usize;
  /** As kHead. */
  vHead: usize;
  /** As kToken. */
  vToken: usize;
  /** As qFirst, of out. */
  outFirst: usize;
  /** As qHead. */
  outHead: usize;
  /** As qToken. */
  outToken: usize;
  /** As qFirst, of logSumExp; its queries are 4 bytes apart. */
  logSumExpFirst: usize;
  /** As qHead. */
  logSumExpHead: usize;
  /** As qFirst, of weights; a row of it has seqK floats, and the next query's follows. */
  weightsFirst: usize;
  /** As qHead. */
  weightsHead: usize;
  /** Of the mask, from one sequence to the next; 0 where all share one, as in the next three. */
  maskBatch: usize;
  /** From one query head to the next. */
  maskHead: usize;
  /** From one query to the next. */
  maskQuery: usize;
  /** From one key to the next: 1, or 0. */
  maskKey: usize;
  /** As maskBatch, of the bias. */
  biasBatch: usize;
  /** As maskHead. */
  biasHead: usize;
  /** As maskQuery. */
  biasQuery: usize;
  /** 4, or 0. */
  biasKey: usize;
  /** The widest register tile: one of the TILE constants. */
  tile: i32;
  /** Slots of a ring of keys, a multiple of BK: key j lies in slot j % ring. 0: key j lies at j. */
  ring: i32;
  /** How K and V lie: FULL, HALF or HALF_SPECIAL. */
  half: i32;
  /** What parts of a decoding call leave for `combine`: | m [8] | l [8] | O [8][⌈valueDim⌉] |, one for eight rows; `partBytes` each. */
  parts: usize;
  /** CombineItem [ ]. */
  combines: usize;
}

/** One sequence of the batch. Query i stands at key i + offset and sees the keys j < keys with i + start <= j < i + stop. */
@unmanaged
export class Sequence {
  /** Where query 0 stands among the keys: alibi counts from there. */
  offset: f64;
  /** offset − before of the window; the least i32 where it is open, or so far that no query comes there. */
  start: i32;
  /** offset + after + 1 (after is 0 where causal); the greatest i32 where it is open, or as far. */
  stop: i32;
  /** Tokens before this sequence's first in q. */
  firstQuery: i32;
  /** Tokens before this sequence's first in k and v. */
  firstKey: i32;
  /** Its keys: none beyond is read. */
  keys: i32;
  /** Keeps f64 aligned. */
  unused: i32;
}

/**
 * One piece of attention: rows q0 … q0 + rows of a key head, against keys k0 … k1. Where decoding splits the keys, an item leaves its
 * sums for `combine`.
 */
@unmanaged
export class AttentionItem {
  /** Which Sequence. */
  batch: i32;
  /** Key head. */
  head: i32;
  /** First row, a multiple of 8. */
  q0: i32;
  /** At most BQ. */
  rows: i32;
  /** A multiple of BK, not beyond the first key that any of its rows sees. */
  k0: i32;
  /** One past the last key that any of its rows sees. */
  k1: i32;
  /** Its first slot among the parts; −1: it has all keys and writes the result. */
  part: i32;
}

/** Rows q0 … q0 + rows of a key head whose keys were split. The parts are used up: each may be combined once. */
@unmanaged
export class CombineItem {
  /** Which Sequence. */
  batch: i32;
  /** Key head. */
  head: i32;
  /** First row, as of the items that left the parts. */
  q0: i32;
  /** As of those items. */
  rows: i32;
  /** First slot of the first of them; those of the next follow. */
  part: i32;
  /** How many items there were. */
  parts: i32;
}

/** C[M × N] = op(A)[M × K] · op(B)[K × N] + bias, for every matrix of a batch: of `gemm`, and of `pack`, which lays B out for it. */
@unmanaged
export class GemmArgs {
  /** A, float32: [M × K], or [K × M]. Not read by `pack`. */
  a: usize;
  /** B, float32: [K × N], or [N × K]. Read by `pack`, and in place where packed is 0. */
  b: usize;
  /** Step k0 of B's first panel; for `pack` its step 0. All of B packed is [⌈N/8⌉][K][8]: its address + 32 · k0. 0: B in place (M = 1). */
  packed: usize;
  /** C, float32. */
  c: usize;
  /** Float32 [N]; 0: none. */
  bias: usize;
  /** GemmItem [ ]. */
  items: usize;

  /** Rows of C. */
  M: i32;
  /** Columns of C. */
  N: i32;
  /** Columns of op(A). */
  K: i32;
  /** 1: A lies as [K × M]. */
  transposeA: i32;
  /** 1: B lies as [N × K]. */
  transposeB: i32;

  /** From one row of A, as it lies, to the next. */
  lda: usize;
  /** From one row of B, as it lies, to the next. */
  ldb: usize;
  /** From one row of C to the next. */
  ldc: usize;
  /** From one A to the next. */
  aBatch: usize;
  /** From one B to the next; 0 where one serves all. */
  bBatch: usize;
  /** From one packed B to the next; 0 likewise. */
  packedBatch: usize;
  /** From one C to the next. */
  cBatch: usize;
  /** The widest register tile: one of the TILE constants. */
  tile: i32;
  /** First step of this run, a multiple of KC. The run from 0 begins C, the others add to it. M = 1: one run, 0 … K. */
  k0: i32;
  /** One past its last step: K, or a multiple of KC. */
  k1: i32;
  /** From one panel to the next: 32 bytes a step that is packed. */
  panel: usize;
}

/** One block of C for `gemm`; for `pack` steps m0 … m0 + rows of columns n0 … n0 + cols of B. */
@unmanaged
export class GemmItem {
  /** Which matrix. */
  batch: i32;
  /** First row of C, or first step of B. */
  m0: i32;
  /** At most MC rows of C. */
  rows: i32;
  /** First column, a multiple of 8. */
  n0: i32;
  /** Columns: a multiple of 8, but for the last of a row of items. */
  cols: i32;
}

/** New tokens of a cache's keys, or of its values: of `append`. */
@unmanaged
export class AppendArgs {
  /** The new tokens, float32. */
  from: usize;
  /** The cache, float32 or float16. Not written by CHECK. */
  to: usize;
  /** AppendItem [ ]. */
  items: usize;
  /** Key heads. */
  heads: i32;
  /** headDim, or valueDim. */
  dim: i32;
  /** From one sequence to the next of the new tokens. */
  fromBatch: usize;
  /** From one head to the next of them. */
  fromHead: usize;
  /** From one token to the next of them. */
  fromToken: usize;
  /** From one sequence to the next of the cache. */
  toBatch: usize;
  /** From one head to the next of it. */
  toHead: usize;
  /** From one slot to the next of it. */
  toToken: usize;
  /** Slots of a ring, or 0. */
  ring: i32;
  /** COPY, NARROW (to float16) or CHECK (whether float16 can hold them). */
  mode: i32;
  /** Written by CHECK, added to what it was: bit 0, a finite number is too large; bit 1, ∞ or NaN is among them. */
  found: i32;
}

/** `count` new tokens of one sequence, at positions from `start` on. */
@unmanaged
export class AppendItem {
  /** Which sequence. */
  batch: i32;
  /** Tokens that it had before. */
  start: i32;
  /** New ones. */
  count: i32;
}

/** Rotary position embeddings: x turned into out, at any strides. Of `rope`. */
@unmanaged
export class RopeArgs {
  /** Float32 [batch, seq, heads, headDim]. */
  x: usize;
  /** Float32, alike; may be x itself. */
  out: usize;
  /** Int32: the position of each token, or (positionToken 0) of the first token of each sequence. */
  positions: usize;
  /** Float64 [pairs rounded up to 4], as `ropeFrequencies` writes them: angle i is position · frequencies[i]. */
  frequencies: usize;
  /** RopeItem [ ]. */
  items: usize;

  /** Heads. */
  heads: i32;
  /** Elements of a head. */
  headDim: i32;
  /** rotaryDim / 2: what is behind them is copied. */
  pairs: i32;
  /** Most tokens of one item. */
  tokens: i32;
  /** 1: pair i is (2i, 2i + 1); 0: (i, i + pairs). */
  interleaved: i32;

  /** Of positions, from one sequence to the next. */
  positionBatch: usize;
  /** From one token to the next: 4, or 0. */
  positionToken: usize;
  /** Of x, from one sequence to the next. */
  xBatch: usize;
  /** From one token to the next. */
  xToken: usize;
  /** From one head to the next. */
  xHead: usize;
  /** As xBatch, of out. */
  outBatch: usize;
  /** As xToken. */
  outToken: usize;
  /** As xHead. */
  outHead: usize;
}

/** Tokens token0 … token0 + tokens of a sequence, all their heads. */
@unmanaged
export class RopeItem {
  /** Which sequence. */
  batch: i32;
  /** First token. */
  token0: i32;
  /** At most those of RopeArgs. */
  tokens: i32;
}

/** Attention over disjoint sets of keys, combined: out and logSumExp of all from those of each. Of `merge`. */
@unmanaged
export class MergeArgs {
  /** u32 pairs: address of out, address of logSumExp, part by part. All parts and the result lie alike. */
  parts: usize;
  /** The result, float32. Not one of the parts. */
  out: usize;
  /** Float32 [batch, heads, seqQ]. */
  logSumExp: usize;
  /** MergeItem [ ]. */
  items: usize;

  /** Parts. */
  count: i32;
  /** Query heads. */
  heads: i32;
  /** Queries of a sequence. */
  seqQ: i32;
  /** Elements of a row of out. */
  valueDim: i32;
  /** Of out, from one sequence to the next. */
  outBatch: usize;
  /** From one head to the next. */
  outHead: usize;
  /** From one query to the next. */
  outToken: usize;
}

/** Queries q0 … q0 + rows of a sequence, all their heads. */
@unmanaged
export class MergeItem {
  /** Which sequence. */
  batch: i32;
  /** First query. */
  q0: i32;
  /** Queries. */
  rows: i32;
}
