/**
 * Driver of attention where few queries meet many keys: a few tokens against a cache. Lanes are elements of the head,
 * where prefill's lanes are queries: with one query most of those would be empty.
 *
 *   S[keys][8] = K · Qᵀ                  the query heads of one key head together, so that a key is read once for all
 *   m, P, l                              as in prefill: the same panel of scores, finished by the same function
 *   O[8][valueDim] = O·factor + Pᵀ · V   a value is read once for all
 *
 * Reading is what takes the time: a loop that computes keeps only two or three cache lines on their way, so each block of K and
 * V is touched, one load a line, before it is used (1.5 × faster).
 *
 * Keys are split into parts of SPLIT on the grid of key indices, on one thread too; `combine` adds the parts up in order.
 */
import { BK, HALF } from '../common/abi';
import { AttentionArgs, AttentionItem, CombineItem } from './args';
import { exp2 } from './exp';
import { f16Dot } from './kernels/f16-dot';
import { f16Pv1x32 } from './kernels/f16-pv-1x32';
import { f16Widen } from './kernels/f16-widen';
import { f32Pv4x8 } from './kernels/f32-pv-4x8';
import { f32PvExactRow, f32ScoreSeen } from './kernels/f32-pv-exact';
import { f32Qk4x2 } from './kernels/f32-qk-4x2';
import { f32Row } from './kernels/f32-row';
import { f32ScoreScale } from './kernels/f32-score-scale';
import { f32SoftmaxOnline } from './kernels/f32-softmax-online';
import { f32Touch } from './kernels/f32-touch';
import { NONE } from './kernels/f32-score-mask';
import {
  FACTOR,
  MAXIMUM,
  PANELS,
  QUERIES,
  SCORES,
  SEEN,
  SUM,
  finishScores,
  firstKey,
  inverseSums,
  lastKey,
  lookAtMask,
  openPanel,
  outputOffset,
  padded,
  panelBytes,
  rowAddress,
  sequenceAt,
  sequenceOf,
  slotOf,
  startSoftmax,
  nearBlock,
  writeLogSumExp,
} from './panel';
import { dots, weightedSum } from './select-rows';
import { madd, maxKeep } from './simd';

/**
 * 2²⁸, 2⁸⁴: of the 2¹¹² that unpacked float16 lacks this goes to the queries and that to the scores. Queries (times scale)
 * below 2¹⁰⁰ are then no overflow, and products from 2⁻⁴² on no subnormal numbers.
 */
const UP: f32 = 268435456;
const REST: f32 = 19342813113834066795298816.0;

/** Offset of O in a part, behind m and l. */
const PART_OUTPUT: usize = 64;

/** Bytes of a part of eight rows. */
export function partBytes(args: usize): f64 {
  return <f64>PART_OUTPUT + 32.0 * <f64>padded(changetype<AttentionArgs>(args).valueDim);
}

/** Same descriptor, items and scratch as `attention`. */
export function decode(args: usize, begin: i32, end: i32, scratch: usize): void {
  const a = changetype<AttentionArgs>(args);
  for (let i = begin; i < end; i++) {
    const item = changetype<AttentionItem>(a.items + <usize>i * offsetof<AttentionItem>());
    if (!attend(a, item, scratch, false)) attend(a, item, scratch, true);
  }
}

