/**
 * Races: shared calls of every kind again and again on each number of threads, back to back and after idling, synchronous and not, to
 * the bit. What a lost wake-up, a claim counted twice or a step begun too early would do shows in a wrong bit, or an end that never comes.
 */
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { createEngine, type Engine } from '../../src/index.ts';
import { Team } from '../../src/threads/team.ts';
import { builds, engineOf } from '../builds.ts';
import { uniform } from '../data.ts';
import { expectSameBits } from '../problems.ts';
import { sharedCalls, type Result } from '../shared-calls.ts';

const REPEATS = 250;

const isWorth: (this: Team, work: number) => boolean = Reflect.get(Team.prototype, 'isWorth');

function expectSame(actual: Result, expected: Result): void {
  for (const [i, each] of actual.entries()) expectSameBits(each, expected[i]!);
}

describe.each(builds)('%s', (build) => {
  it.each([2, 3, 4, 7, 8, 16])(`%i threads: ${REPEATS} times every call`, async (threads) => {
    const one = await engineOf(build);
    const expected = sharedCalls.map(({ run }) => run(one));
    one.dispose();
    const shares = vi.spyOn(Team.prototype, 'isWorth').mockImplementation(function share(this: Team, work) {
      return isWorth.call(this, work > 0 ? Infinity : 0);
    });
    const engine: Engine = await createEngine({ threads, simd: build });
    const { used } = engine.memory;
    const next = uniform(threads);
    for (let repeat = 1; repeat <= REPEATS; repeat++) {
      const waiting: Promise<void>[] = [];
      for (const [i, { run, later }] of sharedCalls.entries()) {
        const how = next();
        if (how < 0.5 || later === undefined) expectSame(run(engine), expected[i]!);
        else if (how < 0.75) expectSame(await later(engine), expected[i]!);
        else {
          waiting.push(
            later(engine).then((results) => {
              expectSame(results, expected[i]!);
            }),
          );
        }
        // Workers still spin, have parked, or are about to.
        const idle = next();
        if (idle < 0.03) await setTimeout(1);
        else if (idle < 0.3) for (const until = performance.now() + 0.2 * next(); performance.now() < until;);
      }
      await Promise.all(waiting);
      expect(engine.memory.used).toBe(used);
      if (repeat % 50 === 0) {
        console.log(`${build}, ${threads} threads: ${repeat} × ${sharedCalls.length} calls`);
        await setTimeout(0);
      }
    }
    expect(engine.features.threads).toBe(threads);
    engine.dispose();
    shares.mockRestore();
  });
  it('64 threads, of which most find nothing to do', async () => {
    const one = await engineOf(build);
    const engine = await createEngine({ threads: 64, simd: build });
    for (const { run, later } of sharedCalls) {
      const expected = run(one);
      expectSame(run(engine), expected);
      if (later) expectSame(await later(engine), expected);
    }
    expect(engine.features.threads).toBe(64);
    engine.dispose();
    one.dispose();
  });
});
