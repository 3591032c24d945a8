/** The options of a cache, and the resolvers of its making, of append and of attend: as in `attention.ts`. */
import * as check from '../checks/index.ts';
import { fit, or, PLAIN, type Door, type Filled } from '../checks/index.ts';
import { BK } from '../../common/abi.ts';
import type { Resolved } from './again.ts';
import { LAYOUTS, type AttentionProblem, type CacheLayout, type Layout } from './attention.ts';
import { PLACES, read, SCORES, settle, type AttentionOptions, type Scores } from './scores.ts';

/** How a cache is made. */
export interface KVCacheOptions {
  /** Sequences. Default 1. */
  readonly batch?: number | undefined;
  /** Heads of keys and values, at least 1. */
  readonly kvHeads: number;
  /** Elements of one head's key, at least 1. */
  readonly headDim: number;
  /** Elements of one head's value, at least 1. Default headDim. */
  readonly valueDim?: number | undefined;
  /** Tokens that there is room for in each sequence, at least 1. A ring is rounded up to a multiple of 96. */
  readonly capacity: number;
  /** `'f16'` takes half the memory: numbers are rounded to the nearest float16, ties to even. Default `'f32'`. */
  readonly dtype?: 'f32' | 'f16' | undefined;
  /** At capacity the oldest tokens fall out, for sliding windows. Default false. */
  readonly ring?: boolean | undefined;
}

/** What append may be told. */
export interface AppendOptions {
  /** [batch], 0 … n: how many of the n new tokens of each sequence count. Default n. ERR_SHAPE, ERR_RANGE. */
  readonly counts?: ArrayLike<number> | undefined;
  /** Of k and v. Default `'bshd'`. */
  readonly layout?: Layout | undefined;
}

/** What attend may be told. It is causal: each query sees what is in the cache up to its own token. */
export interface AttendOptions extends Omit<AttentionOptions, (typeof PLACES)[number]> {
  /** Query heads, a multiple of the cache's kvHeads (ERR_HEADS). */
  readonly heads: number;
  /** Queries of each sequence: its last seqQ tokens. Default 1. */
  readonly seqQ?: number | undefined;
  /** Of q and the result. Default `'bshd'`. */
  readonly layout?: Layout | undefined;
}

/** A cache to make. */
export type CacheProblem = Filled<KVCacheOptions>;

/** What a call has to know of the cache that it works on. */
export interface CacheState extends CacheProblem {
  /** ∞ or NaN was appended to a float16 cache. */
  readonly special: boolean;
  /** Tokens in each sequence: copies. */
  readonly lengths: readonly number[];
  /** The first token of each sequence that a ring still holds. */
  readonly oldest: readonly number[];
}

/** New tokens with nothing left open. */
export interface AppendProblem {
  readonly tokens: number;
  readonly counts: readonly number[];
  readonly layout: Layout;
}

const CACHE = new check.Known(
  (absent) => ({ ...absent }),
  'batch',
  'kvHeads',
  'headDim',
  'valueDim',
  'capacity',
  'dtype',
  'ring',
);
const APPEND = new check.Known((absent) => ({ ...absent }), 'counts', 'layout');
const ATTEND = new check.Known((absent) => ({ ...absent }), 'heads', 'seqQ', 'layout', ...SCORES, ...PLACES);

/** `engine.kvCache(options)`. @throws HeedTypeError, HeedRangeError. */
export function resolveCache(op: string, options: unknown): CacheProblem {
  const o = check.options(op, options, CACHE);
  const dtype = check.word(op, 'dtype', o.dtype, ['f32', 'f16']);
  const ring = check.flag(op, 'ring', o.ring);
  const names = ['batch', 'kvHeads', 'capacity', 'headDim', 'valueDim'] as const;
  const [batch, kvHeads, tokens, headDim, valueDim] = check.dims(
    op,
    names,
    or(o.batch, 1),
    o.kvHeads,
    o.capacity,
    o.headDim,
    or(o.valueDim, o.headDim),
  );
  const capacity = ring ? Math.ceil(tokens / BK) * BK : tokens;
  check.sizes(op, [
    fit('k', 'batch × kvHeads × capacity × headDim', undefined, batch, kvHeads, capacity, headDim),
    fit('v', 'batch × kvHeads × capacity × valueDim', undefined, batch, kvHeads, capacity, valueDim),
  ]);
  return { batch, kvHeads, headDim, valueDim, capacity, dtype, ring };
}

