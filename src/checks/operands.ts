/**
 * What a value is: float arrays, tensors, what they share.
 *
 * Nothing here trusts a user's object: typed arrays are recognised and measured by the intrinsic getters, captured
 * when the module loads, so that arrays of other realms pass and proxies and lying subclasses do not.
 */
import { HeedRangeError, HeedTypeError } from '../errors.ts';
import { arrayHint, holds, intrinsic, kindOf, tagOf, typedArray } from '../words.ts';
import type { HeedRangeCode } from '../errors.ts';

/** What the float64 reference takes; the kernels take Float32Array only. */
export type FloatArray = Float32Array | Float64Array;

/** A checked argument: a float array (`shape` undefined), or a live tensor and its shape. */
export interface Operand {
  readonly arg: string;
  /** The user's own object: a float array of a kind that the door takes, or a tensor. */
  readonly value: object;
  readonly shape: readonly number[] | undefined;
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

const { apply } = Reflect;
const { keys } = typedArray;
const numberOf = (key: string): ((x: unknown) => number) =>
  intrinsic(typedArray, key) as (x: unknown) => number;
export const lengthOf: (x: unknown) => number = numberOf('length');
export const bufferOf: (x: unknown) => ArrayBufferLike = intrinsic(typedArray, 'buffer') as (
  x: unknown,
) => ArrayBufferLike;
export const byteOffsetOf: (x: unknown) => number = numberOf('byteOffset');
const byteLengthOf = numberOf('byteLength');

/** Throws a HeedTypeError. */
export function wrongKind(op: string, arg: string, expected: string, x: unknown, hint?: string): never {
  throw new HeedTypeError('ERR_ARG_TYPE', { op, arg, expected, received: kindOf(x), hint });
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
