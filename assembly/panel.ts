/**
 * What attention and weights share: the state of eight rows of an item and the finished scores of one block of keys.
 *
 * A row is a pair (query, head of the group), query-major, so that grouped heads fill the lanes of one panel and a
 * panel's rows see nearly the same keys. Rows beyond the item's last repeat it: they are computed and never stored.
 *
 *   scratch: | eight row addresses | factor [8] | S [BK][8] | seen [BK][8] | panel 0 | panel 1 | …
 *   panel:   | m [8] | l [8] | limit i32 [8] | Q [headDim][8] | O [valueDim][8] |
 */
import { BK, BQ } from '../common/abi';
import { AttentionArgs, AttentionItem } from './args';
import { ZEROS } from './constants';
import { f32ScoreLimit } from './kernels/f32-score-limit';
import { f32RowsToPanel } from './kernels/f32-transpose';
import { rowsBegin, rowsMax } from './select';

/** Offsets in scratch. */
export const FACTOR: usize = 32;
export const SCORES: usize = 64;
export const SEEN: usize = SCORES + 32 * BK;
export const PANELS: usize = SEEN + 32 * BK;
/** Offsets in a panel. */
export const MAXIMUM: usize = 0;
export const SUM: usize = 32;
export const LIMIT: usize = 64;
export const QUERIES: usize = 96;

/** The lowest finite number: a running maximum that any score but −∞ raises, and from which −∞ subtracts to −∞. */
const LOWEST: f32 = -f32.MAX_VALUE;

// @ts-ignore: decorator
@inline
export function panelBytes(headDim: i32, valueDim: i32): usize {
  return QUERIES + 32 * (<usize>headDim + <usize>valueDim);
}

/** Scratch of one item: as many panels as its rows need, at most BQ rows. */
export function scratchBytes(args: AttentionArgs): f64 {
  const headDim = args.headDim;
  const valueDim = args.valueDim;
  const rows = min(<f64>BQ, <f64>args.seqQ * <f64>args.group);
  const panel = <f64>QUERIES + 32.0 * (<f64>(<u32>headDim) + <f64>(<u32>valueDim));
  return <f64>PANELS + Math.ceil(rows / 8) * panel;
}

/** Row r of the item's key head, as an address: base + query · token + head · step. */
// @ts-ignore: decorator
@inline
export function rowAddress(base: usize, token: usize, step: usize, group: i32, head: i32, r: i32): usize {
  return base + <usize>(r / group) * token + <usize>(head * group + (r % group)) * step;
}

/** Writes the addresses of the panel's eight rows, the last valid row repeated, to `table`. */
export function rowTable(
  table: usize,
  base: usize,
  token: usize,
  step: usize,
  group: i32,
  head: i32,
  r0: i32,
  end: i32,
): void {
  for (let lane = 0; lane < 8; lane++) {
    const address = rowAddress(base, token, step, group, head, min(r0 + lane, end - 1));
    store<u32>(table + ((<usize>lane) << 2), <u32>address);
  }
}

/** Packs the queries of rows r0 … r0 + 8, sets how many keys each may see, and starts their softmax. */
export function openPanel(
  args: AttentionArgs,
  item: AttentionItem,
  r0: i32,
  panel: usize,
  scratch: usize,
): void {
  const end = item.q0 + item.rows;
  const group = args.group;
  const base = args.q + <usize>item.batch * args.qBatch;
  rowTable(scratch, base, args.qToken, args.qHead, group, item.head, r0, end);
  f32RowsToPanel(scratch, args.headDim, args.scale, panel + QUERIES);

  const offset = load<i32>(args.queryOffset + ((<usize>item.batch) << 2));
  for (let lane = 0; lane < 8; lane++) {
    const query = min(r0 + lane, end - 1) / group;
    const at = panel + ((<usize>lane) << 2);
    store<f32>(at, LOWEST, MAXIMUM);
    store<f32>(at, 0, SUM);
    store<i32>(at, max(0, min(args.seqK, query + offset + 1)), LIMIT);
  }
}

/** How many of `keys` keys from `first` on any row of the panel sees. Limits rise with the row: the last is highest. */
// @ts-ignore: decorator
@inline
export function visibleKeys(panel: usize, first: i32, keys: i32): i32 {
  return min(keys, load<i32>(panel, LIMIT + 28) - first);
}

/**
 * S[keys][8] of one block, finished: scaled, masked, and the panel's maxima raised over them. The maxima from before
 * are left in FACTOR. A block that every row sees whole takes its maximum in the product's own epilogue.
 */
export function finishScores(
  args: AttentionArgs,
  k: usize,
  first: i32,
  keys: i32,
  panel: usize,
  scratch: usize,
): void {
  const s = scratch + SCORES;
  v128.store(scratch, v128.load(panel, MAXIMUM), FACTOR);
  v128.store(scratch, v128.load(panel, MAXIMUM + 16), FACTOR + 16);
  if (load<i32>(panel, LIMIT) >= first + keys && args.scoreScale == 1) {
    rowsMax(k, args.kToken, keys, panel + QUERIES, 0, 1, args.headDim, s, 32, panel + MAXIMUM, 0, args.tile);
  } else {
    rowsBegin(k, args.kToken, keys, panel + QUERIES, 0, 1, args.headDim, s, 32, ZEROS, 0, args.tile);
    f32ScoreLimit(s, first, keys, panel + LIMIT, panel + MAXIMUM, args.scoreScale);
  }
}

/** table[lane] = l > 0 ? 1 / l : 0. A NaN stays. */
export function inverseSums(panel: usize, to: usize): void {
  const zero = f32x4.splat(0);
  for (let half: usize = 0; half < 32; half += 16) {
    const l = v128.load(panel + half, SUM);
    v128.store(to + half, v128.bitselect(zero, f32x4.div(f32x4.splat(1), l), f32x4.eq(l, zero)));
  }
}