/** `cache.append(k, v, options)`. ERR_CACHE_FULL before anything is written. @throws HeedTypeError, HeedRangeError. */
export function resolveAppend(
  op: string,
  state: () => CacheState,
  k: unknown,
  v: unknown,
  options: unknown,
): AppendProblem {
  const o = check.options(op, options, APPEND);
  const layout = check.word(op, 'layout', o.layout, LAYOUTS);
  if (o.counts !== undefined) check.arrayLike(op, 'counts', o.counts, '[batch] of integers');
  const K = check.operand(op, PLAIN, 'k', k);
  const V = check.operand(op, PLAIN, 'v', v);
  // The caller's code has run but for the list of counts: what it did to the cache is in its state by now.
  const { batch, kvHeads, headDim, valueDim } = state();
  const perToken = batch * kvHeads * headDim;
  const length = check.length(op, 'k', K.value);
  const tokens = perToken === 0 ? 0 : length / perToken;
  if (!Number.isInteger(tokens)) {
    const each = check.formula('batch × kvHeads × headDim', [batch, kvHeads, headDim]);
    const whole = `a multiple of ${perToken} (${each})`;
    check.refuse('ERR_SHAPE', op, 'k', `Float32Array whose length is ${whole}`, `length ${length}`);
  }
  const counts =
    o.counts === undefined
      ? new Array<number>(batch).fill(tokens)
      : check.integers(op, 'counts', o.counts as ArrayLike<unknown>, batch, tokens);
  check.fits(op, [
    fit('k', 'batch × tokens × kvHeads × headDim', K, batch, tokens, kvHeads, headDim),
    fit('v', 'batch × tokens × kvHeads × valueDim', V, batch, tokens, kvHeads, valueDim),
  ]);
  room(op, state(), counts);
  return { tokens, counts, layout };
}

/** Tokens that a ring counts: kernels have positions as i32, and look a block beyond the last. */
const MOST = 2 ** 31 - BK;

/** ERR_CACHE_FULL where a sequence has no room for its new tokens. */
export function room(op: string, state: CacheState, counts: readonly number[], arg = 'k'): void {
  const { batch, capacity, ring, lengths } = state;
  for (let b = 0; b < batch; b++) {
    const count = counts[b]!;
    const left = ring ? Math.min(capacity, MOST - lengths[b]!) : capacity - lengths[b]!;
    if (count <= left) continue;
    const where = batch > 1 ? ` in sequence ${b}` : '';
    const ringed = left < capacity ? `a ring counts ${MOST}` : `a ring of ${capacity}`;
    const held = ring ? ringed : `${lengths[b]!} of ${capacity} in use`;
    const expected = `at most ${left} tokens more${where} (${held})`;
    check.refuse('ERR_CACHE_FULL', op, arg, expected, `${count}`);
  }
}

