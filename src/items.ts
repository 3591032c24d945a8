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

/** Columns of one packing item. */
const PACK = 64 * PANEL;

/** What items are cut from. */
type Cut = Pick<
  AttentionProblem,
  'batch' | 'heads' | 'kvHeads' | 'seqQ' | 'packed' | 'before' | 'after' | 'sequence' | 'sinks'
>;

/** Rows q0 … q0 + rows of a key head, and the keys from k0 on (on the grid of BK) to k1 that any of them may see by its place. */
type Block = (batch: number, head: number, q0: number, rows: number, k0: number, k1: number) => void;

/** Which sequences a driver serves, by their number of queries. */
export type Family = (queries: number) => boolean;

/** The decoding driver's: what is chosen depends on this number alone, so that a sequence gets the same bits in any batch. */
export const few: Family = (queries) => queries <= FEW;
/** Prefill's. */
export const many: Family = (queries) => queries > FEW;
const all: Family = () => true;

/** Every block of BQ rows of the first `many` key heads. Within a head the costliest, the one that sees most keys, is first. */
function eachBlock(cut: Cut, serves: Family, many: number, visit: Block): void {
  const { batch, before, after, sequence } = cut;
  const group = cut.heads / cut.kvHeads;
  for (let b = 0; b < batch; b++) {
    const { queries, keys, offset } = sequence(b);
    if (!serves(queries)) continue;
    const rowsInAll = queries * group;
    for (let head = 0; head < many; head++) {
      for (let q0 = (Math.ceil(rowsInAll / BQ) - 1) * BQ; q0 >= 0; q0 -= BQ) {
        const rows = Math.min(BQ, rowsInAll - q0);
        const first = Math.floor(q0 / group) + offset - before;
        const last = Math.floor((q0 + rows - 1) / group) + offset + after;
        const k1 = Math.max(0, Math.min(keys, last + 1));
        const k0 = Math.floor(Math.max(0, Math.min(k1, first)) / BK) * BK;
        visit(b, head, q0, rows, k0, k1);
      }
    }
  }
}

/**
 * { batch, head, q0, rows, k0, k1, part }: causal, window and lengths are arithmetic on k0 and k1. Rows are (query, head of
 * the group) pairs.
 */
export function attentionItems(cut: Cut, serves: Family = all): Items {
  const { batch, heads, kvHeads, seqQ, packed, sequence } = cut;
  const blocksOf = (queries: number): number =>
    serves(queries) ? Math.ceil((queries * heads) / kvHeads / BQ) : 0;
  let blocks = batch * blocksOf(seqQ);
  if (packed) for (let b = (blocks = 0); b < batch; b++) blocks += blocksOf(sequence(b).queries);
  return {
    count: kvHeads * blocks,
    write(u32, at) {
      eachBlock(cut, serves, kvHeads, (b, head, q0, rows, k0, k1) => {
        u32[at++] = b;
        u32[at++] = head;
        u32[at++] = q0;
        u32[at++] = rows;
        u32[at++] = k0;
        u32[at++] = k1;
        u32[at++] = WHOLE;
      });
    },
  };
}

/** An item that has all of its rows' keys and leaves no part. */
const WHOLE = 0xffffffff;

/** Items of a decoding call, and what adds up their parts. */
export interface DecodeItems extends Items {
  /** Parts of eight rows that the items leave. */
  readonly parts: number;
  readonly combine: Items;
}

/**
 * Those of sequences with few queries: as {@link attentionItems}, with the keys split at multiples of SPLIT. An item that has
 * all keys of its rows leaves no part, unless there are sinks: those are added to the parts, in one place, so that the bits
 * of a row do not depend on the keys of the rows beside it. `combine`: { batch, head, q0, rows, part, parts }.
 */
export function decodeItems(cut: Cut): DecodeItems {
  const splits = (k0: number, k1: number): number =>
    Math.max(1, Math.ceil(k1 / SPLIT) - Math.floor(k0 / SPLIT));
  const isWhole = (n: number): boolean => n === 1 && cut.sinks === undefined;
  let count = 0;
  let parts = 0;
  let combines = 0;
  // Heads are all alike: what one of them needs, times as many.
  const { kvHeads } = cut;
  eachBlock(cut, few, 1, (_b, _head, _q0, rows, k0, k1) => {
    const n = splits(k0, k1);
    count += kvHeads * n;
    if (isWhole(n)) return;
    parts += kvHeads * n * Math.ceil(rows / PANEL);
    combines += kvHeads;
  });
  return {
    count,
    parts,
    write(u32, at) {
      let part = 0;
      eachBlock(cut, few, kvHeads, (b, head, q0, rows, k0, k1) => {
        const n = splits(k0, k1);
        for (let i = 0, from = k0; i < n; i++) {
          const to = Math.min(k1, (Math.floor(from / SPLIT) + 1) * SPLIT);
          u32[at++] = b;
          u32[at++] = head;
          u32[at++] = q0;
          u32[at++] = rows;
          u32[at++] = from;
          u32[at++] = to;
          u32[at++] = isWhole(n) ? WHOLE : part;
          if (!isWhole(n)) part += Math.ceil(rows / PANEL);
          from = to;
        }
      });
    },
    combine: {
      count: combines,
      write(u32, at) {
        let part = 0;
        eachBlock(cut, few, kvHeads, (b, head, q0, rows, k0, k1) => {
          const n = splits(k0, k1);
          if (isWhole(n)) return;
          u32[at++] = b;
          u32[at++] = head;
          u32[at++] = q0;
          u32[at++] = rows;
          u32[at++] = part;
          u32[at++] = n;
          part += n * Math.ceil(rows / PANEL);
        });
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

/** { batch, m0, rows, n0, cols }: blocks of MC × NC of each C. One row is one item: its work is to read B once, in order. */
export function gemmItems(batch: number, M: number, N: number): Items {
  return grid(batch, M, MC, N, M === 1 ? Math.max(N, 1) : NC);
}

/** { batch, 0, 1, n0, cols }: columns of each B to pack. */
export function packItems(matrices: number, N: number): Items {
  return grid(matrices, 1, 1, N, PACK);
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
    count: batch * Math.ceil(M / height) * Math.ceil(N / width),
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
