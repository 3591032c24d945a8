/** Any number of threads gives the bits of one (P19), whoever runs which item. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Engine } from '../../src/index.ts';
import { Team } from '../../src/threads/team.ts';
import { normal } from '../data.ts';
import { FaultyWorkers } from '../faulty-workers.ts';
import { expectSameBits } from '../problems.ts';
import { optioned, rowsOf } from '../problems-options.ts';
import { run } from './bits.ts';
import { shapes } from './matmul.ts';
import type { Property } from './property.ts';

/** A call that can be made now, and later. */
interface Call {
  readonly now: (engine: Engine) => readonly Float32Array[];
  readonly later: (engine: Engine) => Promise<readonly Float32Array[]>;
}

const attention = optioned.map((problem): Call => {
  const { q, k, v, options } = problem;
  return {
    now: (engine) => Object.values(run(engine, problem)) as Float32Array[],
    later: async (engine) => {
      const logSumExp = new Float32Array(rowsOf(options));
      return [await engine.attentionAsync(q, k, v, { ...options, logSumExp }), logSumExp];
    },
  };
});

const product = shapes.map(({ shared, biased, ...shape }): Call => {
  const { batch, M, N, K } = shape;
  const [a, b] = [normal(batch * M * K, M), normal((shared ? 1 : batch) * K * N, N)];
  const options = { ...shape, ...(biased && { bias: normal(N, 3) }) };
  return {
    now: (engine) => [engine.matmul(a, b, options)],
    later: async (engine) => [await engine.matmulAsync(a, b, options)],
  };
});

const COUNTS = [2, 3, 4, 7, 16] as const;

/** A synchronous call is shared, however small, if there is anything to compute. */
function sharing<T>(call: () => T): T {
  const isWorth: (this: Team, work: number) => boolean = Reflect.get(Team.prototype, 'isWorth');
  Team.prototype.isWorth = function (work) {
    return isWorth.call(this, work > 0 ? Infinity : 0);
  };
  try {
    return call();
  } finally {
    Team.prototype.isWorth = isWorth;
  }
}

const anyNumber: Property = {
  name: 'any number of threads gives the bits of one, at once and later (P19)',
  on: async (one) => {
    const many = await Promise.all(
      COUNTS.map(async (threads) => {
        const workers = new FaultyWorkers();
        return { workers, engine: await workers.engine({ threads, simd: one.features.simd }) };
      }),
    );
    const calls = fc.oneof({ weight: 2, arbitrary: attention }, product);
    const when = fc.constantFrom('now', 'workers first', 'later');
    const property = fc.asyncProperty(calls, fc.nat(COUNTS.length - 1), when, async (call, which, how) => {
      const { workers, engine } = many[which]!;
      if (how === 'workers first') workers.workersFirst(1);
      const results = how === 'later' ? await call.later(engine) : sharing(() => call.now(engine));
      for (const [i, wanted] of call.now(one).entries()) expectSameBits(results[i]!, wanted);
    });
    return {
      property,
      proves: () => {
        for (const [i, { workers }] of many.entries()) {
          expect(workers.own, `items of the caller's, ${COUNTS[i]} threads`).toBeGreaterThan(10);
          expect(workers.items, `items of workers', ${COUNTS[i]} threads`).toBeGreaterThan(10);
        }
      },
      dispose: () => {
        for (const { engine } of many) engine.dispose();
      },
    };
  },
};

export const threads: readonly Property[] = [anyNumber];
