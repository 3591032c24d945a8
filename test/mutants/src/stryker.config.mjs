/** How Stryker makes mutants of a folder, and runs the tests of that for each: run.mjs starts it, and names the folder. */
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
    '/web',
    '/examples',
    '/test/platform',
    `/${here}/node_modules`,
    '/bench/results',
    '/build/lab-pictures',
    '/build/vite',
    '/build/mutants',
  ],
  reporters: ['clear-text', 'progress-append-only'],
  clearTextReporter: { reportTests: false, logTests: false, allowColor: false },
  // Where threads wait for each other many a mutant waits for ever, and nothing is done meanwhile.
  concurrency: name === 'threads' ? 3 : 1,
  timeoutMS: 8000,
  timeoutFactor: 1.25,
  disableTypeChecks: false,
};
