/** Random small problems with options, and who sees whom in them by the options' own words: nothing here is from src. */
import fc from 'fast-check';
import type { AttentionOptions, AttentionShape } from '../src/index.ts';
import { normal, uniform } from './data.ts';
import { at, make, problems, shownAs, type Problem } from './problems.ts';

type Options = AttentionShape & AttentionOptions;
type Filled = Problem['options'];
type Bytes = NonNullable<AttentionOptions['mask']>;
type Floats = NonNullable<AttentionOptions['bias']>;
export type Shape = readonly [batch: number, heads: number, seqQ: number, seqK: number];

/** What differs from the defaults; arrays are made from the seed of the problem. */
export interface Wanted {
  readonly window: readonly [number, number] | undefined;
  readonly queryOffset: 'number' | 'list' | undefined;
  readonly keyLengths: boolean;
  /** Which of the four dimensions are full: bits 3 … 0 for batch … keys. */
  readonly mask: number | undefined;
  readonly bias: number | undefined;
  readonly scale: number | undefined;
  readonly softcap: number | undefined;
  readonly alibi: boolean;
  readonly sinks: boolean;
}

const side = fc.oneof(fc.nat({ max: 60 }), fc.constantFrom(0, 95, 96, Infinity));
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const some: fc.Arbitrary<Wanted> = fc.record({
  window: maybe(fc.tuple(side, side)),
  queryOffset: fc.constantFrom(undefined, 'number', 'list'),
  keyLengths: fc.boolean(),
  mask: maybe(fc.nat({ max: 15 })),
  bias: maybe(fc.nat({ max: 15 })),
  scale: maybe(fc.constantFrom(0, -0.5, 0.25, 1)),
  softcap: maybe(fc.constantFrom(0, 0.5, 3, 50, 1e6)),
  alibi: fc.boolean(),
  sinks: fc.boolean(),
});

const none: Wanted = {
  ...{ window: undefined, queryOffset: undefined, keyLengths: false, mask: undefined, bias: undefined },
  ...{ scale: undefined, softcap: undefined, alibi: false, sinks: false },
};

/** Most have most options; one in six has none. */
const wanted: fc.Arbitrary<Wanted> = fc.oneof({ weight: 5, arbitrary: some }, fc.constant(none));

/** A random problem with random options. */
export const optioned: fc.Arbitrary<Problem> = fc
  .tuple(problems, wanted)
  .map(([dims, more]) => shownAs(dress(make(dims), more, dims.seed), dims, more));

/** The same without options that go by where a key stands: keys may be permuted or left out. */
export const placeless: fc.Arbitrary<Problem> = fc.tuple(problems, wanted).map(([dims, more]) => {
  const without = { ...more, window: undefined, queryOffset: undefined, keyLengths: false, alibi: false };
  return shownAs(dress(make({ ...dims, causal: false }), without, dims.seed), dims, without);
});

/** A problem with the options that are wanted of it. */
export function dress(problem: Problem, more: Wanted, seed: number): Problem {
  const { batch, heads, seqQ, seqK } = problem.options;
  const next = uniform(seed + 3);
  const upTo = (n: number): number => Math.floor(next() * (n + 1));
  const list = (of: () => number): number[] => Array.from({ length: batch }, of);
  const offset = (): number => upTo(seqK + 20) - 10;
  const shapeOf = (full: number): Shape => {
    return [full & 8 ? batch : 1, full & 4 ? heads : 1, full & 2 ? seqQ : 1, full & 1 ? seqK : 1];
  };
  const sized = <T>(shape: Shape, array: (n: number) => T): { data: T; shape: Shape } => {
    return { data: array(shape.reduce((a, b) => a * b)), shape };
  };
  const options: Options = {
    ...problem.options,
    window: more.window,
    queryOffset: more.queryOffset && { number: offset(), list: list(offset) }[more.queryOffset],
    keyLengths: more.keyLengths ? list(() => upTo(seqK)) : undefined,
    // Where all share few bytes, most are ones, so that something is seen.
    mask:
      more.mask === undefined
        ? undefined
        : sized(shapeOf(more.mask), (n) =>
            Uint8Array.from({ length: n }, () => (next() < 0.2 ? 0 : 1 + upTo(254))),
          ),
    bias:
      more.bias === undefined
        ? undefined
        : sized(shapeOf(more.bias), (n) => normal(n, seed + 4).map((x) => (x > 1.5 ? -Infinity : x))),
    scale: more.scale,
    softcap: more.softcap,
    alibi: more.alibi ? normal(heads, seed + 5, 0.1) : undefined,
    sinks: more.sinks ? normal(heads, seed + 6, 2) : undefined,
  };
  return { ...problem, options: options as Problem['options'] };
}

