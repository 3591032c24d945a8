/**
 * Driver that combines attention over disjoint sets of keys: the split of FlashAttention (Dao et al. 2022; Milakov &
 * Gimelshein 2018) with the parts as the blocks.
 *
 *   m = max lse[p]      out = Σ e^(lse[p] − m)·out[p] / Σ e^(lse[p] − m)      lse = m + ln Σ e^(lse[p] − m)
 *
 * Weights are made four rows at a time, then each row is summed by itself, over the parts that saw a key for it.
 *
 *   scratch: | m [4] | l [4] | w [count][4] | table of a row [count] |
 */
import { MergeArgs, MergeItem } from './args';
import { f32Merge } from './kernels/f32-merge';
import { f32MergeWeights } from './kernels/f32-merge-weights';

const WEIGHTS: usize = 32;

/** Bytes of scratch that one thread needs for any item of this call. */
export function mergeScratch(args: usize): f64 {
  return <f64>WEIGHTS + 24.0 * <f64>changetype<MergeArgs>(args).count;
}

export function merge(args: usize, begin: i32, end: i32, scratch: usize): void {
  const a = changetype<MergeArgs>(args);
  for (let i = begin; i < end; i++) {
    const item = changetype<MergeItem>(a.items + <usize>i * offsetof<MergeItem>());
    // Along memory: token by token where the heads of a token lie together, else head by head.
    const heads = a.heads;
    const last = item.q0 + item.rows;
    const together = a.outHead < a.outToken ? heads : 1;
    for (let first = 0; first < heads; first += together) {
      for (let q = item.q0; q < last; q += 4) {
        for (let head = first; head < first + together; head++) {
          mergeFour(a, item.batch, head, q, min(4, last - q), scratch);
        }
      }
    }
  }
}

/** Queries q … q + count; beyond them the last is repeated, computed and never stored. */
function mergeFour(args: MergeArgs, batch: i32, head: i32, q: i32, count: i32, scratch: usize): void {
  const parts = args.count;
  const weights = scratch + WEIGHTS;
  const table = weights + ((<usize>parts) << 4);
  // Offsets of the rows in any logSumExp and any out.
  const sums = (<usize>(batch * args.heads + head) * <usize>args.seqQ + <usize>q) << 2;
  const rows = <usize>batch * args.outBatch + <usize>head * args.outHead + <usize>q * args.outToken;

  // Pass 1: weights of four rows.
  for (let p = 0; p < parts; p++) {
    const from = load<usize>(args.parts + ((<usize>p) << 3), 4) + sums;
    const to = weights + ((<usize>p) << 4);
    for (let lane = 0; lane < 4; lane++) {
      store<f32>(to + ((<usize>lane) << 2), load<f32>(from + ((<usize>min(lane, count - 1)) << 2)));
    }
  }
  f32MergeWeights(weights, parts, scratch);

  // Pass 2: row by row, the parts that are not at −∞.
  for (let lane = 0; lane < count; lane++) {
    const at = (<usize>lane) << 2;
    const row = rows + <usize>lane * args.outToken;
    const m = load<f32>(scratch + at);
    const l = load<f32>(scratch + at, 16);
    let entry = table;
    for (let p = 0; p < parts; p++) {
      const part = args.parts + ((<usize>p) << 3);
      if (load<f32>(load<usize>(part, 4) + sums + at) == -Infinity) continue;
      store<usize>(entry, load<usize>(part) + row);
      store<f32>(entry, load<f32>(weights + ((<usize>p) << 4) + at) / l, 4);
      entry += 8;
    }
    f32Merge(table, <i32>((entry - table) >> 3), args.valueDim, args.out + row);
    const lse = l == 0 ? -Infinity : <f64>m + <f64>Mathf.log(l);
    store<f32>(args.logSumExp + sums + at, <f32>lse);
  }
}
