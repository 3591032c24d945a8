/**
 * What decides a score and who sees it: the options that attention, the layer and the cache read in the same way.
 * `read` looks at kinds and words, before any dimension is known; `settle` at sizes, values and lengths, after.
 */
import * as check from '../checks/index.ts';
import type { Door, Fit, Operand } from '../checks/index.ts';

/** [batch, heads, seqQ, seqK], each as large as the call's, or 1: the same for all. */
export type BroadcastShape = readonly [batch: number, heads: number, seqQ: number, seqK: number];

/** A mask or a bias with its shape, where that is not [seqQ, seqK]. */
export interface Shaped<Data> {
  /** As many elements as the shape has. */
  readonly data: Data;
  /** Which dimensions it has of its own. */
  readonly shape: BroadcastShape;
}

/** What an attention call may be told beyond its shape. All combine: a key must pass causal, window, mask, bias and length. */
export interface AttentionOptions {
  /** Key j is visible to query i only if j <= i + queryOffset. Default false. */
  readonly causal?: boolean | undefined;
  /**
   * Where the first query stands among the keys: an integer, negative too, or [batch] of them; causal, window and alibi
   * count from there. Default seqK − seqQ; where keyLengths is given, max(0, keyLengths[b] − seqQ). 0 is PyTorch's
   * is_causal. ERR_RANGE if no integer, ERR_SHAPE.
   */
  readonly queryOffset?: number | ArrayLike<number> | undefined;
  /**
   * Key j is visible to query i only if i + queryOffset − before <= j <= i + queryOffset + after. Integers from 0 on, or
   * Infinity for an open side (ERR_RANGE). Default both open. Mistral's sliding window of w keys is causal: [w − 1, 0].
   */
  readonly window?: readonly [before: number, after: number] | undefined;
  /** Non-zero where a query may see a key. A bare array is [seqQ, seqK]; a `shape` is broadcast by stride. ERR_SHAPE. */
  readonly mask?: Uint8Array | Shaped<Uint8Array> | undefined;
  /** Added to the scaled and capped score; −Infinity masks. Shapes as of mask. */
  readonly bias?: Float32Array | Shaped<Float32Array> | undefined;
  /** [batch], 0 … seqK (ERR_RANGE): keys from there on are never read. Default seqK. */
  readonly keyLengths?: ArrayLike<number> | undefined;
  /** Factor of q·k: any finite number (ERR_RANGE), 0 and negative included. Default 1/√headDim. */
  readonly scale?: number | undefined;
  /** score → softcap · tanh(score / softcap), after scale. Finite, from 0 on (ERR_RANGE); 0 is off. Default 0. */
  readonly softcap?: number | undefined;
  /** [heads] slopes (Press et al. 2022): score −= slope · |i + queryOffset − j|, after softcap. ERR_SHAPE. */
  readonly alibi?: Float32Array | undefined;
  /** `[heads]`: an extra logit in each row's softmax that takes weight and gives no value. ERR_SHAPE. */
  readonly sinks?: Float32Array | undefined;
  /** Written and returned: [batch, seqQ, heads, valueDim] in the layout. May overlap q, k and v. ERR_SHAPE. */
  readonly out?: Float32Array | undefined;
  /** [batch, heads, seqQ], written when given: ln Σ exp(score), −∞ where no key is seen. ERR_SHAPE, ERR_OVERLAP with out. */
  readonly logSumExp?: Float32Array | undefined;
}

/** Names of the options that say what a query sees by where it stands. */
export const PLACES = ['causal', 'queryOffset', 'keyLengths'] as const;
/** Names of all other options. */
export const SCORES = 'window mask bias scale softcap alibi sinks out logSumExp'.split(
  ' ',
) as readonly ScoreName[];
const BROADCAST = new check.Known((absent) => ({ ...absent }), 'data', 'shape');
const BYTES = ['Uint8Array'] as const;

type ScoreName = Exclude<keyof AttentionOptions, (typeof PLACES)[number]>;
type Named = Readonly<check.Given<keyof AttentionOptions>>;

/** One sequence of a batch: its queries and keys, where they begin among those of the whole batch, and how they meet. */
export interface Sequence {
  readonly queries: number;
  readonly keys: number;
  /** Tokens before this sequence's first, in q and in k. */
  readonly firstQuery: number;
  readonly firstKey: number;
  /** Query i stands at key i + offset. */
  readonly offset: number;
}

