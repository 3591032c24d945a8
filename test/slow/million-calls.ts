/**
 * A program of its own: three million small calls of every kind on one build, and what they leave behind. It runs apart
 * from the test runner, whose own traffic moves the resident set by megabytes. Prints Readings as JSON.
 *
 *   node --import tsx test/slow/million-calls.ts baseline
 */
import { createEngine, type MemoryUse } from '../../src/index.ts';
import { gc } from '../collect.ts';
import { mixedCalls } from '../workload.ts';

export interface Readings {
  readonly before: MemoryUse;
  readonly after: MemoryUse;
  /** After everything has been disposed of. */
  readonly end: MemoryUse;
  /** Measured calls, and those between two readings. */
  readonly calls: number;
  readonly interval: number;
  readonly uses: readonly NodeJS.MemoryUsage[];
}

const INTERVAL = 75_000;
const simd = process.argv[2] === 'relaxed' ? 'relaxed' : 'baseline';
const engine = await createEngine({ threads: 1, simd, maxMemory: 64 * 2 ** 20 });
const workload = mixedCalls(engine);
// Warm: every kernel is compiled, every heap and table has its size.
workload.run(2_000_000);
const before = engine.memory;
const warm = workload.count;
const uses: NodeJS.MemoryUsage[] = [];
for (let i = 0; i <= 40; i++) {
  if (i > 0) workload.run(INTERVAL);
  // The second collection sees what the first one's finalizers let go.
  gc();
  gc();
  uses.push(process.memoryUsage());
}
const after = engine.memory;
const calls = workload.count - warm;
workload.end();
const readings: Readings = {
  before,
  after,
  end: engine.memory,
  calls,
  interval: INTERVAL,
  uses,
};
console.log(JSON.stringify(readings));
