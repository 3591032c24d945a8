/**
 * What the fuzz puts in the place of a part of a valid call, or around it, and what must come of that: `refused`, the call throws;
 * `same`, it gives the bits of the call without; `any`, either, as the place has it, but an error of heed's or a result of the size that is asked for.
 */
import { runInNewContext } from 'node:vm';
import { Tensor } from '../../src/index.ts';
import { resizable, SharedBuffer } from '../door.ts';
import { tagOf } from '../../src/words.ts';
import { itemsOf, lengthOf, type Options } from './lengths.ts';

export type Verdict = 'refused' | 'same' | 'any';

/** A part of a call: `args[0]`, an option, an element of a list among the options. */
export interface Place {
  readonly holder: object;
  readonly key: string;
  /** From the arguments on. */
  readonly path: readonly string[];
  readonly value: unknown;
}

/** What the faults may use. */
export interface Surroundings {
  /** What is thrown in the user's code. */
  readonly mine: Error;
  /** Ends with the call. */
  readonly undo: (() => void)[];
  /** How often each getter was called. */
  readonly reads: number[];
  /** A call from inside. */
  readonly reenter: () => void;
  /** Of another engine, and one that was disposed of. */
  readonly foreign: Tensor;
  readonly disposed: Tensor;
  readonly args: unknown[];
  /** The same numbers in the memory of the engine. */
  readonly onMemory: (x: Float32Array) => Float32Array;
}

export interface Fault {
  readonly verdict: Verdict;
  readonly fits: (place: Place, args: readonly unknown[]) => boolean;
  /** Other words for the place's value. */
  readonly put?: (value: never, around: Surroundings, place: Place) => unknown;
  /** Or: what is done around it, when all values are in place. */
  readonly wrap?: (place: Place, around: Surroundings) => void;
  /** The error may be JavaScript's own, about the user's object: a proxy that is revoked, or no typed array. */
  readonly native?: true;
}

type Floats = Float32Array | Uint8Array | Int32Array;
interface Constructor {
  readonly name: string;
  readonly prototype: object;
  new (...args: unknown[]): Floats;
  from(list: readonly number[]): Floats;
}

const isFloats = (x: unknown): boolean => x instanceof Float32Array;
const isView = (x: unknown): x is Floats => ArrayBuffer.isView(x);
/** An object of options, or a part of one. */
export const isOptions = (x: unknown): x is Options =>
  typeof x === 'object' && x !== null && Object.getPrototypeOf(x) === Object.prototype;
const isNumber = ({ value }: Place): boolean => typeof value === 'number';
const hasOptions = ({ value }: Place): boolean => isOptions(value);
const hasFloats = ({ value }: Place): boolean => isFloats(value);
/** Arrays of which the numbers or bytes count, not lists of integers. */
const hasNumbers = ({ value }: Place): boolean => isFloats(value) || value instanceof Uint8Array;
const hasView = ({ value }: Place): boolean => isView(value);
/** The place is an option, not an argument: it may have a getter. */
const isOption = ({ path }: Place): boolean => path.length > 1;
const anywhere = (): boolean => true;

const kindOf = (x: Floats): Constructor => x.constructor as unknown as Constructor;
/** The same numbers on another buffer. */
function on(buffer: ArrayBufferLike, x: Floats, length?: number): Floats {
  const y = new (kindOf(x))(buffer, 0, ...(length === undefined ? [] : [length]));
  y.set(x);
  return y;
}

/** Transfers a buffer to nobody. */
function lose(buffer: ArrayBufferLike): void {
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
}

/** A value in the place of another. */
const value = (verdict: Verdict, x: unknown, fits: Fault['fits'] = anywhere): Fault => ({
  verdict,
  fits,
  put: () => x,
});
/** Another array in the place of one. */
const array = (verdict: Verdict, put: (x: Floats) => unknown, fits: Fault['fits'] = hasView): Fault => ({
  verdict,
  fits,
  put,
});
/** Another object in the place of the options, or of a part of them. */
const object = (verdict: Verdict, dress: (x: Options, around: Surroundings) => unknown): Fault => ({
  verdict,
  fits: hasOptions,
  wrap({ holder, key, value }, around) {
    Reflect.set(holder, key, dress(value as Options, around));
  },
});
/** A getter in the place of an option: what it does before it gives the value. */
function take({ holder, key }: Place, { reads }: Surroundings, run: () => unknown): void {
  const at = reads.push(0) - 1;
  const value = (holder as Options)[key];
  const get = (): unknown => {
    reads[at]!++;
    run();
    return value;
  };
  Object.defineProperty(holder, key, { get, configurable: true, enumerable: true });
}
const getter = (verdict: Verdict, run: (around: Surroundings) => void): Fault => ({
  verdict,
  fits: isOption,
  wrap(place, around) {
    take(place, around, () => {
      run(around);
    });
  },
});

