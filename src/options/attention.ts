/**
 * The options of attention, and the resolver that turns them into a complete problem: every default filled, every shape
 * known, everything checked. Below a resolver nobody checks, guesses or defaults.
 *
 * Order inside a resolver: option names → kinds and words → dimensions → heads → sizes → lengths → overlap.
 */
import * as check from '../checks/index.ts';
import { fit, isLike, or, PLAIN } from '../checks/index.ts';
import type { Door, Filled, Fit, Given, Operand, Told } from '../checks/index.ts';
import { Recent } from '../recent.ts';
import { isSame, keep, withOut, type Before, type Resolved } from './again.ts';
import { PLACES, read, SCORES, settle } from './scores.ts';
import type { AttentionOptions, Scores, Starts } from './scores.ts';

/**
 * How q, k, v and the result lie in memory: `'bshd'` [batch, seq, heads, dim], what a projection writes, so that head
 * split and concatenation cost nothing, or `'bhsd'` [batch, heads, seq, dim].
 */
export type Layout = 'bshd' | 'bhsd';

/**
 * The dimensions of an attention call. A flat array has no shape, so seqQ and headDim must be stated; for tensors all
 * default to the tensors' own. Integers up to 2³² (ERR_DIM otherwise); an operand has at most 2³² bytes (ERR_SIZE).
 */
export interface AttentionShape {
  /** Queries in a sequence. */
  readonly seqQ: number;
  /** Elements of one head's query and key, at least 1; any number, not only multiples of 4. */
  readonly headDim: number;
  /** Sequences. Default 1. */
  readonly batch?: number | undefined;
  /** Query heads, at least 1. Default 1. */
  readonly heads?: number | undefined;
  /** Heads of k and v; `heads` must be a multiple (ERR_HEADS). Head h uses floor(h / (heads / kvHeads)). Default heads. */
  readonly kvHeads?: number | undefined;
  /** Keys in a sequence. Default seqQ. */
  readonly seqK?: number | undefined;
  /** Elements of one head's value and output, at least 1. Default headDim. */
  readonly valueDim?: number | undefined;
  /** Default `'bshd'`. Any other word: ERR_OPTION. */
  readonly layout?: Layout | undefined;
}

/**
 * Packed sequences without padding, instead of batch, seqQ and seqK, as FlashAttention's varlen call takes them. q is
 * [totalQ, heads, headDim], k and v [totalK, kvHeads, …], out [totalQ, heads, valueDim], logSumExp [heads, totalQ]. Every
 * option but mask, bias, keyLengths and layout counts within each sequence; those are ERR_OPTION.
 */
export interface VarlenShape
  extends Pick<AttentionShape, 'headDim' | 'heads' | 'kvHeads' | 'valueDim'>, Unpacked {
  /** `[batch + 1]`: where each sequence of queries begins, from 0 on, never falling (ERR_RANGE); the last is totalQ. */
  readonly cuSeqlensQ: Int32Array;
  /** [batch + 1], the same for keys. Default cuSeqlensQ. */
  readonly cuSeqlensK?: Int32Array | undefined;
}

/**
 * What packed sequences exclude is not only left out, or TypeScript would take it from the other kind of call. (Of batch,
 * seqQ and seqK the door alone says so: were they `undefined` here, a call that spreads its shape would be taken for one of
 * packed sequences, and the shape of its mask for no tuple.)
 */
interface Unpacked {
  /** ERR_OPTION */
  readonly mask?: undefined;
  /** ERR_OPTION */
  readonly bias?: undefined;
  /** ERR_OPTION */
  readonly keyLengths?: undefined;
}

/** The options that packed sequences take. */
export type PackedOptions = Omit<AttentionOptions, 'mask' | 'bias' | 'keyLengths'>;

/** What attention takes: one shape for all sequences of a batch, or packed ones. */
export type AttentionCall = (AttentionShape & AttentionOptions) | (VarlenShape & PackedOptions);

/** An attention call with nothing left open. */
export interface AttentionProblem extends Filled<AttentionShape>, Scores {
  /** q, k, v and out are tensors; else all are arrays. */
  readonly tensors: boolean;
  /** Sequences are packed one behind the other: seqQ and seqK are those of the longest. */
  readonly packed: boolean;
  /** Queries and keys of all sequences. */
  readonly totalQ: number;
  readonly totalK: number;
  /** K and V are in a cache. */
  readonly cache: CacheLayout | undefined;
}

/** How a cache holds keys and values: [batch, kvHeads, capacity, dim]. */
export interface CacheLayout {
  readonly capacity: number;
  /** Token j is in slot j % capacity. */
  readonly ring: boolean;
  /** As float16. */
  readonly half: boolean;
  /** ∞ or NaN may be among them. */
  readonly special: boolean;
}

export const LAYOUTS = ['bshd', 'bhsd'] as const;

