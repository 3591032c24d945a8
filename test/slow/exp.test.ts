/**
 * 2^x of every float there is in [−127, −0], 1,123,942,401 of them, by both forms of the exponential on every build: the
 * proof of the bounds that assembly/exp.ts states. Prints the largest errors and where they are.
 */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { compare, Exponential, FIRST, LAST, MOST_RELATIVE, noErrors } from '../exponential.ts';

const SIZE = 1 << 20;
const CHUNKS = Math.ceil((LAST - FIRST + 1) / SIZE);

describe.each(builds)('2^x, %s', (build) => {
  it('keeps its bounds and falls on every float of [−127, −0]', async () => {
    const exponential = new Exponential(build, SIZE);
    const found = noErrors();
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const from = FIRST + chunk * SIZE;
      for (let i = 0; i < SIZE; i++) exponential.bits[i] = from + i;
      exponential.run();
      compare(exponential, found, Math.min(SIZE, LAST + 1 - from));
      if (chunk % 107 === 106) {
        console.log(`${build}: ${((100 * (chunk + 1)) / CHUNKS).toFixed(0)} %, ${found.ulp.toFixed(4)} ulp`);
        // Lets the runner print.
        await setImmediate();
      }
    }
    const { count, ulp, ulpAt, relative, relativeAt, absolute, rises, riseAt, differ } = found;
    console.log(
      `${build}: ${count} floats, at most ${ulp.toFixed(5)} ulp (at ${ulpAt}), ` +
        `${(relative * 2 ** 24).toFixed(4)} u relative (at ${relativeAt}), ` +
        `${(absolute * 2 ** 126).toFixed(4)} · 2^−126 below −126, rises ${rises}, exp2Four differs ${differ}`,
    );
    expect(count).toBe(LAST - FIRST + 1);
    expect(ulp, `ulp, at ${ulpAt}`).toBeLessThanOrEqual(exponential.mostUlp);
    expect(relative, `relative error, at ${relativeAt}`).toBeLessThanOrEqual(MOST_RELATIVE);
    expect(absolute, 'error below −126').toBeLessThanOrEqual(2 ** -126);
    expect(rises, `not monotone, at ${riseAt}`).toBe(0);
    expect(differ, 'exp2Four is not exp2').toBe(0);
  });
});
