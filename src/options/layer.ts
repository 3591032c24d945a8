/**
 * The options of the layer, and the resolvers of its constructor and of one pass. The order of the checks is that of
 * `attention.ts`, whose types these extend.
 */
import * as check from '../checks/index.ts';
import { fit, or, PLAIN, type Door, type Filled, type Given } from '../checks/index.ts';
import type { AttentionShape } from './attention.ts';
import { forRing, grown, longest, room, tokensOf, type AppendProblem, type CacheState } from './cache.ts';
import { resolveTurn, turnable, type Turn, type TurnOptions } from './rope.ts';
import { PLACES, read, SCORES, settle, type AttentionOptions, type Scores } from './scores.ts';

/** The projections of a layer one by one. Shapes are those of weightLayout `'out-in'`; ERR_SHAPE names e.g. weights.wq. */
export interface SeparateWeights {
  /** [heads·headDim, modelDim] */
  readonly wq: Float32Array;
  /** [kvHeads·headDim, contextDim] */
  readonly wk: Float32Array;
  /** [kvHeads·headDim, contextDim] */
  readonly wv: Float32Array;
  /** [modelDim, heads·headDim] */
  readonly wo: Float32Array;
  /** [heads·headDim]. Default none, as all biases. */
  readonly bq?: Float32Array | undefined;
  /** [kvHeads·headDim] */
  readonly bk?: Float32Array | undefined;
  /** [kvHeads·headDim] */
  readonly bv?: Float32Array | undefined;
  /** [modelDim] */
  readonly bo?: Float32Array | undefined;
}

/** The projections of q, k and v joined, in this order. Needs contextDim = modelDim (ERR_OPTION). */
export interface JoinedWeights extends Pick<SeparateWeights, 'wo' | 'bo'> {
  /** [(heads + 2·kvHeads)·headDim, modelDim] */
  readonly wqkv: Float32Array;
  /** [(heads + 2·kvHeads)·headDim] */
  readonly bqkv?: Float32Array | undefined;
}

/** `'out-in'` [outDim, inDim], as nn.Linear.weight, or `'in-out'` [inDim, outDim], the paper's X·W. */
export type WeightLayout = 'out-in' | 'in-out';

/** What a layer is made of, but for the engine it runs on: this file knows of none. */
export interface LayerOptions {
  /** Elements of one token of x and of the result, at least 1. */
  readonly modelDim: number;
  /** Query heads, at least 1. */
  readonly heads: number;
  /** Heads of keys and values, a divisor of heads (ERR_HEADS). Default heads. */
  readonly kvHeads?: number | undefined;
  /** Elements of one head. Default modelDim / heads, which must then be an integer (ERR_DIM). */
  readonly headDim?: number | undefined;
  /** Elements of one token of the context. Default modelDim. */
  readonly contextDim?: number | undefined;
  /** Copied and packed at construction. Both kinds at once: ERR_OPTION. */
  readonly weights: SeparateWeights | JoinedWeights;
  /** Default `'out-in'`. */
  readonly weightLayout?: WeightLayout | undefined;
  /**
   * Turns queries and keys by their positions: tokens count from 0, or from what is in the cache. `{}` takes the defaults of
   * `rope`. Default none.
   */
  readonly rope?: TurnOptions | undefined;
}

/** One pass through a layer: x [batch, seqQ, modelDim] → [batch, seqQ, modelDim]. Here `out` has that shape too. */
export interface ForwardOptions extends AttentionOptions, Pick<AttentionShape, 'seqQ' | 'batch' | 'seqK'> {
  /** `[batch, seqK, contextDim]`: where keys and values come from. Default x. ERR_OPTION if contextDim ≠ modelDim without. */
  readonly context?: Float32Array | undefined;
}

/** A pass whose keys and values are those of x behind the ones in a cache; `Cache` is KVCache, which this file knows not. */
export interface CachedForwardOptions<Cache>
  extends Omit<AttentionOptions, 'queryOffset' | 'keyLengths'>, Pick<AttentionShape, 'seqQ' | 'batch'> {
  /**
   * Of the layer's engine, kvHeads, headDim and batch. Keys and values of x are appended, and each query sees what is there
   * up to its own token: `causal: false`, `queryOffset`, `keyLengths`, `context` and `seqK` are ERR_OPTION. A call that fails
   * leaves the cache as it was.
   */
  readonly cache: Cache;
}

