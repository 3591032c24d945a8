/** Dimensions, and whether what is given fits them. */
import { tagOf } from '../words.ts';
import { length, refuse, wrongKind, type Operand } from './operands.ts';

/** Largest dimension. */
export const MAX_DIM: number = 2 ** 32;

/** Most bytes of one operand, at four bytes an element: 2³⁰ elements, the stricter limit, as 2³¹ is an index's. */
export const MAX_BYTES: number = 2 ** 32;

/** Dimensions of which there is at least one. All others may be 0 and give an empty result. */
const AT_LEAST_ONE: ReadonlySet<string> = new Set(
  'heads kvHeads headDim valueDim modelDim contextDim capacity'.split(' '),
);

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
