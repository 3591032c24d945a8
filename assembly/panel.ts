/**
 * What attention and weights share: the state of eight rows of an item and the finished scores of one block of keys.
 *
 * A row is a pair (query, head of the group), query-major, so that grouped heads fill the lanes of one panel and a
 * panel's rows see nearly the same keys. Rows beyond the item's last repeat it: they are computed and never stored.
 *
 *   scratch: | eight row addresses | factor [WIDE][8] | place [8] | slope [8] | S [WIDE][BK][8] | bias, seen [BK][8] | panel 0 | …
 *   panel:   | m [8] | l [8] | start i32 [8] | limit i32 [8] | span | Q [headDim][8] | O [valueDim][8] |
 */
import { BK, BQ } from '../common/abi';
import { AttentionArgs, AttentionItem, Sequence } from './args';
import { f32ScoreAlibi } from './kernels/f32-score-alibi';
import { f32ScoreBias } from './kernels/f32-score-bias';
import { f32ScoreCap } from './kernels/f32-score-cap';
import { f32ScoreLimit } from './kernels/f32-score-limit';
import { ALL, NONE, SOME, f32MaskSeen, f32ScoreMask } from './kernels/f32-score-mask';
import { f32ScoreScale } from './kernels/f32-score-scale';
import { f32RowsToPanel } from './kernels/f32-transpose';
import { rowsMax } from './select';

/**
 * Most panels that meet a block of keys together; of tiles that take three, one less. With a panel at a time attention over
 * 12 × 64, S = 1024 took 1.5 % longer; with more than four, their scores leave a first cache level of 32 KB.
 */
export const WIDE: usize = 4;
/** Bytes from the scores of one panel to those of the next. */
export const SCORE_BYTES: usize = 32 * BK;
/** Offsets in scratch. SEEN is the bias while scores are finished, and what f32ScoreSeen says after. */
export const FACTOR: usize = 32;
const PLACE: usize = FACTOR + 32 * WIDE;
const SLOPE: usize = PLACE + 32;
export const SCORES: usize = SLOPE + 32;
export const SEEN: usize = SCORES + WIDE * SCORE_BYTES;
export const PANELS: usize = SEEN + 32 * BK;
/** Offsets in a panel. */
export const MAXIMUM: usize = 0;
export const SUM: usize = 32;
const START: usize = 64;
const LIMIT: usize = 96;
/** Keys that any row may see: from FIRST to LAST. Keys that every row may see: from ALL_FROM to ALL_TO. */
const FIRST: usize = 128;
const LAST: usize = 132;
const ALL_FROM: usize = 136;
const ALL_TO: usize = 140;
/** The panel's first row. */
const ROW: usize = 144;
export const QUERIES: usize = 160;

/** The lowest finite number: a running maximum that any score but −∞ raises, and from which −∞ subtracts to −∞. */
const LOWEST: f32 = -f32.MAX_VALUE;
const LOG2E: f32 = 1.4426950408889634;

/** Elements of a row in scratch: whole vectors. */
// @ts-ignore: decorator
@inline
export function padded(dim: i32): usize {
  return (<usize>dim + 3) & ~3;
}

/** Offset of O in a panel. */
// @ts-ignore: decorator
@inline
export function outputOffset(headDim: i32): usize {
  return QUERIES + 32 * padded(headDim);
}

// @ts-ignore: decorator
@inline
export function panelBytes(headDim: i32, valueDim: i32): usize {
  return outputOffset(headDim) + 32 * padded(valueDim);
}

/** Whether neighbouring values lie so far apart that copying a block of them pays (f32-copy-rows.ts). Long rows fill pages alone. */
// @ts-ignore: decorator
@inline
export function areFar(args: AttentionArgs): bool {
  return args.valueDim <= 256 && args.vToken >= 2048;
}

/**
 * Scratch of one item: as many panels as its rows need, at most BQ rows; and what of a block lies near (keys too, though only
 * float16 needs that: it would take 30 bytes of code to tell).
 */
export function scratchBytes(args: AttentionArgs): f64 {
  const dims = 8 + <f64>(<u32>args.headDim) + <f64>(<u32>args.valueDim);
  const rows = min(<f64>BQ, <f64>args.seqQ * <f64>args.group);
  const panels = Math.ceil(rows / 8) * (<f64>QUERIES + 32 * dims);
  return <f64>PANELS + panels + (args.half || areFar(args) ? 4.0 * BK * dims : 0);
}

/** Where keys of a block go that are widened from float16, and behind them its values; or values alone that are copied. */
export function nearBlock(args: AttentionArgs, item: AttentionItem, scratch: usize): usize {
  const panels = <usize>((item.rows + 7) >> 3);
  return scratch + PANELS + panels * panelBytes(args.headDim, args.valueDim);
}

