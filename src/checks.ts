/**
 * The checks at the door: what a value is, whether it is in its domain, whether it fits. Each takes the operation and
 * the argument's name and throws before anything is written. Which checks make up a call stands in `options/`, which
 * reads them as `check.flag`, `check.fits` and so on.
 *
 * Loops that every call runs count an index: a small call is little else, and `for … of` takes twice to three times as long.
 *
 * Nothing here trusts a user's object: typed arrays are recognised and measured by the intrinsic getters, captured
 * when the module loads, so that arrays of other realms pass and proxies and lying subclasses do not.
 */
import { HeedRangeError, HeedTypeError } from './errors.ts';
import { arrayHint, holds, intrinsic, kindOf, nearest, tagOf, typedArray } from './words.ts';
import type { HeedRangeCode } from './errors.ts';

/** What the float64 reference takes; the kernels take Float32Array only. */
export type FloatArray = Float32Array | Float64Array;

/** A checked argument: a float array (`shape` undefined), or a live tensor and its shape. */
export interface Operand {
  readonly arg: string;
  /** The user's own object: a float array of a kind that the door takes, or a tensor. */
  readonly value: object;
  readonly shape: readonly number[] | undefined;
}

/**
 * One row of the table of what has to fit: an argument, and the dimensions it must have, one to four. Plain fields, and words
 * only where it does not fit: with a list of sizes a small call would take half as long again.
 */
export interface Fit {
  readonly arg: string;
  /** `'batch × seqQ'`: in the order in which messages show them. */
  readonly dims: string;
  /** Undefined where nothing was given, or something is yet to be made. */
  readonly operand: Operand | undefined;
  readonly a: number;
  readonly b: number | undefined;
  readonly c: number | undefined;
  readonly d: number | undefined;
  /** How many elements: the product of the sizes, exact up to what `sizes` lets pass. */
  readonly count: number;
}

/** `fit('x', 'batch × seqQ', X, 2, 3)` */
export function fit(
  arg: string,
  dims: string,
  operand: Operand | undefined,
  a: number,
  b?: number,
  c?: number,
  d?: number,
): Fit {
  return { arg, dims, operand, a, b, c, d, count: a * (b ?? 1) * (c ?? 1) * (d ?? 1) };
}

function sizesOf({ a, b, c, d }: Fit): number[] {
  return [a, b, c, d].filter((size) => size !== undefined);
}

/** What the door needs to know of the caller: which float arrays it takes, and how to recognise a tensor. */
export interface Door {
  /** `['Float32Array']` for the kernels, `'Float64Array'` too for the reference. */
  readonly floats: readonly string[];
  /** A live tensor's shape; undefined for what is no tensor. ERR_DISPOSED, ERR_FOREIGN_TENSOR for one that is not live. */
  shapeOf(op: string, arg: string, x: unknown): readonly number[] | undefined;
  /** The same for packed matrices. */
  packedOf(op: string, arg: string, x: unknown): { readonly K: number; readonly N: number } | undefined;
}

/** The door of calls that take Float32Array and nothing else. */
export const PLAIN: Door = { floats: ['Float32Array'], shapeOf: () => undefined, packedOf: () => undefined };

/** Largest dimension. */
export const MAX_DIM: number = 2 ** 32;

/** Most bytes of one operand, at four bytes an element: 2³⁰ elements, the stricter limit, as 2³¹ is an index's. */
export const MAX_BYTES: number = 2 ** 32;

/** Dimensions of which there is at least one. All others may be 0 and give an empty result. */
const AT_LEAST_ONE: ReadonlySet<string> = new Set(
  'heads kvHeads headDim valueDim modelDim contextDim capacity'.split(' '),
);

// ---- what a value is ----

const { apply } = Reflect;
const { getOwnPropertyNames } = Object;
const { keys } = typedArray;
const numberOf = (key: string): ((x: unknown) => number) =>
  intrinsic(typedArray, key) as (x: unknown) => number;