/** Runs one item. False where the result shows a NaN that only 0 · NaN of a masked key can have made. */
function attend(args: AttentionArgs, item: AttentionItem, scratch: usize, exact: bool): bool {
  const headDim = args.headDim;
  const valueDim = args.valueDim;
  const stride = panelBytes(headDim, valueDim);
  const output = outputOffset(headDim);
  const ldq = padded(headDim) << 2;
  const ldo = padded(valueDim) << 2;
  const end = item.q0 + item.rows;
  const s = scratch + SCORES;
  const factor = scratch + FACTOR;

  // Pass 1: the queries, scaled, each a row of whole vectors.
  const sequence = sequenceOf(args, item);
  const unpacked = args.half == HALF;
  const q = args.q + <usize>sequence.firstQuery * args.qFirst;
  let panel = scratch + PANELS;
  for (let r = item.q0; r < end; r += 8, panel += stride) {
    openPanel(args, item, r, panel, 0);
    const rows = min(8, end - r);
    memory.fill(panel + output, 0, <usize>rows * ldo);
    for (let lane = 0; lane < rows; lane++) {
      const from = rowAddress(q, args.qToken, args.qHead, args.group, item.head, r + lane);
      f32Row(from, headDim, unpacked ? args.scale * UP : args.scale, panel + QUERIES + <usize>lane * ldq);
    }
  }

  // Pass 2: block by block of keys: scores, softmax, weighted sum.
  const kHead = args.k + <usize>sequence.firstKey * args.kFirst + <usize>item.head * args.kHead;
  const vHead = args.v + <usize>sequence.firstKey * args.vFirst + <usize>item.head * args.vHead;
  // A single row meets float16 as it lies: it would be unpacked for that row alone.
  const direct = unpacked && item.rows == 1 && !exact && (headDim & 7) == 0 && (valueDim & 31) == 0;
  const size: usize = args.half ? 1 : 2;
  const kBytes = (<usize>headDim) << size;
  const vBytes = (<usize>valueDim) << size;
  const wide = args.half && !direct ? nearBlock(args, item, scratch) : 0;
  const ldk = wide ? ldq : args.kToken;
  const ldv = wide ? ldo : args.vToken;
  for (let block = item.k0; block < item.k1; block += BK) {
    const from = max(block, firstKey(scratch + PANELS, block));
    const last = min(block + BK, item.k1);
    const count = last - from;
    if (count <= 0) continue;
    let k = kHead + slotOf(args, from) * args.kToken;
    let v = vHead + slotOf(args, from) * args.vToken;
    f32Touch(k, args.kToken, kBytes, v, args.vToken, vBytes, count, scratch);
    if (wide) {
      f16Widen(k, args.kToken, count, headDim, wide, ldk, unpacked);
      k = wide;
    }
    let widened = !wide;
    panel = scratch + PANELS;
    for (let r = item.q0; r < end; r += 8, panel += stride) {
      const first = max(from, firstKey(panel, block));
      const keys = lastKey(panel, last) - first;
      if (keys <= 0) continue;
      const seen = lookAtMask(args, item, first, keys, panel, scratch);
      if (seen == NONE) continue;
      const rows = min(8, end - r);
      const skipped = <usize>(first - from);
      v128.store(scratch, v128.load(panel, MAXIMUM), FACTOR);
      v128.store(scratch, v128.load(panel, MAXIMUM + 16), FACTOR + 16);
      let row = 0;
      for (; row + 4 <= rows && (headDim & 3) == 0; row += 4) {
        const at = panel + QUERIES + <usize>row * ldq;
        f32Qk4x2(at, ldq, k + skipped * ldk, ldk, headDim, keys, s + ((<usize>row) << 2));
      }
      for (; row < rows; row++) {
        const at = panel + QUERIES + <usize>row * ldq;
        const to = s + ((<usize>row) << 2);
        if (direct) f16Dot(at, k + skipped * ldk, ldk, headDim, keys, to, 32);
        else dots(at, k + skipped * ldk, ldk, headDim, keys, to, 32);
      }
      if (unpacked) f32ScoreScale(s, 2 * keys, REST);
      finishScores(args, item, first, keys, seen, panel, scratch);
      if (exact) f32ScoreSeen(s, keys, scratch + SEEN);
      if (!widened) {
        widened = true;
        const to = wide + <usize>BK * ldk;
        f16Widen(v, args.vToken, count, valueDim, to, ldv, unpacked);
        v = to;
      }
      f32SoftmaxOnline(s, keys, rows > 4 ? 2 : 1, factor, panel + MAXIMUM, panel + SUM);
      // Weights are at most 1, so this is no overflow: what they meet is 2⁻¹¹² of what it should be.
      if (unpacked) f32ScoreScale(s, 2 * keys, UP * REST);
      const values = v + skipped * ldv;
      row = 0;
      for (; !exact && row + 4 <= rows && (valueDim & 7) == 0; row += 4) {
        const lane = (<usize>row) << 2;
        const at = panel + output + <usize>row * ldo;
        f32Pv4x8(values, ldv, valueDim, s + lane, keys, at, ldo, factor + lane);
      }
      for (; row < rows; row++) {
        const lane = (<usize>row) << 2;
        const at = panel + output + <usize>row * ldo;
        if (exact)
          f32PvExactRow(values, ldv, valueDim, s + lane, keys, scratch + SEEN + lane, at, factor + lane);
        else if (direct) f16Pv1x32(values, ldv, valueDim, s + lane, keys, at, factor + lane);
        else weightedSum(values, ldv, valueDim, s + lane, keys, at, factor + lane, args.tile);
      }
    }
  }

  // Pass 3: divide by l and write, or leave the sums for `combine`.
  let right = true;
  panel = scratch + PANELS;
  for (let r = item.q0; r < end; r += 8, panel += stride) {
    const rows = min(8, end - r);
    if (item.part < 0) {
      right = writeRows(args, item.batch, item.head, r, rows, panel, panel + output, factor) && right;
    } else {
      const bytes = PART_OUTPUT + 8 * ldo;
      const part = args.parts + <usize>(item.part + ((r - item.q0) >> 3)) * bytes;
      memory.copy(part, panel, PART_OUTPUT);
      memory.copy(part + PART_OUTPUT, panel + output, 8 * ldo);
      right = isRight(panel, panel + output, ldo, rows) && right;
    }
  }
  return exact || right;
}