const DIMS = ['modelDim', 'heads', 'kvHeads', 'contextDim', 'headDim'] as const;

/** The dimensions of a layer, all of them known. */
export type LayerDims = Filled<Pick<LayerOptions, (typeof DIMS)[number]>>;

/**
 * A layer with nothing left open. Each weight is a contiguous matrix of its own: [outDim, inDim] if transpose, else
 * [inDim, outDim]. They may lie on the caller's memory, so who keeps them copies them.
 */
export interface LayerProblem extends LayerDims {
  readonly weights: SeparateWeights;
  readonly transpose: boolean;
  readonly rope: Turn | undefined;
  /** As given: what it must be is the layer's to say. */
  readonly engine: unknown;
}

/** One pass through a layer with nothing left open. */
export interface ForwardProblem extends Scores, Filled<Pick<AttentionShape, 'batch' | 'seqQ' | 'seqK'>> {
  /** The cache, as it was when the options had been read, and what is appended to it. */
  readonly cache: { readonly state: CacheState; readonly append: AppendProblem } | undefined;
  /** Position of the first token of each sequence, where there is a rope. */
  readonly positions: Int32Array;
  readonly context: Float32Array | undefined;
  readonly out: Float32Array | undefined;
}

const LAYER = new check.Known(
  (absent) => ({ ...absent }),
  ...(['modelDim', 'heads', 'kvHeads', 'headDim', 'contextDim'] as const),
  ...(['weights', 'weightLayout', 'rope', 'engine'] as const),
);
const APART = ['wq', 'wk', 'wv', 'bq', 'bk', 'bv'] as const;
const WEIGHTS = [...APART, 'wqkv', 'bqkv', 'wo', 'bo'] as const;
const PARTS = new check.Known((absent) => ({ ...absent }), ...WEIGHTS);
const FORWARD = new check.Known(
  (absent) => ({ ...absent }),
  'batch',
  'seqQ',
  'context',
  'seqK',
  'cache',
  ...PLACES,
  ...SCORES,
);

/** `new MultiHeadAttention(options)`. @throws HeedTypeError, HeedRangeError. */
export function resolveLayer(options: unknown): LayerProblem {
  const op = 'MultiHeadAttention';
  const o = check.options(op, options, LAYER);
  const w = check.options(op, o.weights, PARTS, 'weights');
  const transpose = check.word(op, 'weightLayout', o.weightLayout, ['out-in', 'in-out']) === 'out-in';
  const joined = w.wqkv !== undefined || w.bqkv !== undefined;
  const apart = APART.find((name) => w[name] !== undefined);
  if (joined && apart !== undefined) {
    check.refuse('ERR_OPTION', op, `weights.${apart}`, 'undefined beside wqkv', 'a weight');
  }
  const needed = joined ? ['wqkv', 'wo'] : ['wq', 'wk', 'wv', 'wo'];
  const names = WEIGHTS.filter((name) => w[name] !== undefined || needed.includes(name));
  const given = names.map((name) => check.operand(op, PLAIN, `weights.${name}`, w[name]));
  const numbers = typeof o.modelDim === 'number' && typeof o.heads === 'number';
  const [modelDim, heads, kvHeads, contextDim, headDim] = check.dims(
    op,
    DIMS,
    o.modelDim,
    o.heads,
    or(o.kvHeads, o.heads),
    or(o.contextDim, o.modelDim),
    or(o.headDim, numbers ? o.modelDim / o.heads : undefined),
  );
  check.groups(op, heads, kvHeads);
  const rope = o.rope === undefined ? undefined : resolveTurn(op, 'rope', o.rope, headDim);
  if (joined && contextDim !== modelDim) {
    const expected = `modelDim ${modelDim} with weights.wqkv`;
    check.refuse('ERR_OPTION', op, 'contextDim', expected, `${contextDim}`, 'give wq, wk and wv one by one');
  }
  const inner: Pair = ['heads × headDim', heads, headDim];
  const keys: Pair = ['kvHeads × headDim', kvHeads, headDim];
  const all: Pair = ['heads + 2·kvHeads × headDim', heads + 2 * kvHeads, headDim];
  const matrix = (headsFirst: boolean, [pair, a, b]: Pair, dim: string, n: number): Shape =>
    headsFirst ? [`${pair} × ${dim}`, a, b, n] : [`${dim} × ${pair}`, n, a, b];
  const shapes: Record<(typeof WEIGHTS)[number], Shape> = {
    wq: matrix(transpose, inner, 'modelDim', modelDim),
    wk: matrix(transpose, keys, 'contextDim', contextDim),
    wv: matrix(transpose, keys, 'contextDim', contextDim),
    wo: matrix(!transpose, inner, 'modelDim', modelDim),
    bq: inner,
    bk: keys,
    bv: keys,
    bo: ['modelDim', modelDim],
    wqkv: matrix(transpose, all, 'modelDim', modelDim),
    bqkv: all,
  };
  const fits = names.map((name, i) => {
    const [dims, ...sizes] = shapes[name];
    return fit(`weights.${name}`, dims, given[i], ...sizes);
  });
  check.sizes(op, fits);
  check.fits(op, fits);
  // Without a prototype: a weight that was not given must not be found on a polluted one.
  const weights = Object.create(null) as Record<string, Float32Array>;
  for (const { arg, value } of given) {
    weights[arg.slice('weights.'.length)] = check.view(value, 0, check.length(op, arg, value));
  }
  if (joined) split(weights, [heads * headDim, kvHeads * headDim, kvHeads * headDim], transpose);
  const dims = { modelDim, heads, kvHeads, contextDim, headDim };
  return { ...dims, weights: weights as unknown as SeparateWeights, transpose, rope, engine: o.engine };
}