export const lengthOf: (x: unknown) => number = numberOf('length');
export const bufferOf: (x: unknown) => ArrayBufferLike = intrinsic(typedArray, 'buffer') as (
  x: unknown,
) => ArrayBufferLike;
export const byteOffsetOf: (x: unknown) => number = numberOf('byteOffset');
const byteLengthOf = numberOf('byteLength');

function wrongKind(op: string, arg: string, expected: string, x: unknown, hint?: string): never {
  throw new HeedTypeError('ERR_ARG_TYPE', { op, arg, expected, received: kindOf(x), hint });
}

/** A module that is compiled, of any realm, or the address of one: a string, or a URL's. ERR_ARG_TYPE. */
export function moduleOrUrl(op: string, arg: string, x: unknown): WebAssembly.Module | string | undefined {
  if (x === undefined || typeof x === 'string') return x;
  if (holds(() => WebAssembly.Module.imports(x as WebAssembly.Module))) return x as WebAssembly.Module;
  const { href } = (kindOf(x) === 'object' ? x : {}) as { readonly href?: unknown };
  if (typeof href === 'string') return href;
  const kind = kindOf(x);
  const isBytes = kind === 'Uint8Array' || kind === 'ArrayBuffer';
  const hint = isBytes ? 'await WebAssembly.compile(x) makes one' : undefined;
  return wrongKind(op, arg, 'WebAssembly.Module, URL or string', x, hint);
}

/** Throws a HeedRangeError. */
export function refuse(
  code: HeedRangeCode,
  op: string,
  arg: string,
  expected: string,
  received: string,
  hint?: string,
): never {
  throw new HeedRangeError(code, { op, arg, expected, received, hint });
}

/** The true length of a typed array. ERR_DETACHED where its buffer was transferred or shrunk below it. */
export function length(op: string, arg: string, x: unknown): number {
  const n = lengthOf(x);
  return n === 0 ? empty(op, arg, x) : n;
}

/** A view that lost its memory reads as empty; only an intrinsic that validates tells it from an empty one. */
function empty(op: string, arg: string, x: unknown): 0 {
  if (holds(() => apply(keys, x, []))) return 0;
  const received = 'one whose buffer was transferred, or shrunk below it';
  throw new HeedTypeError('ERR_DETACHED', { op, arg, expected: `${tagOf(x)} on a live buffer`, received });
}

function isOneOf(tag: string | undefined, allowed: readonly string[]): boolean {
  return tag === allowed[0] || allowed.includes(tag ?? '');
}

/** A typed array of one of the kinds in `allowed`, of any realm and on any buffer. ERR_ARG_TYPE, ERR_DETACHED. */
function array(
  op: string,
  arg: string,
  x: unknown,
  tag: string | undefined,
  allowed: readonly string[],
  orElse: string,
): void {
  if (!isOneOf(tag, allowed)) {
    wrongKind(op, arg, allowed.join(' or ') + orElse, x, arrayHint(kindOf(x), allowed));
  }
  length(op, arg, x);
}

/**
 * Whether x is an array of `count` floats or, where there is a shape, a live tensor of that. Not of an empty array, which may have
 * lost its memory. ERR_DISPOSED, ERR_FOREIGN_TENSOR.
 */
export function isLike(
  op: string,
  door: Door,
  arg: string,
  x: unknown,
  count: number,
  shape: readonly number[] | undefined,
): x is object {
  if (shape === undefined) return count > 0 && isOneOf(tagOf(x), door.floats) && lengthOf(x) === count;
  const own = door.shapeOf(op, arg, x);
  if (own?.length !== shape.length) return false;
  for (let i = 0; i < shape.length; i++) if (own[i] !== shape[i]) return false;
  return true;
}

