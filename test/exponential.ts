/**
 * The exponential of a build on many floats at once, and its error against float64: what the fast and the slow test of
 * `exp2` share.
 *
 * Inputs are the floats of [−127, −0] as their bit patterns: consecutive patterns are consecutive floats, downwards.
 */
import { U, type TestingExports } from './kernels/harness.ts';
import { testingModule, type Build } from './builds.ts';

/** Bits of −0, of −126 and of −127. */
export const FIRST = 0x80000000;
export const NORMAL = 0xc2fc0000;
export const LAST = 0xc2fe0000;

/** Most error in ulp: one rounding a multiply-add, or two. */
export const MOST_ULP = { fused: 1, apart: 1.25 } as const;
/** Most relative error, in either. */
export const MOST_RELATIVE: number = 2 * U;

/** Both forms of the exponential over a memory of their own. */
export class Exponential {
  readonly mostUlp: number;
  readonly x: Float32Array;
  /** Write the inputs here, as bits. After `run`, what `exp2` made of them. */
  readonly bits: Uint32Array;
  readonly results: Float32Array;
  /** What `exp2Four` made of them. */
  readonly fourBits: Uint32Array;
  readonly #kernels: TestingExports;

  /** `size`: floats at once, a multiple of 32. */
  constructor(build: Build, size: number) {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const abort = () => {
      throw new Error('assertion failed');
    };
    const { exports } = new WebAssembly.Instance(testingModule(build), { env: { memory, abort } });
    this.#kernels = exports as TestingExports;
    const fused = this.#kernels.multiplyAdd(1 + 2 ** -12, 1 + 2 ** -12, -(1 + 2 ** -11)) !== 0;
    this.mostUlp = fused ? MOST_ULP.fused : MOST_ULP.apart;

    const base = Math.ceil(this.#kernels.heapBase() / 64) * 64;
    memory.grow(Math.ceil((base + 8 * size) / 65536));
    this.bits = new Uint32Array(memory.buffer, base, size);
    this.results = new Float32Array(memory.buffer, base, size);
    this.fourBits = new Uint32Array(memory.buffer, base + 4 * size, size);
    this.x = new Float32Array(size);
  }

  /** 2^x of all that stands in `bits`, by both forms; the inputs are kept in `x`. */
  run(): void {
    this.x.set(this.results);
    this.fourBits.set(this.bits);
    this.#kernels.exp2Vectors(this.bits.byteOffset, this.bits.length / 4);
    this.#kernels.exp2FourVectors(this.fourBits.byteOffset, this.fourBits.length / 4);
  }

  /** 2^x of any bits, by both forms: few at a time. */
  of(bits: readonly number[]): { one: number[]; four: number[] } {
    this.bits.fill(0);
    this.bits.set(bits);
    this.run();
    const four = new Float32Array(this.fourBits.buffer, this.fourBits.byteOffset, bits.length);
    return { one: [...this.results.subarray(0, bits.length)], four: [...four] };
  }
}

/** What was found wrong, and how large the error got. */
export interface Errors {
  count: number;
  /** Largest error where results are normal, −126 … 0. */
  ulp: number;
  ulpAt: number;
  relative: number;
  relativeAt: number;
  /** Largest error below −126. */
  absolute: number;
  /** The last result: the next must not be larger. */
  previous: number;
  rises: number;
  riseAt: number;
  /** Where exp2 and exp2Four differ. */
  differ: number;
}

export function noErrors(): Errors {
  const nowhere = { ulpAt: NaN, relativeAt: NaN, riseAt: NaN };
  return {
    count: 0,
    ulp: 0,
    relative: 0,
    absolute: 0,
    previous: Infinity,
    rises: 0,
    differ: 0,
    ...nowhere,
  };
}

/** 1 / ulp of a result in [2^−n, 2^(1−n)). */
const PER_ULP = Float64Array.from({ length: 130 }, (_, n) => 2 ** (23 + n));

/** Compares the last `run` with float64. Inputs must fall from one to the next, within a run and from run to run. */
export function compare(
  { x, bits, results, fourBits }: Exponential,
  found: Errors,
  length: number = x.length,
): void {
  let { ulp, ulpAt, relative, relativeAt, absolute, previous, rises, riseAt, differ } = found;
  for (let i = 0; i < length; i++) {
    const xi = x[i]!;
    const y = results[i]!;
    const truth = 2 ** xi;
    const error = Math.abs(y - truth);
    if (xi >= -126) {
      // Negated comparisons: a NaN is the largest error of all.
      const inUlp = error * PER_ULP[-Math.floor(xi)]!;
      if (!(inUlp <= ulp)) [ulp, ulpAt] = [inUlp, xi];
      if (!(error <= relative * truth)) [relative, relativeAt] = [error / truth, xi];
    } else if (!(error <= absolute)) absolute = error;
    if (!(y <= previous)) {
      rises++;
      riseAt = xi;
    }
    previous = y;
    if (bits[i] !== fourBits[i]) differ++;
  }
  const count = found.count + length;
  Object.assign(found, {
    count,
    ulp,
    ulpAt,
    relative,
    relativeAt,
    absolute,
    previous,
    rises,
    riseAt,
    differ,
  });
}

/**
 * Error of a float64 taken for 2^x, in ulp of float64, by integer arithmetic on 160 bits: how good the reference is.
 * −1022 < x <= 0, a float32.
 */
export function errorOfReference(x: number, taken: number): number {
  const n = Math.round(x);
  // 2^(x − n) = Σ tⁱ / i!, t = (x − n)·ln 2. The scaled fraction of a float32 above 2⁻²⁰ is an integer.
  const t = (BigInt(Math.round((x - n) * 2 ** 52)) * LN2) >> 52n;
  let sum = ONE;
  let term = ONE;
  for (let i = 1n; term !== 0n && i < 60n; i++) {
    term = (term * t) / (ONE * i);
    sum += term;
  }
  const scaled = taken * 2 ** -n;
  const actual = BigInt(scaled * 2 ** 60) << (BITS - 60n);
  const difference = actual > sum ? actual - sum : sum - actual;
  const perUlp = scaled < 1 ? 53 : 52;
  return (Number(difference) / Number(ONE)) * 2 ** perUlp;
}

const BITS = 160n;
const ONE = 1n << BITS;
/** Σ 1 / (i·2ⁱ). */
const LN2 = Array.from({ length: 170 }, (_, i) => (ONE >> BigInt(i + 1)) / BigInt(i + 1)).reduce(
  (sum, term) => sum + term,
);
