/** The options of rope, and its resolver: as in `attention.ts`. */
import * as check from '../checks/index.ts';
import { fit, or, type Door, type Filled, type Fit, type Given, type Operand } from '../checks/index.ts';
import { HeedTypeError } from '../errors.ts';
import { kindOf, tagOf } from '../words.ts';
import { LAYOUTS, type Layout } from './attention.ts';

/** Rotary position embeddings. For tensors seq, heads, headDim and batch default to the tensor's own. */
export interface RopeOptions {
  /** Tokens in a sequence. */
  readonly seq: number;
  /** Heads of a token, at least 1. */
  readonly heads: number;
  /** Elements of one head, at least 2. */
  readonly headDim: number;
  /** Sequences. Default 1. */
  readonly batch?: number | undefined;
  /** Default `'bshd'`. Any other word: ERR_OPTION. */
  readonly layout?: Layout | undefined;
  /**
   * Position of the first token: an integer, negative too, or [batch] of them. Every position must fit into 32 bits
   * (ERR_RANGE). Default 0. With a cache: how many tokens it holds.
   */
  readonly offset?: number | ArrayLike<number> | undefined;
  /** `[batch, seq]`: the position of every token, instead of `offset` (both: ERR_OPTION). ERR_SHAPE. */
  readonly positions?: Int32Array | undefined;
  /** Base of the frequencies: a finite number above 0 (ERR_RANGE). Default 10000. */
  readonly theta?: number | undefined;
  /** Elements of a head that turn: an even integer from 2 to headDim (ERR_RANGE), its default. The others pass through. */
  readonly rotaryDim?: number | undefined;
  /**
   * Which elements make pair i: (2i, 2i + 1), as in the original and GPT-J, or else (i, i + rotaryDim / 2), as in GPT-NeoX
   * and the LLaMA of Hugging Face. Default false.
   */
  readonly interleaved?: boolean | undefined;
  /** Divides every position ("linear" scaling): a finite number above 0 (ERR_RANGE). Default 1. */
  readonly scaling?: number | undefined;
  /** Of x's shape, written and returned. May be x itself or overlap it. ERR_SHAPE. */
  readonly out?: Float32Array | undefined;
}

/** How a head is turned: what a layer says once. */
export type TurnOptions = Pick<RopeOptions, 'theta' | 'rotaryDim' | 'interleaved' | 'scaling'>;

/** The same with nothing left open. */
export type Turn = Filled<TurnOptions>;

/** A rope with nothing left open. */
export interface RopeProblem extends Filled<Omit<RopeOptions, 'out' | 'offset' | 'positions'>> {
  /** x and out are tensors; else both are arrays. */
  readonly tensors: boolean;
  /** A copy: [batch, seq], or [batch] where tokens count on from the first. With seq 1 the two are the same. */
  readonly positions: Int32Array;
  readonly out: Operand | undefined;
}

const DIMS = ['batch', 'seq', 'heads', 'headDim'] as const;
const TURN = new check.Known((absent) => ({ ...absent }), 'theta', 'rotaryDim', 'interleaved', 'scaling');
const ROPE = new check.Known(
  (absent) => ({ ...absent }),
  ...DIMS,
  ...(['layout', 'offset', 'positions'] as const),
  ...(['theta', 'rotaryDim', 'interleaved', 'scaling', 'out'] as const),
);

/** Largest position beyond which 32 bits end, and largest angle up to which the kernel's sine is one. */
const LIMIT = 2 ** 31;

const OFFSET = 'an integer, or [batch] of them';

/** `rope(x, options)`. @throws HeedTypeError, HeedRangeError; whatever the door throws. */
export function resolveRope(op: string, door: Door, x: unknown, options: unknown): RopeProblem {
  const o = check.options(op, options, ROPE);
  const layout = check.word(op, 'layout', o.layout, LAYOUTS);
  const turn = readTurn(op, o);
  const X = check.operand(op, door, 'x', x);
  const out = check.optional(op, door, 'out', o.out, X);
  const positions = o.positions === undefined ? undefined : integers(op, 'positions', o.positions);
  if (positions !== undefined && o.offset !== undefined) {
    check.refuse('ERR_OPTION', op, 'offset', 'either offset or positions', 'both');
  }
  if (o.offset !== undefined && typeof o.offset !== 'number') check.arrayLike(op, 'offset', o.offset, OFFSET);
  check.rank(op, X, 4);
  const bshd = layout === 'bshd';
  const [batch, seq, heads, headDim] = check.dims(
    op,
    DIMS,
    or(o.batch, X.shape?.[0], 1),
    or(o.seq, X.shape?.[bshd ? 1 : 2]),
    or(o.heads, X.shape?.[bshd ? 2 : 1]),
    or(o.headDim, X.shape?.[3]),
  );
  const rotaryDim = even(op, 'rotaryDim', o.rotaryDim, headDim);
  const tensors = X.shape !== undefined;
  const turned = tensors && bshd;
  const lie = (arg: string, operand: Operand | undefined): Fit =>
    turned
      ? fit(arg, 'batch × seq × heads × headDim', operand, batch, seq, heads, headDim)
      : fit(arg, 'batch × heads × seq × headDim', operand, batch, heads, seq, headDim);
  const fits = [lie('x', X), fit('positions', 'batch × seq', positions, batch, seq), lie('out', out)];
  check.sizes(op, fits);
  // Reading the user's offsets may run the user's code, so it comes before any length.
  const first = positions === undefined ? offsets(op, or(o.offset, 0), batch, seq) : undefined;
  check.fits(op, fits);
  const at = first ?? new Int32Array(positions?.value as Int32Array);
  const { interleaved, theta, scaling } = turn;
  turnable(op, at, first === undefined ? 1 : Math.max(seq, 1), theta, rotaryDim, scaling);
  return {
    tensors,
    batch,
    seq,
    heads,
    headDim,
    layout,
    interleaved,
    theta,
    scaling,
    rotaryDim,
    positions: at,
    out,
  };
}

