/**
 * Cuts a problem into work items, straight into memory. What is visible (causal, windows, lengths, packed sequences) is host
 * arithmetic here, so that a driver only runs an item: keys k0 … k1 that none of its rows sees are never touched.
 *
 * A table of items lies as `descriptor.ts` has the fields, one item behind the other. Tables are counted before they are
 * written: a batch of millions has as many items, which no JavaScript array should hold.
 */
import { BK, BQ, FEW, MC, PANEL, SPLIT } from '../common/abi.ts';
import type { AttentionProblem } from './options/attention.ts';

/** Most tokens of one item of rope (which keeps their tables in scratch) or of a merge. Free to vary. */
export const TOKENS = 64;

/** A table that is counted and not yet written. */
export interface Items {
  readonly count: number;
  /** Writes the table from word `at` on. */
  write(u32: Uint32Array, at: number): void;
}

/** Columns of one matmul item: KC × NC of B stay in the second cache level (512 KB). Free to vary. */
const NC = 512;

/**
 * Items that each of several threads has, at least, if there is work for so many: they are claimed one by one, and the last of
 * them is all that one thread may have to do while the others wait.
 */
const EACH = 6;

/** Smaller items for several threads, the largest first: what there is to reuse in a cache goes down with them. Free to vary. */
const ROWS = [BQ, 384, 192, 96, 48] as const;
const BLOCKS = [
  [MC, NC],
  [MC, 256],
  [MC, 128],
  [48, 128],
  [24, 128],
  [24, 64],
] as const;

/**
 * Bytes of B that one packing item takes, where eight rows are not more. Piece by piece what is copied in is still in the first
 * cache level when it is packed: 768 × 768 takes half the time of copying and packing it whole, 768 × 3072 a third. Free to vary.
 */
const SLAB = 32768;

/** What items are cut from. */
type Cut = Pick<
  AttentionProblem,
  | 'batch'
  | 'heads'
  | 'kvHeads'
  | 'seqQ'
  | 'seqK'
  | 'packed'
  | 'totalQ'
  | 'before'
  | 'after'
  | 'sequence'
  | 'sinks'
>;

/** Which sequences a driver serves, by their number of queries. */
export type Family = (queries: number) => boolean;

/** The decoding driver's: what is chosen depends on this number alone, so that a sequence gets the same bits in any batch. */
export const few: Family = (queries) => queries <= FEW;
/** Prefill's. */
export const many: Family = (queries) => queries > FEW;

/** Which drivers a problem needs. Packed sequences may be of both families; others are of one. */
export const prefills = ({ packed, seqQ }: Cut): boolean => packed || many(seqQ);
export const decodes = ({ packed, seqQ }: Cut): boolean => packed || few(seqQ);
/** Both. */
export const all: Family = () => true;

/**
 * The blocks of a call, one after the other: rows q0 … q0 + rows of a key head, and the keys from k0 on (on the grid of BK)
 * to k1 that any of them may see by its place. Within a head the costliest, the one that sees most keys, is first. A
 * cursor, as a small call is little else than its bookkeeping: a visitor was called for every block, twice.
 */
class Blocks {
  batch = -1;
  head = 0;
  q0 = 0;
  rows = 0;
  k0 = 0;
  k1 = 0;
  /** Of the sequence. */
  #rows = 0;
  #keys = 0;
  #offset = 0;
  readonly #cut: Cut;
  readonly #serves: Family;
  readonly #heads: number;
  readonly #height: number;
  readonly #group: number;

  /** Those of the first `heads` key heads, of at most `height` rows. */
  constructor(cut: Cut, serves: Family, heads: number, height: number = BQ) {
    this.#cut = cut;
    this.#serves = serves;
    this.#heads = heads;
    this.#height = height;
    this.#group = cut.heads / cut.kvHeads;
    this.head = heads;
  }

