/** The accuracy law over score sigmas 0.3 … 10⁴, some shapes. test/slow/sigmas.test.ts has all. */
import { describe, expect, it } from 'vitest';
import { builds, engineOf } from './builds.ts';
import { lawAt, SIGMAS } from './sigmas.ts';

describe.each(builds)('%s', async (build) => {
  const engine = await engineOf(build);

  it.each(SIGMAS)('scores of σ = %d', (sigma) => {
    // Not one of the expectations in there is in vain.
    expect(lawAt(engine, sigma, 11).heed).toBeGreaterThan(0);
  });
});
