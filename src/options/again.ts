/**
 * The calls before. Programs call with the same few options over and over, so what they came to is kept: who is told the same
 * numbers and words again, of operands of the same size, has the same problem, the very same object, by which a launch knows that
 * it was made for it. That takes 0.15 µs, where resolving takes 0.5 and making a launch 0.3.
 *
 * What is compared is what was read: own values, each asked for once. A call that was told of a list or an array is not kept, so
 * that nothing of a caller's is held here, or looked at twice. Only `out` may be one: it is no part of a problem.
 */
import { isLike, type Door, type Operand, type Told } from '../checks/index.ts';
import type { Recent } from '../recent.ts';

/** A problem, and where its result goes. */
export interface Resolved<Problem> {
  readonly problem: Problem;
  readonly out: Operand | undefined;
  /** Whether another call may have this very problem: what is made for it may be used again. */
  readonly again: boolean;
}

/** The shape of an operand that is a tensor. */
type TensorShape = readonly number[] | undefined;

/** A call that was told what may be kept, and what it came to. */
export interface Before<Problem> {
  readonly problem: Problem;
  readonly names: readonly string[];
  readonly values: readonly unknown[];
  /** Which of them is `out`, or −1. */
  readonly out: number;
  /** Of the operands, and of the result. */
  readonly shapes: readonly TensorShape[];
  readonly outShape: TensorShape;
}

/** Keeps a call, if it may be: what it was told is its own then, and no longer told. */
export function keep<Problem>(
  before: Recent<Before<Problem>>,
  { names, values }: Told,
  problem: Problem,
  shapes: readonly TensorShape[],
  outShape: TensorShape,
): boolean {
  let out = -1;
  for (let i = 0; i < names.length; i++) {
    if (names[i] === 'out') out = i;
    else if (typeof values[i] === 'object') return false;
  }
  if (out >= 0) values[out] = undefined;
  before.keep({ problem, names, values, out, shapes, outShape });
  return true;
}

/** Whether a call is told the same as one before, but for `out`. */
export function isSame(before: Before<unknown>, { names, values }: Told): boolean {
  if (names.length !== before.names.length) return false;
  // Values first: it is by one of these that calls differ.
  for (let i = 0; i < values.length; i++) {
    if (i !== before.out && !isEqual(values[i], before.values[i])) return false;
  }
  for (let i = 0; i < names.length; i++) if (names[i] !== before.names[i]) return false;
  return true;
}

/** As Object.is, which alone makes a call 0.1 µs longer where eight do not fit. NaN is never kept. */
function isEqual(a: unknown, b: unknown): boolean {
  return a === b && (a !== 0 || Object.is(a, b));
}

/** What such a call comes to, with `out` of its own. Undefined where that does not fit, or is a tensor that is one of the operands. */
export function withOut<Problem>(
  op: string,
  door: Door,
  { problem, out, outShape }: Before<Problem>,
  { values }: Told,
  count: number,
  a: unknown,
  b: unknown,
  c?: unknown,
): Resolved<Problem> | undefined {
  const value = out < 0 ? undefined : values[out];
  if (value === undefined) return { problem, out: undefined, again: true };
  if (!isLike(op, door, 'out', value, count, outShape)) return undefined;
  if (outShape !== undefined && (value === a || value === b || value === c)) return undefined;
  return { problem, out: { arg: 'out', value, shape: outShape }, again: true };
}
