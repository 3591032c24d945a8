/**
 * The vector vocabulary of the kernels: four float32 lanes. This is the only file that knows relaxed instructions;
 * select.ts alone also asks for the feature, to choose tiles. The branch is decided at compile time, so each build
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