/** x as an operand, of the same kind (array or tensor) as `like` where that is given. `kinds`: of arrays. */
export function operand(
  op: string,
  door: Door,
  arg: string,
  x: unknown,
  like?: Operand,
  kinds: readonly string[] = door.floats,
  orElse = '',
): Operand {
  const tag = tagOf(x);
  const shape = tag === undefined ? door.shapeOf(op, arg, x) : undefined;
  // Tensors hold float32: whoever asks for other numbers takes arrays only.
  if (shape !== undefined && !kinds.includes('Float32Array')) {
    const expected = kinds.join(' or ') + orElse;
    throw new HeedTypeError('ERR_ARG_TYPE', { op, arg, expected, received: 'Tensor' });
  }
  if (like !== undefined && (shape === undefined) !== (like.shape === undefined)) {
    const expected = `${shape === undefined ? 'Tensor' : kinds.join(' or ')}, as "${like.arg}" is`;
    const received = shape === undefined ? kindOf(x) : 'Tensor';
    throw new HeedTypeError('ERR_ARG_TYPE', { op, arg, expected, received });
  }
  if (shape === undefined) array(op, arg, x, tag, kinds, orElse);
  return { arg, value: x as object, shape };
}

/** The same for what may be absent. */
export function optional(
  op: string,
  door: Door,
  arg: string,
  x: unknown,
  like?: Operand,
): Operand | undefined {
  return x === undefined ? undefined : operand(op, door, arg, x, like);
}

/** `size` elements from `start` as a plain Float32Array on the same memory. Calls no method of x. */
export function view(x: object, start: number, size: number): Float32Array {
  return new Float32Array(bufferOf(x), byteOffsetOf(x) + 4 * start, size);
}

/** Whether two typed arrays share a byte. */
export function overlaps(a: object, b: object): boolean {
  if (bufferOf(a) !== bufferOf(b)) return false;
  const begin = Math.max(byteOffsetOf(a), byteOffsetOf(b));
  return begin < Math.min(byteOffsetOf(a) + byteLengthOf(a), byteOffsetOf(b) + byteLengthOf(b));
}

/** ERR_OVERLAP if both are there and share memory: by their bytes, or by identity where both are tensors. */
export function disjoint(op: string, a: Operand | undefined, b: Operand | undefined): void {
  if (a === undefined || b === undefined) return;
  const tensors = a.shape !== undefined && b.shape !== undefined;
  if (tensors ? a.value === b.value : overlaps(bytesOf(a), bytesOf(b))) {
    refuse('ERR_OVERLAP', op, a.arg, 'memory of its own', `memory that "${b.arg}" uses too`);
  }
}

function bytesOf({ value, shape }: Operand): object {
  return shape === undefined ? value : (value as { readonly data: object }).data;
}

// ---- options ----

/** Values by name, each undefined where nothing was given. */
export type Given<Name extends string> = Record<Name, unknown>;

/** The options that a call knows. */
export class Known<Name extends string> {
  readonly names: ReadonlySet<string>;
  /** All of them, absent: what a call is told goes into a copy, which has them all, so that no prototype is asked for one. */
  readonly absent: Readonly<Given<Name>>;
  /** That copy. */
  readonly copy: (absent: Readonly<Given<Name>>) => Given<Name>;

  /**
   * `new Known((absent) => ({ ...absent }), 'a', 'b')`. Whoever knows options writes their copy: V8 has one way of copying a place
   * in the code, and where options of several kinds are copied in one it takes 0.46 µs instead of 0.05.
   */
  constructor(copy: (absent: Readonly<Given<Name>>) => Given<Name>, ...names: readonly Name[]) {
    this.names = new Set(names);
    this.absent = Object.fromEntries(names.map((name) => [name, undefined])) as Given<Name>;
    this.copy = copy;
  }
}

/** What a call is told: names and values, in the order of the caller's object. */
export interface Told {
  readonly names: readonly string[];
  readonly values: unknown[];
}

const NOTHING: Told = { names: [], values: [] };

