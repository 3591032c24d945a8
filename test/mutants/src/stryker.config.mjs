/**
 * Mutants of one folder of src/, each held against the tests that are about it: `npm run test:mutants -- checks`
 * (scripts/mutants.mjs names the folder). What was found is kept in build/mutants, so that a run looks only at what has changed since.
 */
const folder = process.env.HEED_MUTANTS;

/**
 * The tests that are about a folder, without those that start programs: all of the fast suite for each mutant would take days. A test
 * that is missing here makes the score lower, never higher.
 */
const TESTS = {
  checks: ['door*', 'again', 'kv-cache-faults', 'layer-options', 'limits', 'reference', 'tensors'],
  memory: ['allocator', 'limits', 'matmul-pieces', 'memory', 'tensors', 'transfers'],
};

if (!(folder in TESTS)) throw new Error(`a folder of src: ${Object.keys(TESTS).join(', ')}`);

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: [`src/${folder}/**/*.ts`],
  testFiles: TESTS[folder].map((name) => `test/${name}.test.ts`),
  testRunner: 'vitest',
  // Related by imports, every test is: all import the engine.
  vitest: { related: false },
  coverageAnalysis: 'perTest',
  // A mutant of what runs once, as a module loads, needs every test anew: minutes for each. They are counted as ignored.
  ignoreStatic: true,
  incremental: true,
  incrementalFile: `build/mutants/${folder}.json`,
  tempDirName: 'build/mutants/sandbox',
  ignorePatterns: [
    '/dist',
    '/docs',
    '/web',
    '/examples',
    '/test/platform',
    '/bench/results',
    '/build/mutants',
  ],
  reporters: ['clear-text', 'progress', 'json'],
  jsonReporter: { fileName: `build/mutants/${folder}-report.json` },
  clearTextReporter: { reportTests: false, logTests: false, allowColor: false },
  concurrency: 1,
  thresholds: { high: 95, low: 90, break: 90 },
  timeoutMS: 20_000,
  disableTypeChecks: `src/${folder}/**/*.ts`,
};