  /** Goes to the next, if there is one. */
  next(): boolean {
    const height = this.#height;
    if (this.q0 > 0) this.q0 -= height;
    else {
      if (++this.head >= this.#heads && !this.#nextSequence()) return false;
      // Heads are all alike: where one has one block, that is the next one's too.
      if (this.head > 0 && this.#rows <= height) return true;
      this.q0 = (Math.ceil(this.#rows / height) - 1) * height;
    }
    const { before, after } = this.#cut;
    const group = this.#group;
    const rows = Math.min(height, this.#rows - this.q0);
    const first = Math.floor(this.q0 / group) + this.#offset - before;
    const last = Math.floor((this.q0 + rows - 1) / group) + this.#offset + after;
    this.rows = rows;
    this.k1 = Math.max(0, Math.min(this.#keys, last + 1));
    this.k0 = Math.floor(Math.max(0, Math.min(this.k1, first)) / BK) * BK;
    return true;
  }

  #nextSequence(): boolean {
    const { batch, sequence } = this.#cut;
    while (++this.batch < batch) {
      const { queries, keys, offset } = sequence(this.batch);
      if (queries === 0 || !this.#serves(queries)) continue;
      this.head = 0;
      this.#rows = queries * this.#group;
      this.#keys = keys;
      this.#offset = offset;
      return true;
    }
    return false;
  }
}

/**
 * { batch, head, q0, rows, k0, k1, part }: causal, window and lengths are arithmetic on k0 and k1. Rows are (query, head of
 * the group) pairs.
 */
export function attentionItems(cut: Cut, serves: Family = all, threads = 1): Items {
  const items = new AttentionItems(cut, serves, heightFor(cut, threads));
  // Heads of a sequence are alike, and their costliest blocks come first; sequences may differ.
  return threads > 1 && cut.batch > 1 ? costliestFirst(items) : items;
}

/** Rows of an item, so that each thread has a few. */
function heightFor({ batch, heads, kvHeads, seqQ, packed, totalQ }: Cut, threads: number): number {
  if (threads === 1) return BQ;
  const group = heads / kvHeads;
  const [sequences, rows] = packed ? [1, totalQ * group] : [batch, seqQ * group];
  return (
    ROWS.find((height) => sequences * kvHeads * Math.ceil(rows / height) >= EACH * threads) ?? ROWS.at(-1)!
  );
}

/** Most items that are put in order: the last of more is a small part of the whole. */
const FEW_ITEMS = 4096;

/** The same items by what they cost. Of those that cost the same the first stays first: its keys are in a cache. */
function costliestFirst(items: Items): Items {
  const { count } = items;
  if (count > FEW_ITEMS) return items;
  return {
    count,
    write(u32, at) {
      items.write(u32, at);
      const table = Array.from({ length: count }, (_, i) => u32.slice(at + ITEM * i, at + ITEM * (i + 1)));
      const costOf = (item: Uint32Array): number => item[3]! * (item[5]! - item[4]!);
      for (const [i, item] of table.sort((a, b) => costOf(b) - costOf(a)).entries())
        u32.set(item, at + ITEM * i);
    },
  };
}

class AttentionItems implements Items {
  readonly count: number;
  readonly #cut: Cut;
  readonly #serves: Family;
  readonly #height: number;

  constructor(cut: Cut, serves: Family, height: number) {
    const { batch, kvHeads, seqQ, packed, sequence } = cut;
    let blocks = 0;
    if (!packed) blocks = batch * blocksOf(cut, serves, seqQ, height);
    else for (let b = 0; b < batch; b++) blocks += blocksOf(cut, serves, sequence(b).queries, height);
    this.count = kvHeads * blocks;
    this.#cut = cut;
    this.#serves = serves;
    this.#height = height;
  }

  write(u32: Uint32Array, at: number): void {
    const each = new Blocks(this.#cut, this.#serves, this.#cut.kvHeads, this.#height);
    for (; each.next(); at += ITEM) writeItem(u32, at, each, each.k0, each.k1, WHOLE);
  }
}

function blocksOf({ heads, kvHeads }: Cut, serves: Family, queries: number, height: number): number {
  return serves(queries) ? Math.ceil((queries * heads) / kvHeads / height) : 0;
}

/** An item that has all of its rows' keys and leaves no part. */
const WHOLE = 0xffffffff;

const ITEM = 7;

function writeItem(u32: Uint32Array, at: number, of: Blocks, k0: number, k1: number, part: number): void {
  u32[at] = of.batch;
  u32[at + 1] = of.head;
  u32[at + 2] = of.q0;
  u32[at + 3] = of.rows;
  u32[at + 4] = k0;
  u32[at + 5] = k1;
  u32[at + 6] = part;
}

/** Items of a decoding call, and what adds up their parts. */
export interface Decoding {
  readonly items: Items;
  /** Parts of eight rows that the items leave. */
  readonly parts: number;
  readonly combine: Items;
}

/** No items. */
export const NONE: Items = { count: 0, write: () => undefined };

/** Those of sequences with few queries: as {@link attentionItems}, with the keys split where there are many, or sinks. */
export function decodeItems(cut: Cut): Decoding {
  if (cut.seqK > SPLIT || cut.sinks !== undefined) return splitItems(cut);
  return { items: attentionItems(cut, few), parts: 0, combine: NONE };
}

/**
 * With the keys split at multiples of SPLIT. An item that has all keys of its rows leaves no part, unless there are sinks: those
 * are added to the parts, in one place, so that the bits of a row do not depend on the keys of the rows beside it. `combine`:
 * { batch, head, q0, rows, part, parts }.
 */
function splitItems(cut: Cut): Decoding {
  const splits = ({ k0, k1 }: Blocks): number => Math.max(1, Math.ceil(k1 / SPLIT) - Math.floor(k0 / SPLIT));
  const isWhole = (n: number): boolean => n === 1 && cut.sinks === undefined;
  let count = 0;
  let parts = 0;
  let combines = 0;
  // Heads are all alike: what one of them needs, times as many.
  const { kvHeads } = cut;
  for (const each = new Blocks(cut, few, 1); each.next();) {
    const n = splits(each);
    count += kvHeads * n;
    if (isWhole(n)) continue;
    parts += kvHeads * n * Math.ceil(each.rows / PANEL);
    combines += kvHeads;
  }
  return {
    items: {
      count,
      write(u32, at) {
        let part = 0;
        for (const each = new Blocks(cut, few, kvHeads); each.next();) {
          const n = splits(each);
          for (let i = 0, from = each.k0; i < n; i++, at += ITEM) {
            const to = Math.min(each.k1, (Math.floor(from / SPLIT) + 1) * SPLIT);
            writeItem(u32, at, each, from, to, isWhole(n) ? WHOLE : part);
            if (!isWhole(n)) part += Math.ceil(each.rows / PANEL);
            from = to;
          }
        }
      },
    },
    parts,
    combine: {
      count: combines,
      write(u32, at) {
        let part = 0;
        for (const each = new Blocks(cut, few, kvHeads); each.next();) {
          const n = splits(each);
          if (isWhole(n)) continue;
          u32[at++] = each.batch;
          u32[at++] = each.head;
          u32[at++] = each.q0;
          u32[at++] = each.rows;
          u32[at++] = part;
          u32[at++] = n;
          part += n * Math.ceil(each.rows / PANEL);
        }
      },
    },
  };
}

/** { batch, start, count }: the new tokens of each sequence that has any. */
export function appendItems(lengths: readonly number[], counts: readonly number[]): Items {
  return {
    count: counts.reduce((n, count) => n + Number(count > 0), 0),
    write(u32, at) {
      for (let b = 0; b < counts.length; b++) {
        const count = counts[b]!;
        if (count === 0) continue;
        u32[at++] = b;
        u32[at++] = lengths[b]!;
        u32[at++] = count;
      }
    },
  };
}

/**
 * { batch, m0, rows, n0, cols }: blocks of MC × NC of each C. One row is one item: its work is to read B once, in order; of several
 * threads each reads two parts of it.
 */
export function gemmItems(batch: number, M: number, N: number, threads = 1): Items {
  if (threads === 1) return grid(batch, M, MC, N, M === 1 ? N : NC);
  if (M === 1) return grid(batch, 1, 1, N, upTo(32, Math.max(256, N / (2 * threads))));
  const [height, width] =
    BLOCKS.find(([rows, cols]) => batch * Math.ceil(M / rows) * Math.ceil(N / cols) >= EACH * threads) ??
    BLOCKS.at(-1)!;
  // Alike: 128 rows are 72 and 56, not 96 and 32. Whole tiles of four and of six.
  return grid(batch, M, Math.min(height, upTo(12, M / Math.ceil(M / height))), N, width);
}

function upTo(multiple: number, x: number): number {
  return multiple * Math.ceil(x / multiple);
}

/** Rows of a packing item, of a B as it lies: each is `bytes` long. Whole panels, as rows of a transposed B are columns. */
export function slabRows(bytes: number): number {
  return PANEL * Math.max(1, Math.floor(SLAB / (PANEL * bytes)));
}

/** { batch, k0, steps, n0, cols }: rows of each B as it lies, `rows` of them an item. */
export function packItems(matrices: number, N: number, K: number, transposeB: boolean, rows: number): Items {
  return transposeB ? grid(matrices, K, K, N, rows) : grid(matrices, K, rows, N, N);
}

/** { batch, token0, tokens } of rope, { batch, q0, rows } of a merge: a few tokens each, with all of their heads. */
export function tokenItems(batch: number, seq: number): Items {
  return {
    count: batch * Math.ceil(seq / TOKENS),
    write(u32, at) {
      for (let b = 0; b < batch; b++) {
        for (let token0 = 0; token0 < seq; token0 += TOKENS) {
          u32[at++] = b;
          u32[at++] = token0;
          u32[at++] = Math.min(TOKENS, seq - token0);
        }
      }
    },
  };
}

/** Blocks of `height` rows and `width` columns of each of `batch` matrices, column by column. */
function grid(batch: number, M: number, height: number, N: number, width: number): Items {
  return {
    count: M > 0 && N > 0 ? batch * Math.ceil(M / height) * Math.ceil(N / width) : 0,
    write(u32, at) {
      for (let b = 0; b < batch; b++) {
        for (let n0 = 0; n0 < N; n0 += width) {
          for (let m0 = 0; m0 < M; m0 += height) {
            u32[at++] = b;
            u32[at++] = m0;
            u32[at++] = Math.min(height, M - m0);
            u32[at++] = n0;
            u32[at++] = Math.min(width, N - n0);
          }
        }
      }
    },
  };
}
