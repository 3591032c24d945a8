/**
 * Mutants of one folder of src/, each held against the tests that are about it: `npm run mutants:src -- checks` (run.mjs names the
 * folder). What was found is kept in build/mutants, so that a run looks only at what has changed since.
 */
import { FOLDERS } from './folders.mjs';

const { HEED_MUTANTS: name } = process.env;
const { files, tests } = FOLDERS[name];
const here = 'test/mutants/src';

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: files,
  testFiles: tests,
  testRunner: 'vitest',
  // Related by imports, every test is: all import the engine.
  vitest: { related: false, configFile: `${here}/vitest.config.mjs` },
  coverageAnalysis: 'perTest',
  // A mutant of what runs once, as a module loads, needs every test anew: minutes for each. They are counted as ignored.
  ignoreStatic: true,
  incremental: true,
  incrementalFile: `build/mutants/${name}.json`,
  tempDirName: `build/mutants/sandbox-${name}`,
  ignorePatterns: [
    '/dist',
    '/docs',
    '/web',
    '/examples',
    '/test/platform',
    `/${here}/node_modules`,
    '/bench/results',
    '/build/lab-pictures',
    '/build/vite',
    '/build/mutants',
  ],
  reporters: ['clear-text', 'progress-append-only', 'json'],
  jsonReporter: { fileName: `build/mutants/${name}-report.json` },
  clearTextReporter: { reportTests: false, logTests: false, allowColor: false },
  concurrency: 1,
  thresholds: { high: 95, low: 90, break: 90 },
  timeoutMS: 10_000,
  disableTypeChecks: false,
};