/**
 * Reads an options object: once, up front, its own string keys only. A getter is called at most once and what it
 * throws passes through; a value of undefined means absent. ERR_ARG_TYPE if it is no object, ERR_UNKNOWN_OPTION.
 */
export function told(op: string, given: unknown, known: ReadonlySet<string>, prefix = ''): Told {
  if (given === undefined) return NOTHING;
  // Not by kindOf: to tell a buffer from an object it has brand checks throw, which costs 12 µs.
  const object = typeof given === 'object' && given !== null && !ArrayBuffer.isView(given);
  if (!object || Array.isArray(given)) wrongKind(op, prefix || 'options', 'an object', given);
  const names = getOwnPropertyNames(given);
  for (let i = 0; i < names.length; i++) {
    if (!known.has(names[i]!)) unknownOption(op, names[i]!, known, prefix);
  }
  const values: unknown[] = [];
  for (let i = 0; i < names.length; i++) values.push((given as Given<string>)[names[i]!]);
  return { names, values };
}

/** The same by name. */
export function named<Name extends string>(
  { names, values }: Told,
  known: Known<Name>,
): Readonly<Given<Name>> {
  if (names.length === 0) return known.absent;
  const all = known.copy(known.absent);
  for (let i = 0; i < names.length; i++) all[names[i] as Name] = values[i];
  return all;
}

/** Both. */
export function options<Name extends string>(
  op: string,
  given: unknown,
  known: Known<Name>,
  prefix?: string,
): Readonly<Given<Name>> {
  return named(told(op, given, known.names, prefix), known);
}

function unknownOption(op: string, name: string, known: ReadonlySet<string>, prefix: string): never {
  const near = nearest(name, [...known]);
  throw new HeedTypeError('ERR_UNKNOWN_OPTION', {
    op,
    arg: prefix === '' ? name : `${prefix}.${name}`,
    expected: `one of ${[...known].join(', ')}`,
    received: 'an unknown option',
    hint: near === undefined ? undefined : `did you mean "${near}"?`,
  });
}

/** Whether x is an object, no array of any kind, with a field of its own of one of these names. */
export function hasOneOf(x: unknown, ...names: readonly string[]): boolean {
  return kindOf(x) === 'object' && holds(() => names.some((name) => Object.hasOwn(x as object, name)));
}

/** The first value that is there. Only undefined is absent: null stays, and is refused by name. */
export function or(a: unknown, b: unknown, c?: unknown, d?: unknown): unknown {
  if (a !== undefined) return a;
  if (b !== undefined) return b;
  return c !== undefined ? c : d;
}

/** A boolean, false by default. ERR_ARG_TYPE. */
export function flag(op: string, arg: string, x: unknown): boolean {
  if (x !== undefined && typeof x !== 'boolean') wrongKind(op, arg, 'boolean', x);
  return x ?? false;
}

/** A function, where there is one. ERR_ARG_TYPE. */
export function optionalFunction(op: string, arg: string, x: unknown): unknown {
  if (x !== undefined && typeof x !== 'function') wrongKind(op, arg, 'function', x);
  return x;
}

/** One of a few words, the first by default. ERR_ARG_TYPE, ERR_OPTION. */
export function word<W extends string>(op: string, arg: string, x: unknown, words: readonly [W, ...W[]]): W {
  if (x === undefined) return words[0];
  for (const each of words) if (x === each) return each;
  const expected = words.map((each) => `'${each}'`).join(' or ');
  if (typeof x !== 'string') wrongKind(op, arg, expected, x);
  refuse('ERR_OPTION', op, arg, expected, x.length <= 24 ? `'${x}'` : `a string of length ${x.length}`);
}

/** A finite number. ERR_ARG_TYPE, ERR_RANGE. */
export function finite(op: string, arg: string, x: unknown): number {
  if (typeof x !== 'number') wrongKind(op, arg, 'number', x);
  return Number.isFinite(x) ? x : refuse('ERR_RANGE', op, arg, 'a finite number', `${x}`);
}