const DIMS = ['batch', 'heads', 'kvHeads', 'seqQ', 'seqK', 'headDim', 'valueDim'] as const;
const PACKED = ['cuSeqlensQ', 'cuSeqlensK'] as const;
const ATTENTION = new check.Known(
  (absent) => ({ ...absent }),
  ...DIMS,
  'layout',
  ...PACKED,
  ...PLACES,
  ...SCORES,
);
type Options = Readonly<Given<keyof typeof ATTENTION.absent>>;

/** What packed sequences exclude. */
const UNPACKED = ['batch', 'seqQ', 'seqK', 'mask', 'bias', 'keyLengths'] as const;

const BEFORE = new Recent<Before<AttentionProblem>>();

/**
 * `attention(q, k, v, options)`; with `weights` also room for [batch, heads, seqQ, seqK].
 * @throws HeedTypeError, HeedRangeError — see the options; whatever the door throws.
 */
export function resolveAttention(
  op: string,
  door: Door,
  q: unknown,
  k: unknown,
  v: unknown,
  options: unknown,
  weights = false,
): Resolved<AttentionProblem> {
  const told = check.told(op, options, ATTENTION.names);
  const same = weights ? undefined : again(op, door, q, k, v, told);
  return same ?? resolve(op, door, q, k, v, told, weights);
}

/** What a call comes to that is like one before. */
function again(
  op: string,
  door: Door,
  q: unknown,
  k: unknown,
  v: unknown,
  told: Told,
): Resolved<AttentionProblem> | undefined {
  const { all } = BEFORE;
  for (let i = 0; i < all.length; i++) {
    const before = all[i]!;
    if (!isSame(before, told)) continue;
    const [qShape, kShape, vShape] = before.shapes;
    const { heads, kvHeads, headDim, valueDim, totalQ, totalK } = before.problem;
    const fits =
      isLike(op, door, 'q', q, totalQ * heads * headDim, qShape) &&
      isLike(op, door, 'k', k, totalK * kvHeads * headDim, kShape) &&
      isLike(op, door, 'v', v, totalK * kvHeads * valueDim, vShape);
    if (fits) return withOut(op, door, before, told, totalQ * heads * valueDim, q, k, v);
  }
  return undefined;
}

function resolve(
  op: string,
  door: Door,
  q: unknown,
  k: unknown,
  v: unknown,
  told: Told,
  weights: boolean,
): Resolved<AttentionProblem> {
  const o = check.named(told, ATTENTION);
  const layout = check.word(op, 'layout', o.layout, LAYOUTS);
  const packed = o.cuSeqlensQ !== undefined || o.cuSeqlensK !== undefined;
  const starts = packed ? packedStarts(op, o, layout, weights) : undefined;
  const scores = read(op, door, o);
  const Q = check.operand(op, door, 'q', q);
  const K = check.operand(op, door, 'k', k, Q);
  const V = check.operand(op, door, 'v', v, Q);
  const out = check.optional(op, door, 'out', o.out, Q);
  const bshd = layout === 'bshd';
  const rank = packed ? 3 : 4;
  check.rank(op, Q, rank);
  check.rank(op, K, rank);
  check.rank(op, V, rank);
  // Where heads and tokens are in a tensor's shape; of packed sequences the starts say how many tokens.
  const H = bshd && !packed ? 2 : 1;
  const S = bshd ? 1 : 2;
  const [batch, heads, kvHeads, seqQ, seqK, headDim, valueDim] = check.dims(
    op,
    DIMS,
    starts ? starts.q.length - 1 : or(o.batch, Q.shape?.[0], 1),
    or(o.heads, Q.shape?.[H], 1),
    or(o.kvHeads, K.shape?.[H], o.heads, 1),
    starts ? longest(starts.q) : or(o.seqQ, Q.shape?.[S]),
    starts ? longest(starts.k) : or(o.seqK, K.shape?.[S], o.seqQ),
    or(o.headDim, Q.shape?.at(-1)),
    or(o.valueDim, V.shape?.at(-1), o.headDim),
  );
  check.groups(op, heads, kvHeads);
  const totalQ = starts ? starts.q.at(-1)! : batch * seqQ;
  const totalK = starts ? starts.k.at(-1)! : batch * seqK;
  const tensors = Q.shape !== undefined;
  // Messages about arrays name the dimensions in one order; a tensor's shape is compared in that of the layout.
  const names = packed ? THD : tensors && bshd ? BSHD : BHSD;
  const fits = [
    lie(names, 'q', Q, batch, heads, seqQ, totalQ, headDim),
    lie(names, 'k', K, batch, kvHeads, seqK, totalK, headDim),
    lie(names, 'v', V, batch, kvHeads, seqK, totalK, valueDim),
    lie(names, 'out', out, batch, heads, seqQ, totalQ, valueDim),
    packed
      ? fit('logSumExp', 'heads × totalQ', scores.logSumExp, heads, totalQ)
      : fit('logSumExp', 'batch × heads × seqQ', scores.logSumExp, batch, heads, seqQ),
  ];
  if (weights) {
    fits.push(fit('weights', 'batch × heads × seqQ × seqK', undefined, batch, heads, seqQ, seqK));
  }
  const settled = settle(op, scores, batch, heads, seqQ, seqK, headDim, fits, starts);
  const { mask, bias, alibi, sinks, logSumExp } = settled;
  check.disjoint(op, out, logSumExp);
  if (tensors)
    for (const each of [Q, K, V, alibi, sinks, bias?.data, mask?.data]) check.disjoint(op, out, each);
  const problem: AttentionProblem = {
    tensors,
    packed,
    batch,
    heads,
    kvHeads,
    seqQ,
    seqK,
    headDim,
    valueDim,
    totalQ,
    totalK,
    layout,
    scale: settled.scale,
    softcap: settled.softcap,
    before: settled.before,
    after: settled.after,
    mask,
    bias,
    alibi,
    sinks,
    logSumExp,
    sequence: settled.sequence,
    cache: undefined,
  };
  const shapes = [Q.shape, K.shape, V.shape];
  const outShape = tensors ? outShapeOf(problem) : undefined;
  // An empty array is looked at anew each time (isLike): such a call would never be found.
  const findable = !weights && (tensors || totalQ * totalK > 0);
  return { problem, out, again: findable && keep(BEFORE, told, problem, shapes, outShape) };
}

