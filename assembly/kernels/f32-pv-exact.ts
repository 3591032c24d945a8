/**
 * The weighted sum where a masked key's value may be NaN or infinite: 0 · NaN is NaN, so such keys are skipped, lane
 * by lane, instead of multiplied by 0. Runs only for items whose fast result shows a NaN that no weight explains.
 *
 *   seen[j][q] = all ones where S[j][q] ≠ −∞                                   (before the exponential)
 *   O[d][q] = O[d][q]·factor[q] + Σⱼ { P[j][q]·V[j][d] where seen[j][q] }      (after it)
 *
 *   v ─► rows of V, ldv bytes apart,      p, seen ─► | key 0: q0 … q7 | key 1: q0 … q7 | …
 *        in place, splatted               o       ─► | d 0:   q0 … q7 | d 1:   q0 … q7 | …
 *
 * The same order and the same operations as the fast tile: where everything is finite, the bits are equal.
 *
 * Needs:     keys >= 0; valueDim >= 0; seen has room for `keys` rows; o holds zeros or the sums so far.
 * Registers: sum, factor, value, weight, product, seen = 6. One chain, so it waits for every addition: rare, not fast.
 * FLOPs:     16 · keys · valueDim + 16 · valueDim; f32ScoreSeen none, it compares.
 */
import { loadTail, madd } from '../simd';

export function f32ScoreSeen(s: usize, keys: i32, seen: usize): void {
  assert(keys >= 0);
  const masked = f32x4.splat(-Infinity);
  const end = s + ((<usize>keys) << 5);
  for (; s < end; s += 16, seen += 16) v128.store(seen, f32x4.ne(v128.load(s), masked));
}

export function f32PvExact(
  v: usize,
  ldv: usize,
  valueDim: i32,
  p: usize,
  keys: i32,
  seen: usize,
  o: usize,
  factor: usize,
): void {
  assert(keys >= 0 && valueDim >= 0);
  for (let half: usize = 0; half < 32; half += 16) {
    const f = v128.load(factor + half);
    for (let d = 0; d < valueDim; d++) {
      let sum = f32x4.splat(0);
      let value = v + ((<usize>d) << 2);
      for (let j = 0; j < keys; j++, value += ldv) {
        const at = ((<usize>j) << 5) + half;
        const next = madd(v128.load32_splat(value), v128.load(p + at), sum);
        sum = v128.bitselect(next, sum, v128.load(seen + at));
      }
      const to = o + ((<usize>d) << 5) + half;
      v128.store(to, madd(v128.load(to), f, sum));
    }
  }
}

/** The same for one query where lanes are elements of the value: O[d] = O[d]·factor + Σⱼ { P[j]·V[j][d] where seen[j] }. */
export function f32PvExactRow(
  v: usize,
  ldv: usize,
  valueDim: i32,
  p: usize,
  keys: i32,
  seen: usize,
  o: usize,
  factor: usize,
): void {
  assert(keys >= 0 && valueDim >= 0);
  const f = v128.load32_splat(factor);
  for (; valueDim > 0; valueDim -= 4, v += 16, o += 16) {
    let sum = f32x4.splat(0);
    let value = v;
    for (let at: usize = 0; at < (<usize>keys) << 5; at += 32, value += ldv) {
      if (!load<u32>(seen + at)) continue;
      const x = valueDim >= 4 ? v128.load(value) : loadTail(value, valueDim);
      sum = madd(v128.load32_splat(p + at), x, sum);
    }
    v128.store(o, madd(v128.load(o), f, sum));
  }
}