/** Where key j lies, in tokens. A block never lies across the end of a ring. */
// @ts-ignore: decorator
@inline
export function slotOf(args: AttentionArgs, j: i32): usize {
  return <usize>(args.ring ? j % args.ring : j);
}

// @ts-ignore: decorator
@inline
export function sequenceAt(args: AttentionArgs, batch: i32): Sequence {
  return changetype<Sequence>(args.sequences + <usize>batch * offsetof<Sequence>());
}

// @ts-ignore: decorator
@inline
export function sequenceOf(args: AttentionArgs, item: AttentionItem): Sequence {
  return sequenceAt(args, item.batch);
}

/** Row r of the item's key head, as an address: base + query · token + head · step. */
export function rowAddress(base: usize, token: usize, step: usize, group: i32, head: i32, r: i32): usize {
  const query = r / group;
  return base + <usize>query * token + <usize>(head * group + r - query * group) * step;
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
  let address = rowAddress(base, token, step, group, head, r0);
  let left = group - (r0 % group);
  const last = end - 1 - r0;
  for (let lane = 0; lane < 8; lane++) {
    store<u32>(table + ((<usize>lane) << 2), <u32>address);
    if (lane >= last) continue;
    // The next head of the group, or the next query's first: with a division a lane eight rows × 16 took 7 to 12 % longer.
    address += step;
    if (--left > 0) continue;
    address += token - <usize>group * step;
    left = group;
  }
}

/** Packs the queries of rows r0 … r0 + 8, eight columns side by side, and opens their panel. */
export function packPanel(
  args: AttentionArgs,
  item: AttentionItem,
  r0: i32,
  panel: usize,
  scratch: usize,
): void {
  const base = args.q + <usize>sequenceOf(args, item).firstQuery * args.qFirst;
  rowTable(scratch, base, args.qToken, args.qHead, args.group, item.head, r0, item.q0 + item.rows);
  f32RowsToPanel(scratch, args.headDim, args.scale, panel + QUERIES);
  openPanel(args, item, r0, panel, args.sinks);
}

/** Sets which keys rows r0 … r0 + 8 may see, and starts their softmax, with `sinks` unless that is 0: a part has none. */
export function openPanel(
  args: AttentionArgs,
  item: AttentionItem,
  r0: i32,
  panel: usize,
  sinks: usize,
): void {
  const end = item.q0 + item.rows;
  const group = args.group;
  const sequence = sequenceOf(args, item);
  startSoftmax(panel, sinks, group, item.head, r0, end);

  // The query of each lane: one more for each first head of a group that is not behind it.
  const most = i32x4.splat(end - 1 - r0);
  const lanes0 = i32x4.min_s(i32x4(0, 1, 2, 3), most);
  const lanes1 = i32x4.min_s(i32x4(4, 5, 6, 7), most);
  const query = r0 / group;
  let queries0 = i32x4.splat(query);
  let queries1 = queries0;
  for (let lane = (query + 1) * group - r0; lane < min(8, end - r0); lane += group) {
    const at = i32x4.splat(lane);
    queries0 = i32x4.sub(queries0, i32x4.ge_s(lanes0, at));
    queries1 = i32x4.sub(queries1, i32x4.ge_s(lanes1, at));
  }
  const start0 = keysBefore(sequence.start, queries0, sequence.keys);
  const start1 = keysBefore(sequence.start, queries1, sequence.keys);
  const limit0 = keysBefore(sequence.stop, queries0, sequence.keys);
  const limit1 = keysBefore(sequence.stop, queries1, sequence.keys);
  v128.store(panel, start0, START);
  v128.store(panel, start1, START + 16);
  v128.store(panel, limit0, LIMIT);
  v128.store(panel, limit1, LIMIT + 16);
  // A later query sees as far or farther.
  store<i32>(panel, i32x4.extract_lane(start0, 0), FIRST);
  store<i32>(panel, i32x4.extract_lane(limit1, 3), LAST);
  store<i32>(panel, i32x4.extract_lane(start1, 3), ALL_FROM);
  store<i32>(panel, i32x4.extract_lane(limit0, 0), ALL_TO);
  if (args.mask != 0 && args.maskKey == 0) hideRows(args, item, r0, panel);
  store<i32>(panel, r0, ROW);
}

/** The first key of a sequence of `keys` that is not before query + place, lane by lane. No sum here overflows. */
// @ts-ignore: decorator
@inline
function keysBefore(place: i32, query: v128, keys: i32): v128 {
  const place4 = i32x4.min_s(i32x4.splat(place), i32x4.sub(i32x4.splat(keys), query));
  return i32x4.max_s(i32x4.add(query, place4), i32x4.splat(0));
}

