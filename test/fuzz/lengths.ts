/**
 * What the fuzz says of a call by itself: how long its results must be by its options, and how long they are. Nothing of heed's own checks is
 * asked.
 */
import { Engine, KVCache, MultiHeadAttention, PackedMatrix, Tensor } from '../../src/index.ts';
import { product, type Parts } from './parts.ts';

/** An options object, of which nothing is known. */
export type Options = Record<string, unknown>;

/** A call that is made and not called yet. */
export interface FuzzCall {
  readonly self: object;
  readonly method: string;
  readonly args: unknown[];
  /** The lengths of what it returns, by its arguments. */
  readonly lengths: (args: readonly unknown[]) => number[];
  /** A cache that it works on. */
  readonly cache?: KVCache;
}

export type Make = (parts: Parts) => FuzzCall;

/** %TypedArray%, whose methods see through subclasses that lie. */
const typed = Object.getPrototypeOf(Float32Array.prototype) as { readonly values: () => Iterable<number> };
const valuesOf = Function.prototype.call.bind(typed.values) as (x: unknown) => Iterable<number>;

/** What a list holds, whatever it says of itself. */
export function itemsOf(x: unknown): number[] {
  return ArrayBuffer.isView(x) ? Array.from(valuesOf(x)) : Array.from(x as ArrayLike<number>);
}

/** An array as its class has it, whatever it says of itself. */
export function bytesOf(x: unknown): Uint8Array {
  const intrinsic = (name: string): unknown => Reflect.get(typed, name, x);
  const [from, bytes] = [intrinsic('byteOffset'), intrinsic('byteLength')] as [number, number];
  return new Uint8Array(intrinsic('buffer') as ArrayBuffer, from, bytes);
}

/** The intrinsic length. */
export function lengthOf(x: unknown): number {
  return Reflect.get(typed, 'length', x) as number;
}

/** An option of an object's own. */
export function own(o: unknown, name: string): unknown {
  return typeof o === 'object' && o !== null && Object.hasOwn(o, name) ? (o as Options)[name] : undefined;
}

/** The product of the first of each list that is there. */
export function times(...lists: readonly (readonly unknown[])[]): number {
  return product(lists.map((each) => each.find((x) => x !== undefined) as number));
}

export function shapeOf(x: unknown): readonly number[] | undefined {
  return x instanceof Tensor ? x.shape : undefined;
}

/** How long what was returned is. What has no length is nothing; what nobody returns is NaN. */
export function sized(x: unknown): number[] {
  if (ArrayBuffer.isView(x)) return [lengthOf(x)];
  if (x instanceof Tensor) return [x.data.length];
  if (x instanceof PackedMatrix) return [x.K, x.N];
  if (x instanceof KVCache) return [x.capacity];
  if (x === undefined || x instanceof MultiHeadAttention || x instanceof Engine) return [];
  return partsOf(x).flatMap(sized);
}

/** What was returned in parts, whole or in this order. */
export function partsOf(x: unknown): unknown[] {
  if (ArrayBuffer.isView(x) || x instanceof Tensor) return [x];
  if (typeof x !== 'object' || x === null) return [];
  const { out, weights, logSumExp } = x as Options;
  return [out, weights, logSumExp].filter((each) => each !== undefined);
}
