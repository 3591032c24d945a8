/**
 * sin θ and cos θ on two float64 lanes, |θ| <= 2³¹: what the tables of rope are made of.
 *
 *   n = round(θ · 2/π)            as the low bits of θ · 2/π + MAGIC, MAGIC = 1.5·2⁵²; the last two tell the quadrant
 *   r = θ − n·P1 − n·P2 − n·P3    π/2 in pieces of 22, 22 and 53 bits (Cody & Waite 1980)
 *   sin r, cos r                  by their series, up to r¹³ and r¹²
 *   sin θ                         sin r, cos r, −sin r, −cos r by quadrant; cos θ is that of the next quadrant
 *
 * Error: below 2⁻⁴⁰. n has at most 31 bits, so n·P1 and n·P2 are exact and both differences are too; n·P3 and the last
 * difference cost 2⁻⁵³. |r| <= π/4 + 2⁻²², an alternating series errs by less than its next term, r¹⁴/14! < 2⁻⁴¹, and the
 * roundings of the series cost less than 2⁻⁵⁰. Plain float64 operations only, so the bits are the same on every engine.
 */

// As in exp.ts: V8 rebuilds a v128 constant at every use. [2/π, MAGIC, P1, P2, P3], 1/3! …, 1/2! … with their signs.
const FOLD: usize = memory.data<f64>([
  0.6366197723675814, 6755399441055744.0, 1.570796012878418, 3.139164164167596e-7, 6.223372171896613e-14,
]);
const SINE: usize = memory.data<f64>([
  -0.16666666666666666, 0.008333333333333333, -0.0001984126984126984, 2.7557319223985893e-6,
  -2.505210838544172e-8, 1.6059043836821613e-10,
]);
const COSINE: usize = memory.data<f64>([
  1.0, -0.5, 0.041666666666666664, -0.001388888888888889, 2.48015873015873e-5, -2.755731922398589e-7,
  2.08767569878681e-9,
]);
const ONE: usize = memory.data<i64>([1]);
const SIGN: usize = memory.data<u64>([0x8000000000000000]);

/** n, in the low bits of each lane. */
// @ts-ignore: decorator
@inline
export function quadrant(x: v128): v128 {
  return f64x2.add(f64x2.mul(x, v128.load64_splat(FOLD)), v128.load64_splat(FOLD, 8));
}

/** The next quadrant. */
// @ts-ignore: decorator
@inline
export function next(quadrants: v128): v128 {
  return i64x2.add(quadrants, v128.load64_splat(ONE));
}

/** r */
// @ts-ignore: decorator
@inline
export function reduced(x: v128, quadrants: v128): v128 {
  const n = f64x2.sub(quadrants, v128.load64_splat(FOLD, 8));
  x = f64x2.sub(x, f64x2.mul(n, v128.load64_splat(FOLD, 16)));
  x = f64x2.sub(x, f64x2.mul(n, v128.load64_splat(FOLD, 24)));
  return f64x2.sub(x, f64x2.mul(n, v128.load64_splat(FOLD, 32)));
}

/** sin r */
// @ts-ignore: decorator
@inline
export function sine(r: v128): v128 {
  const x = f64x2.mul(r, r);
  let y = step(v128.load64_splat(SINE, 40), x, SINE + 32);
  y = step(y, x, SINE + 24);
  y = step(y, x, SINE + 16);
  y = step(y, x, SINE + 8);
  y = step(y, x, SINE);
  return f64x2.add(r, f64x2.mul(r, f64x2.mul(x, y)));
}

/** cos r */
// @ts-ignore: decorator
@inline
export function cosine(r: v128): v128 {
  const x = f64x2.mul(r, r);
  let y = step(v128.load64_splat(COSINE, 48), x, COSINE + 40);
  y = step(y, x, COSINE + 32);
  y = step(y, x, COSINE + 24);
  y = step(y, x, COSINE + 16);
  y = step(y, x, COSINE + 8);
  return step(y, x, COSINE);
}

/** y·x + c, the step of a Horner scheme. */
// @ts-ignore: decorator
@inline
function step(y: v128, x: v128, c: usize): v128 {
  return f64x2.add(f64x2.mul(y, x), v128.load64_splat(c));
}

/** sin θ of sin r and cos r. */
// @ts-ignore: decorator
@inline
export function turned(sin: v128, cos: v128, quadrants: v128): v128 {
  const one = v128.load64_splat(ONE);
  const value = v128.bitselect(cos, sin, i64x2.eq(v128.and(quadrants, one), one));
  return v128.xor(value, v128.and(i64x2.shl(quadrants, 62), v128.load64_splat(SIGN)));
}
