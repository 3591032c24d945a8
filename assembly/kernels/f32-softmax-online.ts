/**
 * One block of the online softmax (Milakov & Gimelshein 2018), eight queries side by side:
 *
 *   P[j][q] = 2^(S[j][q] − m[q])            in place, j = 0 … keys − 1
 *   factor[q] = 2^(m_before[q] − m[q])      what everything summed so far must be multiplied by
 *   l[q] = l[q]·factor[q] + Σⱼ P[j][q]
 *
 *   s: | key 0: q0 … q7 | key 1: q0 … q7 | …     32 bytes a key
 *
 * The maxima are already raised over this block. Sums go by quads of keys, then quad after quad from zero: depth
 * keys/4 + 2. Rows up to the next multiple of 4 are filled with −∞, which adds exactly 0.
 *
 * Needs:     vectors 1 or 2: how many of the two vectors of queries there are; s has room for `keys` rounded up to 4 rows; factor holds the maxima before this block.
 * Registers: 4 chains of 3 + 1 constant + m + sum = 15 of 15 (no vector spills in the loop, without FMA either).
 * FLOPs:     19 a score (1 for x − m, 17 for 2^x as in exp.ts, 1 for the sum): 152 · keys, + 160 for factor and l.
 */
import { MASKED } from '../constants';
import { exp2, exp2Four } from '../exp';
import { madd } from '../simd';

export function f32SoftmaxOnline(s: usize, keys: i32, vectors: i32, factor: usize, m: usize, l: usize): void {
  assert(keys >= 0 && vectors >= 1 && vectors <= 2);
  const end = s + ((<usize>keys) << 5);
  const rounded = s + ((<usize>((keys + 3) & ~3)) << 5);
  const masked = v128.load(MASKED);
  for (let p = end; p < rounded; p += 16) v128.store(p, masked);
  for (let half: usize = 0; half < 16 * <usize>vectors; half += 16) {
    const maximum = v128.load(m + half);
    const rescale = exp2(f32x4.sub(v128.load(factor + half), maximum));
    let sum = f32x4.splat(0);
    for (let at = s + half; at < rounded; at += 128) sum = f32x4.add(sum, exp2Four(at, maximum));
    v128.store(factor + half, rescale);
    v128.store(l + half, madd(v128.load(l + half), rescale, sum));
  }
}
