/** Options: which there are, and whether each is in its domain. */
import { HeedTypeError } from '../errors.ts';
import { holds, kindOf, nearest, tagOf } from '../words.ts';
import { length, refuse, wrongKind } from './operands.ts';

const { getOwnPropertyNames } = Object;

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
  // Taken before the others are read (signal.ts).
  const names = op.endsWith('Async') && prefix === '' ? [...known, 'signal'] : [...known];
  const near = nearest(name, names);
  throw new HeedTypeError('ERR_UNKNOWN_OPTION', {
    op,
    arg: prefix === '' ? name : `${prefix}.${name}`,
    expected: `one of ${names.join(', ')}`,
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

/** A module that is compiled, of any realm, or the address of one: a string, or a URL's. ERR_ARG_TYPE. */
export function moduleOrUrl(op: string, arg: string, x: unknown): WebAssembly.Module | string | undefined {
  if (x === undefined || typeof x === 'string') return x;
  if (holds(() => WebAssembly.Module.imports(x as WebAssembly.Module))) return x as WebAssembly.Module;
  const { href } = (kindOf(x) === 'object' ? x : {}) as { readonly href?: unknown };
  if (typeof href === 'string') return href;
  const kind = kindOf(x);
  const isBytes = ['Uint8Array', 'ArrayBuffer', 'DataView'].includes(kind);
  const other = kind === 'object' ? 'not a promise of one, nor a Response or an Instance' : undefined;
  const hint = isBytes ? 'await WebAssembly.compile(x) makes one' : other;
  return wrongKind(op, arg, 'WebAssembly.Module, URL or string', x, hint);
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

/** Every field there: what is left of an options type when all defaults are filled. */
export type Filled<T> = { readonly [Name in keyof T]-?: NonNullable<T[Name]> };
