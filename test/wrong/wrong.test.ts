/**
 * The checks, checked: heed passes all of them, and so does the same by hand; each of the programs with a fault is caught, by the check
 * that its row says. Inputs are random and know of no fault.
 */
import { describe, expect, it } from 'vitest';
import { builds, engineOf } from '../builds.ts';
import { make } from '../problems.ts';
import { caughtBy, CHECKS, lawOf, tells, type Check } from './checks.ts';
import { FAULTS, heed, rightByHand } from './faults.ts';

describe.each(builds)('%s', async (build) => {
  const right = heed(await engineOf(build));

  it.each(Object.keys(CHECKS) as Check[])('passes %s, which has cases', (check) => {
    expect(CHECKS[check](right)).toBeGreaterThan(0);
  });

  it('passes all of them when it is written by hand', () => {
    expect(caughtBy(rightByHand(right))).toEqual([]);
  });

  it.each(FAULTS)('$name: caught by $by', ({ by, of }) => {
    expect(caughtBy(of(right))).toContain(by);
  });

  it('does not count a case that proves nothing', () => {
    for (const values of [[], [0, 0], [1, NaN], [1, -Infinity], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]) {
      expect(tells(Float64Array.from(values)), values.join()).toBe(false);
    }
    expect(tells(Float64Array.of(0, 2))).toBe(true);

    // Nobody sees anything: a program that does nothing is right, and no case says so.
    const dims = { batch: 1, kvHeads: 1, group: 1, seqQ: 3, seqK: 5, headDim: 4, valueDim: 4, seed: 1 };
    const problem = make({ ...dims, layout: 'bshd', causal: true, queryOffset: -9 });
    const nothing = {
      ...right,
      attention: () => ({ out: new Float32Array(12), logSumExp: new Float32Array(3).fill(-Infinity) }),
    };
    expect(lawOf(nothing, [problem])).toBe(0);
    expect(caughtBy({ ...nothing })).toContain('lawOf');
  });
});