function swapped(name: string): string {
  return name.length < 2 ? `${name}x` : `${name[1]}${name[0]}${name.slice(2)}`;
}

class Lying extends Float32Array {
  override get length(): number {
    return 1e9;
  }
  override get byteLength(): number {
    return 0;
  }
  static get [Symbol.species](): never {
    throw new Error('species was asked for');
  }
  override subarray(): never {
    throw new Error('subarray was called');
  }
  override slice(): never {
    throw new Error('slice was called');
  }
}

/** What a polluted prototype gives to whoever asks it. */
const POLLUTION =
  'batch seqQ seqK scale causal window mask out logSumExp layout data shape signal K N theta'.split(' ');

/** Options that exclude others, or mean something to some calls. */
const BESIDE = {
  causal: false,
  cuSeqlensQ: Int32Array.of(0, 1),
  queryOffset: 2,
  seqK: 3,
  transposeB: true,
  offset: 1,
  signal: undefined,
  keyLengths: [0],
  heads: 3,
};

/** An object that is no options: nothing of its own that could be one. */
const nothing = Object.freeze(Object.create(null) as object);

export const FAULTS: Readonly<Record<string, Fault>> = {
  // ---- values of the wrong kind, which no place takes ----
  null: value('refused', null),
  symbol: value('refused', Symbol('x')),
  bigint: value('refused', 4n),
  NaN: value('refused', NaN),
  boxed: value('refused', Object(4), isNumber),
  'a date': value('refused', new Date(0), isNumber),
  'valueOf that throws': {
    verdict: 'refused',
    fits: isNumber,
    put: (_: never, { mine }) => ({
      valueOf() {
        throw mine;
      },
    }),
  },
  '"4"': value('refused', '4', isNumber),
  true: value('refused', true, isNumber),
  // ---- values that some places take ----
  undefined: value('any', undefined),
  function: value('any', () => 4),
  string: value('any', 'bhsd'),
  'empty list': value('any', []),
  'empty object': value('any', {}),
  'object without a prototype': value('any', nothing),
  '{ length: 1e9 }': value('any', { length: 1e9 }),
  '{ length: -1 }': value('any', { length: -1 }),
  'a regular expression': value('any', /x/),
  // ---- numbers ----
  ...Object.fromEntries(
    [-1, 0.5, Infinity, -Infinity, 2 ** 31, 2 ** 32 + 8, 2 ** 53, 1e308, -0, 0, 5e-324].map(
      (x) => [Object.is(x, -0) ? '-0' : `${x}`, value('any', x, isNumber)] as const,
    ),
  ),
  'one more': {
    verdict: 'any',
    // A second thread takes too long to start for every time.
    fits: (place) => isNumber(place) && place.key !== 'threads',
    put: (x: number) => x + 1,
  },
  'much for the engine': value(
    'any',
    2 ** 23,
    (place) => isNumber(place) && place.path.length === 2 && place.path[0] === '0',
  ),
  // ---- arrays that are as good as the one that was there ----
  'of another realm': array('same', (x) =>
    runInNewContext('new (globalThis[name])(x)', { name: kindOf(x).name, x: [...x] }),
  ),
  'of a class that lies': array('same', (x) => new Lying(x as Float32Array), hasFloats),
  'on a resizable buffer': array('same', (x) => on(resizable(x.byteLength, x.byteLength + 64), x)),
  'on a shared buffer': array('same', (x) => on(new SharedBuffer(x.byteLength), x)),
  'with a length of its own': array('same', (x) => {
    const y = kindOf(x).from([...x]);
    return Object.defineProperty(y, 'length', { value: 1e9 });
  }),
  // ---- arrays that are not ----
  'a proxy of it': { ...array('refused', (x) => new Proxy(x, {}), hasNumbers), native: true },
  detached: array('refused', (x) => {
    const y = on(new ArrayBuffer(x.byteLength), x);
    lose(y.buffer);
    return y;
  }),
  'on a buffer that has shrunk': array(
    'refused',
    (x) => {
      const buffer = resizable(x.byteLength);
      const y = on(buffer, x, x.length);
      buffer.resize(0);
      return y;
    },
    ({ value }) => isView(value) && value.length > 0,
  ),
  'that follows a buffer which has shrunk': array('any', (x) => {
    const buffer = resizable(x.byteLength);
    const y = on(buffer, x);
    buffer.resize(x.byteLength >> 1);
    return y;
  }),
  'one longer': array('any', (x) => kindOf(x).from([...x, 1])),
  'one shorter': array('any', (x) => kindOf(x).from([...x].slice(1))),
  'the same in float64': array('any', (x) => Float64Array.from(x), hasFloats),
  'a list of its numbers': array('refused', (x) => [...x], hasNumbers),
  'its buffer': array('refused', (x) => x.slice().buffer, hasNumbers),
  'a DataView': array('refused', (x) => new DataView(x.slice().buffer), hasNumbers),
  'big integers': array('refused', (x) => new BigInt64Array(x.length), hasNumbers),
  'of another engine': {
    verdict: 'refused',
    fits: ({ value }) => !isOptions(value),
    put: (_: never, { foreign }) => foreign,
  },
  'disposed of': {
    verdict: 'refused',
    fits: ({ value }) => !isOptions(value),
    put: (_: never, { disposed }) => disposed,
  },
  // ---- what is right elsewhere ----
  'the first argument': {
    verdict: 'any',
    fits: ({ path: [first] }) => first !== '0',
    put: (_: never, { args }) => args[0],
  },
  'the last option': {
    verdict: 'any',
    fits: isOption,
    put: (_: never, __, { holder }) => Object.values(holder).at(-1) as unknown,
  },
  'a view of the engine’s memory': {
    verdict: 'any',
    fits: hasFloats,
    put: (x: Float32Array, { onMemory }) => onMemory(x),
  },
  ...Object.fromEntries(
    Object.entries(BESIDE).map(([name, x]) => [
      `${name} beside`,
      { verdict: 'any', fits: hasOptions, put: (o: Options) => ({ ...o, [name]: x }) } satisfies Fault,
    ]),
  ),
  // ---- around the options ----
  frozen: object('same', (o) => Object.freeze(o)),
  'without a prototype': object('same', (o) => Object.assign(Object.create(null) as Options, o)),
  'options of another realm': object('same', (o) => runInNewContext('Object.assign({}, o)', { o })),
  'with a symbol among its keys': object('same', (o) => Object.assign(o, { [Symbol('x')]: 1 })),
  'not enumerable': object('same', (o) => {
    for (const name of Object.keys(o)) Object.defineProperty(o, name, { enumerable: false });
    return o;
  }),
  'a proxy that adds nothing': object('same', (o) => new Proxy(o, {})),
  'an unknown option': object('refused', (o) => Object.assign(o, { nonsense: undefined })),
  'a name misspelt': object('refused', (o) => {
    const name = Object.keys(o)[0] ?? 'x';
    return Object.assign(o, { [swapped(name)]: o[name] });
  }),
  'traps that throw': object('refused', (o, { mine }) => {
    const trap = (): never => {
      throw mine;
    };
    return new Proxy(o, { ownKeys: trap, get: trap, has: trap, getPrototypeOf: trap });
  }),
  'a proxy that is revoked': {
    ...object('refused', (o) => {
      const { proxy, revoke } = Proxy.revocable(o, {});
      revoke();
      return proxy;
    }),
    native: true,
  },
  'in a list': object('refused', (o) => [o]),
  'a polluted prototype': {
    verdict: 'same',
    fits: hasOptions,
    wrap(_, { mine, undo }) {
      const get = (): never => {
        throw mine;
      };
      for (const name of POLLUTION) {
        Object.defineProperty(Object.prototype, name, { get, configurable: true });
      }
      undo.push(() => {
        for (const name of POLLUTION) Reflect.deleteProperty(Object.prototype, name);
      });
    },
  },
  // ---- getters ----
  'a getter': getter('same', () => undefined),
  'a getter that calls heed': getter('same', ({ reenter }) => {
    reenter();
  }),
  'a getter that throws': getter('refused', ({ mine }) => {
    throw mine;
  }),
  'a getter that takes away the first argument': {
    verdict: 'refused',
    fits: (place, [x]) =>
      isOption(place) && place.path[0] !== '0' && (x instanceof Tensor || (isView(x) && x.length > 0)),
    wrap(place, around) {
      const { args } = around;
      const x = args[0];
      const tag = tagOf(x);
      if (x instanceof Tensor)
        take(place, around, () => {
          x.dispose();
        });
      else if ((tag === 'Float32Array' || tag === 'Float64Array') && lengthOf(x) > 0) {
        const y = globalThis[tag].from(itemsOf(x));
        args[0] = y;
        take(place, around, () => {
          if (y.length > 0) lose(y.buffer);
        });
      }
    },
  },
};