/** A mask that is the same for all keys says of a row that it sees nothing, or changes nothing. */
function hideRows(args: AttentionArgs, item: AttentionItem, r0: i32, panel: usize): void {
  const end = item.q0 + item.rows;
  const mask = maskBase(args, item);
  let last = 0;
  for (let lane = 0; lane < 8; lane++) {
    const r = min(r0 + lane, end - 1);
    const at = panel + ((<usize>lane) << 2);
    if (!load<u8>(rowAddress(mask, args.maskQuery, args.maskHead, args.group, item.head, r))) {
      store<i32>(at, 0, LIMIT);
      store<i32>(panel, 0, ALL_TO);
    }
    last = max(last, load<i32>(at, LIMIT));
  }
  store<i32>(panel, last, LAST);
}

/**
 * Starts the softmax of rows r0 … r0 + 8. A row begins with its sink, as if that key had been seen: m = sink, l = 1. −∞ is
 * none; ∞ and NaN give NaN.
 */
export function startSoftmax(panel: usize, sinks: usize, group: i32, head: i32, r0: i32, end: i32): void {
  const lowest = f32x4.splat(LOWEST);
  const zero = f32x4.splat(0);
  v128.store(panel, lowest, MAXIMUM);
  v128.store(panel, lowest, MAXIMUM + 16);
  v128.store(panel, zero, SUM);
  v128.store(panel, zero, SUM + 16);
  if (!sinks) return;
  for (let lane = 0; lane < 8; lane++) {
    const m = LOG2E * load<f32>(rowAddress(sinks, 0, 4, group, head, min(r0 + lane, end - 1)));
    if (m == -Infinity) continue;
    store<f32>(panel + ((<usize>lane) << 2), m, MAXIMUM);
    store<f32>(panel + ((<usize>lane) << 2), m - m + 1, SUM);
  }
}

/** The first key of a block that is looked at: a multiple of 4, so that sums of four keep their grid. */
// @ts-ignore: decorator
@inline
export function firstKey(panel: usize, block: i32): i32 {
  return max(block, load<i32>(panel, FIRST) & ~3);
}

/** One past the last key before `end` that any row of the panel may see. */
// @ts-ignore: decorator
@inline
export function lastKey(panel: usize, end: i32): i32 {
  return min(end, load<i32>(panel, LAST));
}

/** Whether the mask lets all, some or none of the panel's rows see `keys` keys from `first` on. Its rows stay in the table. */
export function lookAtMask(
  args: AttentionArgs,
  item: AttentionItem,
  first: i32,
  keys: i32,
  panel: usize,
  scratch: usize,
): i32 {
  if (args.mask == 0 || args.maskKey == 0) return ALL;
  const base = maskBase(args, item) + <usize>first * args.maskKey;
  const r0 = load<i32>(panel, ROW);
  rowTable(scratch, base, args.maskQuery, args.maskHead, args.group, item.head, r0, item.q0 + item.rows);
  return f32MaskSeen(scratch, keys);
}

/** Whether scores are finished as they are multiplied. A mask that is the same for all keys is in the limits already. */
// @ts-ignore: decorator
@inline
function nothingIsAdded(args: AttentionArgs): bool {
  return args.cap == 0 && args.alibi == 0 && args.bias == 0 && args.scoreScale == 1;
}

/** Whether all rows of the panel see keys `first` … `last` by their place. */
// @ts-ignore: decorator
@inline
function isInside(panel: usize, first: i32, last: i32): bool {
  return load<i32>(panel, ALL_FROM) <= first && last <= load<i32>(panel, ALL_TO);
}

/** How many of the panels from this one on, at most `most`, meet keys `first` … `last` together: those that see all, or this one alone. */
export function panelsAtOnce(
  args: AttentionArgs,
  panel: usize,
  stride: usize,
  most: i32,
  first: i32,
  last: i32,
): i32 {
  if (!nothingIsAdded(args) || (args.mask != 0 && args.maskKey != 0)) return 1;
  let panels = 0;
  for (; panels < most && isInside(panel, first, last); panels++) panel += stride;
  return max(1, panels);
}

/**
 * S[panels][keys][8] of keys `first` … of one block, which lie from k on, ldk bytes apart: the product, finished. Where every
 * row sees every key and nothing is added, the maximum is taken in the product's own epilogue: always so for several
 * panels, `stride` bytes apart. False where the mask hides all: nothing is computed then.
 */
