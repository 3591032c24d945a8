/** Float16 by its definition, in float64: what the kernels that narrow and widen, and a float16 cache, are held to. */
import { uniform } from './data.ts';

/** The largest finite one. */
export const MOST = 65504;

/** The number that 16 bits stand for. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}

/**
 * The float16 nearest to a float32, ties to the even one: a multiple of the step at its size, every number below 2¹⁶ on the
 * way being exact in float64. From half a step beyond the largest on it is ∞.
 */
export function roundToHalf(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const size = Math.abs(x);
  const step = 2 ** (Math.max(Math.floor(Math.log2(size)), -14) - 10);
  const below = Math.floor(size / step);
  const rest = size / step - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 === 1);
  const rounded = step * (up ? below + 1 : below);
  return Math.sign(x) * (rounded > MOST ? Infinity : rounded);
}

/** The 16 bits of a number that is a float16. Of NaN the quiet one without sign. */
export function halfBits(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size === Infinity) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | (size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | ((exponent + 15) << 10) | (size * 2 ** (10 - exponent) - 1024);
}

/** Floats of any 32 bits. */
export function anyFloats(length: number, seed: number): Float32Array {
  const next = uniform(seed);
  return new Float32Array(Uint32Array.from({ length }, () => next() * 2 ** 32).buffer);
}
