/** The door, given many random calls: test/fuzz/fuzz.ts says what must hold of each. test/slow/fuzz.ts has as many as one likes. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { Fuzz, plans } from '../fuzz/fuzz.ts';
import { Tally } from '../fuzz/tally.ts';

/** In all, shared among the builds. */
const CALLS_IN_ALL = 50_000;

it.each(builds)('%s: random calls of every function', async (build) => {
  const fuzz = await Fuzz.make(build);
  const tally = new Tally();
  const property = fc.asyncProperty(plans, async (plan) => {
    tally.count(await fuzz.run(plan));
  });
  await fc.assert(property, { numRuns: CALLS_IN_ALL / builds.length, seed: 11 });
  fuzz.golden();
  fuzz.dispose();
  console.log(tally.words());
  expect(tally.ends.size).toBeGreaterThan(12);
});
