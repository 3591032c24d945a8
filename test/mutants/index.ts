/**
 * Mutates the kernels: `npm run test:mutants -- [--build relaxed] [--count 500] [--seed 1] [--only decode] [--seconds 5] [--minutes 30]`.
 *
 * Each mutant is the testing module of a build with one small change (operators.ts). The battery's tests that enter the
 * changed function judge it, the fastest first, for so many seconds of unhurried time. Verdicts are written to
 * build/mutants/ as they come; a further run goes on where this one ended, as long as wasm, tests and source are the same.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { compile } from '../../scripts/asc.mjs';
import { supports } from '../../src/wasm/instantiate.ts';
import { BUILDS, type Build } from '../../src/wasm/inlined.ts';
import { Judge, type Known, type Verdict } from './judge.ts';
import { inTurns, Original, type Mutant } from './mutants.ts';
import { report } from './report.ts';

const { values: given } = parseArgs({
  options: {
    build: { type: 'string' },
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '5' },
    minutes: { type: 'string', default: 'Infinity' },
  },
});
const seconds = Number(given.seconds);

/** What is known of the mutants of one build. */
export interface Verdicts {
  readonly hash: string;
  readonly tests: readonly Known[];
  /** By the mutant's id; null: nothing was found in so many seconds. */
  readonly of: Record<string, { readonly by: string; readonly why: string } | { readonly survived: number }>;
}

for (const build of BUILDS) {
  if (!supports(build) || (given.build ?? build) !== build) continue;
  await run(build);
}

async function run(build: Build): Promise<void> {
  mkdirSync('build/mutants', { recursive: true });
  const wasm = `build/mutants/${build}.wasm`;
  // The testing module with the names of its functions.
  await compile(
    ...['assembly/testing.ts', '--config', 'asconfig.json', '--target', `${build}-testing`],
    ...['--debug', '--outFile', wasm],
  );
  const original = new Original(wasm);
  const hash = hashOf([wasm, ...sources('test'), ...sources('test/kernels'), ...sources('src')]);
  const file = `build/mutants/${build}.json`;
  const judge = new Judge(build);
  const known = read(file, hash);
  if (known === undefined) console.log(`${build}: the battery, on the module that is right …`);
  const verdicts = known ?? { hash, tests: await judge.measure(original.telling()), of: {} };
  const save = (): void => {
    writeFileSync(file, JSON.stringify(verdicts, null, 1));
  };
  save();

  const chosen = inTurns(original.mutants, Number(given.seed))
    .filter(({ place }) => new RegExp(given.only).test(place))
    .slice(0, Number(given.count));
  const isOpen = ({ id }: Mutant): boolean => {
    const verdict = verdicts.of[id];
    return verdict === undefined || ('survived' in verdict && verdict.survived < seconds);
  };
  const open = chosen.filter(isOpen);
  console.log(
    `${build}: ${chosen.length} of ${original.mutants.length} mutants, ${open.length} to be judged`,
  );
  const start = performance.now();
  for (const [i, mutant] of open.entries()) {
    const verdict = await judgement(judge, original, mutant, verdicts.tests);
    verdicts.of[mutant.id] = verdict ?? { survived: seconds };
    save();
    const spent = (performance.now() - start) / 1000;
    if (spent > 60 * Number(given.minutes)) break;
    const left = ((open.length - i - 1) * spent) / (i + 1);
    const words = verdict === undefined ? 'survived' : `killed by ${verdict.by}`;
    console.log(`${i + 1} of ${open.length}, ${Math.ceil(left / 60)} min left: ${mutant.id}: ${words}`);
  }
  await judge.end();
  console.log(report(original, chosen, verdicts));
}

function judgement(
  judge: Judge,
  original: Original,
  mutant: Mutant,
  tests: readonly Known[],
): Promise<Verdict> {
  let ms = 0;
  const some = tests
    .filter(({ touched }) => touched.includes(mutant.func))
    .sort((a, b) => a.ms - b.ms)
    .filter((test) => (ms += test.ms) <= 1000 * seconds);
  return some.length === 0 ? Promise.resolve(undefined) : judge.judge(original.bytesOf(mutant), some);
}

function read(file: string, hash: string): Verdicts | undefined {
  try {
    const verdicts = JSON.parse(readFileSync(file, 'utf8')) as Verdicts;
    return verdicts.hash === hash ? verdicts : undefined;
  } catch {
    return undefined;
  }
}

function hashOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update(readFileSync(file));
  return hash.digest('hex');
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: folder === 'src', encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('generated'))
    .sort()
    .map((name) => `${folder}/${name}`);
}