/** Where packed sequences begin among all queries and all keys; one more than there are sequences. */
export interface Starts {
  readonly q: readonly number[];
  readonly k: readonly number[];
}

/** Elements of a mask or bias, and steps from one batch row, head, query and key to the next: 0 where all share one. */
export interface Broadcast {
  readonly data: Operand;
  readonly steps: BroadcastShape;
}

/** What decides a score and who sees it, with nothing left open. */
export interface Scores {
  readonly scale: number;
  /** 0: off. */
  readonly softcap: number;
  /** Query i of a sequence sees key j if −before <= j − (i + offset) <= after. Infinity, or 0 and more. */
  readonly before: number;
  readonly after: number;
  readonly mask: Broadcast | undefined;
  readonly bias: Broadcast | undefined;
  readonly alibi: Operand | undefined;
  readonly sinks: Operand | undefined;
  readonly logSumExp: Operand | undefined;
  /** Sequence b of the batch. */
  readonly sequence: (b: number) => Sequence;
}

/** A mask or bias whose shape is not compared yet: undefined for a bare array. */
interface Given {
  readonly data: Operand;
  readonly shape: readonly unknown[] | undefined;
}

/** The options after {@link read}. */
export interface Reading {
  readonly given: Named;
  readonly before: number;
  readonly after: number;
  readonly mask: Given | undefined;
  readonly bias: Given | undefined;
  readonly alibi: Operand | undefined;
  readonly sinks: Operand | undefined;
  readonly logSumExp: Operand | undefined;
}

/** Kinds, words and domains, before any dimension is known. ERR_ARG_TYPE, ERR_RANGE, ERR_SHAPE, ERR_UNKNOWN_OPTION. */
export function read(op: string, door: Door, o: Named): Reading {
  const causal = check.flag(op, 'causal', o.causal);
  if (o.scale !== undefined) check.finite(op, 'scale', o.scale);
  const softcap = o.softcap === undefined ? 0 : check.finite(op, 'softcap', o.softcap);
  if (softcap < 0) check.refuse('ERR_RANGE', op, 'softcap', 'a finite number from 0 on', `${softcap}`);
  const list = 'an integer, or [batch] of them';
  if (typeof o.queryOffset === 'number') {
    if (!Number.isInteger(o.queryOffset)) {
      check.refuse('ERR_RANGE', op, 'queryOffset', list, `${o.queryOffset}`);
    }
  } else if (o.queryOffset !== undefined) check.arrayLike(op, 'queryOffset', o.queryOffset, list);
  if (o.keyLengths !== undefined) check.arrayLike(op, 'keyLengths', o.keyLengths, '[batch] of integers');
  const window = o.window === undefined ? undefined : windowOf(op, o.window);
  const after = window === undefined ? Infinity : window[1];
  return {
    given: o,
    before: window === undefined ? Infinity : window[0],
    after: causal ? Math.min(after, 0) : after,
    mask: o.mask === undefined ? undefined : broadcast(op, door, 'mask', o.mask, BYTES),
    bias: o.bias === undefined ? undefined : broadcast(op, door, 'bias', o.bias, door.floats),
    alibi: check.optional(op, door, 'alibi', o.alibi),
    sinks: check.optional(op, door, 'sinks', o.sinks),
    logSumExp: check.optional(op, door, 'logSumExp', o.logSumExp),
  };
}

/**
 * Sizes, values by batch row, lengths, in this order: reading the user's lists may run the user's code, so it comes
 * before any length. Adds the side inputs to `rows`. ERR_SIZE, ERR_ARG_TYPE, ERR_RANGE, ERR_SHAPE.
 */