/** Names and sizes of the dimensions of a weight. */
type Shape = readonly [dims: string, a: number, b?: number, c?: number];
type Pair = readonly [dims: string, a: number, b: number];

/** Cuts wqkv and bqkv into the parts of q, k and v: rows are views, columns have to be copied. */
function split(weights: Record<string, Float32Array>, widths: readonly number[], transpose: boolean): void {
  const { wqkv = new Float32Array(0), bqkv } = weights;
  const outDim = widths.reduce((a, b) => a + b);
  const inDim = wqkv.length / outDim;
  let start = 0;
  for (const [i, part] of ['q', 'k', 'v'].entries()) {
    const end = start + (widths[i] ?? 0);
    const rows = wqkv.subarray(start * inDim, end * inDim);
    weights[`w${part}`] = transpose ? rows : columns(wqkv, outDim, start, end);
    if (bqkv !== undefined) weights[`b${part}`] = bqkv.subarray(start, end);
    start = end;
  }
  delete weights['wqkv'];
  delete weights['bqkv'];
}

/** Columns `start` … `end` of a matrix with rows of `stride` elements, as a matrix of their own. */
function columns(matrix: Float32Array, stride: number, start: number, end: number): Float32Array {
  const width = end - start;
  const part = new Float32Array((matrix.length / stride) * width);
  for (let from = start, to = 0; to < part.length; from += stride, to += width) {
    part.set(matrix.subarray(from, from + width), to);
  }
  return part;
}

/**
 * `layer.forward(x, options)`; with `weights` also room for [batch, heads, seqQ, seqK]. `stateOf` tells of what is given as a
 * cache. @throws as above.
 */
