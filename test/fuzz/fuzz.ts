/**
 * The fuzz of the door: calls of every public function, most of them nearly valid, and what must hold of each, whatever it was given:
 *
 *   - it returns, or throws one of heed's errors, of the class of its code and in its own name, or what the user's code has thrown
 *   - what it returns is exactly as long as its options say
 *   - nothing is written but `out`, `logSumExp` and what a cache is told to keep; nothing at all where it throws
 *   - the engine has as much memory in use as before
 *   - what must be refused is refused, and what is as good as before gives the same bits
 *   - now and then: the engine computes the bits of a fresh one
 */
import fc from 'fast-check';
import * as heed from '../../src/index.ts';
import type { Engine, HeedError, HeedErrorCode, Tensor } from '../../src/index.ts';
import { engineOf, type Build } from '../builds.ts';
import { normal } from '../data.ts';
import { equal } from '../equal.ts';
import { cacheBytes, golden } from '../nothing-lost.ts';
import { CALLS } from './calls.ts';
import { FAULTS, isOptions, type Place, type Surroundings, type Verdict } from './faults.ts';
import { bytesOf, partsOf, sized } from './lengths.ts';
import { bitsOf, Parts, type Dims } from './parts.ts';

/** A call, and what is wrong with it: the name of each fault, and where it is, of all places that it fits. */
export interface Plan {
  readonly name: string;
  readonly dims: Dims;
  readonly faults: readonly { readonly fault: string; readonly at: number }[];
}

/** An engine takes milliseconds to make, all else a fraction of one: of them there are fewer. */
const QUICK = Object.keys(CALLS).filter((name) => name !== 'createEngine');

/** Half of the calls have one fault, some none or two. */
export const plans: fc.Arbitrary<Plan> = fc.record({
  name: fc.constantFrom(...QUICK, ...QUICK, 'createEngine'),
  dims: fc.record({
    batch: fc.integer({ min: 0, max: 2 }),
    kvHeads: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 2 }),
    seqQ: fc.integer({ min: 0, max: 4 }),
    seqK: fc.integer({ min: 0, max: 5 }),
    headDim: fc.integer({ min: 1, max: 5 }),
    valueDim: fc.integer({ min: 1, max: 5 }),
    bits: fc.nat({ max: 2 ** 27 - 1 }),
    seed: fc.nat({ max: 2 ** 20 }),
  }),
  faults: fc.array(fc.record({ fault: fc.constantFrom(...Object.keys(FAULTS)), at: fc.nat({ max: 999 }) }), {
    maxLength: 2,
  }),
});

/** How a call ended: the name of its function, and an error's code, `returned`, or `mine` for what the user's code has thrown. */
export interface Outcome {
  readonly name: string;
  readonly end: string;
}

/** Calls a method: a mutant of the door does something else. */
export type Invoke = (self: object, method: string, args: unknown[]) => unknown;

const invoke: Invoke = (self, method, args) =>
  Reflect.apply(Reflect.get(self, method) as (...args: unknown[]) => unknown, self, args);

/** Seconds in which a promise must settle: many times what it takes. */
const PATIENCE = 10;

export class Fuzz {
  readonly #engine: Engine;
  readonly #other: Engine;
  readonly #foreign: Tensor;
  readonly #disposed: Tensor;
  readonly #standing: Tensor;
  readonly #fresh: Uint32Array;
  readonly #invoke: Invoke;
  readonly #patience: number;
  #calls = 0;

  private constructor(engine: Engine, other: Engine, called: Invoke, patience: number) {
    this.#engine = engine;
    this.#other = other;
    this.#fresh = golden(other);
    this.#foreign = other.tensor([1, 2, 1, 2], normal(4, 1));
    this.#disposed = engine.tensor([4]);
    this.#disposed.dispose();
    // A neighbour of everything that a call has on this memory.
    this.#standing = engine.tensor([64], normal(64, 2));
    this.#invoke = called;
    this.#patience = patience;
  }

  /** `patience`: seconds in which a promise must settle. */
  static async make(build: Build, called: Invoke = invoke, patience: number = PATIENCE): Promise<Fuzz> {
    // Less than what is asked for by 'much for the engine': memory that was granted once stays until an engine's end.
    const engine = await heed.createEngine({ simd: build, threads: 1, maxMemory: 2 ** 24 });
    return new Fuzz(engine, await engineOf(build), called, patience);
  }

