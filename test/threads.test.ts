/** Every operation, shared among any number of threads, gives the bits of one thread (docs/reliability.md, P19). */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Engine } from '../src/index.ts';
import type { Program } from '../src/threads/program.ts';
import { Team } from '../src/threads/team.ts';
import { Pool } from '../src/threads/pool.ts';
import type { Failure } from '../src/threads/failure.ts';
import { builds, engineOf } from './builds.ts';
import { FaultyWorkers } from './faulty-workers.ts';
import { expectSameBits } from './problems.ts';
import { sharedCalls, type Result } from './shared-calls.ts';

const isWorth: (this: Team, work: number) => boolean = Reflect.get(Team.prototype, 'isWorth');
const run: (this: Pool, program: Program) => Failure | undefined = Reflect.get(Pool.prototype, 'run');

function expectSame(actual: Result, expected: Result): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, each] of actual.entries()) expectSameBits(each, expected[i]!);
}

describe.each(builds)('%s', (build) => {
  let one: Engine;
  const expected = new Map<string, Result>();
  /** Steps that were run by all threads. */
  let shared = 0;

  beforeAll(async () => {
    one = await engineOf(build);
    for (const { name, run } of sharedCalls) expected.set(name, run(one));
    // However small: but nothing that has no work to share.
    vi.spyOn(Team.prototype, 'isWorth').mockImplementation(function share(this: Team, work) {
      return isWorth.call(this, work > 0 ? Infinity : 0);
    });
    vi.spyOn(Pool.prototype, 'run').mockImplementation(function count(this: Pool, program) {
      shared += program.steps;
      return run.call(this, program);
    });
  });
  afterAll(() => {
    vi.restoreAllMocks();
    one.dispose();
  });

  it('the results prove something: most numbers are finite, and not zero', () => {
    for (const { name, empty } of sharedCalls) {
      if (empty) continue;
      const results = expected.get(name)!;
      const telling = results[0]!.filter((value) => Number.isFinite(value) && value !== 0).length;
      expect(telling / results[0]!.length, name).toBeGreaterThan(0.5);
    }
  });

  describe.each([2, 3, 4, 7, 16])('%i threads', (threads) => {
    const workers = new FaultyWorkers();
    let engine: Engine;
    let used: number;

    beforeAll(async () => {
      engine = await workers.engine({ threads, simd: build });
      ({ used } = engine.memory);
    });
    afterAll(() => {
      engine.dispose();
    });

    it.each(sharedCalls)('$name', async ({ name, empty, run, later }) => {
      shared = 0;
      workers.workersFirst(5);
      expectSame(run(engine), expected.get(name)!);
      expect(shared > 0).toBe(empty !== true);
      expectSame(run(engine), expected.get(name)!);
      if (later) {
        const { items } = workers;
        expectSame(await later(engine), expected.get(name)!);
        expect(workers.items).toBeGreaterThan(items);
      }
      expect(engine.memory.used).toBe(used);
    });
  });
});
