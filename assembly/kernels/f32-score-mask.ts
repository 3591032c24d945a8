/**
 * An element-wise mask of bytes, one row of them a query:
 *
 *   S[j][q] = mask[q][j] ≠ 0 ? S[j][q] : −∞
 *
 *   rows: eight addresses (u32) of `keys` bytes          s: | key 0: q0 … q7 | key 1: q0 … q7 | …
 *
 * f32MaskSeen looks at a tile before it is computed: most are all ones (nothing to do) or all zeros (nothing to compute).
 *
 * Needs:     keys >= 0. No byte beyond `keys` of a row is read, so a rest below 16 goes one by one.
 * Registers: zero, −∞, 4 rows, 4 half-way, score.
 * FLOPs:     none: 52 shuffles, compares and selects for 64 scores.
 */
import { MASKED } from '../constants';

/** What a tile's bytes say. */
export const NONE = 0;
export const ALL = 1;
export const SOME = 2;

/** Whether all, some or none of eight rows of `keys` bytes are other than 0. */
export function f32MaskSeen(rows: usize, keys: i32): i32 {
  assert(keys >= 0);
  let some = false;
  let all = true;
  for (let lane: usize = 0; lane < 32; lane += 4) {
    let p = <usize>load<u32>(rows + lane);
    // A row that lies where the one before lies: the mask is the same for all queries, or heads.
    if (lane > 0 && p == <usize>load<u32>(rows + lane - 4)) continue;
    const end = p + <usize>keys;
    for (; p + 16 <= end; p += 16) {
      const x = v128.load(p);
      some = some || v128.any_true(x);
      all = all && i8x16.all_true(x);
    }
    for (; p < end; p++) {
      const x = load<u8>(p) != 0;
      some = some || x;
      all = all && x;
    }
    if (some && !all) return SOME;
  }
  return all ? ALL : NONE;
}

export function f32ScoreMask(s: usize, keys: i32, rows: usize): void {
  assert(keys >= 0);
  const masked = v128.load(MASKED);
  const zero = i8x16.splat(0);
  for (let half: usize = 0; half < 32; half += 16) {
    const a = <usize>load<u32>(rows + half);
    const b = <usize>load<u32>(rows + half, 4);
    const c = <usize>load<u32>(rows + half, 8);
    const d = <usize>load<u32>(rows + half, 12);
    let to = s + half;
    let j: usize = 0;
    for (; j + 16 <= <usize>keys; j += 16) {
      // Bytes of 16 keys of four rows => [a0 b0 c0 d0 a1 b1 c1 d1 …], four keys a vector.
      const a16 = v128.load(a + j);
      const b16 = v128.load(b + j);
      const c16 = v128.load(c + j);
      const d16 = v128.load(d + j);
      const ab0 = v128.shuffle<u8>(a16, b16, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const ab8 = v128.shuffle<u8>(a16, b16, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      const cd0 = v128.shuffle<u8>(c16, d16, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const cd8 = v128.shuffle<u8>(c16, d16, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      fourKeys(to, masked, zero, v128.shuffle<u16>(ab0, cd0, 0, 8, 1, 9, 2, 10, 3, 11));
      fourKeys(to + 128, masked, zero, v128.shuffle<u16>(ab0, cd0, 4, 12, 5, 13, 6, 14, 7, 15));
      fourKeys(to + 256, masked, zero, v128.shuffle<u16>(ab8, cd8, 0, 8, 1, 9, 2, 10, 3, 11));
      fourKeys(to + 384, masked, zero, v128.shuffle<u16>(ab8, cd8, 4, 12, 5, 13, 6, 14, 7, 15));
      to += 512;
    }
    for (; j < <usize>keys; j++, to += 32) {
      if (!load<u8>(a + j)) store<f32>(to, -Infinity);
      if (!load<u8>(b + j)) store<f32>(to, -Infinity, 4);
      if (!load<u8>(c + j)) store<f32>(to, -Infinity, 8);
      if (!load<u8>(d + j)) store<f32>(to, -Infinity, 12);
    }
  }
}

/** Masks four keys of four queries, 32 bytes apart, where the byte [key][query] is 0. */
// @ts-ignore: decorator
@inline
function fourKeys(to: usize, masked: v128, zero: v128, bytes: v128): void {
  const hidden = i8x16.eq(bytes, zero);
  const low = i16x8.extend_low_i8x16_s(hidden);
  const high = i16x8.extend_high_i8x16_s(hidden);
  v128.store(to, v128.bitselect(masked, v128.load(to), i32x4.extend_low_i16x8_s(low)));
  v128.store(to, v128.bitselect(masked, v128.load(to, 32), i32x4.extend_high_i16x8_s(low)), 32);
  v128.store(to, v128.bitselect(masked, v128.load(to, 64), i32x4.extend_low_i16x8_s(high)), 64);
  v128.store(to, v128.bitselect(masked, v128.load(to, 96), i32x4.extend_high_i16x8_s(high)), 96);
}
