/** The tests as Stryker runs them, once for each mutant: silent, and without looking for a smaller example where a property fails. */
import { relative } from 'node:path';
import { BaseSequencer } from 'vitest/node';
import { FOLDERS } from './folders.mjs';

/** The first test that fails ends a mutant's run: those that take long come last. */
class ShortestFirst extends BaseSequencer {
  sort(files) {
    const took = ({ project, moduleId }) =>
      this.ctx.cache.getFileTestResults(`${project.name}:${relative(project.config.root, moduleId)}`)
        ?.duration ?? 0;
    return files.toSorted((a, b) => took(a) - took(b));
  }
}

export default {
  test: {
    include: ['test/*.test.ts'],
    setupFiles: ['test/setup.ts', 'test/mutants/src/first-failure.mjs'],
    reporters: [],
    testTimeout: 60_000,
    // Nothing is kept in node_modules from one mutant to the next.
    cache: false,
    sequence: { sequencer: ShortestFirst },
    // A mutant's tests share a thread and its modules, which takes half the time; the next mutant has a thread of its own. What is
    // collected, and that a process is warned of it once, can only be tested apart.
    isolate: FOLDERS[process.env.HEED_MUTANTS].tests.includes('test/tensors.test.ts'),
    pool: 'threads',
    maxWorkers: 1,
  },
};
