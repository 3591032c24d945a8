/**
 * Rows of float16 as float32:
 *
 *   h = s eeeee mmmmmmmmmm   ►   (h << 13) & 0x8fffe000 = s 000eeeee mmmmmmmmmm0000000000000, which is h · 2⁻¹¹²
 *
 * f16Unpack leaves it at that, for finite numbers: the power of two is folded into what they are multiplied with.
 * f16Widen multiplies by 2¹¹², which puts the exponent right, of subnormals too, and sets exponents of all ones (∞, NaN).
 *
 *   from ─► rows of n halves, ldf bytes apart          to ─► rows of floats, ldt bytes apart
 *
 * Needs:     rows >= 0; n >= 0. Nothing beyond n halves of a row is read, or beyond n floats of one written.
 * Registers: f16Unpack 1 constant, 2 halves; f16Widen 4 constants, the half, its bits, the value, what is special = 8.
 * FLOPs:     f16Unpack 3 integer operations for four elements, f16Widen 6 and 4 products.
 */
const CONSTANTS: usize = memory.data<u32>([0x8fffe000, 0x77800000, 0x7c00, 0x7f800000]); // 0x77800000: 2¹¹²

// @ts-ignore: decorator
@inline
function widen(h: v128): v128 {
  const bits = v128.and(i32x4.shl(h, 13), v128.load32_splat(CONSTANTS));
  const value = f32x4.mul(bits, v128.load32_splat(CONSTANTS, 4));
  const exponent = v128.load32_splat(CONSTANTS, 8);
  const special = i32x4.eq(v128.and(h, exponent), exponent);
  return v128.bitselect(v128.or(bits, v128.load32_splat(CONSTANTS, 12)), value, special);
}

export function f16Widen(from: usize, ldf: usize, rows: i32, n: i32, to: usize, ldt: usize): void {
  assert(rows >= 0 && n >= 0);
  const whole = (<usize>(n & ~3)) << 1;
  const all = (<usize>n) << 1;
  for (; rows > 0; rows--, from += ldf, to += ldt) {
    let i: usize = 0;
    for (; i < whole; i += 8) v128.store(to + 2 * i, widen(v128.load16x4_s(from + i)));
    for (; i < all; i += 2) {
      store<f32>(to + 2 * i, f32x4.extract_lane(widen(i32x4.splat(load<i16>(from + i))), 0));
    }
  }
}

export function f16Unpack(from: usize, ldf: usize, rows: i32, n: i32, to: usize, ldt: usize): void {
  assert(rows >= 0 && n >= 0);
  const mask = v128.load32_splat(CONSTANTS);
  const pairs = (<usize>(n & ~7)) << 1;
  const all = (<usize>n) << 1;
  for (; rows > 0; rows--, from += ldf, to += ldt) {
    let p = from;
    let o = to;
    for (const end = from + pairs; p < end; p += 16, o += 32) {
      const a = v128.load16x4_s(p);
      const b = v128.load16x4_s(p, 8);
      v128.store(o, v128.and(i32x4.shl(a, 13), mask));
      v128.store(o, v128.and(i32x4.shl(b, 13), mask), 16);
    }
    for (const end = from + all; p < end; p += 2, o += 4) {
      store<u32>(o, ((<u32>(<i32>load<i16>(p))) << 13) & 0x8fffe000);
    }
  }
}