/** An integer of `min` … `max`. ERR_ARG_TYPE, ERR_RANGE. */
export function integer(op: string, arg: string, x: unknown, min: number, max: number, or = ''): number {
  if (typeof x === 'number' && Number.isInteger(x) && x >= min && x <= max) return x;
  const expected = `${or}an integer from ${min} to ${max}`;
  if (typeof x !== 'number') wrongKind(op, arg, expected, x);
  refuse('ERR_RANGE', op, arg, expected, `${x}`);
}

/** An integer in a user's list, from 0 to `max` where that is given. Its value is not shown. ERR_ARG_TYPE, ERR_RANGE. */
function element(op: string, arg: string, x: unknown, expected: string, max?: number): void {
  if (typeof x !== 'number') wrongKind(op, arg, expected, x);
  if (!Number.isInteger(x)) refuse('ERR_RANGE', op, arg, expected, 'a number that is none');
  if (max !== undefined && (x < 0 || x > max)) refuse('ERR_RANGE', op, arg, expected, 'another');
}

/** [batch] integers of a user's list, from 0 to `max` where that is given. */
export function integers(
  op: string,
  arg: string,
  x: ArrayLike<unknown>,
  batch: number,
  max?: number,
): number[] {
  const list = values(op, arg, x, batch, batch);
  const expected = max === undefined ? 'an integer' : `an integer from 0 to ${max}`;
  for (const [b, each] of list.entries()) element(op, `${arg}[${b}]`, each, expected, max);
  return list as number[];
}

/** What may hold numbers by index: a typed array but a bigint one, an array, { length, 0, 1 … }. ERR_ARG_TYPE. */
export function arrayLike(op: string, arg: string, x: unknown, expected: string): ArrayLike<unknown> {
  const kind = kindOf(x);
  if (!/^(?!Big).*Array$|^object$/.test(kind)) wrongKind(op, arg, expected, x);
  return x as ArrayLike<unknown>;
}

/** The values of an array-like of `min` … `max` of them, each asked once. ERR_ARG_TYPE, ERR_DETACHED, ERR_SHAPE. */
export function values(op: string, arg: string, x: ArrayLike<unknown>, min: number, max: number): unknown[] {
  const n: unknown = tagOf(x) === undefined ? x.length : length(op, arg, x);
  if (typeof n !== 'number') wrongKind(op, `${arg}.length`, 'number', n);
  if (!Number.isInteger(n) || n < min || n > max) {
    refuse('ERR_SHAPE', op, arg, `length ${min === max ? min : `${min} to ${max}`}`, `length ${n}`);
  }
  return Array.from({ length: n }, (_, i) => x[i]);
}

// ---- dimensions, sizes, lengths ----

/** A number for each name. */
type Sizes<Names extends readonly string[]> = { readonly [Axis in keyof Names]: number };

/**
 * All dimensions of a call, as they are named: first that each is there and is a number (ERR_ARG_TYPE), then its value
 * (ERR_DIM). Arguments, no list: lists of small and of large numbers are of two kinds, and V8 turned the one into the other in
 * every call.
 */
export function dims<const Names extends readonly string[]>(
  op: string,
  names: Names,
  ...given: { readonly [Axis in keyof Names]: unknown }
): Sizes<Names> {
  for (let i = 0; i < names.length; i++) {
    if (typeof given[i] !== 'number') noNumber(op, names[i]!, given[i]);
  }
  const sizes = given as Sizes<Names>;
  for (let i = 0; i < names.length; i++) if (!isSize(names[i]!, sizes[i]!)) noSize(op, names[i]!, sizes[i]!);
  return sizes;
}

function isSize(arg: string, x: number): boolean {
  return Number.isInteger(x) && x <= MAX_DIM && (x > 0 || (x === 0 && !AT_LEAST_ONE.has(arg)));
}

