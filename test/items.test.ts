/**
 * Drivers take any items of a call in any order: threads claim several at a time, whoever comes first. One thread runs them one by one, and
 * has fewer and larger ones, so here a call is cut for three threads, and one call of a driver runs all its items, or a few at a time, the
 * last first. The bits are the same.
 */
import { describe, expect, it } from 'vitest';
import { Engine } from '../src/engine.ts';
import { Runtime } from '../src/runtime.ts';
import type { Team } from '../src/threads/team.ts';
import type { Driver } from '../src/wasm/exports.ts';
import { builds, engineOf } from './builds.ts';
import { expectSameBits } from './problems.ts';
import { sharedCalls } from './shared-calls.ts';

class Claims extends Runtime {
  readonly engine: Engine = Engine.make(this, '');
  /** Three threads by name: the caller does all that there is to do. */
  override team = {
    threadsFor: () => 3,
    isWorth: () => true,
    abandoned: () => false,
    share: (_: string, work: () => void) => {
      work();
    },
  } as unknown as Team;
  /** Items of a claim. */
  most = Infinity;
  /** Items that were not alone in their claim. */
  together = 0;

  override run(
    ...[op, driver, descriptor, count, scratch, slab, before, whole]: Parameters<Runtime['run']>
  ): number {
    // What is fed piece by piece, and what one thread takes as a whole, is run in order.
    if (before !== undefined || whole === true) {
      return super.run(op, driver, descriptor, count, scratch, slab, before, whole);
    }
    const claim: Driver = () => {
      for (let end = count; end > 0; end -= this.most) {
        const begin = Math.max(0, end - this.most);
        if (end - begin > 1) this.together += end - begin;
        driver(descriptor, begin, end, scratch);
      }
    };
    return super.run(op, claim, descriptor, 1, scratch);
  }
}

describe.each(builds)('%s', async (build) => {
  const one = await engineOf(build);
  const claims = new Claims('items', build, 2 ** 28, one.features.tile);
  // What an item would find that takes address 0 for that of an operand, and adds to it.
  claims.floats(claims.allocate('items', 2 ** 16), 2 ** 14).fill(1);

  it.each([Infinity, 3])('%d items at a time', (most) => {
    claims.most = most;
    claims.together = 0;
    for (const { name, run } of sharedCalls) {
      const [results, expected] = [run(claims.engine), run(one)];
      expect(results, name).toHaveLength(expected.length);
      for (const [i, each] of expected.entries()) expectSameBits(results[i]!, each);
    }
    expect(claims.together).toBeGreaterThan(sharedCalls.length);
  });
});
