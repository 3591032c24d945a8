/**
 * The vector vocabulary of the kernels: four float32 lanes. This is the only file that knows relaxed instructions;
 * select.ts and select-rows.ts alone also ask for the feature, to choose kernels. The branch is decided at compile time, so each build
 * holds one form only.
 */

/** a·b + c. One rounding in the relaxed build on hosts with FMA, two in the baseline build. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/**
 * The larger of m and x, lane by lane; m where x is NaN. One instruction on x64, where `f32x4.max` takes several.
 * A NaN that it drops from a row maximum comes back through exp2(NaN − m), so the row is NaN all the same.
 */
// @ts-ignore: decorator
@inline
export function maxKeep(m: v128, x: v128): v128 {
  return f32x4.pmax(m, x);
}

/** (x0 + x2) + (x1 + x3): the order is part of the contract of determinism. */
// @ts-ignore: decorator
@inline
export function hsum(x: v128): f32 {
  // [x0, x1, x2, x3] + [x2, x3, x0, x1] => [x0+x2, x1+x3, …]
  const pairs = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** `hsum` of four vectors: [a] [b] [c] [d] => [hsum(a), hsum(b), hsum(c), hsum(d)], bit for bit. */
// @ts-ignore: decorator
@inline
export function hsumFour(a: v128, b: v128, c: v128, d: v128): v128 {
  // [a0 a1 b0 b1] + [a2 a3 b2 b3] => [a0+a2, a1+a3, b0+b2, b1+b3]
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 1, 4, 5), v128.shuffle<f32>(a, b, 2, 3, 6, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 1, 4, 5), v128.shuffle<f32>(c, d, 2, 3, 6, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 2, 4, 6), v128.shuffle<f32>(ab, cd, 1, 3, 5, 7));
}

/** The first n = 1, 2 or 3 of four floats; zeros behind them, and nothing behind them is read. */
// @ts-ignore: decorator
@inline
export function loadTail(p: usize, n: i32): v128 {
  if (n == 1) return v128.load32_zero(p);
  const two = v128.load64_zero(p);
  return n == 2 ? two : v128.load_lane<f32>(p, two, 2, 8);
}

/** The first n lanes of x, at most four, to floats `step` bytes apart. */
// @ts-ignore: decorator
@inline
export function storeLanes(x: v128, to: usize, step: usize, n: i32): void {
  v128.store_lane<f32>(to, x, 0);
  if (n > 1) v128.store_lane<f32>(to + step, x, 1);
  if (n > 2) v128.store_lane<f32>(to + 2 * step, x, 2);
  if (n > 3) v128.store_lane<f32>(to + 3 * step, x, 3);
}