/** The result's dimensions, as they lie. */
export function outShapeOf(problem: AttentionProblem): number[] {
  const { batch, heads, seqQ, valueDim, layout, packed, totalQ } = problem;
  if (packed) return [totalQ, heads, valueDim];
  return layout === 'bshd' ? [batch, seqQ, heads, valueDim] : [batch, heads, seqQ, valueDim];
}

/** How an operand must lie, in one of the orders below. */
function lie(
  names: typeof BHSD,
  arg: keyof typeof BHSD,
  x: Operand | undefined,
  batch: number,
  h: number,
  s: number,
  total: number,
  d: number,
): Fit {
  if (names === THD) return fit(arg, names[arg], x, total, h, d);
  return names === BSHD ? fit(arg, names[arg], x, batch, s, h, d) : fit(arg, names[arg], x, batch, h, s, d);
}

/** What messages call the dimensions of arrays, and of tensors in 'bhsd'; of tensors in 'bshd'; of packed sequences. */
const BHSD = {
  q: 'batch × heads × seqQ × headDim',
  k: 'batch × kvHeads × seqK × headDim',
  v: 'batch × kvHeads × seqK × valueDim',
  out: 'batch × heads × seqQ × valueDim',
};
const BSHD = {
  q: 'batch × seqQ × heads × headDim',
  k: 'batch × seqK × kvHeads × headDim',
  v: 'batch × seqK × kvHeads × valueDim',
  out: 'batch × seqQ × heads × valueDim',
};
const THD = {
  q: 'totalQ × heads × headDim',
  k: 'totalK × kvHeads × headDim',
  v: 'totalK × kvHeads × valueDim',
  out: 'totalQ × heads × valueDim',
};

/** Where packed sequences begin. */
function packedStarts(op: string, o: Options, layout: Layout, weights: boolean): Starts {
  const beside = 'packed sequences (cuSeqlensQ)';
  for (const name of UNPACKED) {
    if (o[name] !== undefined) check.refuse('ERR_OPTION', op, name, `undefined beside ${beside}`, 'a value');
  }
  if (layout === 'bhsd') check.refuse('ERR_OPTION', op, 'layout', `'bshd' beside ${beside}`, `'bhsd'`);
  if (weights) {
    const hint = 'call it for each sequence';
    check.refuse('ERR_OPTION', op, 'cuSeqlensQ', 'undefined', 'packed sequences', hint);
  }
  const q = startsOf(op, 'cuSeqlensQ', o.cuSeqlensQ);
  const k = o.cuSeqlensK === undefined ? q : startsOf(op, 'cuSeqlensK', o.cuSeqlensK);
  if (k.length !== q.length) {
    check.refuse('ERR_SHAPE', op, 'cuSeqlensK', `length ${q.length}, as cuSeqlensQ`, `length ${k.length}`);
  }
  return { q, k };
}

/** A copy: from 0 on, never falling. */
function startsOf(op: string, arg: string, x: unknown): number[] {
  const { value } = check.operand(op, PLAIN, arg, x, undefined, ['Int32Array']);
  const starts = check.values(op, arg, value as Int32Array, 1, check.MAX_DIM) as number[];
  for (const [b, start] of starts.entries()) {
    check.integer(op, `${arg}[${b}]`, start, starts[b - 1] ?? 0, b === 0 ? 0 : 2 ** 31 - 1);
  }
  return starts;
}

function longest(starts: readonly number[]): number {
  return starts.reduce((most, start, b) => Math.max(most, start - (starts[b - 1] ?? 0)), 0);
}
