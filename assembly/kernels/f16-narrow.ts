/**
 * Floats as float16, rounded to nearest, ties to even: n of them from `from` on to `to`.
 *
 *   2⁻¹⁴ and above   (bits + (15 − 127 << 23) + 0xfff + the last bit that stays) >> 13
 *   below            bits(|x| + ½) − bits(½): the addition rounds to multiples of 2⁻²⁴, which are float16's subnormals
 *   ∞, NaN           0x7c00, 0x7e00. Finite numbers beyond 65504 do not come here: f16Check finds them.
 *
 * Needs:     n >= 0. Nothing beyond n floats is read, or beyond n halves written.
 * Registers: the bits, sign, magnitude, three results = 6; constants are loaded as they are met.
 * FLOPs:     1 an element, and 16 integer operations for four.
 */
const CONSTANTS: usize = memory.data<u32>([
  0x80000000, 0x38800000, 0x3f000000, 0xc8000fff, 0x477fefff, 0x7f800000, 0x7c00, 0x7e00, 1, 0x477fe000,
]);

// @ts-ignore: decorator
@inline
function narrow(x: v128): v128 {
  const sign = v128.and(x, v128.load32_splat(CONSTANTS));
  const bits = v128.xor(x, sign);
  const half = v128.load32_splat(CONSTANTS, 8);
  const small = i32x4.sub(f32x4.add(bits, half), half);
  const odd = v128.and(i32x4.shr_u(bits, 13), v128.load32_splat(CONSTANTS, 32));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(bits, v128.load32_splat(CONSTANTS, 12)), odd), 13);
  const nan = i32x4.gt_s(bits, v128.load32_splat(CONSTANTS, 20));
  const special = v128.bitselect(v128.load32_splat(CONSTANTS, 28), v128.load32_splat(CONSTANTS, 24), nan);
  const isSmall = i32x4.lt_s(bits, v128.load32_splat(CONSTANTS, 4));
  const isFinite = i32x4.le_s(bits, v128.load32_splat(CONSTANTS, 16));
  const magnitude = v128.bitselect(v128.bitselect(small, normal, isSmall), special, isFinite);
  return v128.or(magnitude, i32x4.shr_u(sign, 16));
}

export function f16Narrow(from: usize, n: i32, to: usize): void {
  assert(n >= 0);
  let i: usize = 0;
  for (const whole = (<usize>(n & ~3)) << 2; i < whole; i += 16) {
    const x = narrow(v128.load(from + i));
    v128.store_lane<i64>(to + (i >> 1), i16x8.narrow_i32x4_u(x, x), 0);
  }
  for (const all = (<usize>n) << 2; i < all; i += 4) {
    store<u16>(to + (i >> 1), <u16>i32x4.extract_lane(narrow(v128.load32_splat(from + i)), 0));
  }
}

/** What is among n floats, as bits: 1, a finite number beyond ±65504, the largest float16; 2, ∞ or NaN. */
export function f16Check(from: usize, n: i32): i32 {
  assert(n >= 0);
  const largest = v128.load32_splat(CONSTANTS, 36);
  const infinity = v128.load32_splat(CONSTANTS, 20);
  const sign = v128.load32_splat(CONSTANTS);
  let large = i32x4.splat(0);
  let special = i32x4.splat(0);
  for (const end = from + ((<usize>n) << 2); from < end;) {
    const whole = from + 16 <= end;
    const bits = v128.andnot(whole ? v128.load(from) : v128.load32_zero(from), sign);
    const isSpecial = i32x4.ge_s(bits, infinity);
    large = v128.or(large, v128.andnot(i32x4.gt_s(bits, largest), isSpecial));
    special = v128.or(special, isSpecial);
    from += whole ? 16 : 4;
  }
  return i32(v128.any_true(large)) | (i32(v128.any_true(special)) << 1);
}
