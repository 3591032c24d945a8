/**
 * Driver of the weights: W[batch][head][query][key] = softmax(scale · QKᵀ), stored whole, for people who want to look.
 * Recomputes the scores from the same panels as attention does: first m and l over all keys, then every weight.
 */
import { BK } from '../common/abi';
import { AttentionArgs, AttentionItem } from './args';
import { ONES } from './constants';
import { f16Widen } from './kernels/f16-widen';
import { f32SoftmaxOnline } from './kernels/f32-softmax-online';
import { f32PanelToRows } from './kernels/f32-transpose';
import { f32Weights } from './kernels/f32-weights';
import {
  FACTOR,
  MAXIMUM,
  PANELS,
  SCORES,
  SUM,
  firstKey,
  inverseSums,
  lastKey,
  packPanel,
  padded,
  panelScores,
  rowAddress,
  rowTable,
  sequenceOf,
  slotOf,
  nearBlock,
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
  const base = args.weights + <usize>sequenceOf(args, item).firstQuery * args.weightsFirst;
  packPanel(args, item, r0, panel, scratch);

  // Pass 1: m and l.
  for (let block = item.k0; block < item.k1; block += BK) {
    const keys = scores(args, item, block, panel, scratch);
    if (keys > 0) f32SoftmaxOnline(s, keys, 2, scratch + FACTOR, panel + MAXIMUM, panel + SUM);
  }

  // Pass 2: zeros for what no row of the panel sees, then every weight.
  for (let lane = 0; lane < count; lane++) {
    memory.fill(rowAddress(base, row, args.weightsHead, args.group, item.head, r0 + lane), 0, row);
  }
  inverseSums(panel, panel + SUM);
  for (let block = item.k0; block < item.k1; block += BK) {
    const keys = scores(args, item, block, panel, scratch);
    if (keys <= 0) continue;
    f32Weights(s, keys, panel + MAXIMUM, panel + SUM);
    const to = base + ((<usize>firstKey(panel, block)) << 2);
    rowTable(scratch, to, row, args.weightsHead, args.group, item.head, r0, end);
    f32PanelToRows(s, keys, ONES, scratch, count);
  }
}

/** Finished scores of a block; how many keys they are of. */
function scores(args: AttentionArgs, item: AttentionItem, block: i32, panel: usize, scratch: usize): i32 {
  const first = firstKey(panel, block);
  const keys = lastKey(panel, min(block + BK, item.k1)) - first;
  if (keys <= 0) return 0;
  const token = <usize>sequenceOf(args, item).firstKey;
  let ldk = args.kToken;
  let k = args.k + token * args.kFirst + <usize>item.head * args.kHead + slotOf(args, first) * ldk;
  if (args.half) {
    const wide = nearBlock(args, item, scratch);
    f16Widen(k, ldk, keys, args.headDim, wide, padded(args.headDim) << 2, false);
    k = wide;
    ldk = padded(args.headDim) << 2;
  }
  return panelScores(args, item, k, ldk, first, keys, panel, 1, 0, scratch) ? keys : 0;
}
