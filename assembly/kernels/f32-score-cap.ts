/**
 * Caps scores (Gemma 2's softcap), in place and in base 2, where S₂ = s·log₂e:
 *
 *   S₂ = log₂e · softcap · tanh(s / softcap)
 *
 *   |x| < 0.625, x = s / softcap:   S₂ + S₂·z·P(z)                z = x², P fitted by scripts/fit-tanh.mjs
 *   else:                           ±cap·(1 − e) / (1 + e)        e = e^(−2|x|) = 2^(−|S₂|·twice), cap = log₂e · softcap
 *
 * Two forms, because the second alone has an absolute error of softcap·u: with a large cap, small scores would be noise.
 * ±∞ becomes ±cap, NaN stays.
 *
 * Needs:     vectors >= 0; s aligned to 16. half = ln 2 / softcap, twice = 2 / softcap.
 * Registers: 5 coefficients and 4 factors are loaded as they are met; x, z, the sum, e and the score = 5.
 * FLOPs:     35 a score.
 */
import { exp2 } from '../exp';
import { madd } from '../simd';

// [P₀ … P₄], where x is small, the sign.
const TANH: usize = memory.data<f32>([
  -0.333333284, 0.133327693, -0.0538509078, 0.0209971797, -0.00609671418, 0.625, -0.0, 1,
]);

export function f32ScoreCap(s: usize, vectors: i32, half: f32, twice: f32, cap: f32): void {
  assert(vectors >= 0);
  const end = s + ((<usize>vectors) << 4);
  for (; s < end; s += 16) {
    const score = v128.load(s);
    const sign = v128.load32_splat(TANH, 24);
    const one = v128.load32_splat(TANH, 28);
    const x = f32x4.mul(score, f32x4.splat(half));
    const z = f32x4.mul(x, x);
    let p = madd(v128.load32_splat(TANH, 16), z, v128.load32_splat(TANH, 12));
    p = madd(p, z, v128.load32_splat(TANH, 8));
    p = madd(p, z, v128.load32_splat(TANH, 4));
    p = madd(p, z, v128.load32_splat(TANH));
    const small = madd(f32x4.mul(p, z), score, score);
    const e = exp2(f32x4.mul(v128.or(score, sign), f32x4.splat(twice)));
    const tanh = f32x4.div(f32x4.sub(one, e), f32x4.add(one, e));
    const large = v128.or(f32x4.mul(tanh, f32x4.splat(cap)), v128.and(score, sign));
    const isSmall = f32x4.lt(v128.andnot(x, sign), v128.load32_splat(TANH, 20));
    v128.store(s, v128.bitselect(small, large, isSmall));
  }
}
