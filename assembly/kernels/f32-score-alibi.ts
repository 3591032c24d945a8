/**
 * Linear biases by distance (ALiBi, Press et al. 2022), in place:
 *
 *   S[j][q] = S[j][q] + slope[q]·|place[q] − j|        j = 0 … keys − 1, counted from the first key of these scores
 *
 *   s: | key 0: q0 … q7 | key 1: q0 … q7 | …         slope, place: f32 [8]; slope = −log₂e · the head's slope
 *
 * Needs:     keys >= 0.
 * Registers: 2 slopes + 2 places + j + 1 + distance + score = 8.
 * FLOPs:     36 · keys.
 */
import { ONES } from '../constants';
import { madd } from '../simd';

export function f32ScoreAlibi(s: usize, keys: i32, place: usize, slope: usize): void {
  assert(keys >= 0);
  const one = v128.load(ONES);
  const slope0 = v128.load(slope);
  const slope1 = v128.load(slope, 16);
  const place0 = v128.load(place);
  const place1 = v128.load(place, 16);
  // Counted apart: place − j is then rounded once. One less with each key, it would stand still from 2²⁴ on.
  let j = f32x4.splat(0);
  const end = s + ((<usize>keys) << 5);
  for (; s < end; s += 32) {
    v128.store(s, madd(f32x4.abs(f32x4.sub(place0, j)), slope0, v128.load(s)));
    v128.store(s, madd(f32x4.abs(f32x4.sub(place1, j)), slope1, v128.load(s, 16)), 16);
    j = f32x4.add(j, one);
  }
}