export function resolveForward(
  op: string,
  layer: LayerDims & { readonly rope?: Turn | undefined },
  x: unknown,
  options: unknown,
  weights = false,
  stateOf?: (cache: unknown) => CacheState,
  door: Door = PLAIN,
): ForwardProblem {
  const { modelDim, heads, kvHeads, headDim, contextDim, rope } = layer;
  const o = check.options(op, options, FORWARD);
  if (o.cache !== undefined) withCache(op, o);
  const scores = read(op, door, o);
  const X = check.operand(op, PLAIN, 'x', x);
  const context = check.optional(op, PLAIN, 'context', o.context);
  const out = check.optional(op, PLAIN, 'out', o.out);
  // The caller's code has run: what it did to the cache is in its state by now.
  const state = o.cache === undefined ? undefined : stateOf?.(o.cache);
  const names = ['batch', 'seqQ', 'seqK'] as const;
  const [batch, seqQ, stated] = check.dims(op, names, or(o.batch, 1), o.seqQ, or(o.seqK, o.seqQ));
  const append = state && appended(op, layer, state, batch, seqQ);
  const after = append && grown(state, seqQ);
  if (after?.ring) forRing(op, after, scores, seqQ);
  const seqK = after ? longest(after.lengths) : stated;
  if (context === undefined && !state && seqK !== seqQ) {
    check.refuse('ERR_OPTION', op, 'seqK', `seqQ ${seqQ} without a context`, `${seqK}`);
  }
  if (context === undefined && contextDim !== modelDim) {
    const expected = `Float32Array, as contextDim ${contextDim} is not modelDim ${modelDim}`;
    check.refuse('ERR_OPTION', op, 'context', expected, 'undefined');
  }
  const fits = [
    fit('x', 'batch × seqQ × modelDim', X, batch, seqQ, modelDim),
    fit('context', 'batch × seqK × contextDim', context, batch, seqK, contextDim),
    fit('q', 'batch × heads × seqQ × headDim', undefined, batch, heads, seqQ, headDim),
    fit('k', 'batch × kvHeads × seqK × headDim', undefined, batch, kvHeads, seqK, headDim),
    fit('out', 'batch × seqQ × modelDim', out, batch, seqQ, modelDim),
    fit('logSumExp', 'batch × heads × seqQ', scores.logSumExp, batch, heads, seqQ),
  ];
  if (weights) {
    fits.push(fit('weights', 'batch × heads × seqQ × seqK', undefined, batch, heads, seqQ, seqK));
  }
  const settled = settle(op, scores, batch, heads, seqQ, seqK, headDim, fits);
  check.disjoint(op, out, settled.logSumExp);
  const positions = state ? Int32Array.from(state.lengths) : new Int32Array(batch);
  if (rope) turnable(op, positions, Math.max(seqQ, seqK), rope.theta, rope.rotaryDim, rope.scaling);
  return {
    batch,
    seqQ,
    seqK,
    scale: settled.scale,
    softcap: settled.softcap,
    before: settled.before,
    after: after ? Math.min(settled.after, 0) : settled.after,
    mask: settled.mask,
    bias: settled.bias,
    alibi: settled.alibi,
    sinks: settled.sinks,
    logSumExp: settled.logSumExp,
    sequence: after ? tokensOf(after, seqQ) : settled.sequence,
    cache: append && { state, append },
    positions,
    context: context?.value as Float32Array | undefined,
    out: out?.value as Float32Array | undefined,
  };
}

/** ERR_OPTION for what a cache excludes, or says by itself. */
function withCache(op: string, o: Readonly<Given<keyof typeof FORWARD.absent>>): void {
  for (const name of ['context', 'seqK', 'queryOffset', 'keyLengths'] as const) {
    if (o[name] !== undefined) check.refuse('ERR_OPTION', op, name, 'undefined with a cache', 'a value');
  }
  if (o.causal === false) check.refuse('ERR_OPTION', op, 'causal', 'true with a cache', 'false');
}

/** The append of seqQ tokens to each sequence. ERR_SHAPE where the cache has other dimensions, ERR_CACHE_FULL. */
function appended(
  op: string,
  { kvHeads, headDim }: LayerDims,
  state: CacheState,
  batch: number,
  seqQ: number,
): AppendProblem {
  const names = ['batch', 'kvHeads', 'headDim', 'valueDim'] as const;
  const wanted = [batch, kvHeads, headDim, headDim];
  for (let i = 0; i < names.length; i++) {
    const has = state[names[i]!];
    if (has === wanted[i]) continue;
    const expected = `a cache of ${check.formula(names.join(' × '), wanted)}`;
    check.refuse('ERR_SHAPE', op, 'cache', expected, `${names[i]} ${has}`);
  }
  const counts = new Array<number>(batch).fill(seqQ);
  room(op, state, counts, 'x');
  return { tokens: seqQ, counts, layout: 'bshd' };
}
