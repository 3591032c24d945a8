/**
 * Two minutes of what `npm run test:properties` does until all is done (properties.ts): all properties, with other cases than those of
 * the fast suite.
 */
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { PROPERTIES } from '../properties/index.ts';
import { Campaign } from './campaign.ts';

/** Of each property, and the minutes they may take, shared among the builds. */
const [RUNS, MINUTES] = [100_000, 2];

it.each(builds)('%s', async (build) => {
  const end = performance.now() + (60_000 * MINUTES) / builds.length;
  const campaign = new Campaign(build, PROPERTIES, RUNS / builds.length);
  // A round of each, however long it takes.
  for (let row = campaign.next; row && (row.runs === 0 || performance.now() < end); row = campaign.next) {
    await campaign.round(row);
    // Lets the runner print.
    await setImmediate();
  }
  campaign.end();
  for (const { name, runs, failure } of campaign.rows) {
    console.log(`${build}: ${runs} × ${name}`);
    expect(failure, name).toBeUndefined();
    expect(runs, name).toBeGreaterThan(0);
  }
});
