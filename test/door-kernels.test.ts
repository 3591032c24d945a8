/**
 * The faults of arguments (docs/reliability.md, faults 1–13, 15, 16, 18, 19, 21, 41–44, 71, 72), each in every operation there is, with class,
 * code and message and the proof that nothing is lost. What only one operation can be given wrong is in the other door tests.
 */
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, it } from 'vitest';
import { builds, engineOf } from './builds.ts';
import { equal } from './equal.ts';
import { resizable, SharedBuffer } from './door.ts';
import {
  gone,
  tooLarge,
  unknown,
  wrongDimensions,
  wrongKinds,
  wrongLengths,
  wrongScores,
} from './faulty-arguments.ts';
import {
  goesOn,
  golden,
  losesNothing,
  passesOn,
  pattern,
  refusesEach,
  watch,
  type Watch,
} from './nothing-lost.ts';
import { refusal } from './refusals.ts';
import {
  argument,
  changed,
  engineSurface,
  functionSurface,
  referenceSurface,
  type Given,
  type Operation,
} from './operations.ts';

/** A subclass that lies about everything that can be lied about. */
class Lying extends Float32Array {
  override get length(): number {
    return 1e9;
  }
  override get byteLength(): number {
    return 4e9;
  }
  override get byteOffset(): number {
    return 8;
  }
  override subarray(): never {
    throw new Error('called');
  }
  override slice(): never {
    throw new Error('called');
  }
  override set(): never {
    throw new Error('called');
  }
  static get [Symbol.species](): never {
    throw new Error('asked');
  }
}

const OUTPUTS = ['out', 'logSumExp'];

const isFloats = (x: unknown): x is Float32Array => x instanceof Float32Array;

const Foreign = runInNewContext('Float32Array') as Float32ArrayConstructor;

/** What is as good as any. */
const FRIENDS: readonly (readonly [name: string, of: (x: Float32Array) => Float32Array])[] = [
  ['of another realm (fault 10)', (x) => new Foreign(x)],
  ['of a subclass that lies (fault 11)', (x) => new Lying(x)],
  [
    'that track a resizable buffer (fault 15)',
    (x) => {
      const tracking = new Float32Array(resizable(x.byteLength));
      tracking.set(x);
      return tracking;
    },
  ],
  [
    'on shared memory (fault 16)',
    (x) => {
      const shared = new Float32Array(new SharedBuffer(x.byteLength));
      shared.set(x);
      return shared;
    },
  ],
];

/** What a call gives, awaited where it is a promise. */
async function numbers(o: Operation, call: () => unknown): Promise<number[]> {
  return Array.from(o.read(await call()));
}

// ---- what is no fault ----

/** Every float array of a call as another of the same numbers. */
function replaced(o: Operation, of: (x: Float32Array) => Float32Array): unknown {
  const names = Object.keys(o.arrays);
  return changed(o, Object.fromEntries(names.map((arg) => [arg, of(argument(o, arg) as Float32Array)])));
}

/** What a call writes into arrays, and returns, where one of them lies on an input: before it, on it and behind it. */
async function overlapped(o: Operation, out: string, input: string): Promise<void> {
  const [result, x] = [out, input].map((arg) => argument(o, arg) as Float32Array) as [
    Float32Array,
    Float32Array,
  ];
  for (const shift of [-3, 0, 3]) {
    const memory = new Float32Array(6 + Math.max(result.length, x.length)).fill(NaN);
    const theirs = memory.subarray(3, 3 + x.length);
    theirs.set(x);
    const mine = memory.subarray(3 + shift, 3 + shift + result.length);
    const wanted = result.slice();
    await changed(o, { [out]: wanted, [input]: x.slice() });
    await changed(o, { [out]: mine, [input]: theirs });
    expect(mine, `${out} on ${input}`).toEqual(wanted);
  }
}

/** Options whose getters do something before they give what they have. */
function getters(given: Given, before: (name: string) => void): object {
  const entries = Object.entries(given).map(([name, value]) => {
    const get = (): unknown => {
      before(name);
      return value;
    };
    return [name, { get, enumerable: true }] as const;
  });
  return Object.defineProperties({}, Object.fromEntries(entries));
}

/** With every option there is on Object.prototype. */
async function polluted<T>(names: Iterable<string>, run: () => T | Promise<T>): Promise<T> {
  for (const name of names) {
    Object.defineProperty(Object.prototype, name, {
      value: Float32Array.of(5),
      configurable: true,
      writable: true,
    });
  }
  try {
    return await run();
  } finally {
    for (const name of names) Reflect.deleteProperty(Object.prototype, name);
  }
}