export function panelScores(
  args: AttentionArgs,
  item: AttentionItem,
  k: usize,
  ldk: usize,
  first: i32,
  keys: i32,
  panel: usize,
  panels: i32,
  stride: usize,
  scratch: usize,
): bool {
  const s = scratch + SCORES;
  const seen = lookAtMask(args, item, first, keys, panel, scratch);
  if (seen == NONE) return false;
  for (let i: usize = 0; i < <usize>panels; i++) {
    const m = panel + i * stride;
    v128.store(scratch + 32 * i, v128.load(m, MAXIMUM), FACTOR);
    v128.store(scratch + 32 * i, v128.load(m, MAXIMUM + 16), FACTOR + 16);
  }
  const d = args.headDim;
  const q = panel + QUERIES;
  if (seen == ALL && nothingIsAdded(args) && isInside(panel, first, first + keys)) {
    rowsMax(k, ldk, keys, q, stride, panels, d, s, SCORE_BYTES, 32, panel + MAXIMUM, stride, args.tile);
  } else {
    // The product's maxima are not yet those of the scores: they go where alibi's places will be.
    rowsMax(k, ldk, keys, q, 0, 1, d, s, 0, 32, scratch + PLACE, 0, args.tile);
    finishScores(args, item, first, keys, seen, panel, scratch);
  }
  return true;
}

/**
 * The one place where a score is finished, scale → softcap → alibi → bias → mask, and the panel's maxima are raised over
 * S[keys][8].
 */
export function finishScores(
  args: AttentionArgs,
  item: AttentionItem,
  first: i32,
  keys: i32,
  seen: i32,
  panel: usize,
  scratch: usize,
): void {
  const s = scratch + SCORES;
  const r0 = load<i32>(panel, ROW);
  if (args.scoreScale != 1) f32ScoreScale(s, 2 * keys, args.scoreScale);
  if (args.cap != 0) f32ScoreCap(s, 2 * keys, args.capHalf, args.capTwice, args.cap);
  if (args.alibi) addAlibi(args, item, first, keys, r0, scratch);
  if (args.bias) addBias(args, item, first, keys, r0, scratch);
  if (seen == SOME) f32ScoreMask(s, keys, scratch);
  f32ScoreLimit(s, first, keys, panel + START, panel + LIMIT, panel + MAXIMUM);
}

// @ts-ignore: decorator
@inline
function maskBase(args: AttentionArgs, item: AttentionItem): usize {
  return args.mask + <usize>item.batch * args.maskBatch;
}

function addAlibi(
  args: AttentionArgs,
  item: AttentionItem,
  first: i32,
  keys: i32,
  r0: i32,
  scratch: usize,
): void {
  const end = item.q0 + item.rows;
  const offset = sequenceOf(args, item).offset - <f64>first;
  for (let lane = 0; lane < 8; lane++) {
    const r = min(r0 + lane, end - 1);
    const at = scratch + ((<usize>lane) << 2);
    const slope = load<f32>(rowAddress(args.alibi, 0, 4, args.group, item.head, r));
    // Without a slope there is no distance either: it may be infinite as a float32, and 0 · ∞ is NaN.
    store<f32>(at, slope == 0 ? 0 : <f32>(<f64>(r / args.group) + offset), PLACE);
    store<f32>(at, -LOG2E * slope, SLOPE);
  }
  f32ScoreAlibi(scratch + SCORES, keys, scratch + PLACE, scratch + SLOPE);
}

/** The bias of eight rows, transposed and in base 2. Their table lies where alibi's places were: the mask's rows stay. */
function addBias(
  args: AttentionArgs,
  item: AttentionItem,
  first: i32,
  keys: i32,
  r0: i32,
  scratch: usize,
): void {
  const table = scratch + PLACE;
  const panel = scratch + SEEN;
  const base = args.bias + <usize>item.batch * args.biasBatch + <usize>first * args.biasKey;
  rowTable(table, base, args.biasQuery, args.biasHead, args.group, item.head, r0, item.q0 + item.rows);
  f32RowsToPanel(table, args.biasKey ? keys : 1, LOG2E, panel);
  f32ScoreBias(scratch + SCORES, keys, panel, args.biasKey ? 32 : 0);
}

/** logSumExp of rows r0 … r0 + count: m·ln 2 + ln l, −∞ for a row that saw no key. */
export function writeLogSumExp(
  args: AttentionArgs,
  batch: i32,
  head: i32,
  r0: i32,
  count: i32,
  panel: usize,
): void {
  const base = args.logSumExp + <usize>sequenceAt(args, batch).firstQuery * args.logSumExpFirst;
  for (let lane = 0; lane < count; lane++) {
    const l = load<f32>(panel + ((<usize>lane) << 2), SUM);
    const m = load<f32>(panel + ((<usize>lane) << 2), MAXIMUM);
    const lse = l == 0 ? -Infinity : f32(<f64>m * 0.6931471805599453 + <f64>Mathf.log(l));
    store<f32>(rowAddress(base, 4, args.logSumExpHead, args.group, head, r0 + lane), <f32>lse);
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
