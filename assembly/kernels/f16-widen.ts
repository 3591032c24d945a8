/**
 * Rows of float16 as float32:
 *
 *   h = s eeeee mmmmmmmmmm   ►   (h << 13) & 0x8fffe000 = s 000eeeee mmmmmmmmmm0000000000000, which is h · 2⁻¹¹²
 *
 * Finite numbers may be left at that (raw): the power of two is folded into what they are multiplied with. Otherwise a
 * product with 2¹¹² puts the exponent right, of subnormals too, and exponents of all ones (∞, NaN) are set.
 *
 *   from ─► rows of n halves, ldf bytes apart          to ─► rows of floats, ldt bytes apart
 *
 * Needs:     rows >= 0; n >= 0. Nothing beyond n halves of a row is read, or beyond n floats of one written.
 * Registers: raw 1 constant, 2 halves; else 4 constants, the half, its bits, the value, what is special = 8.
 * FLOPs:     raw 3 integer operations for four elements, else 6 and 4 products.
 */
const CONSTANTS: usize = memory.data<u32>([0x8fffe000, 0x77800000, 0x7c00, 0x7f800000]); // 0x77800000: 2¹¹²

/** What unpack masks with. */
export const UNPACK_MASK: usize = CONSTANTS;

/** Four finite halves, each sign-extended to a lane, as floats · 2⁻¹¹². */
// @ts-ignore: decorator
@inline
export function unpack(h: v128, mask: v128): v128 {
  return v128.and(i32x4.shl(h, 13), mask);
}

// @ts-ignore: decorator
@inline
function widen(h: v128): v128 {
  const bits = v128.and(i32x4.shl(h, 13), v128.load32_splat(CONSTANTS));
  const value = f32x4.mul(bits, v128.load32_splat(CONSTANTS, 4));
  const exponent = v128.load32_splat(CONSTANTS, 8);
  const special = i32x4.eq(v128.and(h, exponent), exponent);
  return v128.bitselect(v128.or(bits, v128.load32_splat(CONSTANTS, 12)), value, special);
}

/** `raw`: leaves them · 2⁻¹¹². */
export function f16Widen(from: usize, ldf: usize, rows: i32, n: i32, to: usize, ldt: usize, raw: bool): void {
  assert(rows >= 0 && n >= 0);
  const mask = v128.load32_splat(UNPACK_MASK);
  const pairs = (<usize>(n & ~7)) << 1;
  const all = (<usize>n) << 1;
  for (; rows > 0; rows--, from += ldf, to += ldt) {
    let p = from;
    let o = to;
    for (const end = from + pairs; p < end; p += 16, o += 32) {
      const a = v128.load16x4_s(p);
      const b = v128.load16x4_s(p, 8);
      if (raw) {
        v128.store(o, unpack(a, mask));
        v128.store(o, unpack(b, mask), 16);
      } else {
        v128.store(o, widen(a));
        v128.store(o, widen(b), 16);
      }
    }
    for (const end = from + all; p < end; p += 2, o += 4) {
      const h = i32x4.splat(load<i16>(p));
      store<f32>(o, f32x4.extract_lane(raw ? unpack(h, mask) : widen(h), 0));
    }
  }
}
