/**
 * Cuts a problem into work items. What is visible (causal, and later windows and lengths) is host arithmetic here, so
 * that a driver only runs an item: keys k0 … k1 that none of its rows sees are never touched.
 */
import { BQ, MC, PANEL } from '../common/abi.ts';
import type { AttentionItem, GemmItem } from './descriptor.ts';
import type { AttentionProblem } from './options.ts';

/** Columns of one matmul item: KC × NC of B stay in the second cache level (512 KB). Free to vary. */
const NC = 512;

/** Columns of one packing item. */
const PACK = 64 * PANEL;

/** Rows are (query, head of the group) pairs. Within a head the costliest block, the one that sees most keys, is first. */
export function attentionItems(problem: AttentionProblem): AttentionItem[] {
  const { batch, heads, kvHeads, seqQ, seqK, queryOffset } = problem;
  const group = heads / kvHeads;
  const rowsInAll = seqQ * group;
  const items: AttentionItem[] = [];
  for (let b = 0; b < batch; b++) {
    const offset = queryOffset[b] ?? seqK;
    for (let head = 0; head < kvHeads; head++) {
      for (let q0 = Math.floor((rowsInAll - 1) / BQ) * BQ; q0 >= 0; q0 -= BQ) {
        const rows = Math.min(BQ, rowsInAll - q0);
        const lastQuery = Math.floor((q0 + rows - 1) / group);
        const k1 = Math.max(0, Math.min(seqK, lastQuery + offset + 1));
        items.push({ batch: b, head, q0, rows, k0: 0, k1 });
      }
    }
  }
  return items;
}

/** Blocks of MC × NC of each C. One row is one item: its work is reading B once, in order. */
export function gemmItems(batch: number, M: number, N: number): GemmItem[] {
  const items: GemmItem[] = [];
  const width = M === 1 ? N : NC;
  for (let b = 0; b < batch; b++) {
    for (let n0 = 0; n0 < N; n0 += width) {
      const cols = Math.min(width, N - n0);
      for (let m0 = 0; m0 < M; m0 += MC) items.push({ batch: b, m0, rows: Math.min(MC, M - m0), n0, cols });
    }
  }
  return items;
}

/** Columns of each B to pack. */
export function packItems(matrices: number, N: number): GemmItem[] {
  const items: GemmItem[] = [];
  for (let b = 0; b < matrices; b++) {
    for (let n0 = 0; n0 < N; n0 += PACK) {
      items.push({ batch: b, m0: 0, rows: 0, n0, cols: Math.min(PACK, N - n0) });
    }
  }
  return items;
}
