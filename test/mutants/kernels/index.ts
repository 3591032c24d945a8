/**
 * Mutates the kernels: `npm run mutants:kernels -- [--build relaxed] [--count 500] [--seed 1] [--only decode] [--seconds 5] [--minutes 30] [--explained] [--keep]`.
 *
 * Each mutant is the testing module of a build with one small change (operators.ts). The battery's tests that enter the
 * changed function judge it, for so many seconds of unhurried time. Verdicts are kept (verdicts.ts): a further run goes on
 * where this one ended. `--explained` judges those again that a rule excuses, all of them: tests may see one of them
 * since, and then the rule is wrong. `--keep` writes what is known to known/, for the repository.
 */
import { parseArgs } from 'node:util';
import { compile } from '../../../scripts/asc.mjs';
import { supports } from '../../../src/wasm/instantiate.ts';
import { BUILDS, type Build } from '../../../src/wasm/inlined.ts';
import { ruleFor } from './explained.ts';
import { Judge } from './judge.ts';
import { inTurns, Original, type Mutant } from './mutants.ts';
import { Order } from './order.ts';
import { report } from './report.ts';
import { Verdicts } from './verdicts.ts';

const { values: given } = parseArgs({
  options: {
    build: { type: 'string' },
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '5' },
    minutes: { type: 'string', default: 'Infinity' },
    explained: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const seconds = Number(given.seconds);

for (const build of BUILDS) {
  if (!supports(build) || (given.build ?? build) !== build) continue;
  await run(build);
}

async function run(build: Build): Promise<void> {
  const folder = `build/mutants/${build}`;
  // The testing module with the names of its functions.
  const wasm = `${folder}/testing.wasm`;
  await compile(
    ...['assembly/testing.ts', '--config', 'asconfig.json', '--target', `${build}-testing`],
    ...['--debug', '--outFile', wasm],
  );
  const original = new Original(wasm);
  const isExplained = (mutant: Mutant): boolean => ruleFor(mutant, original) !== undefined;
  const known = `test/mutants/kernels/known/${build}.json`;
  const verdicts = new Verdicts(folder, known, wasm, original.mutants, isExplained);
  const judge = new Judge(build);
  const tests = await verdicts.tests((files) => {
    console.log(`${build}: ${files.length} files of tests, on the module that is right …`);
    return judge.measure(original.telling(), files);
  });
  const order = new Order(tests);
  for (const mutant of original.mutants) {
    const killer = verdicts.killerOf(mutant);
    if (killer !== undefined) order.killed(mutant, killer);
  }

  const chosen = inTurns(original.mutants, Number(given.seed))
    .filter(({ place }) => new RegExp(given.only).test(place))
    .slice(0, Number(given.count));
  const open = chosen.filter((mutant) => {
    const found = verdicts.of(mutant);
    if (found === undefined) return true;
    if (!('survived' in found)) return false;
    // What is explained computes the same, however long one looks.
    return isExplained(mutant) ? given.explained : found.survived < seconds;
  });
  console.log(
    `${build}: ${chosen.length} of ${original.mutants.length} mutants, ${open.length} to be judged`,
  );
  const start = performance.now();
  const minutes = (): number => (performance.now() - start) / 60_000;
  for (const [i, mutant] of open.entries()) {
    if (minutes() > Number(given.minutes)) break;
    const found = await judgement(judge, original, mutant, order, verdicts);
    const left = (minutes() / (i + 1)) * (open.length - i - 1);
    console.log(`${i + 1} of ${open.length}, ${Math.ceil(left)} min left: ${mutant.id}: ${found}`);
  }
  await judge.end();
  if (given.keep) verdicts.keep(original.mutants);
  console.log(report(original, chosen, verdicts, tests));
}

/** Finds a verdict, keeps it, and says it in words. */
async function judgement(
  judge: Judge,
  original: Original,
  mutant: Mutant,
  order: Order,
  verdicts: Verdicts,
): Promise<string> {
  const some = order.of(mutant, seconds, verdicts.killerOf(mutant));
  const verdict = some.length === 0 ? undefined : await judge.judge(original.bytesOf(mutant), some);
  verdicts.set(mutant, verdict ?? { survived: seconds });
  if (verdict === undefined) return 'survived';
  order.killed(mutant, verdict.by);
  return `killed by ${verdict.name}`;
}
