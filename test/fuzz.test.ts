/**
 * The door, given random calls of every public function that are nearly valid: test/fuzz/fuzz.ts says what must hold. And that the fuzz
 * sees what it is there for: doors that are wrong in one way each. The slow suite has more calls, `npm run test:fuzz` as many as one likes.
 *
 * @node it makes hundreds of realms, which in a page are frames
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as heed from '../src/index.ts';
import { HeedRangeError } from '../src/errors.ts';
import { builds } from './builds.ts';
import { CALLS } from './fuzz/calls.ts';
import { FAULTS } from './fuzz/faults.ts';
import { Fuzz, plans, type Invoke, type Outcome } from './fuzz/fuzz.ts';

/** In all, shared among the builds. */
const CALLS_IN_ALL = 4000;

describe.each(builds)('%s', (build) => {
  it('random calls of every function', async () => {
    const fuzz = await Fuzz.make(build);
    const outcomes: Outcome[] = [];
    const property = fc.asyncProperty(plans, async (plan) => void outcomes.push(await fuzz.run(plan)));
    await fc.assert(property, { numRuns: Math.ceil(CALLS_IN_ALL / builds.length), seed: 7 });
    fuzz.golden();
    fuzz.dispose();
    // A fuzz whose calls are all refused, or none, or all for one reason, would see little.
    const ends = new Set(outcomes.map(({ end }) => end));
    expect(ends.size).toBeGreaterThan(9);
    for (const name of Object.keys(CALLS)) {
      const own = outcomes.filter((each) => each.name === name);
      expect(
        own.some(({ end }) => end === 'returned'),
        name,
      ).toBe(true);
      expect(
        own.some(({ end }) => end !== 'returned'),
        name,
      ).toBe(true);
    }
  });
});

/** Calls it as it is. */
const right = (self: object, method: string, args: unknown[]): unknown =>
  Reflect.apply(Reflect.get(self, method) as (...args: unknown[]) => unknown, self, args);

/** What a wrong door does, and what the fuzz says of it. */
const MUTANTS: Readonly<Record<string, readonly [door: Invoke, words: RegExp]>> = {
  'writes one element too many': [
    (self, method, args) => {
      const result = right(self, method, args);
      const { out } = (args.at(-1) ?? {}) as { readonly out?: unknown };
      if (out instanceof Float32Array && out === result)
        new Float32Array(out.buffer, out.byteOffset)[out.length] = 0;
      return result;
    },
    /word \d+ of \d+ was written/,
  ],
  'writes to an input': [
    (self, method, args) => {
      const result = right(self, method, args);
      if (args[0] instanceof Float32Array && result !== args[0]) args[0][0] = 9;
      return result;
    },
    /was written/,
  ],
  'writes "out" before it refuses': [
    (self, method, args) => {
      const { out } = (args.at(-1) ?? {}) as { readonly out?: unknown };
      if (out instanceof Float32Array) out[0] = 9;
      return right(self, method, args);
    },
    /was written, and it threw/,
  ],
  'swallows an option': [
    (self, method, args) => {
      const o = args.at(-1);
      if (typeof o !== 'object' || o === null || !Object.hasOwn(o, 'window'))
        return right(self, method, args);
      const rest: Record<string, unknown> = { ...o };
      delete rest['window'];
      return right(self, method, [...args.slice(0, -1), rest]);
    },
    /was not refused|other bits/,
  ],
  'takes an option that there is not': [
    (self, method, args) => {
      try {
        return right(self, method, args);
      } catch (error) {
        if ((error as heed.HeedError).code === 'ERR_UNKNOWN_OPTION') return undefined;
        throw error;
      }
    },
    /was not refused|returned lengths/,
  ],
  'throws a raw TypeError': [
    (self, method, args) => {
      if (args.includes(null)) throw new TypeError('Cannot read properties of null');
      return right(self, method, args);
    },
    /threw TypeError: Cannot read properties of null/,
  ],
  'has a code of another class': [
    (self, method, args) => {
      try {
        return right(self, method, args);
      } catch (error) {
        if ((error as heed.HeedError).code !== 'ERR_ARG_TYPE') throw error;
        throw new HeedRangeError('ERR_ARG_TYPE' as 'ERR_DIM', { op: method, problem: 'x' });
      }
    },
    /ERR_ARG_TYPE of the class HeedRangeError/,
  ],
  'speaks in another’s name': [
    (self, method, args) => {
      try {
        return right(self, method, args);
      } catch (error) {
        if ((error as heed.HeedError).code !== 'ERR_SHAPE') throw error;
        throw new HeedRangeError('ERR_SHAPE', { op: 'attend to', problem: 'x' });
      }
    },
    /in the name of attend to/,
  ],
  'returns one number too few': [
    (self, method, args) => {
      const result = right(self, method, args);
      return result instanceof Float32Array && result.length > 8 ? result.slice(1) : result;
    },
    /returned lengths/,
  ],
  'returns a copy of "out"': [
    (self, method, args) => {
      const result = right(self, method, args);
      return result instanceof Float32Array ? result.slice() : result;
    },
    /returned another array than "out"/,
  ],
  'believes what an array says of its length': [
    (self, method, args) => {
      if (args[0] instanceof Float32Array && args[0].length === 1e9)
        throw new HeedRangeError('ERR_SHAPE', { op: method, problem: 'x' });
      return right(self, method, args);
    },
    /^refused: /,
  ],
  'reads a polluted prototype': [
    (self, method, args) => {
      const o = Object(args.at(-1)) as { readonly scale?: unknown };
      const scale = Object.hasOwn(o, 'scale') ? undefined : o.scale;
      return scale === 5 ? undefined : right(self, method, args);
    },
    /^refused: Error: mine/,
  ],
  'reads an option twice': [
    (self, method, args) => {
      try {
        // A copy of the options before they are read.
        Object.assign({}, args.at(-1));
      } catch {
        // It throws again.
      }
      return right(self, method, args);
    },
    /getters were called 2 times/,
  ],
  'keeps memory': [
    (self, method, args) => {
      if (self instanceof heed.Engine && method === 'attention') self.tensor([4]);
      return right(self, method, args);
    },
    /bytes are left|memory is kept/,
  ],
  'appends a token and then refuses': [
    (self, method, args) => {
      const before = self instanceof heed.KVCache ? self.length : 0;
      try {
        return right(self, method, args);
      } catch (error) {
        if (self instanceof heed.KVCache && before > 0) self.truncate(before - 1);
        throw error;
      }
    },
    /a cache was written, and it threw/,
  ],
  'never settles': [
    (self, method, args) => {
      const result = right(self, method, args);
      return result instanceof Promise ? new Promise(() => undefined) : result;
    },
    /a promise did not settle/,
  ],
};

describe('sees a door that', () => {
  for (const [name, [door, words]] of Object.entries(MUTANTS)) {
    it(name, async () => {
      const fuzz = await Fuzz.make(builds[0]!, door, 0.1);
      const seen = await firstFault(fuzz);
      fuzz.dispose();
      expect(seen).toMatch(words);
    });
  }
});

/** What the fuzz says of the first call that does not hold. */
async function firstFault(fuzz: Fuzz): Promise<string> {
  for (const plan of fc.sample(plans, { numRuns: 2000, seed: 7 })) {
    try {
      await fuzz.run(plan);
    } catch (error) {
      return (error as Error).message;
    }
  }
  return 'nothing';
}

it('has faults of each verdict', () => {
  const verdicts = new Set(Object.values(FAULTS).map(({ verdict }) => verdict));
  expect([...verdicts].sort()).toEqual(['any', 'refused', 'same']);
});
