/** The tests as Stryker runs them, once for each mutant: silent, and without looking for a smaller example where a property fails. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { BaseSequencer } from 'vitest/node';
import { FOLDERS } from './folders.mjs';

/** How long each file took in the first run, without a mutant: read by each further process that runs mutants. */
const TOOK = 'took.json';
let took;

/** The file in which a test failed last. */
let killer;

/** Keeps both. */
const keeper = {
  onTestRunEnd(modules) {
    if (!existsSync(TOOK)) {
      const all = modules.map((module) => [module.moduleId, module.diagnostic().duration]);
      writeFileSync(TOOK, JSON.stringify(Object.fromEntries(all)));
    }
    killer = modules.find((module) => module.state() === 'failed')?.moduleId ?? killer;
  },
};

/**
 * The first test that fails ends a mutant's run: the file that killed the mutant before this comes first, as that is often its
 * neighbour; then those that take least.
 */
class LikelyFirst extends BaseSequencer {
  sort(files) {
    if (existsSync(TOOK)) took ??= JSON.parse(readFileSync(TOOK, 'utf8'));
    const cost = ({ moduleId }) => (moduleId === killer ? 0 : (took?.[moduleId] ?? 0));
    return files.toSorted((a, b) => cost(a) - cost(b));
  }
}

/** Stryker names a file once for each of its tests: to look each of thousands up took two seconds a mutant. */
const each = {
  name: 'each file once',
  configureVitest({ vitest }) {
    const { start } = vitest;
    vitest.start = (files) => start.call(vitest, files && [...new Set(files)]);
  },
};

export default {
  plugins: [each],
  test: {
    include: ['test/*.test.ts'],
    setupFiles: ['test/setup.ts', 'test/mutants/src/first-failure.mjs'],
    reporters: [keeper],
    // Where threads wait for each other many a mutant waits for ever; nothing takes a tenth of it. A hundred thousand calls of an
    // allocator with mutants in it take longer.
    testTimeout: process.env.HEED_MUTANTS === 'threads' ? 10_000 : 60_000,
    // Nothing is kept in node_modules from one mutant to the next.
    cache: false,
    sequence: { sequencer: LikelyFirst },
    // A mutant's tests share a thread and its modules, which takes half the time; the next mutant has a thread of its own. What is
    // collected, and that a process is warned of it once, can only be tested apart.
    isolate: FOLDERS[process.env.HEED_MUTANTS].tests.includes('test/tensors.test.ts'),
    pool: 'threads',
    maxWorkers: 1,
  },
};