/** The `rope` of a layer: its own object of options. @throws HeedTypeError, HeedRangeError. */
export function resolveTurn(op: string, arg: string, given: unknown, headDim: number): Turn {
  const o = check.options(op, given, TURN, arg);
  const turn = readTurn(op, o, `${arg}.`);
  return { ...turn, rotaryDim: even(op, `${arg}.rotaryDim`, o.rotaryDim, headDim) };
}

/** What does not depend on headDim. */
function readTurn(
  op: string,
  o: Readonly<Given<keyof typeof TURN.absent>>,
  prefix = '',
): Omit<Turn, 'rotaryDim'> {
  return {
    interleaved: check.flag(op, `${prefix}interleaved`, o.interleaved),
    theta: positive(op, `${prefix}theta`, or(o.theta, 10000)),
    scaling: positive(op, `${prefix}scaling`, or(o.scaling, 1)),
  };
}

/** ERR_ARG_TYPE, ERR_RANGE. */
function positive(op: string, arg: string, x: unknown): number {
  if (typeof x !== 'number') return check.finite(op, arg, x);
  return x > 0 && x < Infinity ? x : check.refuse('ERR_RANGE', op, arg, 'a finite number above 0', `${x}`);
}

/** An Int32Array of any realm. ERR_ARG_TYPE, ERR_DETACHED. */
function integers(op: string, arg: string, x: unknown): Operand {
  if (tagOf(x) !== 'Int32Array') {
    throw new HeedTypeError('ERR_ARG_TYPE', { op, arg, expected: 'Int32Array', received: kindOf(x) });
  }
  check.length(op, arg, x);
  return { arg, value: x as object, shape: undefined };
}

/** rotaryDim, headDim by default. ERR_ARG_TYPE, ERR_RANGE. */
function even(op: string, arg: string, x: unknown, headDim: number): number {
  const n = or(x, headDim);
  if (typeof n !== 'number') return check.finite(op, arg, n);
  if (n % 2 === 0 && n >= 2 && n <= headDim) return n;
  const hint = x === undefined ? 'its default is headDim' : undefined;
  check.refuse('ERR_RANGE', op, arg, `an even integer from 2 to headDim ${headDim}`, `${n}`, hint);
}

/** The first position of every sequence (of none where there are no tokens), such that the last has 32 bits too. ERR_SHAPE, ERR_ARG_TYPE, ERR_RANGE. */
function offsets(op: string, x: unknown, batch: number, seq: number): Int32Array {
  const most = LIMIT - Math.max(seq, 1);
  if (typeof x === 'number') {
    return new Int32Array(seq === 0 ? 0 : batch).fill(check.integer(op, 'offset', x, -LIMIT, most));
  }
  const list = check.values(op, 'offset', x as ArrayLike<unknown>, batch, batch);
  for (const [b, each] of list.entries()) {
    const arg = `offset[${b}]`;
    if (typeof each !== 'number') check.integer(op, arg, each, -LIMIT, most);
    else if (!Number.isInteger(each) || each < -LIMIT || each > most) {
      const expected = `an integer from ${-LIMIT} to ${most}`;
      check.refuse('ERR_RANGE', op, arg, expected, 'a number that is none');
    }
  }
  return Int32Array.from(list as number[]);
}

/** ERR_RANGE where an angle position / scaling · theta^(−2i/rotaryDim) exceeds what the sine is good for. */
export function turnable(
  op: string,
  positions: Int32Array,
  seq: number,
  theta: number,
  rotaryDim: number,
  scaling: number,
): void {
  let most = 0;
  for (const p of positions) most = Math.max(most, Math.abs(p), Math.abs(p + seq - 1));
  // Frequencies fall from 1, or rise from it where theta is below 1.
  const fastest = Math.max(1, theta ** (2 / rotaryDim - 1));
  if (Math.max(1, most / scaling) * fastest <= LIMIT) return;
  const [arg, x] = most / scaling > LIMIT ? ['scaling', scaling] : ['theta', theta];
  check.refuse('ERR_RANGE', op, arg, `one that makes no angle larger than ${LIMIT}`, `${x}`);
}
