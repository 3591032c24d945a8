/** Prints the count of tests on a line of its own, after the runner's own summary. */
import type { Reporter, TestModule } from 'vitest/node';

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state]++;
      // A file that does not load has no tests, and is a failure.
      if (module.state() === 'failed' && module.errors().length > 0) count.failed++;
    }
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
    // After the summary, which the default reporter prints in its own turn.
    setImmediate(() => {
      console.log(`${count.passed} passed, ${count.failed} failed${skipped}`);
    });
  }
}
