/**
 * 2^x on four lanes for x <= 0: the exponential of the softmax. Scores are kept in base 2 (scale · log₂e is folded
 * into the packed queries), so nothing is multiplied here.
 *
 *   x = max(x, −127)              NaN stays NaN; −∞ and everything below −127 become exactly 0 at no cost
 *   z = x + MAGIC                 MAGIC = 1.5·2²³ + 127: the low bits of z are now n + 127, n = round(x)
 *   r = x − (z − MAGIC)           exact, |r| <= ½
 *   q = d₁ + r·(c₂ + r·(c₃ + …))  degree 5 by Horner, fitted by scripts/fit-exp2.mjs; d₁ = c₁ − 1
 *   u = q·r + r                   2ʳ − 1
 *   2ˣ = u·2ⁿ + 2ⁿ                2ⁿ = z << 23. A product, not an addition to the exponent bits: that would turn
 *                                 the NaN 0x7fc00001 into −5.9e-39
 *
 * Why not simply 1 + r·(c₁ + …)·2ⁿ: near 0 the argument is spaced more finely than the result, and a step of the
 * inner sum (c₁ ≈ 0.69, ulp 2⁻²⁴) makes the result fall by one ulp at 83,000 places. With |q| < ½ it cannot.
 *
 * Error on every float of [−126, 0], in ulp: 0.902 with FMA, 0.889 with multiply and add. Monotone; 2^−0 = 1; below
 * −126 the absolute error is at most 2⁻¹²⁶. Proven by the slow suite on each build (docs/decisions/0002-exp2.md).
 */
import { madd } from './simd';

// V8 rebuilds a v128 constant at every use, so the constants of this loop are loaded: [−127, MAGIC, d₁, c₂ … c₆].
const EXP2: usize = memory.data<f32>([
  -127.0, 12583039.0, -0.306852788, 0.240226552, 0.0555033572, 0.0096184304, 0.00133992347, 0.000152947745,
]);

/** 2^x from constants already in registers. */
// @ts-ignore: decorator
@inline
function exp2Of(
  x: v128,
  floor: v128,
  magic: v128,
  d1: v128,
  c2: v128,
  c3: v128,
  c4: v128,
  c5: v128,
  c6: v128,
): v128 {
  // pmax(a, b) = a < b ? b : a, so a NaN in x stays.
  x = f32x4.pmax(x, floor);
  const z = f32x4.add(x, magic);
  const r = f32x4.sub(x, f32x4.sub(z, magic));
  let q = madd(c6, r, c5);
  q = madd(q, r, c4);
  q = madd(q, r, c3);
  q = madd(q, r, c2);
  q = madd(q, r, d1);
  const power = i32x4.shl(z, 23);
  return madd(madd(q, r, r), power, power);
}

/** 2^x, lane by lane, x <= 0. */
// @ts-ignore: decorator
@inline
export function exp2(x: v128): v128 {
  return exp2Of(
    x,
    v128.load32_splat(EXP2),
    v128.load32_splat(EXP2, 4),
    v128.load32_splat(EXP2, 8),
    v128.load32_splat(EXP2, 12),
    v128.load32_splat(EXP2, 16),
    v128.load32_splat(EXP2, 20),
    v128.load32_splat(EXP2, 24),
    v128.load32_splat(EXP2, 28),
  );
}

/**
 * Replaces x by 2^(x − m) in four rows of a score panel (one vector of each: rows are 32 bytes apart) and returns
 * the sum (p0 + p1) + (p2 + p3).
 *
 * Step by step for all four: a chain is 17 dependent operations, about 55 cycles, and one after the other the chains fill the
 * processor's scheduler before it sees the fifth. Side by side each constant is loaded once for four, when it is needed:
 * 3 registers a chain, 1 constant, 1 product.
 */
// @ts-ignore: decorator
@inline
export function exp2Four(rows: usize, m: v128): v128 {
  let c = v128.load32_splat(EXP2);
  let r0 = f32x4.pmax(f32x4.sub(v128.load(rows), m), c);
  let r1 = f32x4.pmax(f32x4.sub(v128.load(rows, 32), m), c);
  let r2 = f32x4.pmax(f32x4.sub(v128.load(rows, 64), m), c);
  let r3 = f32x4.pmax(f32x4.sub(v128.load(rows, 96), m), c);
  c = v128.load32_splat(EXP2, 4);
  let z0 = f32x4.add(r0, c);
  let z1 = f32x4.add(r1, c);
  let z2 = f32x4.add(r2, c);
  let z3 = f32x4.add(r3, c);
  r0 = f32x4.sub(r0, f32x4.sub(z0, c));
  r1 = f32x4.sub(r1, f32x4.sub(z1, c));
  r2 = f32x4.sub(r2, f32x4.sub(z2, c));
  r3 = f32x4.sub(r3, f32x4.sub(z3, c));
  const c6 = v128.load32_splat(EXP2, 28);
  c = v128.load32_splat(EXP2, 24);
  let q0 = madd(c6, r0, c);
  let q1 = madd(c6, r1, c);
  let q2 = madd(c6, r2, c);
  let q3 = madd(c6, r3, c);
  c = v128.load32_splat(EXP2, 20);
  q0 = madd(q0, r0, c);
  q1 = madd(q1, r1, c);
  q2 = madd(q2, r2, c);
  q3 = madd(q3, r3, c);
  c = v128.load32_splat(EXP2, 16);
  q0 = madd(q0, r0, c);
  q1 = madd(q1, r1, c);
  q2 = madd(q2, r2, c);
  q3 = madd(q3, r3, c);
  c = v128.load32_splat(EXP2, 12);
  q0 = madd(q0, r0, c);
  q1 = madd(q1, r1, c);
  q2 = madd(q2, r2, c);
  q3 = madd(q3, r3, c);
  c = v128.load32_splat(EXP2, 8);
  q0 = madd(q0, r0, c);
  q1 = madd(q1, r1, c);
  q2 = madd(q2, r2, c);
  q3 = madd(q3, r3, c);
  z0 = i32x4.shl(z0, 23);
  z1 = i32x4.shl(z1, 23);
  z2 = i32x4.shl(z2, 23);
  z3 = i32x4.shl(z3, 23);
  q0 = madd(q0, r0, r0);
  q1 = madd(q1, r1, r1);
  q2 = madd(q2, r2, r2);
  q3 = madd(q3, r3, r3);
  q0 = madd(q0, z0, z0);
  q1 = madd(q1, z1, z1);
  q2 = madd(q2, z2, z2);
  q3 = madd(q3, z3, z3);
  v128.store(rows, q0);
  v128.store(rows, q1, 32);
  v128.store(rows, q2, 64);
  v128.store(rows, q3, 96);
  return f32x4.add(f32x4.add(q0, q1), f32x4.add(q2, q3));
}
