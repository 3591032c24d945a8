/**
 * Attention, rung 10: fused softmax. Keys come in blocks of BK = 96, and no row of S is ever whole.
 *
 *   for each block:  m' = max(m, max S)    P = 2^(S − m')    f = 2^(m − m')
 *                    l = l·f + Σ P         Oᵀ = Oᵀ·f + Vᵀ·Pᵀ            and O / l at the end
 *
 * The online softmax (Milakov & Gimelshein 2018; FlashAttention, Dao et al. 2022). What is new: scratch no longer grows with seq,
 * and a block of K and V that has been read into the first cache level serves eight panels, 64 queries.
 *
 * Built a second time with relaxed SIMD this is rung 11: `madd` is one instruction then, and the tile that of matmul's rung 10.
 *
 * Needs: seq >= 8; scratch for nine panels and a block of scores. Reads past K and V as rung 8 (five rows or floats in rung 11).
 */
import { exp2, exp2Four } from '../../../assembly/exp';
import { madd } from '../../../assembly/simd';
import { BK } from '../../../common/abi';
import { tile6x8 } from '../matmul/10-wide-tile.as';
import { tile4x8 } from '../matmul/8-tile.as';
import { LOG2E } from './7-exp.as';
import { packQueries, unpackOutput } from './8-packed.as';

/** Where things lie in a panel of eight queries, and in what all panels share. */
const M: usize = 0; // m, l and f: one float a query
const L: usize = 32;
const F: usize = 64;
const QUERIES: usize = 96; // Qᵀ, and Oᵀ behind it

// @ts-ignore: decorator
@inline
function tiles(a: usize, aRow: usize, aStep: usize, rows: i32, b: usize, k: i32, c: usize): void {
  const step = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
  for (let i = 0; i < rows; i += step, a += <usize>step * aRow, c += (<usize>step) << 5) {
    if (ASC_FEATURE_RELAXED_SIMD) tile6x8(a, aRow, aStep, b, k, c, 32);
    else tile4x8(a, aRow, aStep, b, k, c, 32);
  }
}

/** One block: S becomes P, and m, l and f of the panel are those after it. */
function softmaxOnline(s: usize, keys: i32, panel: usize): void {
  const rounded = s + ((<usize>((keys + 3) & ~3)) << 5);
  for (let p = s + ((<usize>keys) << 5); p < rounded; p += 16) v128.store(p, f32x4.splat(-Infinity));
  for (let half: usize = 0; half < 32; half += 16) {
    const before = v128.load(panel + half, M);
    let max = before;
    for (let p = s + half; p < rounded; p += 32) max = f32x4.pmax(max, v128.load(p));
    let sum = f32x4.splat(0);
    for (let p = s + half; p < rounded; p += 128) sum = f32x4.add(sum, exp2Four(p, max));
    const factor = exp2(f32x4.sub(before, max));
    v128.store(panel + half, max, M);
    v128.store(panel + half, madd(v128.load(panel + half, L), factor, sum), L);
    v128.store(panel + half, factor, F);
  }
}

/** Oᵀ = Oᵀ·f + T */
function rescaleAdd(o: usize, t: usize, headDim: i32, f: usize): void {
  for (let at: usize = 0; at < (<usize>headDim) << 5; at += 16) {
    v128.store(o + at, madd(v128.load(o + at), v128.load(f + (at & 16)), v128.load(t + at)));
  }
}

export function attention(
  q: usize,
  k: usize,
  v: usize,
  out: usize,
  seq: i32,
  heads: i32,
  headDim: i32,
  scratch: usize,
): void {
  const row = (<usize>(heads * headDim)) << 2;
  const scale = LOG2E / Mathf.sqrt(<f32>headDim);
  const size = (<usize>headDim) << 5;
  const stride = QUERIES + 2 * size;
  const s = scratch + 8 * stride;
  const t = s + (BK << 5);
  for (let h = 0; h < heads; h++) {
    const head = (<usize>(h * headDim)) << 2;
    for (let first = 0; first < seq; first += 64) {
      const last = min(first + 64, seq);

      // Pass 1: the queries, packed; m = −∞, l = 0, O = 0.
      let panel = scratch;
      for (let i = first; i < last; i += 8, panel += stride) {
        packQueries(q + head + <usize>min(i, seq - 8) * row, row, headDim, 8, scale, panel + QUERIES);
        memory.fill(panel + QUERIES + size, 0, size);
        for (let half: usize = 0; half < 32; half += 16) {
          v128.store(panel + half, f32x4.splat(-Infinity), M);
          v128.store(panel + half, f32x4.splat(0), L);
        }
      }

      // Pass 2: block by block of keys, panel by panel.
      for (let j = 0; j < seq; j += BK) {
        const keys = min(BK, seq - j);
        const block = head + <usize>j * row;
        panel = scratch;
        for (let i = first; i < last; i += 8, panel += stride) {
          tiles(k + block, row, 4, keys, panel + QUERIES, headDim, s);
          softmaxOnline(s, keys, panel);
          tiles(v + block, 4, row, headDim, s, keys, t);
          rescaleAdd(panel + QUERIES + size, t, headDim, panel + F);
        }
      }

      // Pass 3: O / l.
      panel = scratch;
      for (let i = first; i < last; i += 8, panel += stride) {
        const to = out + head + <usize>min(i, seq - 8) * row;
        unpackOutput(panel + QUERIES + size, panel + L, headDim, 8, to, row);
      }
    }
  }
}
