/**
 * As many random calls of every function as one likes: test/fuzz/fuzz.ts says what must hold of each.
 *
 *   npm run test:fuzz -- --calls 1000000
 *   npm run test:fuzz -- --calls 1000000 --seed 2 --build relaxed
 */
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { builds } from '../builds.ts';
import { Fuzz, plans } from '../fuzz/fuzz.ts';
import { Tally } from '../fuzz/tally.ts';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    build: { type: 'string', default: builds[0]! },
  },
});
const build = builds.find((each) => each === values.build);
if (build === undefined) throw new Error(`builds that run here: ${builds.join(', ')}`);

/** Calls between two lines of progress, with a seed of their own: what fails is found again without those before. */
const PART = 10_000;
const calls = Number(values.calls);
const fuzz = await Fuzz.make(build);
const tally = new Tally();
const property = fc.asyncProperty(plans, async (plan) => {
  tally.count(await fuzz.run(plan));
});
for (let done = 0, seed = Number(values.seed); done < calls; done += PART, seed++) {
  await fc.assert(property, { numRuns: Math.min(PART, calls - done), seed });
  fuzz.golden();
  console.log(`${build}: ${tally.calls} of ${calls} calls, seed ${seed}`);
}
fuzz.dispose();
console.log(tally.words());
