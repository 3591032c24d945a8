/**
 * Cuts a problem into work items. What is visible (causal, and later windows and lengths) is host arithmetic here, so
 * that a driver only runs an item: keys k0 … k1 that none of its rows sees are never touched.
 *
 * A table of items is flat, as it goes into memory: the fields of `descriptor.ts`, one item behind the other.
 */
import { BQ, MC, PANEL } from '../common/abi.ts';
import type { AttentionProblem } from './options.ts';

/** Columns of one matmul item: KC × NC of B stay in the second cache level (512 KB). Free to vary. */
const NC = 512;

/** Columns of one packing item. */
const PACK = 64 * PANEL;

/**
 * { batch, head, q0, rows, k0, k1 }. Rows are (query, head of the group) pairs. Within a head the costliest block, the one
 * that sees most keys, is first.
 */
export function attentionItems(problem: AttentionProblem): number[] {
  const { batch, heads, kvHeads, seqQ, seqK, queryOffset } = problem;
  const group = heads / kvHeads;
  const rowsInAll = seqQ * group;
  const items: number[] = [];
  for (let b = 0; b < batch; b++) {
    const offset = queryOffset[b] ?? seqK;
    for (let head = 0; head < kvHeads; head++) {
      for (let q0 = Math.floor((rowsInAll - 1) / BQ) * BQ; q0 >= 0; q0 -= BQ) {
        const rows = Math.min(BQ, rowsInAll - q0);
        const lastQuery = Math.floor((q0 + rows - 1) / group);
        const k1 = Math.max(0, Math.min(seqK, lastQuery + offset + 1));
        items.push(b, head, q0, rows, 0, k1);
      }
    }
  }
  return items;
}

/** { batch, m0, rows, n0, cols }: blocks of MC × NC of each C. One row is one item: its work is to read B once, in order. */
export function gemmItems(batch: number, M: number, N: number): number[] {
  const items: number[] = [];
  const width = M === 1 ? N : NC;
  for (let b = 0; b < batch; b++) {
    for (let n0 = 0; n0 < N; n0 += width) {
      const cols = Math.min(width, N - n0);
      for (let m0 = 0; m0 < M; m0 += MC) items.push(b, m0, Math.min(MC, M - m0), n0, cols);
    }
  }
  return items;
}

/** { batch, 0, 0, n0, cols }: columns of each B to pack. */
export function packItems(matrices: number, N: number): number[] {
  const items: number[] = [];
  for (let b = 0; b < matrices; b++) {
    for (let n0 = 0; n0 < N; n0 += PACK) items.push(b, 0, 0, n0, Math.min(PACK, N - n0));
  }
  return items;
}
