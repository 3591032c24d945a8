/** The accuracy law over shapes × score sigmas 0.3 … 10⁴: 175 shapes each. */
import { describe, expect, it } from 'vitest';
import { builds, engineOf } from '../builds.ts';
import { u } from '../laws.ts';
import { lawAt, SIGMAS } from '../sigmas.ts';

describe.each(builds)('%s', async (build) => {
  const engine = await engineOf(build);

  it.each(SIGMAS)('scores of σ = %d', (sigma) => {
    const { heed, naive, largest } = lawAt(engine, sigma);
    expect(heed).toBeGreaterThan(0);
    // Sharper scores are judged by the bound alone.
    if (sigma <= 100) expect(heed).toBeLessThanOrEqual(2 * naive + 2 * u * largest);
    console.log(`${build}, σ = ${sigma}: ${(heed / naive).toFixed(2)} of the error of naive float32`);
  });
});
