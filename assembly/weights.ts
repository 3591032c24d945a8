/**
 * Driver of the weights: W[batch][head][query][key] = softmax(scale · QKᵀ), stored whole, for people who want to look.
 * Recomputes the scores from the same panels as attention does: first m and l over all keys, then every weight.
 */
import { BK } from '../common/abi';
import { AttentionArgs, AttentionItem } from './args';
import { ONES } from './constants';
import { f32SoftmaxOnline } from './kernels/f32-softmax-online';
import { f32PanelToRows } from './kernels/f32-transpose';
import { f32Weights } from './kernels/f32-weights';
import {
  FACTOR,
  MAXIMUM,
  PANELS,
  SCORES,
  SUM,
  finishScores,
  firstKey,
  inverseSums,
  lastKey,
  openPanel,
  rowAddress,
  rowTable,
  sequenceOf,
} from './panel';

/** Same descriptor, items and scratch as `attention`; writes args.weights only. */
export function weights(args: usize, begin: i32, end: i32, scratch: usize): void {
  const a = changetype<AttentionArgs>(args);
  for (let i = begin; i < end; i++) {
    const item = changetype<AttentionItem>(a.items + <usize>i * offsetof<AttentionItem>());
    const last = item.q0 + item.rows;
    for (let r = item.q0; r < last; r += 8) weighPanel(a, item, r, scratch);
  }
}

function weighPanel(args: AttentionArgs, item: AttentionItem, r0: i32, scratch: usize): void {
  const panel = scratch + PANELS;
  const s = scratch + SCORES;
  const end = item.q0 + item.rows;
  const count = min(8, end - r0);
  const row = (<usize>args.seqK) << 2;
  const sequence = sequenceOf(args, item);
  const base = args.weights + <usize>sequence.firstQuery * args.weightsFirst;
  const k = args.k + <usize>sequence.firstKey * args.kFirst + <usize>item.head * args.kHead;
  openPanel(args, item, r0, panel, scratch);

  // Pass 1: m and l.
  for (let block = item.k0; block < item.k1; block += BK) {
    const first = firstKey(panel, block);
    const keys = lastKey(panel, min(block + BK, item.k1)) - first;
    if (keys <= 0) continue;
    if (!finishScores(args, item, k + <usize>first * args.kToken, first, keys, panel, scratch)) continue;
    f32SoftmaxOnline(s, keys, scratch + FACTOR, panel + MAXIMUM, panel + SUM);
  }

  // Pass 2: zeros for what no row of the panel sees, then every weight.
  for (let lane = 0; lane < count; lane++) {
    memory.fill(rowAddress(base, row, args.weightsHead, args.group, item.head, r0 + lane), 0, row);
  }
  inverseSums(panel, panel + SUM);
  for (let block = item.k0; block < item.k1; block += BK) {
    const first = firstKey(panel, block);
    const keys = lastKey(panel, min(block + BK, item.k1)) - first;
    if (keys <= 0) continue;
    if (!finishScores(args, item, k + <usize>first * args.kToken, first, keys, panel, scratch)) continue;
    f32Weights(s, keys, panel + MAXIMUM, panel + SUM);
    const to = base + ((<usize>first) << 2);
    rowTable(scratch, to, row, args.weightsHead, args.group, item.head, r0, end);
    f32PanelToRows(s, keys, ONES, scratch, count);
  }
}
