/**
 * The accuracy law of rope: how far a right program may be from float64, as in `laws.ts`.
 *
 * An element that turns is x₁·c − x₂·s, or x₂·c + x₁·s, of a cosine and a sine that have been rounded to float32: each
 * product meets three roundings (its factor's, its own, that of the sum), and the factor may have been off by η before:
 *
 *   |y − y₆₄| <= γ₃·(|x₁·cos| + |x₂·sin|) + (1 + γ₃)·η·(|x₁| + |x₂|) + 2⁻¹⁴⁹        γ₃ = 3u / (1 − 3u)
 *
 *   η = 2⁻⁴⁰                          the sine itself (assembly/sincos.ts)
 *     + |θ|·(5i + 2)·2⁻⁵³             its angle: 5i of the frequency (assembly/rope.ts), or 1 where i = 0, and the product
 *     + |θ|·(|ln theta| + 4)·2⁻⁵³ + 2⁻⁵²      the same of the float64 truth: exponent, power, quotient, product; sine
 *     + 2⁻¹⁵⁰                         rounding a sine so small that float32 has it as a subnormal
 *
 * 2⁻¹⁴⁹ is what two products may lose that underflow. An element beyond rotaryDim is what it was.
 */
import { PLAIN } from '../src/checks/index.ts';
import type { RopeOptions } from '../src/index.ts';
import { resolveRope } from '../src/options/rope.ts';
import { u, type Law } from './laws.ts';

const gamma3 = (3 * u) / (1 - 3 * u);

export function ropeLaw(x: Float32Array, options: RopeOptions): Law {
  const problem = resolveRope('law', PLAIN, x, options);
  const { batch, seq, heads, headDim, layout, theta, rotaryDim, interleaved, scaling, positions } = problem;
  const values = Float64Array.from(x);
  const bounds = new Float64Array(x.length);
  const pairs = rotaryDim / 2;
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < seq; t++) {
      const position = positions.length === batch ? positions[b]! + t : positions[b * seq + t]!;
      for (let i = 0; i < pairs; i++) {
        const angle = (position / scaling) * theta ** (-i / pairs);
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        const roundings = 5 * i + 2 + Math.abs(Math.log(theta)) + 4;
        const eta = 2 ** -40 + Math.abs(angle) * roundings * 2 ** -53 + 2 ** -52 + 2 ** -150;
        for (let h = 0; h < heads; h++) {
          const row = headDim * (layout === 'bshd' ? (b * seq + t) * heads + h : (b * heads + h) * seq + t);
          const first = row + (interleaved ? 2 * i : i);
          const second = first + (interleaved ? 1 : pairs);
          const [x1, x2] = [x[first]!, x[second]!];
          values[first] = x1 * c - x2 * s;
          values[second] = x2 * c + x1 * s;
          const off = (1 + gamma3) * eta * (Math.abs(x1) + Math.abs(x2)) + 2 ** -149;
          bounds[first] = gamma3 * (Math.abs(x1 * c) + Math.abs(x2 * s)) + off;
          bounds[second] = gamma3 * (Math.abs(x2 * c) + Math.abs(x1 * s)) + off;
        }
      }
    }
  }
  return { values, bounds };
}
