/**
 * The exponential of the softmax, 2^x for x <= 0, alone: a dense sample and the places where it could go wrong. Every
 * float there is, is in the slow suite (test/slow/exp.test.ts).
 */
import { describe, expect, it } from 'vitest';
import { builds } from './builds.ts';
import { uniform } from './data.ts';
import {
  compare,
  errorOfReference,
  Exponential,
  FIRST,
  LAST,
  MOST_RELATIVE,
  noErrors,
  NORMAL,
  type Errors,
} from './exponential.ts';
import { expectSame } from './kernels/harness.ts';

const SIZE = 1 << 16;
/** Every so many floats; prime, so that all low bits occur. */
const STEP = 97;
/** Floats on each side of a half-integer, where the reduced argument jumps from ½ to −½. */
const AROUND = 512;

const word = new DataView(new ArrayBuffer(4));

function bitsOf(x: number): number {
  word.setFloat32(0, x);
  return word.getUint32(0);
}

/** Runs all patterns from `first` to `last` that are `step` apart. */
function sweep(exponential: Exponential, first: number, last: number, step: number, found: Errors): void {
  for (let from = first; from <= last; from += step * SIZE) {
    const count = Math.min(SIZE, Math.floor((last - from) / step) + 1);
    for (let i = 0; i < count; i++) exponential.bits[i] = from + i * step;
    exponential.run();
    compare(exponential, found, count);
  }
}

function expectGood({ mostUlp }: Exponential, found: Errors): void {
  expect(found.ulp, `ulp, at ${found.ulpAt}`).toBeLessThanOrEqual(mostUlp);
  expect(found.relative, `relative error, at ${found.relativeAt}`).toBeLessThanOrEqual(MOST_RELATIVE);
  expect(found.absolute, 'error below −126').toBeLessThanOrEqual(2 ** -126);
  expect(found.rises, `not monotone, at ${found.riseAt}`).toBe(0);
  expect(found.differ, 'exp2Four is not exp2').toBe(0);
}

it('the reference, 2 ** x, is right to 4 ulp of float64', () => {
  const next = uniform(1);
  let worst = 0;
  for (let i = 0; i < 20_000; i++) {
    const x = Math.fround(-127 * next());
    if (x < -(2 ** -20)) worst = Math.max(worst, errorOfReference(x, 2 ** x));
  }
  // Engines promise nothing. 4 ulp of float64 are 2⁻²⁷ ulp of float32: nothing beside the bounds.
  expect(worst).toBeLessThanOrEqual(4);
  // The measure itself sees more.
  expect(errorOfReference(-0.5, Math.SQRT1_2 + 5 * 2 ** -53)).toBeGreaterThan(4);
});

describe.each(builds)('2^x, %s', (build) => {
  const exponential = new Exponential(build, SIZE);

  it(`keeps its bounds and falls, every ${STEP}th float of [−127, −0]`, () => {
    const found = noErrors();
    sweep(exponential, FIRST, LAST, STEP, found);
    expect(found.count).toBe(Math.floor((LAST - FIRST) / STEP) + 1);
    expectGood(exponential, found);
  });

  it('keeps its bounds and falls around every integer and half-integer', () => {
    for (let half = 0; half <= 254; half++) {
      const found = noErrors();
      const middle = bitsOf(-half / 2);
      sweep(exponential, Math.max(FIRST, middle - AROUND), Math.min(LAST, middle + AROUND), 1, found);
      expectGood(exponential, found);
    }
  });

  it('is exactly 1 at ±0 and for the smallest steps below', () => {
    const { one, four } = exponential.of([0, FIRST, FIRST + 1, bitsOf(-(2 ** -126)), bitsOf(-(2 ** -26))]);
    expectSame(one, [1, 1, 1, 1, 1], 'exp2');
    expectSame(four, [1, 1, 1, 1, 1], 'exp2Four');
  });

  it('is exact at every integer down to −126', () => {
    const integers = [...Array(127).keys()];
    const { one, four } = exponential.of(integers.map((n) => bitsOf(-n)));
    const powers = integers.map((n) => 2 ** -n);
    expectSame(one, powers, 'exp2');
    expectSame(four, powers, 'exp2Four');
  });

  it('is exactly 0 from −127 down and at −∞', () => {
    const low = [LAST, LAST + 1, bitsOf(-128), bitsOf(-150), bitsOf(-1e10), 0xff7fffff, bitsOf(-Infinity)];
    const { one, four } = exponential.of(low);
    expectSame(one, Array(low.length).fill(0), 'exp2');
    expectSame(four, Array(low.length).fill(0), 'exp2Four');
  });

  it('errs by at most 2⁻¹²⁶ between −126 and −127, on every 7th float', () => {
    const found = noErrors();
    sweep(exponential, NORMAL + 1, LAST, 7, found);
    expect(found.absolute).toBeGreaterThan(0);
    expectGood(exponential, found);
  });

  it('keeps a NaN of any payload and sign, quiet or signalling', () => {
    const nans = [
      [0x7fc00000, 0x7fc00001, 0x7fffffff, 0x7f800001, 0x7fa00d1e, 0x7fbfffff],
      [0xffc00000, 0xffc00001, 0xffffffff, 0xff800001, 0xffa00d1e, 0xffbfffff],
    ].flat();
    // Each in every place of four rows of eight, numbers beside it.
    const places = Array.from({ length: 32 }, (_, at) => at);
    const { one, four } = exponential.of(
      nans.flatMap((nan) => places.flatMap((at) => places.map((i) => (i === at ? nan : bitsOf(-i))))),
    );
    const expected = nans.flatMap(() =>
      places.flatMap((at) => places.map((i) => (i === at ? NaN : 2 ** -i))),
    );
    expectSame(one, expected, 'exp2');
    expectSame(four, expected, 'exp2Four');
  });
});