/** `cache.attend(q, options)`. @throws HeedTypeError, HeedRangeError: ERR_CACHE_WINDOW where a ring has lost what is seen. */
export function resolveAttend(
  op: string,
  door: Door,
  state: () => CacheState,
  q: unknown,
  options: unknown,
): Resolved<AttentionProblem> {
  const o = check.options(op, options, ATTEND);
  const layout = check.word(op, 'layout', o.layout, LAYOUTS);
  for (const name of PLACES) {
    if (o[name] === undefined) continue;
    const hint = 'a cache is causal and knows its lengths';
    check.refuse('ERR_OPTION', op, name, 'undefined', 'a value', hint);
  }
  const scores = read(op, door, o);
  const Q = check.operand(op, PLAIN, 'q', q);
  const out = check.optional(op, PLAIN, 'out', o.out);
  const cache = state();
  const { batch, kvHeads, headDim, valueDim } = cache;
  const [heads, seqQ] = check.dims(op, ['heads', 'seqQ'], o.heads, or(o.seqQ, 1));
  check.groups(op, heads, kvHeads);
  const seqK = longest(cache.lengths);
  if (cache.ring) forRing(op, cache, scores, seqQ);
  const fits = [
    fit('q', 'batch × heads × seqQ × headDim', Q, batch, heads, seqQ, headDim),
    fit('out', 'batch × heads × seqQ × valueDim', out, batch, heads, seqQ, valueDim),
    fit('logSumExp', 'batch × heads × seqQ', scores.logSumExp, batch, heads, seqQ),
  ];
  const { scale, softcap, mask, bias, alibi, sinks, logSumExp } = settle(
    op,
    scores,
    batch,
    heads,
    seqQ,
    seqK,
    headDim,
    fits,
  );
  check.disjoint(op, out, logSumExp);
  const problem: AttentionProblem = {
    tensors: false,
    packed: false,
    batch,
    heads,
    kvHeads,
    seqQ,
    seqK,
    headDim,
    valueDim,
    totalQ: batch * seqQ,
    totalK: batch * cache.capacity,
    layout,
    scale,
    softcap,
    before: scores.before,
    after: Math.min(scores.after, 0),
    mask,
    bias,
    alibi,
    sinks,
    logSumExp,
    sequence: tokensOf(cache, seqQ),
    cache: layoutOf(cache),
  };
  return { problem, out, again: false };
}

/** A cache as it is when each sequence has n tokens more. (On Node 20 a spread here takes 4 µs, of 14 for a token of a layer.) */
export function grown(cache: CacheState, n: number): CacheState {
  return {
    batch: cache.batch,
    kvHeads: cache.kvHeads,
    headDim: cache.headDim,
    valueDim: cache.valueDim,
    capacity: cache.capacity,
    dtype: cache.dtype,
    ring: cache.ring,
    special: cache.special,
    lengths: cache.lengths.map((length) => length + n),
    oldest: cache.oldest,
  };
}

/** Tokens of the longest sequence. */
export function longest(lengths: readonly number[]): number {
  let most = 0;
  for (let b = 0; b < lengths.length; b++) most = Math.max(most, lengths[b]!);
  return most;
}

/** The sequences of a cache, whose last tokens are the queries. */
export function tokensOf({ capacity, lengths }: CacheState, seqQ: number): Scores['sequence'] {
  return (b) => ({
    queries: seqQ,
    keys: lengths[b]!,
    firstQuery: b * seqQ,
    firstKey: b * capacity,
    offset: lengths[b]! - seqQ,
  });
}

/** How the kernels find keys and values in a cache. */
export function layoutOf({ capacity, ring, dtype, special }: CacheState): CacheLayout {
  return { capacity, ring, half: dtype === 'f16', special };
}

/** ERR_OPTION for a mask or bias, ERR_CACHE_WINDOW where the window reaches beyond what a ring is sure to hold. */
export function forRing(
  op: string,
  { capacity, lengths, oldest }: CacheState,
  { mask, bias, before }: { readonly mask: unknown; readonly bias: unknown; readonly before: number },
  seqQ: number,
): void {
  const excluded = mask !== undefined ? 'mask' : bias !== undefined ? 'bias' : undefined;
  if (excluded) check.refuse('ERR_OPTION', op, excluded, 'undefined with a ring cache', 'a value');
  const lost = lengths.some((length, b) => Math.max(0, length - seqQ - before) < oldest[b]!);
  if (before + seqQ <= capacity && !lost) return;
  const expected = lost
    ? 'one that reaches no token that has fallen out of the ring'
    : `[before, 0] with before + seqQ at most capacity ${capacity}`;
  const received = before === Infinity ? 'none, which is open' : `before ${before} with seqQ ${seqQ}`;
  check.refuse('ERR_CACHE_WINDOW', op, 'window', expected, received);
}