// ---- tests ----

const engines = await Promise.all(builds.map(engineOf));
const surfaces = [
  ...builds.map((build, i) => engineSurface(build, engines[i]!)),
  functionSurface(),
  referenceSurface(engines[0]!),
];

describe.each(surfaces.map((each) => [each.name, each] as const))(
  '%s',
  (_, { floats, engine, operations }) => {
    describe.each(operations.map((o) => [o.op, o] as const))('%s', async (_, o) => {
      const arrays = [...Object.values(o.operands), ...Object.values(o.options)].filter(isFloats);
      const watched: Watch = await watch(engine, ...arrays);
      const call = (): unknown => o.call(o.operands, o.options);
      const good = await numbers(o, call);
      const names = Object.keys(o.arrays);
      const outputs = OUTPUTS.map((name) => o.options[name]).filter(isFloats);
      // A call that is refused must not have written what a good one would.
      beforeEach(() => {
        for (const out of outputs) out.set(pattern(out.length));
      });

      if (names.length > 0) {
        it('what is no array of floats (faults 7–9, 12)', () => refusesEach(wrongKinds(o, floats), watched));
        it('memory that is gone (faults 13, 15)', () => refusesEach(gone(o), watched));
        it('lengths that do not fit (faults 1, 19)', () => refusesEach(wrongLengths(o), watched));
        it.each(FRIENDS)('arrays %s are as good as any', async (_, of) => {
          expect(await losesNothing(() => numbers(o, () => replaced(o, of)), watched)).toEqual(good);
        });
      }
      if (o.dims.length > 0) {
        it('what is no dimension (faults 2–7)', () => refusesEach(wrongDimensions(o), watched));
        it('a product of dimensions that is too large (fault 21)', () => refusesEach(tooLarge(o), watched));
      }
      if (o.known.includes('scale')) {
        it('what scores are not told (faults 13, 71, 72)', () =>
          refusesEach(wrongScores(o, floats), watched));
      }
      const [out, sums] = outputs;
      if (out && sums) {
        it('out on logSumExp (fault 18)', async () => {
          const memory = pattern(out.length + sums.length - 1);
          const on = { out: memory.subarray(0, out.length), logSumExp: memory.subarray(out.length - 1) };
          const call = (): unknown => changed(o, on);
          const words = 'memory of its own, got memory that "logSumExp" uses too';
          const all = { ...watched, memory: [...watched.memory, memory] };
          await refusesEach([{ call, refusal: refusal(o.op, 'out', 'ERR_OVERLAP', words) }], all);
        });
      }
      for (const out of OUTPUTS.filter((name) => name in o.options)) {
        const inputs = names.filter((name) => !OUTPUTS.includes(name));
        it.each(inputs)(`${out} on %s: the result is right (fault 18)`, (input) => overlapped(o, out, input));
      }
      if (o.known.length > 0) {
        it('unknown options (fault 43)', () => refusesEach(unknown(o), watched));
        it('what a getter throws passes through (fault 44)', async () => {
          const mine = new Error('mine');
          const options = { ...Object.fromEntries(o.known.map((name) => [name, undefined])), ...o.options };
          for (const name of Object.keys(options)) {
            const throwing = getters(options, (each) => {
              if (each === name) throw mine;
            });
            await passesOn(mine, () => o.call(o.operands, throwing), watched);
          }
          goesOn(watched);
        });
        it('getters that call the same and everything else are read once (fault 41)', async () => {
          const { used } = engine.memory;
          const read: string[] = [];
          const calls = getters(o.options, (name) => {
            read.push(name);
            if (read.length > 2) return;
            golden(engine);
            o.read(call());
          });
          expect(await numbers(o, () => o.call(o.operands, calls))).toEqual(good);
          expect(read).toEqual(Object.keys(o.options));
          expect(engine.memory.used).toBe(used);
          goesOn(watched);
        });
      }
    });

    it('a polluted Object.prototype is ignored by all of them (fault 42)', async () => {
      const watched = await watch(engine);
      const all = async (): Promise<number[][]> => {
        const results: number[][] = [];
        for (const o of operations) {
          const stated = Object.entries(o.options).filter(
            ([name, x]) => !isFloats(x) || o.needed.includes(name),
          );
          results.push(await numbers(o, () => o.call(o.operands, Object.fromEntries(stated))));
        }
        return results;
      };
      const wanted = await all();
      const names = new Set(operations.flatMap((o) => o.known));
      expect(await losesNothing(() => polluted(names, all), watched)).toEqual(wanted);
      expect(equal(await polluted(names, () => golden(engine)), watched.fresh)).toBe(true);
    });
  },
);