  /** Makes the call and checks it; throws where something does not hold. */
  async run(plan: Plan): Promise<Outcome> {
    const used = this.#engine.memory.used;
    const parts = new Parts(this.#engine, plan.dims);
    const undo: (() => void)[] = [];
    try {
      return await this.#check(plan, parts, undo);
    } finally {
      for (const each of [...undo, ...parts.made.map((made) => made.dispose.bind(made))]) each();
      must(this.#engine.memory.used === used, `${this.#engine.memory.used - used} bytes are left`);
      must(equal(bitsOf(this.#standing.data), bitsOf(normal(64, 2))), 'a neighbour was written');
      if (++this.#calls % 250 === 0) this.golden();
    }
  }

  /** The engine computes as a fresh one. */
  golden(): void {
    must(equal(golden(this.#engine), this.#fresh), 'the engine has other bits than a fresh one');
  }

  /** Bytes of wasm memory that it has. */
  get reserved(): number {
    return this.#engine.memory.reserved + this.#other.memory.reserved;
  }

  dispose(): void {
    this.#engine.dispose();
    this.#other.dispose();
  }

  async #check(plan: Plan, parts: Parts, undo: (() => void)[]): Promise<Outcome> {
    const call = CALLS[plan.name]!(parts);
    const { self, method, args, cache } = call;
    const around: Surroundings = {
      mine: new Error('mine'),
      undo,
      reads: [],
      reenter: () => heed.matmul(normal(4, 1), normal(4, 2), { M: 2, N: 2, K: 2 }),
      foreign: this.#foreign,
      disposed: this.#disposed,
      args,
      onMemory: (x) => {
        const tensor = this.#engine.tensor([x.length], x);
        parts.made.push(tensor);
        return tensor.data;
      },
    };
    const { verdict, told, native, wrap } = put(plan, args, around);
    parts.seal();
    const { used } = this.#engine.memory;
    const held = cache && cacheBytes(cache, this.#engine);
    wrap();
    let returned: unknown;
    let error: unknown;
    let threw = false;
    try {
      returned = this.#invoke(self, method, args);
      // A polluted prototype is everybody's.
      for (const each of undo.splice(0)) each();
      if (isPromise(returned)) returned = await inTime(returned, this.#patience);
    } catch (thrown) {
      threw = true;
      error = thrown;
    }
    for (const each of undo.splice(0)) each();
    if (threw) {
      const own = error === around.mine || (native && error instanceof TypeError && !isHeed(error));
      if (!own) checkError(method, error);
      must(verdict !== 'same', `refused: ${String(error)}`, error);
      must(parts.changed([]) === undefined, `${parts.changed([])}, and it threw`, error);
      const after = held && cacheBytes(cache, this.#engine);
      must(
        !held || held.every((each, i) => equal(each, after![i]!)),
        'a cache was written, and it threw',
        error,
      );
      must(this.#engine.memory.used <= used, 'memory is kept, and it threw', error);
      return { name: plan.name, end: own ? 'mine' : (error as HeedError).code };
    }
    const result = partsOf(returned);
    for (const each of [returned, ...result]) {
      if (!told.includes(each) && isDisposable(each)) parts.made.push(each);
    }
    must(verdict !== 'refused', 'was not refused');
    must(
      around.reads.every((n) => n === 1),
      `getters were called ${around.reads.join(', ')} times`,
    );
    const [lengths, expected] = [sized(returned), call.lengths(told)];
    must(
      equal(lengths, expected),
      `returned lengths ${lengths.join(', ')} instead of ${expected.join(', ')}`,
    );
    const options = told.find(isOptions);
    must(!options?.['out'] || result[0] === options['out'], 'returned another array than "out"');
    const change = parts.changed([...result, options?.['out'], options?.['logSumExp']]);
    must(change === undefined, `${change}`);
    if (verdict === 'same') await this.#same(plan, result, options?.['logSumExp']);
    return { name: plan.name, end: 'returned' };
  }

  /** The call without its faults has the same bits. */
  async #same(plan: Plan, result: readonly unknown[], logSumExp: unknown): Promise<void> {
    const parts = new Parts(this.#engine, plan.dims);
    const call = CALLS[plan.name]!(parts);
    const returned = await invoke(call.self, call.method, call.args);
    const clean = partsOf(returned);
    for (const each of [returned, ...clean]) if (isDisposable(each)) parts.made.push(each);
    const sum = call.args.find(isOptions)?.['logSumExp'];
    const [ours, theirs] = [[...clean, sum].map(copyOfBytes), [...result, logSumExp].map(copyOfBytes)];
    for (const each of parts.made) each.dispose();
    must(
      ours.every((each, i) => equal(each, theirs[i]!)),
      'other bits than without',
    );
  }
}

/** What is told in the end, and what must come of it. */
interface Told {
  readonly verdict: Verdict;
  /** The arguments with plain objects in them. */
  readonly told: readonly unknown[];
  readonly native: boolean;
  /** Puts the getters and proxies around them. */
  readonly wrap: () => void;
}

/** Puts the faults of a plan into the arguments. Two do not meet in one place. */
function put(plan: Plan, args: unknown[], around: Surroundings): Told {
  const all = placesOf(args, []);
  const chosen: Place[] = [];
  const faults = plan.faults.flatMap(({ fault: name, at }) => {
    const fault = FAULTS[name]!;
    const fitting = all.filter((place) => fault.fits(place, args));
    const place = fitting[at % fitting.length];
    if (place === undefined || chosen.some((other) => meet(place.path, other.path))) return [];
    chosen.push(place);
    return [{ fault, place }];
  });
  for (const { fault, place } of faults) {
    if (fault.put) Reflect.set(place.holder, place.key, fault.put(place.value as never, around, place));
  }
  const told = args.map(copyOf);
  const verdicts = faults.map(({ fault }) => fault.verdict);
  return {
    verdict: verdicts.find((each) => each === 'refused') ?? verdicts.find((each) => each === 'any') ?? 'same',
    told,
    native: faults.some(({ fault }) => fault.native),
    wrap: () => {
      for (const { fault, place } of faults) fault.wrap?.(place, around);
    },
  };
}

/** All parts of an argument: itself, its options and theirs, the elements of its lists. */
function placesOf(holder: object, path: readonly string[]): Place[] {
  return Object.keys(holder).flatMap((key) => {
    const value: unknown = Reflect.get(holder, key);
    const place = { holder, key, path: [...path, key], value };
    return isOptions(value) || Array.isArray(value) ? [place, ...placesOf(value, place.path)] : [place];
  });
}

/** Whether one is the other, or a part of it. */
function meet(a: readonly string[], b: readonly string[]): boolean {
  return a.every((key, i) => i >= b.length || key === b[i]);
}

/** Objects and lists anew, what they hold as it is. */
function copyOf(x: unknown): unknown {
  if (Array.isArray(x)) return x.map(copyOf);
  if (!isOptions(x)) return x;
  return Object.fromEntries(Object.entries(x).map(([name, value]) => [name, copyOf(value)]));
}

// ---- errors ----

const CLASSES: readonly (readonly [
  Class: abstract new (...given: never[]) => Error,
  codes: readonly HeedErrorCode[],
])[] = [
  [heed.HeedTypeError, ['ERR_ARG_TYPE', 'ERR_UNKNOWN_OPTION', 'ERR_DETACHED']],
  [
    heed.HeedRangeError,
    [
      ...([
        'ERR_DIM',
        'ERR_SIZE',
        'ERR_SHAPE',
        'ERR_HEADS',
        'ERR_RANGE',
        'ERR_OPTION',
        'ERR_OVERLAP',
      ] as const),
      ...(['ERR_CACHE_FULL', 'ERR_CACHE_WINDOW'] as const),
    ],
  ],
  [heed.MemoryLimitError, ['ERR_MEMORY_LIMIT']],
  [heed.StateError, ['ERR_DISPOSED', 'ERR_FOREIGN_TENSOR', 'ERR_STALE_VIEW']],
];

/** One of heed's, of the class of its code, in the name of the function that was called. */
function checkError(method: string, error: unknown): void {
  must(isHeed(error), `threw ${String(error)}`, error);
  const { code, op, message, name } = error as HeedError;
  const [Class] = CLASSES.find(([, codes]) => codes.includes(code)) ?? [];
  must(Class !== undefined, `threw ${code}, which no argument explains`, error);
  must(error instanceof Class!, `${code} of the class ${name}`, error);
  must(op === method && message.startsWith(`${method}: `), `threw in the name of ${op}: ${message}`, error);
  must(message.endsWith(` [${code}]`), `message: ${message}`, error);
}

function isHeed(error: unknown): boolean {
  return (error as Partial<HeedError> | undefined)?.isHeedError === true;
}

function must(holds: boolean, words: string, cause?: unknown): void {
  if (!holds) throw new Error(words, { cause });
}

// ---- results ----

function isPromise(x: unknown): x is Promise<unknown> {
  return x instanceof Promise;
}

function isDisposable(x: unknown): x is { dispose(): void } {
  return typeof x === 'object' && x !== null && 'dispose' in x;
}

/** A result, or a copy of it: it may be a tensor. */
function copyOfBytes(x: unknown): Uint8Array {
  if (x === undefined) return new Uint8Array(0);
  return bytesOf(ArrayBuffer.isView(x) ? x : (x as Tensor).data).slice();
}

async function inTime(promise: Promise<unknown>, seconds: number): Promise<unknown> {
  let late: ReturnType<typeof setTimeout> | undefined;
  const never = new Promise((_, reject) => {
    late = setTimeout(() => {
      reject(new Error(`a promise did not settle in ${seconds} s`));
    }, 1000 * seconds);
  });
  try {
    return await Promise.race([promise, never]);
  } finally {
    clearTimeout(late);
  }
}
