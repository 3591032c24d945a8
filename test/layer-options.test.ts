/**
 * What a layer does with its options, its rope and a cache: to the bit what the same steps do one by one through the
 * public functions, which have their own tests. And that a refused pass leaves a cache as it was.
 */
import { describe, expect, it } from 'vitest';
import { MultiHeadAttention } from '../src/index.ts';
import type {
  AttentionOptions,
  Engine,
  HeedErrorCode,
  Inspection,
  KVCache,
  MultiHeadAttentionOptions,
} from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { normal } from './data.ts';
import { fault, pattern, refusesEach, watch, type Faulty } from './nothing-lost.ts';
import { refusal } from './refusals.ts';

const [modelDim, heads, kvHeads, headDim] = [20, 6, 2, 10];
const dims = { modelDim, heads, kvHeads, headDim };
const [width, kvWidth] = [heads * headDim, kvHeads * headDim];
const weights = {
  ...{ wq: normal(width * modelDim, 1, 0.3), wk: normal(kvWidth * modelDim, 2, 0.3) },
  ...{ wv: normal(kvWidth * modelDim, 3, 0.3), wo: normal(modelDim * width, 4, 0.3) },
  ...{ bq: normal(width, 5), bk: normal(kvWidth, 6), bv: normal(kvWidth, 7), bo: normal(modelDim, 8) },
};
const rope = { theta: 100, rotaryDim: 6, interleaved: true, scaling: 2 };
const [batch, seqQ] = [2, 37];
const x = normal(batch * seqQ * modelDim, 9);

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);
  const layerOf = (more: Partial<MultiHeadAttentionOptions> = {}): MultiHeadAttention =>
    new MultiHeadAttention({ ...dims, weights, engine, ...more });

  const linear = (a: Float32Array, w: Float32Array, bias: Float32Array, K: number): Float32Array => {
    const N = bias.length;
    const packed = engine.packMatrix(w, { K, N, transposeB: true });
    const c = engine.matmul(a, packed, { M: a.length / K, bias });
    packed.dispose();
    return c;
  };
  /** Projections of x, turned from `offset` on. */
  const projected = (tokens: Float32Array, seq: number, turn: boolean, offset = 0) => {
    const turned = (y: Float32Array, hs: number): Float32Array =>
      turn ? engine.rope(y, { batch, seq, heads: hs, headDim, offset, ...rope }) : y;
    return {
      q: turned(linear(tokens, weights.wq, weights.bq, modelDim), heads),
      k: turned(linear(tokens, weights.wk, weights.bk, modelDim), kvHeads),
      v: linear(tokens, weights.wv, weights.bv, modelDim),
    };
  };
  const byHand = (turn: boolean, options: AttentionOptions): Inspection => {
    const { q, k, v } = projected(x, seqQ, turn);
    const shape = { batch, seqQ, heads, kvHeads, headDim, ...options };
    const { out, weights: looks, logSumExp } = engine.attentionWeights(q, k, v, shape);
    return { out: linear(out, weights.wo, weights.bo, width), weights: looks, logSumExp };
  };
  /** Tokens from `first` on of every sequence. */
  const tokens = (first: number, count: number): Float32Array => {
    const part = new Float32Array(batch * count * modelDim);
    for (let b = 0; b < batch; b++) {
      const from = (b * seqQ + first) * modelDim;
      part.set(x.subarray(from, from + count * modelDim), b * count * modelDim);
    }
    return part;
  };

  const options: readonly (readonly [string, AttentionOptions])[] = [
    ['none', {}],
    ['causal', { causal: true }],
    ['window', { window: [5, 3] }],
    ['mask', { mask: Uint8Array.from({ length: seqQ * seqQ }, (_, i) => (i * 7) % 3) }],
    ['bias', { bias: { data: normal(heads * seqQ * seqQ, 10), shape: [1, heads, seqQ, seqQ] } }],
    ['keyLengths', { keyLengths: [30, 9] }],
    ['softcap, scale', { softcap: 2, scale: 0.7 }],
    ['alibi, sinks', { alibi: normal(heads, 11, 0.1), sinks: normal(heads, 12) }],
  ];
  it.each(options)('%s: the steps one by one', (_, given) => {
    for (const turn of [false, true]) {
      const layer = layerOf(turn ? { rope } : {});
      const wanted = byHand(turn, given);
      expect(layer.inspect(x, { batch, seqQ, ...given })).toEqual(wanted);
      expect(layer.forward(x, { batch, seqQ, ...given })).toEqual(wanted.out);
      layer.dispose();
    }
  });

  const dtypes = ['f32', 'f16'] as const;
  it.each(dtypes)('a cache of %s: prompt, single tokens and a few, as append and attend', (dtype) => {
    for (const ring of [false, true]) {
      const layer = layerOf({ rope });
      const window = ring ? ([40, 0] as const) : undefined;
      const [cache, same] = [0, 1].map(() =>
        engine.kvCache({ batch, kvHeads, headDim, capacity: 60, dtype, ring }),
      ) as [KVCache, KVCache];
      let first = 0;
      for (const count of [20, 1, 1, 2, 5, 1]) {
        const { q, k, v } = projected(tokens(first, count), count, true, first);
        same.append(k, v);
        const logSumExp = new Float32Array(batch * heads * count);
        const out = same.attend(q, { heads, seqQ: count, window, logSumExp });
        const wanted = linear(out, weights.wo, weights.bo, width);
        const sums = new Float32Array(logSumExp.length);
        const pass = { batch, seqQ: count, cache, window, causal: true, logSumExp: sums };
        expect(layer.forward(tokens(first, count), pass)).toEqual(wanted);
        expect(sums).toEqual(logSumExp);
        first += count;
        expect(cache.length).toBe(first);
      }
      cache.truncate(20);
      same.truncate(20);
      const looks = layer.inspect(tokens(20, 2), { batch, seqQ: 2, cache, window });
      expect(looks.weights).toHaveLength(batch * heads * 2 * 22);
      const sums = Array.from({ length: batch * heads * 2 }, (_, row) =>
        looks.weights.subarray(22 * row, 22 * row + 22).reduce((a, b) => a + b),
      );
      for (const sum of sums) expect(sum).toBeCloseTo(1, 5);
      for (const each of [cache, same, layer]) each.dispose();
    }
  });

  it('∞ among new float16 tokens is seen in the same pass', () => {
    const layer = layerOf();
    const cache = engine.kvCache({ batch, kvHeads, headDim, capacity: 8, dtype: 'f16' });
    const odd = tokens(0, 1);
    odd[0] = Infinity;
    const y = layer.forward(odd, { batch, seqQ: 1, cache });
    expect(y.subarray(0, modelDim).every(Number.isNaN)).toBe(true);
    expect(y.subarray(modelDim).every(Number.isFinite)).toBe(true);
    for (const each of [cache, layer]) each.dispose();
  });

  it('the cache counts as it is when the options have been read, whatever they did to it', () => {
    const layer = layerOf();
    const [cache, same] = [0, 1].map(() => engine.kvCache({ batch, kvHeads, headDim, capacity: 6 }));
    for (const each of [cache!, same!]) layer.forward(tokens(0, 3), { batch, seqQ: 3, cache: each });
    layer.forward(tokens(3, 2), { batch, seqQ: 2, cache: same! });
    const meddling = {
      length: 2,
      get 0(): number {
        layer.forward(tokens(3, 2), { batch, seqQ: 2, cache: cache! });
        return 100;
      },
      1: 0,
    } as unknown as readonly [number, number];
    const wanted = layer.forward(tokens(5, 1), { batch, seqQ: 1, cache: same!, window: [100, 0] });
    expect(layer.forward(tokens(5, 1), { batch, seqQ: 1, cache: cache!, window: meddling })).toEqual(wanted);
    expect(cache!.lengths).toEqual(Int32Array.of(6, 6));
    const full = (): unknown =>
      layer.forward(tokens(6, 1), { batch, seqQ: 1, cache: cache!, window: [9, 0] });
    expect(fault(full).code).toBe('ERR_CACHE_FULL');
    for (const each of [cache!, same!, layer]) each.dispose();
  });

  it('side inputs may be tensors', () => {
    const layer = layerOf();
    const scope = engine.scope();
    const [sinks, logSumExp] = [normal(heads, 12), new Float32Array(batch * heads * seqQ)];
    const wanted = layer.forward(x, { batch, seqQ, sinks, logSumExp });
    const sums = scope.tensor([batch, heads, seqQ]);
    const given = { batch, seqQ, sinks: scope.tensor([heads], sinks), logSumExp: sums };
    expect(layer.forward(x, given)).toEqual(wanted);
    expect(sums.data).toEqual(logSumExp);
    scope.dispose();
    layer.dispose();
  });

  it('a refused pass leaves the cache as it was (faults 37, 38)', async () => {
    const layer = layerOf();
    const cache = engine.kvCache({ batch, kvHeads, headDim, capacity: 10 });
    layer.forward(tokens(0, 4), { batch, seqQ: 4, cache });
    const next = tokens(4, 7);
    const wanted = layer.forward(tokens(4, 1), { batch, seqQ: 1, cache });
    cache.truncate(4);
    const other = await engineOf(build);
    const { used } = engine.memory;
    const caches = {
      narrow: engine.kvCache({ batch, kvHeads, headDim: 9, capacity: 10 }),
      single: engine.kvCache({ kvHeads, headDim, capacity: 10 }),
      half: engine.kvCache({ batch, kvHeads, headDim, capacity: 10, dtype: 'f16' }),
      ring: engine.kvCache({ batch, kvHeads, headDim, capacity: 10, ring: true }),
    };
    const [foreign, gone] = [other, engine].map((each) =>
      each.kvCache({ batch, kvHeads, headDim, capacity: 10 }),
    );
    gone!.dispose();
    const large = next.map((value) => value * 1e6);
    const [out, logSumExp] = [pattern(next.length), pattern(batch * heads * 7)];
    const watched = await watch(engine, next, large, out, logSumExp, cache, ...Object.values(caches));
    const alone = (name: string) => [name, 'ERR_OPTION', 'undefined with a cache, got a value'] as const;
    const ofDims = `a cache of batch 2 × kvHeads 2 × headDim 10 × valueDim 10`;
    const full = 'at most 6 tokens more in sequence 0 (4 of 10 in use), got 7';
    const window = '[before, 0] with before + seqQ at most capacity 96, got none, which is open';
    const live = 'a live cache, got one that has been disposed of';
    const own = 'a cache of this engine, got one of another engine';
    const beyond = 'numbers of at most ±65504 in a float16 cache, got one beyond';
    const rows: readonly (readonly [object, readonly [arg: string, code: HeedErrorCode, words: string]])[] = [
      [{}, ['x', 'ERR_CACHE_FULL', full]],
      [{ context: next }, alone('context')],
      [{ seqK: 7 }, alone('seqK')],
      [{ queryOffset: 0 }, alone('queryOffset')],
      [{ keyLengths: [1, 1] }, alone('keyLengths')],
      [{ causal: false }, ['causal', 'ERR_OPTION', 'true with a cache, got false']],
      [{ cache: caches.narrow }, ['cache', 'ERR_SHAPE', `${ofDims}, got headDim 9`]],
      [{ cache: caches.single }, ['cache', 'ERR_SHAPE', `${ofDims}, got batch 1`]],
      [{ cache: caches.ring }, ['window', 'ERR_CACHE_WINDOW', window]],
      [{ cache: foreign }, ['cache', 'ERR_FOREIGN_TENSOR', own]],
      [{ cache: gone }, ['cache', 'ERR_DISPOSED', live]],
      ...[{ length: 3 }, null, [], '64', new Proxy(cache, {})].map((x) => {
        const kind = x === null ? 'null' : Array.isArray(x) ? 'Array' : typeof x;
        return [{ cache: x }, ['cache', 'ERR_ARG_TYPE', `KVCache, got ${kind}`]] as const;
      }),
      [{ cache: caches.half }, ['k, v', 'ERR_RANGE', beyond]],
    ];
    for (const op of ['forward', 'inspect', 'forwardAsync'] as const) {
      const run = (layer[op] as (x: Float32Array, options: object) => unknown).bind(layer);
      const outputs = op === 'inspect' ? {} : { out, logSumExp };
      const faults = rows.map(([more, [arg, code, words]]): Faulty => {
        const x = code === 'ERR_RANGE' ? large : next;
        return {
          call: () => run(x, { batch, seqQ: 7, cache, ...outputs, ...more }),
          refusal: refusal(op, arg, code, words),
        };
      });
      await refusesEach(faults, watched);
    }
    expect(caches.half.length).toBe(0);
    expect(cache.lengths).toEqual(Int32Array.of(4, 4));
    expect(layer.forward(tokens(4, 1), { batch, seqQ: 1, cache })).toEqual(wanted);
    for (const each of Object.values(caches)) each.dispose();
    expect(engine.memory.used).toBe(used);
    for (const each of [cache, layer]) each.dispose();
    other.dispose();
    expect(engine.memory.used).toBe(0);
  });
});