export function settle(
  op: string,
  reading: Reading,
  batch: number,
  heads: number,
  seqQ: number,
  seqK: number,
  headDim: number,
  rows: Fit[],
  starts?: Starts,
): Scores {
  const { given, alibi, sinks } = reading;
  check.sizes(op, rows);
  const lengths = given.keyLengths as ArrayLike<unknown> | undefined;
  const keys = lengths && check.integers(op, 'keyLengths', lengths, batch, seqK);
  const offset = given.queryOffset as number | ArrayLike<unknown> | undefined;
  const offsets = typeof offset === 'object' ? check.integers(op, 'queryOffset', offset, batch) : undefined;
  const mask = reading.mask && stepsOf(op, reading.mask, batch, heads, seqQ, seqK);
  const bias = reading.bias && stepsOf(op, reading.bias, batch, heads, seqQ, seqK);
  if (alibi) rows.push(check.fit('alibi', 'heads', alibi, heads));
  if (sinks) rows.push(check.fit('sinks', 'heads', sinks, heads));
  if (mask) rows.push(mask.row);
  if (bias) rows.push(bias.row);
  check.fits(op, rows);
  const sequence = (b: number): Sequence => {
    const queries = starts ? starts.q[b + 1]! - starts.q[b]! : seqQ;
    const all = starts ? starts.k[b + 1]! - starts.k[b]! : seqK;
    const length = keys?.[b];
    const last = length === undefined ? all - queries : Math.max(0, length - queries);
    const stated = offsets ? offsets[b] : (offset as number | undefined);
    return {
      queries,
      keys: length ?? all,
      firstQuery: starts ? starts.q[b]! : b * seqQ,
      firstKey: starts ? starts.k[b]! : b * seqK,
      offset: stated ?? last,
    };
  };
  return {
    scale: (given.scale as number | undefined) ?? 1 / Math.sqrt(headDim),
    softcap: (given.softcap as number | undefined) ?? 0,
    before: reading.before,
    after: reading.after,
    mask,
    bias,
    alibi,
    sinks,
    logSumExp: reading.logSumExp,
    sequence,
  };
}

/** `[before, after]`: two integers from 0 on, or Infinity. */
function windowOf(op: string, x: unknown): [number, number] {
  const expected = '[before, after]';
  const two = check.values(op, 'window', check.arrayLike(op, 'window', x, expected), 2, 2);
  for (const [i, each] of two.entries()) {
    if (each === Infinity) continue;
    check.integer(op, `window[${i}]`, each, 0, Number.MAX_SAFE_INTEGER, 'Infinity or ');
  }
  return two as [number, number];
}

/** A typed array or tensor, or { data, shape }. */
function broadcast(op: string, door: Door, arg: string, x: unknown, kinds: readonly string[]): Given {
  const plain = door.shapeOf(op, arg, x) === undefined && check.hasOneOf(x, 'data', 'shape');
  if (!plain) {
    const data = check.operand(op, door, arg, x, undefined, kinds, ' or { data, shape }');
    return { data, shape: data.shape };
  }
  const { data, shape } = check.options(op, x, BROADCAST, arg);
  const list = check.arrayLike(op, `${arg}.shape`, shape, '[batch, heads, seqQ, seqK]');
  return {
    data: check.operand(op, door, `${arg}.data`, data, undefined, kinds),
    shape: check.values(op, `${arg}.shape`, list, 4, 4),
  };
}

const FOUR = 'batch × heads × seqQ × seqK';

/** Steps of a mask or bias, and the row that says what length it must have. ERR_SHAPE where a dimension is neither full nor 1. */
function stepsOf(
  op: string,
  { data, shape }: Given,
  batch: number,
  heads: number,
  seqQ: number,
  seqK: number,
): Broadcast & { readonly row: Fit } {
  if (shape === undefined) {
    return { data, steps: [0, 0, seqK, 1], row: check.fit(data.arg, 'seqQ × seqK', data, seqQ, seqK) };
  }
  const full = [batch, heads, seqQ, seqK];
  if (shape.length !== 4 || shape.some((size, axis) => size !== 1 && size !== full[axis])) {
    const arg = data.arg.replace(/data$/, 'shape');
    const expected = FOUR.split(' × ').map((name, axis) => `${name} ${full[axis]} or 1`);
    const received = shape.map((size) => (typeof size === 'number' ? size : typeof size));
    check.refuse('ERR_SHAPE', op, arg, `[${expected.join(', ')}]`, `[${received.join(', ')}]`);
  }
  const [b, h, i, j] = shape as BroadcastShape;
  const step = (size: number, inner: number): number => (size === 1 ? 0 : inner);
  const steps = [step(b, h * i * j), step(h, i * j), step(i, j), step(j, 1)] as const;
  return { data, steps, row: check.fit(data.arg, FOUR, data, b, h, i, j) };
}
