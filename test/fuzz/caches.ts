/** Calls of caches, of the layer, and of a layer with a cache. */
import * as heed from '../../src/index.ts';
import type { KVCache } from '../../src/index.ts';
import { scores } from './attention.ts';
import { own, times, type FuzzCall, type Make, type Options } from './lengths.ts';
import type { Parts } from './parts.ts';

/** Options of a cache that has room for what is done to it, and some for no token more. */
function cacheOptions(parts: Parts): heed.KVCacheOptions {
  const { batch, kvHeads, headDim, valueDim } = parts.dims;
  return {
    ...{ batch, kvHeads, headDim, valueDim, capacity: capacityOf(parts) },
    ...(parts.on(20) ? { dtype: 'f16' as const } : {}),
    ...(parts.on(21) ? { ring: true } : {}),
  };
}

/** Tokens that are in a cache at first: as many as there are queries, at least. */
function heldOf({ dims: { seqQ, seqK } }: Parts): number {
  return 1 + seqQ + seqK;
}

function capacityOf(parts: Parts): number {
  return heldOf(parts) + parts.dims.seqQ + (parts.on(19) ? 10 : 0);
}

/** One with tokens in it. */
function cacheOf(parts: Parts, options: heed.KVCacheOptions = cacheOptions(parts)): KVCache {
  const { batch = 1, kvHeads, headDim, valueDim = headDim } = options;
  const tokens = heldOf(parts);
  const cache = parts.engine.kvCache(options);
  parts.made.push(cache);
  cache.append(parts.f32(batch, tokens, kvHeads, headDim), parts.f32(batch, tokens, kvHeads, valueDim));
  return cache;
}

export function kvCache(parts: Parts): FuzzCall {
  const lengths = ([o]: readonly unknown[]): number[] => {
    const capacity = own(o, 'capacity') as number;
    return [own(o, 'ring') === true ? 96 * Math.ceil(capacity / 96) : capacity];
  };
  return { self: parts.engine, method: 'kvCache', args: [{ ...cacheOptions(parts) }], lengths };
}

export function append(parts: Parts): FuzzCall {
  const { batch, kvHeads, headDim, valueDim, seqQ } = parts.dims;
  const cache = cacheOf(parts);
  const o: Options = {};
  if (parts.on(0)) o['counts'] = Array.from({ length: batch }, () => parts.upTo(seqQ));
  if (parts.on(1)) o['layout'] = 'bhsd';
  const [k, v] = [parts.f32(batch, seqQ, kvHeads, headDim), parts.f32(batch, seqQ, kvHeads, valueDim)];
  return { self: cache, method: 'append', args: [k, v, o], lengths: () => [], cache };
}

export function attend(parts: Parts): FuzzCall {
  const { batch, heads, headDim, valueDim, seqQ } = parts.dims;
  const cache = cacheOf(parts);
  const o = scores(parts, cache.length, false, { heads, seqQ });
  if (parts.on(21)) {
    o['window'] = [parts.upTo(5), 0];
    delete o['mask'];
    delete o['bias'];
  }
  if (parts.on(16)) o['out'] = parts.f32(batch, seqQ, heads, valueDim);
  const lengths = ([, o]: readonly unknown[]): number[] => [
    batch * valueDim * times([own(o, 'seqQ'), 1], [own(o, 'heads')]),
  ];
  return { self: cache, method: 'attend', args: [parts.f32(batch, seqQ, heads, headDim), o], lengths, cache };
}

export function truncate(parts: Parts): FuzzCall {
  const cache = cacheOf(parts);
  return { self: cache, method: 'truncate', args: [parts.upTo(cache.length)], lengths: () => [], cache };
}

// ---- the layer ----

/** Options of a layer with two elements a head more than there are. */
function layerOptions(parts: Parts): Options & { readonly modelDim: number; readonly headDim: number } {
  const { heads, kvHeads, headDim: half } = parts.dims;
  const [modelDim, headDim] = [5, 2 * half];
  const contextDim = parts.on(22) ? 3 : modelDim;
  const [inner, keys] = [heads * headDim, kvHeads * headDim];
  const joined = parts.on(23) && contextDim === modelDim;
  const weights: Options = joined
    ? { wqkv: parts.f32(inner + 2 * keys, modelDim), wo: parts.f32(modelDim, inner) }
    : {
        wq: parts.f32(inner, modelDim),
        wk: parts.f32(keys, contextDim),
        wv: parts.f32(keys, contextDim),
        wo: parts.f32(modelDim, inner),
      };
  if (parts.on(24)) weights[joined ? 'bqkv' : 'bk'] = parts.f32(joined ? inner + 2 * keys : keys);
  const o = { modelDim, heads, kvHeads, headDim, contextDim, weights, engine: parts.engine };
  return {
    ...o,
    ...(parts.on(25) ? { weightLayout: 'in-out' } : {}),
    ...(parts.on(26) ? { rope: { theta: 50, interleaved: true } } : {}),
  };
}

const classes = {
  MultiHeadAttention: (...args: unknown[]): heed.MultiHeadAttention =>
    Reflect.construct(heed.MultiHeadAttention, args) as heed.MultiHeadAttention,
};

export function construct(parts: Parts): FuzzCall {
  return { self: classes, method: 'MultiHeadAttention', args: [layerOptions(parts)], lengths: () => [] };
}

export function pass(method: 'forward' | 'forwardAsync' | 'inspect'): Make {
  return (parts) => {
    const { batch, heads, kvHeads, seqQ, seqK } = parts.dims;
    const made = layerOptions(parts);
    const { modelDim, headDim } = made;
    const layer = classes.MultiHeadAttention(made);
    parts.made.push(layer);
    const contextDim = made['contextDim'] as number;
    let cache: KVCache | undefined;
    let o: Options = { seqQ, batch };
    if (contextDim !== modelDim || parts.on(17)) {
      o['context'] = parts.f32(batch, seqK, contextDim);
      o = scores(parts, seqK, true, { ...o, seqK });
    } else if (parts.on(18)) {
      cache = cacheOf(parts, { batch, kvHeads, headDim, capacity: capacityOf(parts) });
      o = scores(parts, batch === 0 ? 0 : cache.length + seqQ, false, { ...o, cache });
    } else o = scores(parts, seqQ, true, o);
    delete o['layout'];
    if (parts.on(16)) o['out'] = parts.f32(batch, seqQ, modelDim);
    const held = cache?.length ?? 0;
    const lengths = ([, o]: readonly unknown[]): number[] => {
      const rows = times([own(o, 'batch'), 1], [own(o, 'seqQ')]);
      if (method !== 'inspect') return [rows * modelDim];
      const seqK = times([own(o, 'seqK'), own(o, 'seqQ')]) + held;
      return [rows * modelDim, rows * heads * seqK, rows * heads];
    };
    const call = { self: layer, method, args: [parts.f32(batch, seqQ, modelDim), o], lengths };
    return cache === undefined ? call : { ...call, cache };
  };
}