/** o[row] / l[row] to where each row belongs. False where a row is NaN although its sum is not. */
function writeRows(
  args: AttentionArgs,
  batch: i32,
  head: i32,
  r0: i32,
  rows: i32,
  panel: usize,
  o: usize,
  inverse: usize,
): bool {
  const valueDim = args.valueDim;
  const ldo = padded(valueDim) << 2;
  const out = args.out + <usize>sequenceAt(args, batch).firstQuery * args.outFirst;
  inverseSums(panel, inverse);
  for (let lane = 0; lane < rows; lane++) {
    const to = rowAddress(out, args.outToken, args.outHead, args.group, head, r0 + lane);
    f32Row(o + <usize>lane * ldo, valueDim, load<f32>(inverse + ((<usize>lane) << 2)), to);
  }
  if (args.logSumExp) writeLogSumExp(args, batch, head, r0, rows, panel);
  return isRight(panel, o, ldo, rows);
}

/** Whether no sum of values is NaN but where the sum of weights is too. */
function isRight(panel: usize, o: usize, ldo: usize, rows: i32): bool {
  for (let lane = 0; lane < rows; lane++, o += ldo) {
    const l = load<f32>(panel + ((<usize>lane) << 2), SUM);
    if (l != l) continue;
    let unordered = i32x4.splat(0);
    for (let d: usize = 0; d < ldo; d += 16) {
      const x = v128.load(o + d);
      unordered = v128.or(unordered, f32x4.ne(x, x));
    }
    if (v128.any_true(unordered)) return false;
  }
  return true;
}

/**
 * Adds up the parts of rows whose keys were split, in order, after their sink:
 *
 *   m = max m_i     l = Σ l_i·2^(m_i − m)     O = Σ O_i·2^(m_i − m)
 */
export function combine(args: usize, begin: i32, end: i32, scratch: usize): void {
  const a = changetype<AttentionArgs>(args);
  for (let i = begin; i < end; i++) {
    const item = changetype<CombineItem>(a.combines + <usize>i * offsetof<CombineItem>());
    const panels = (item.rows + 7) >> 3;
    for (let p = 0; p < panels; p++) combinePanel(a, item, p, panels, scratch);
  }
}

function combinePanel(args: AttentionArgs, item: CombineItem, p: i32, panels: i32, scratch: usize): void {
  const ldo = padded(args.valueDim) << 2;
  const bytes = PART_OUTPUT + 8 * ldo;
  const first = args.parts + <usize>(item.part + p) * bytes;
  const step = <usize>panels * bytes;
  const end = first + <usize>item.parts * step;
  const r0 = item.q0 + 8 * p;
  const rows = min(8, item.q0 + item.rows - r0);
  const panel = scratch + PANELS;
  const o = panel + outputOffset(args.headDim);
  const factor = scratch + FACTOR;
  startSoftmax(panel, args.sinks, args.group, item.head, r0, r0 + rows);
  memory.fill(o, 0, <usize>rows * ldo);

  for (let half: usize = 0; half < 32; half += 16) {
    const begun = v128.load(panel + half, MAXIMUM);
    let m = begun;
    for (let part = first; part < end; part += step) m = maxKeep(m, v128.load(part + half, MAXIMUM));
    let l = f32x4.mul(v128.load(panel + half, SUM), exp2(f32x4.sub(begun, m)));
    for (let part = first; part < end; part += step) {
      const weight = exp2(f32x4.sub(v128.load(part + half, MAXIMUM), m));
      l = madd(v128.load(part + half, SUM), weight, l);
      // The part's m has served: its weight takes its place.
      v128.store(part + half, weight, MAXIMUM);
    }
    v128.store(panel + half, m, MAXIMUM);
    v128.store(panel + half, l, SUM);
  }
  for (let part = first; part < end; part += step) {
    for (let lane = 0; lane < rows; lane++) {
      const weight = v128.load32_splat(part + ((<usize>lane) << 2));
      const row = <usize>lane * ldo;
      for (let d = row; d < row + ldo; d += 16) {
        v128.store(o + d, madd(v128.load(part + PART_OUTPUT + d), weight, v128.load(o + d)));
      }
    }
  }
  writeRows(args, item.batch, item.head, r0, rows, panel, o, factor);
}
