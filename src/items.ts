/**
 * Cuts a problem into work items, straight into memory. What is visible (causal, windows, lengths, packed sequences) is host
 * arithmetic here, so that a driver only runs an item: keys k0 … k1 that none of its rows sees are never touched.
 *
 * A table of items lies as `descriptor.ts` has the fields, one item behind the other. Tables are counted before they are
 * written: a batch of millions has as many items, which no JavaScript array should hold.
 */
import { BK, BQ, MC, PANEL } from '../common/abi.ts';
import type { AttentionProblem } from './options/attention.ts';

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
  'batch' | 'heads' | 'kvHeads' | 'seqQ' | 'packed' | 'before' | 'after' | 'sequence'
>;

/**
 * { batch, head, q0, rows, k0, k1 }. Rows are (query, head of the group) pairs. k0 … k1 are the keys that any of the item's
 * rows may see by its place: causal, window, lengths. k0 lies on the grid of BK. Within a head the costliest block, the
 * one that sees most keys, is first.
 */
export function attentionItems({ batch, heads, kvHeads, seqQ, packed, before, after, sequence }: Cut): Items {
  const group = heads / kvHeads;
  const blocksOf = (queries: number): number => Math.ceil((queries * group) / BQ);
  let blocks = batch * blocksOf(seqQ);
  if (packed) for (let b = (blocks = 0); b < batch; b++) blocks += blocksOf(sequence(b).queries);
  return {
    count: kvHeads * blocks,
    write(u32, at) {
      for (let b = 0; b < batch; b++) {
        const { queries, keys, offset } = sequence(b);
        for (let head = 0; head < kvHeads; head++) {
          for (let q0 = (blocksOf(queries) - 1) * BQ; q0 >= 0; q0 -= BQ) {
            const rows = Math.min(BQ, queries * group - q0);
            const first = Math.floor(q0 / group) + offset - before;
            const last = Math.floor((q0 + rows - 1) / group) + offset + after;
            const k1 = Math.max(0, Math.min(keys, last + 1));
            u32[at++] = b;
            u32[at++] = head;
            u32[at++] = q0;
            u32[at++] = rows;
            u32[at++] = Math.floor(Math.max(0, Math.min(k1, first)) / BK) * BK;
            u32[at++] = k1;
          }
        }
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