function noNumber(op: string, arg: string, x: unknown): never {
  const hint = x === undefined ? 'a flat array has no shape, so it must be stated' : undefined;
  wrongKind(op, arg, 'number', x, hint);
}

function noSize(op: string, arg: string, x: number): never {
  const min = AT_LEAST_ONE.has(arg) ? 1 : 0;
  refuse('ERR_DIM', op, arg, `an integer from ${min} to ${MAX_DIM}`, `${x}`);
}

/** ERR_HEADS unless every key head serves the same number of query heads. */
export function groups(op: string, heads: number, kvHeads: number): void {
  if (heads % kvHeads !== 0) refuse('ERR_HEADS', op, 'heads', `a multiple of kvHeads ${kvHeads}`, `${heads}`);
}

/** `batch 1 × seqQ 4`, of 'batch × seqQ' and [1, 4] */
export function formula(dims: string, sizes: readonly number[]): string {
  const names = dims.split(BY);
  return sizes.map((size, axis) => `${names[axis]} ${size}`).join(BY);
}

const BY = ' × ';

/** ERR_SIZE where an operand, there or to be made, is too large. */
export function sizes(op: string, rows: readonly Fit[]): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (row.count === 0 || 4 * row.count > MAX_BYTES) size(op, row.arg, row.dims, sizesOf(row));
  }
}

/** The same for one operand. A dimension of 0 counts as 1, so that empty operands have sane strides too. */
export function size(op: string, arg: string, dims: string, sizes: readonly number[]): void {
  if (4 * sizes.reduce((product, each) => product * Math.max(each, 1), 1) <= MAX_BYTES) return;
  refuse('ERR_SIZE', op, arg, `at most ${MAX_BYTES} bytes`, `${formula(dims, sizes)} × 4 bytes`);
}

/**
 * ERR_SHAPE where an array's length is not the product of its dimensions, or a tensor's shape is another. `hint`: what to
 * say to that of an argument.
 */
export function fits(op: string, rows: readonly Fit[], hint?: (arg: string) => string | undefined): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const { operand } = row;
    if (operand === undefined) continue;
    if (operand.shape !== undefined) fitsShape(op, row, operand.shape);
    else if (length(op, row.arg, operand.value) !== row.count) {
      fitsLength(op, row.arg, operand.value, row.dims, sizesOf(row), hint?.(row.arg));
    }
  }
}

/** The same for one array, of any number of dimensions. */
export function fitsLength(
  op: string,
  arg: string,
  x: object,
  dims: string,
  sizes: readonly number[],
  hint?: string,
): void {
  const n = length(op, arg, x);
  const count = sizes.reduce((product, each) => product * each, 1);
  if (n === count) return;
  const expected = `${tagOf(x)} of length ${count} (${formula(dims, sizes)})`;
  refuse('ERR_SHAPE', op, arg, expected, `length ${n}`, hint);
}

function fitsShape(op: string, row: Fit, shape: readonly number[]): void {
  const { arg, dims, a, b, c, d } = row;
  if (shape.length <= 4 && shape[0] === a && shape[1] === b && shape[2] === c && shape[3] === d) return;
  const expected = `shape [${sizesOf(row).join(', ')}] (${dims})`;
  refuse('ERR_SHAPE', op, arg, expected, `shape [${shape.join(', ')}]`);
}

/** ERR_SHAPE where a tensor has another number of dimensions. An array has none to check. */
export function rank(op: string, { arg, shape }: Operand, one: number, other: number = one): void {
  if (shape === undefined || shape.length === one || shape.length === other) return;
  const ranks = one === other ? `${one}` : `${one} or ${other}`;
  refuse('ERR_SHAPE', op, arg, `a Tensor of ${ranks} dimensions`, `${shape.length}`);
}

/** Every field there: what is left of an options type when all defaults are filled. */
export type Filled<T> = { readonly [Name in keyof T]-?: NonNullable<T[Name]> };
