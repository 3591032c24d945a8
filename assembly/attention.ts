/**
 * Driver of fused attention: O = softmax(scale · QKᵀ) V for work items, never storing S or P whole.
 *
 * FlashAttention's online softmax (Dao et al. 2022; Milakov & Gimelshein 2018) in transposed form: lanes are queries.
 *
 *   Sᵀ[keys × 8] = K · Qᵀ      K splatted in place, any stride; only Q is packed
 *   m, P, l                    vertical over the keys: no horizontal operation
 *   Oᵀ[d × 8] = Oᵀ·factor + Vᵀ · Pᵀ      V splatted in place, the rescale fused into the store
 *
 * and one transpose at the end. Blocks of BK keys are the outer loop, panels of eight rows the inner one, so a block
 * of K and V is read from memory once per item. Panels whose rows all see the whole block go together, up to WIDE of them:
 * a tile's rows of K, and its columns of V, then come to the first cache level once for all.
 *
 * A key that is masked for some rows of a panel meets them with p = 0, and 0 · NaN is NaN. Nothing is tested in the
 * loop: if a result is NaN although its row's sum is not, the item is computed once more with such keys skipped.
 */
import { BK } from '../common/abi';
import { AttentionArgs, AttentionItem } from './args';
import { f16Widen } from './kernels/f16-widen';
import { f32CopyRows } from './kernels/f32-copy-rows';
import { f32PvExact, f32ScoreSeen } from './kernels/f32-pv-exact';
import { f32SoftmaxOnline } from './kernels/f32-softmax-online';
import { f32Touch } from './kernels/f32-touch';
import { f32PanelToRows } from './kernels/f32-transpose';
import {
  FACTOR,
  MAXIMUM,
  PANELS,
  SCORES,
  SCORE_BYTES,
  SEEN,
  SUM,
  WIDE,
  areFar,
  firstKey,
  inverseSums,
  lastKey,
  nearBlock,
  openPanel,
  outputOffset,
  packPanel,
  padded,
  panelBytes,
  panelsAtOnce,
  panelScores,
  rowTable,
  scratchBytes,
  sequenceOf,
  slotOf,
  writeLogSumExp,
} from './panel';
import { columnsAdd, panelsOf } from './select';

/** Bytes of scratch that one thread needs for any item of this call. Exact: beyond 2³² too. */
export function attentionScratch(args: usize): f64 {
  return scratchBytes(changetype<AttentionArgs>(args));
}

export function attention(args: usize, begin: i32, end: i32, scratch: usize): void {
  const a = changetype<AttentionArgs>(args);
  for (let i = begin; i < end; i++) {
    const item = changetype<AttentionItem>(a.items + <usize>i * offsetof<AttentionItem>());
    if (!attend(a, item, scratch, false)) attend(a, item, scratch, true);
  }
}

/** Runs one item. False where the result shows a NaN that only 0 · NaN of a masked key can have made. */
function attend(args: AttentionArgs, item: AttentionItem, scratch: usize, exact: bool): bool {
  const valueDim = args.valueDim;
  const stride = panelBytes(args.headDim, valueDim);
  const output = outputOffset(args.headDim);
  const end = item.q0 + item.rows;
  const s = scratch + SCORES;
  const factor = scratch + FACTOR;
  const most = exact ? 1 : <i32>WIDE - (<i32>WIDE % panelsOf(args.tile));

  // Pass 1: the queries, packed; the second time they are: `out` may lie where they lay. Sums begin with zeros.
  let panel = scratch + PANELS;
  for (let r = item.q0; r < end; r += 8, panel += stride) {
    if (exact) openPanel(args, item, r, panel, args.sinks);
    else packPanel(args, item, r, panel, scratch);
    memory.fill(panel + output, 0, (<usize>valueDim) << 5);
  }

  // Pass 2: block by block of keys, panel by panel: scores, softmax, weighted sum.
  const firstToken = <usize>sequenceOf(args, item).firstKey;
  const kHead = args.k + firstToken * args.kFirst + <usize>item.head * args.kHead;
  const vHead = args.v + firstToken * args.vFirst + <usize>item.head * args.vHead;
  const isNear = args.half != 0 || (areFar(args) && item.rows >= 128);
  const ldk = args.half ? padded(args.headDim) << 2 : args.kToken;
  const ldv = isNear ? padded(valueDim) << 2 : args.vToken;
  const near = nearBlock(args, item, scratch);
  for (let block = item.k0; block < item.k1; block += BK) {
    const last = min(block + BK, item.k1);
    let k = kHead + slotOf(args, block) * args.kToken;
    let v = vHead + slotOf(args, block) * args.vToken;
    if (args.half) {
      const nearV = near + <usize>BK * ldk;
      f16Widen(k, args.kToken, last - block, args.headDim, near, ldk, false);
      f16Widen(v, args.vToken, last - block, valueDim, nearV, ldv, false);
      k = near;
      v = nearV;
    } else if (isNear) {
      // Side by side from what lies beyond the second cache level; a tile would wait for each of its rows. 8 × 128: +1 %.
      if (item.rows >= 256) {
        f32Touch(
          k,
          ldk,
          (<usize>args.headDim) << 2,
          v,
          args.vToken,
          (<usize>valueDim) << 2,
          last - block,
          scratch,
        );
      }
      f32CopyRows(v, args.vToken, last - block, valueDim, near, ldv);
      v = near;
    }
    panel = scratch + PANELS;
    let r = item.q0;
    while (r < end) {
      const group = panel;
      const panels = panelsAtOnce(args, panel, stride, min(most, (end - r + 7) >> 3), block, last);
      r += 8 * panels;
      panel += <usize>panels * stride;
      const first = firstKey(group, block);
      const keys = lastKey(group, last) - first;
      if (keys <= 0) continue;
      const skipped = <usize>(first - block);
      const keysAt = k + skipped * ldk;
      const values = v + skipped * ldv;
      if (!panelScores(args, item, keysAt, ldk, first, keys, group, panels, stride, scratch)) continue;
      if (exact) f32ScoreSeen(s, keys, scratch + SEEN);
      for (let i: usize = 0; i < <usize>panels; i++) {
        const each = group + i * stride;
        f32SoftmaxOnline(s + i * SCORE_BYTES, keys, 2, factor + 32 * i, each + MAXIMUM, each + SUM);
      }
      const o = group + output;
      if (exact) f32PvExact(values, ldv, valueDim, s, keys, scratch + SEEN, o, factor);
      else
        columnsAdd(values, ldv, valueDim, s, SCORE_BYTES, panels, keys, o, stride, 32, factor, 32, args.tile);
    }
  }

  // Pass 3: divide by l, transpose, write. A row that saw no key is zeros.
  let foreign = i32x4.splat(0);
  const out = args.out + <usize>sequenceOf(args, item).firstQuery * args.outFirst;
  panel = scratch + PANELS;
  for (let r = item.q0; r < end; r += 8, panel += stride) {
    const count = min(8, end - r);
    inverseSums(panel, factor);
    rowTable(scratch, out, args.outToken, args.outHead, args.group, item.head, r, end);
    foreign = v128.or(foreign, f32PanelToRows(panel + output, valueDim, factor, scratch, count));
    if (args.logSumExp) writeLogSumExp(args, item.batch, item.head, r, count, panel);
  }
  return exact || !v128.any_true(foreign);
}
