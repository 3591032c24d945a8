/**
 * What each of `parts` parts counts, four rows side by side, from the logarithms of their sums:
 *
 *   m = max over p of lse[p]      w[p] = e^(lse[p] − m)      l = Σ w[p]
 *
 *   lse: | part 0: r0 r1 r2 r3 | part 1: r0 … r3 | …      16 bytes a part; w takes its place
 *   sum: | m: r0 r1 r2 r3 | l: r0 r1 r2 r3 |
 *
 * The sum goes part after part. A part at −∞ adds exactly 0; where all are, l is 0. A NaN or +∞ makes l NaN.
 *
 * Needs:     parts >= 1.
 * Registers: m, log₂e, l, the weight and 4 inside 2^x = 8 of 15; its constants are loaded as they are met.
 * FLOPs:     21 a part and row: maximum, difference in base 2 (2), 17 for 2^x as in exp.ts, sum.
 */
import { exp2 } from '../exp';
import { maxKeep } from '../simd';

const LOG2E: usize = memory.data<f32>([1.44269504]);

export function f32MergeWeights(lse: usize, parts: i32, sum: usize): void {
  assert(parts >= 1);
  const end = lse + ((<usize>parts) << 4);
  // The lowest finite number: from it −∞ subtracts to −∞, which from itself it would not.
  let m = f32x4.splat(-f32.MAX_VALUE);
  for (let p = lse; p < end; p += 16) m = maxKeep(m, v128.load(p));
  let l = f32x4.splat(0);
  for (let p = lse; p < end; p += 16) {
    const w = exp2(f32x4.mul(f32x4.sub(v128.load(p), m), v128.load32_splat(LOG2E)));
    v128.store(p, w);
    l = f32x4.add(l, w);
  }
  v128.store(sum, m);
  v128.store(sum, l, 16);
}
