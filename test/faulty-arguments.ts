/**
 * The faults that any argument can have (docs/reliability.md, faults 1–9, 12, 13, 15, 19, 21, 43, 71, 72), of every argument of an operation, with
 * what each is refused with, word for word.
 */
import type { HeedErrorCode } from '../src/index.ts';
import { normal } from './data.ts';
import { absent, resizable } from './door.ts';
import type { Faulty } from './nothing-lost.ts';
import { refusal, unknownOption } from './refusals.ts';
import { argument, changed, type Given, type Operation } from './operations.ts';

const MOST = 2 ** 32;

function detached(length: number): Float32Array {
  return transferred(new Float32Array(length));
}

function transferred<T extends ArrayBufferView>(x: T): T {
  structuredClone(x.buffer, { transfer: [x.buffer as ArrayBuffer] });
  return x;
}

const live = (kind: string): string =>
  `${kind} on a live buffer, got one whose buffer was transferred, or shrunk below it`;

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
const bytesHint = `Uint8Array — new Float32Array(x) if these are numbers; if they are the bytes of floats, as in a Buffer, ${viewOf}`;

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
  [(x) => new Uint8Array(x.buffer, x.byteOffset, x.byteLength), bytesHint],
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
  const words = live('Float32Array');
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
  const longest = [...o.known].sort((a, b) => b.length - a.length)[0]!;
  for (const [name, near] of [[`${longest}x`, longest], ['0']] as const) {
    const call = (): unknown => o.call(o.operands, { ...o.options, [name]: undefined });
    yield { call, refusal: unknownOption(o.op, name, o.known, near) };
  }
}

const PLACES = ['causal', 'queryOffset', 'keyLengths'];
const LONGEST = Number.MAX_SAFE_INTEGER;

/** What scores can be told wrong: option, value, argument, code, words. Where `seqQ` and `seqK` are what they are. */
function scores(
  o: Operation,
  floats: string,
): readonly (readonly [string, unknown, string, HeedErrorCode, string])[] {
  const inner = formula(o, 'seqQ × seqK');
  const [seqQ, seqK] = inner.match(/\d+/g)!.map(Number) as [number, number];
  const length = seqQ * seqK;
  const bytes = (n: number): Uint8Array => new Uint8Array(n).fill(1);
  const shape = [1, 1, seqQ, seqK];
  const sizes = `[${['batch', 'heads', 'seqQ', 'seqK'].map((name) => `${formula(o, name)} or 1`).join(', ')}]`;
  const integer = 'an integer, or [batch] of them';
  const unit = (max: number): string => `an integer from 0 to ${max}`;
  const kinds = { mask: 'Uint8Array', bias: floats };
  const ofMask = ' — Uint8Array.from(x, (y) => (y ? 1 : 0)) makes one';
  return [
    ['causal', 1, 'causal', 'ERR_ARG_TYPE', 'boolean, got number'],
    ['scale', NaN, 'scale', 'ERR_RANGE', 'a finite number, got NaN'],
    ['scale', '1', 'scale', 'ERR_ARG_TYPE', 'number, got string'],
    ['softcap', -1, 'softcap', 'ERR_RANGE', 'a finite number from 0 on, got -1'],
    ['softcap', Infinity, 'softcap', 'ERR_RANGE', 'a finite number, got Infinity'],
    ['window', 'all', 'window', 'ERR_ARG_TYPE', '[before, after], got string'],
    ['window', [1], 'window', 'ERR_SHAPE', 'length 2, got length 1'],
    ['window', [-1, 0], 'window[0]', 'ERR_RANGE', `Infinity or ${unit(LONGEST)}, got -1`],
    ['queryOffset', 0.5, 'queryOffset', 'ERR_RANGE', `${integer}, got 0.5`],
    ['queryOffset', [0], 'queryOffset', 'ERR_SHAPE', 'length 2, got length 1'],
    ['queryOffset', [0, NaN], 'queryOffset[1]', 'ERR_RANGE', 'an integer, got a number that is none'],
    ['keyLengths', 5, 'keyLengths', 'ERR_ARG_TYPE', '[batch] of integers, got number'],
    ['keyLengths', [1], 'keyLengths', 'ERR_SHAPE', 'length 2, got length 1'],
    ['keyLengths', transferred(new Int32Array(2)), 'keyLengths', 'ERR_DETACHED', live('Int32Array')],
    ['mask', transferred(bytes(length)), 'mask', 'ERR_DETACHED', live('Uint8Array')],
    ['mask', { data: transferred(bytes(length)), shape }, 'mask.data', 'ERR_DETACHED', live('Uint8Array')],
    ['bias', detached(length), 'bias', 'ERR_DETACHED', live('Float32Array')],
    ['keyLengths', [0, seqK + 1], 'keyLengths[1]', 'ERR_RANGE', `${unit(seqK)}, got another`],
    [
      'mask',
      new Float32Array(length),
      'mask',
      'ERR_ARG_TYPE',
      `Uint8Array or { data, shape }, got Float32Array${ofMask}`,
    ],
    ['mask', [true], 'mask', 'ERR_ARG_TYPE', `Uint8Array or { data, shape }, got Array${ofMask}`],
    [
      'mask',
      bytes(length + 1),
      'mask',
      'ERR_SHAPE',
      `Uint8Array of length ${length} (${inner}), got length ${length + 1}`,
    ],
    [
      'mask',
      { data: bytes(1), shape },
      'mask.data',
      'ERR_SHAPE',
      `Uint8Array of length ${length} (batch 1 × heads 1 × ${inner}), got length 1`,
    ],
    ['bias', bytes(length), 'bias', 'ERR_ARG_TYPE', `${floats} or { data, shape }, got ${bytesHint}`],
    [
      'bias',
      normal(length - 1, 1),
      'bias',
      'ERR_SHAPE',
      `Float32Array of length ${length} (${inner}), got length ${length - 1}`,
    ],
    ...(['mask', 'bias'] as const).flatMap((name) => [
      [name, null, name, 'ERR_ARG_TYPE', `${kinds[name]} or { data, shape }, got null`] as const,
      [
        name,
        { data: name === 'mask' ? bytes(9) : normal(9, 1), shape: [9, 1, 1, 1] },
        `${name}.shape`,
        'ERR_SHAPE',
        `${sizes}, got [9, 1, 1, 1]`,
      ] as const,
      [name, { shape }, `${name}.data`, 'ERR_ARG_TYPE', `${kinds[name]}, got undefined`] as const,
    ]),
  ];
}

export function* wrongScores(o: Operation, floats: string): Iterable<Faulty> {
  for (const [name, x, arg, code, words] of scores(o, floats)) {
    // Where a query stands in a cache is the cache's to say: door-cache.
    if (o.op === 'attend' && PLACES.includes(name)) continue;
    yield { call: () => changed(o, { [name]: x }), refusal: refusal(o.op, arg, code, words) };
  }
}