/** Element [b, h, i, j] of a mask or bias, bare or with its shape. */
export function element(
  given: Bytes | Floats | undefined,
  { seqQ, seqK = seqQ }: Options,
  index: Shape,
): number | undefined {
  if (given === undefined) return undefined;
  const bare = ArrayBuffer.isView(given);
  const [data, shape] = bare ? [given, [1, 1, seqQ, seqK]] : [given.data, given.shape];
  return data[index.reduce((at, x, axis) => at * shape[axis]! + (shape[axis] === 1 ? 0 : x), 0)];
}

/** Whether query i of head h of sequence b sees key j, by every option that has a say. */
export function sees(options: Options, b: number, h: number, i: number, j: number): boolean {
  const { seqQ, seqK = seqQ, causal = false, window: [before, after] = [Infinity, Infinity] } = options;
  const { queryOffset, keyLengths } = options;
  const length = keyLengths?.[b];
  const last = length === undefined ? seqK - seqQ : Math.max(0, length - seqQ);
  const offset = (typeof queryOffset === 'object' ? queryOffset[b] : queryOffset) ?? last;
  const ahead = j - (i + offset);
  if (ahead > after || -ahead > before || (causal && ahead > 0) || j >= (length ?? seqK)) return false;
  if (element(options.mask, options, [b, h, i, j]) === 0) return false;
  return element(options.bias, options, [b, h, i, j]) !== -Infinity;
}

/** A mask or bias with all four dimensions full, in `data`, which is as large. */
export function expanded<T extends Uint8Array | Float32Array>(
  given: Bytes | Floats,
  { batch, heads, seqQ, seqK }: Problem['options'],
  data: T,
): { data: T; shape: Shape } {
  for (let at = 0; at < data.length; at++) {
    const [j, i] = [at % seqK, Math.floor(at / seqK) % seqQ];
    const [h, b] = [Math.floor(at / seqK / seqQ) % heads, Math.floor(at / seqK / seqQ / heads)];
    data[at] = element(given, { seqQ, seqK, headDim: 1 }, [b, h, i, j])!;
  }
  return { data, shape: [batch, heads, seqQ, seqK] };
}

/** Rows of logSumExp. */
export const rowsOf = ({ batch, heads, seqQ }: Filled): number => batch * heads * seqQ;

/** [sequence, head, query] of a row of logSumExp. */
export function placeOf(row: number, { heads, seqQ }: Filled): [b: number, h: number, i: number] {
  return [Math.floor(row / seqQ / heads), Math.floor(row / seqQ) % heads, row % seqQ];
}

/** Some rows: each about as likely, so many or all. */
export function someRows(options: Filled, count: number): number[] {
  const [rows, next] = [rowsOf(options), uniform(rowsOf(options))];
  return Array.from({ length: rows }, (_, row) => row).filter(() => next() < count / rows);
}

/** The tokens of k or v where `move` says: token i of the result is token move[i]. */
function moved(
  x: Float32Array,
  move: readonly number[],
  { batch, kvHeads, seqK, layout }: Filled,
): Float32Array {
  const dim = x.length / (batch * kvHeads * seqK);
  const y = new Float32Array(batch * kvHeads * move.length * dim);
  for (let b = 0; b < batch; b++) {
    for (let g = 0; g < kvHeads; g++) {
      for (const [i, j] of move.entries()) {
        const from = at(layout, kvHeads, seqK, dim, b, g, j);
        y.set(x.subarray(from, from + dim), at(layout, kvHeads, move.length, dim, b, g, i));
      }
    }
  }
  return y;
}

/** The same for the last dimension of a mask or bias, if it is full. */
function movedSide<T extends Uint8Array | Float32Array>(
  given: { readonly data: T; readonly shape: Shape } | undefined,
  move: readonly number[],
  seqK: number,
): { data: T; shape: Shape } | undefined {
  if (given === undefined) return undefined;
  const { data, shape } = given;
  if (shape[3] === 1) return { data, shape };
  const Class = data.constructor as new (n: number) => T;
  const wide = new Class((data.length / seqK) * move.length);
  for (let e = 0; e < wide.length; e++) {
    wide[e] = data[Math.floor(e / move.length) * seqK + move[e % move.length]!]!;
  }
  return { data: wide, shape: [shape[0], shape[1], shape[2], move.length] };
}

/** Problems of these tests have their masks and biases with a shape. */
export type Side<T> = { readonly data: T; readonly shape: Shape } | undefined;

/** The same problem with some keys, in some order. */
export function withKeys({ q, k, v, options }: Problem, move: readonly number[]): Problem {
  const { seqK } = options;
  const mask = movedSide(options.mask as Side<Uint8Array>, move, seqK);
  const bias = movedSide(options.bias as Side<Float32Array>, move, seqK);
  const more = { ...options, seqK: move.length, mask, bias };
  return { q, k: moved(k, move, options), v: moved(v, move, options), options: more };
}
