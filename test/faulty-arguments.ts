/**
 * The faults that any argument can have (docs/reliability.md, faults 1–9, 12, 13, 15, 19, 21, 43), of every argument of an operation, with
 * what each is refused with, word for word.
 */
import { normal } from './data.ts';
import { absent, refusal, resizable } from './door.ts';
import type { Faulty } from './nothing-lost.ts';
import { argument, changed, type Given, type Operation } from './operations.ts';

const MOST = 2 ** 32;

function detached(length: number): Float32Array {
  const x = new Float32Array(length);
  structuredClone(x.buffer, { transfer: [x.buffer] });
  return x;
}

function shrunk(length: number): Float32Array {
  const buffer = resizable(4 * length);
  const x = new Float32Array(buffer, 0, length);
  buffer.resize(4 * length - 4);
  return x;
}

/** On a buffer whose end the view follows, which is before the view's beginning by now. */
function shrunkBelow(length: number): Float32Array {
  const buffer = resizable(4 * length + 8);
  const x = new Float32Array(buffer, 8);
  buffer.resize(4);
  return x;
}

const make = 'new Float32Array(x) makes one';
const viewOf = 'new Float32Array(x.buffer, x.byteOffset, x.byteLength / 4)';

/** What is no array of floats, made of one, and what it is called. */
const KINDS: readonly (readonly [wrong: (x: Float32Array) => unknown, received: string])[] = [
  [() => '64', 'string'],
  [() => null, 'null'],
  [() => undefined, 'undefined'],
  [() => ({}), 'object'],
  [() => [], `Array — ${make}`],
  [(x) => new Float64Array(x), `Float64Array — ${make}`],
  [(x) => Int8Array.from(x), `Int8Array — ${make}`],
  [(x) => [...x], `Array — ${make}`],
  [(x) => new DataView(x.buffer, x.byteOffset, x.byteLength), `DataView — ${viewOf} reads its bytes`],
  [(x) => x.buffer, 'ArrayBuffer — new Float32Array(x, byteOffset, length) reads its bytes'],
  // A Buffer of Node's is one of these.
  [
    (x) => new Uint8Array(x.buffer, x.byteOffset, x.byteLength),
    `Uint8Array — new Float32Array(x) if these are numbers; if they are the bytes of floats, as in a Buffer, ${viewOf}`,
  ],
  [(x) => new Proxy(x, {}), 'object'],
];
const { Float16Array } = globalThis as { Float16Array?: new (x: Float32Array) => unknown };
const KINDS_HERE =
  Float16Array === undefined
    ? KINDS
    : [...KINDS, [(x: Float32Array) => new Float16Array(x), `Float16Array — ${make}`] as const];

/** No dimensions. */
const NUMBERS = [NaN, Infinity, -Infinity, -1, 1.5, MOST + 8];
const NO_NUMBERS: readonly (readonly [unknown, string])[] = [
  [64n, 'bigint'],
  ['64', 'string'],
  [null, 'null'],
  [{}, 'object'],
  [[], 'Array'],
];

/** Its dimensions, with what each is: `batch 2 × seqQ 3`. */
function formula(o: Operation, dims: string, more: Given = {}): string {
  const of = (name: string): unknown => more[name] ?? argument(o, name) ?? o.sizes[name];
  return dims
    .split(' × ')
    .map((name) => `${name} ${String(of(name))}`)
    .join(' × ');
}

/** Dimensions of which there is at least one. */
const least = (name: string): number =>
  Number(/^(heads|kvHeads|headDim|valueDim|modelDim|contextDim|capacity)$/.test(name));

export function* wrongKinds(o: Operation, floats: string): Iterable<Faulty> {
  for (const arg of Object.keys(o.arrays)) {
    for (const [wrong, received] of KINDS_HERE) {
      const x = wrong(argument(o, arg) as Float32Array);
      const mayBeAbsent = arg in o.options || arg === 'data' || arg.startsWith('weights.b');
      if (x === undefined && mayBeAbsent) continue;
      if (floats.includes('Float64Array') && x instanceof Float64Array) continue;
      const words = `${floats}, got ${received}`;
      yield { call: () => changed(o, { [arg]: x }), refusal: refusal(o.op, arg, 'ERR_ARG_TYPE', words) };
    }
  }
}

export function* gone(o: Operation): Iterable<Faulty> {
  const words = 'Float32Array on a live buffer, got one whose buffer was transferred, or shrunk below it';
  for (const arg of Object.keys(o.arrays)) {
    const { length } = argument(o, arg) as Float32Array;
    for (const x of [detached(length), shrunk(length), shrunkBelow(length), detached(0)]) {
      yield { call: () => changed(o, { [arg]: x }), refusal: refusal(o.op, arg, 'ERR_DETACHED', words) };
    }
  }
}

export function* wrongLengths(o: Operation): Iterable<Faulty> {
  for (const [arg, dims] of Object.entries(o.arrays)) {
    if (dims === '') continue;
    const { length } = argument(o, arg) as Float32Array;
    for (const n of [0, length - 1, length + 1, 2 * length]) {
      const words = `Float32Array of length ${length} (${formula(o, dims)}), got length ${n}`;
      const call = (): unknown => changed(o, { [arg]: normal(n, 1) });
      yield { call, refusal: refusal(o.op, arg, 'ERR_SHAPE', words) };
    }
  }
}

export function* wrongDimensions(o: Operation): Iterable<Faulty> {
  for (const name of o.dims) {
    for (const x of NUMBERS) {
      const words = `an integer from ${least(name)} to ${MOST}, got ${x}`;
      yield { call: () => changed(o, { [name]: x }), refusal: refusal(o.op, name, 'ERR_DIM', words) };
    }
    const kinds: readonly (readonly [unknown, string])[] = NO_NUMBERS.map(([x, kind]) => [
      x,
      `number, got ${kind}`,
    ]);
    for (const [x, words] of [...kinds, ...(o.needed.includes(name) ? [[undefined, absent] as const] : [])]) {
      yield { call: () => changed(o, { [name]: x }), refusal: refusal(o.op, name, 'ERR_ARG_TYPE', words) };
    }
  }
}

export function* tooLarge(o: Operation): Iterable<Faulty> {
  const all = Object.fromEntries(o.dims.map((name) => [name, MOST]));
  const [arg, dims] = o.first ?? Object.entries(o.arrays)[0]!;
  const words = `at most ${MOST} bytes, got ${formula(o, dims, all)} × 4 bytes`;
  yield { call: () => changed(o, all), refusal: refusal(o.op, arg, 'ERR_SIZE', words) };
}

export function* unknown(o: Operation): Iterable<Faulty> {
  const known = o.op.endsWith('Async') ? [...o.known, 'signal'] : o.known;
  const near = [...o.known].sort((a, b) => b.length - a.length)[0]!;
  const words = `one of ${known.join(', ')}, got an unknown option`;
  const cases = [
    [`${near}x`, `${words} — did you mean "${near}"?`],
    ['0', words],
  ] as const;
  for (const [name, expected] of cases) {
    const call = (): unknown => o.call(o.operands, { ...o.options, [name]: undefined });
    yield { call, refusal: refusal(o.op, name, 'ERR_UNKNOWN_OPTION', expected) };
  }
}
