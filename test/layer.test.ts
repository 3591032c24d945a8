/**
 * The layer's state and faults: what it keeps, what it gives back, and that a refused pass loses nothing. How exact it is
 * is in the accuracy tests; every wrong option is in the door tests.
 */
import { describe, expect, it } from 'vitest';
import { createEngine, MultiHeadAttention } from '../src/index.ts';
import type { Engine, ForwardOptions, MultiHeadAttentionOptions } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { normal } from './data.ts';
import { fault, matches, pattern, refuses, rejection, watch } from './nothing-lost.ts';
import { disposed, ended, refusal } from './refusals.ts';

const MIB = 2 ** 20;

/** 4 tokens of 6, 4 heads of 2 on 2 key heads. */
const dims = { modelDim: 6, heads: 4, kvHeads: 2, headDim: 2 };
const weights = () => ({
  ...{ wq: normal(48, 1), wk: normal(24, 2), wv: normal(24, 3), wo: normal(48, 4) },
  ...{ bq: normal(8, 5), bk: normal(4, 6), bv: normal(4, 7), bo: normal(6, 8) },
});
/** Packed: columns in panels of 8, K deep; biases: one cache line each. */
const layerBytes =
  [8 * 6, 8 * 6, 8 * 6, 8 * 8].map((n) => 64 * Math.ceil((4 * n) / 64)).reduce((a, b) => a + b) + 4 * 64;
const x = normal(24, 9);
const pass: ForwardOptions = { seqQ: 4 };

describe.each(builds)('%s', (build) => {
  const make = async (
    more: Partial<MultiHeadAttentionOptions> = {},
  ): Promise<[Engine, MultiHeadAttention]> => {
    const engine = await engineOf(build);
    return [engine, new MultiHeadAttention({ ...dims, weights: weights(), engine, ...more })];
  };

  it('keeps its weights, not the caller’s, and gives them back with dispose(), twice or not', async () => {
    const own = weights();
    const [engine, layer] = await make({ weights: own });
    expect(engine.memory.used).toBe(layerBytes);
    const before = layer.forward(x, pass);
    for (const each of Object.values(own)) each.fill(NaN);
    expect(layer.forward(x, pass)).toEqual(before);
    layer.dispose();
    layer.dispose();
    expect(engine.memory.used).toBe(0);
    const [another, other] = await make();
    other[Symbol.dispose]();
    expect(another.memory.used).toBe(0);
  });

  it('that has ended says so before what else is wrong', async () => {
    const [engine, layer] = await make();
    layer.dispose();
    const wrong = 5 as unknown as Float32Array;
    const told = async (what: string): Promise<void> => {
      matches(
        fault(() => layer.forward(wrong, pass)),
        ended('forward', what),
      );
      matches(
        fault(() => layer.inspect(wrong, pass)),
        ended('inspect', what),
      );
      const signal = {} as AbortSignal;
      matches(await rejection(layer.forwardAsync(wrong, { ...pass, signal })), ended('forwardAsync', what));
    };
    await told('layer');
    engine.dispose();
    await told('engine');
  });

  it.each([true, false])('that does not fit leaves nothing, with biases %s', async (biased) => {
    // Of four matrices of 256 KiB three fit.
    const engine = await createEngine({ threads: 1, simd: build, maxMemory: MIB });
    const [matrix, bias] = [new Float32Array(2 ** 16), new Float32Array(2 ** 8)];
    const biases = { bq: bias, bk: bias, bv: bias, bo: bias };
    const all = { wq: matrix, wk: matrix, wv: matrix, wo: matrix, ...(biased && biases) };
    expect(fault(() => new MultiHeadAttention({ modelDim: 256, heads: 1, weights: all, engine })).code).toBe(
      'ERR_MEMORY_LIMIT',
    );
    expect(engine.memory.used).toBe(0);
    engine.dispose();
  });

  it('a pass that nobody looks into has no room for its weights', async () => {
    // 4 heads × 1024 × 1024 weights are 16 MiB.
    const engine = await createEngine({ threads: 1, simd: build, maxMemory: 8 * MIB });
    const layer = new MultiHeadAttention({ ...dims, weights: weights(), engine });
    const many = normal(1024 * 6, 1);
    const out = layer.forward(many, { seqQ: 1024 });
    expect(await layer.forwardAsync(many, { seqQ: 1024 })).toEqual(out);
    expect(fault(() => layer.inspect(many, { seqQ: 1024 })).code).toBe('ERR_MEMORY_LIMIT');
    engine.dispose();
  });

  it('a cache of float16 is told of ∞ and NaN among the keys of this very pass', async () => {
    const eye = Float32Array.of(1, 0, 0, 1);
    const engine = await engineOf(build);
    const layer = new MultiHeadAttention({
      ...{ modelDim: 2, heads: 1, weights: { wq: eye, wk: eye, wv: eye, wo: eye }, engine },
    });
    for (const bad of [NaN, Infinity]) {
      const [half, full] = (['f16', 'f32'] as const).map((dtype) => {
        const cache = engine.kvCache({ kvHeads: 1, headDim: 2, capacity: 4, dtype });
        const first = layer.forward(Float32Array.of(0.5, 1, bad, 0, 0.5, 1), { seqQ: 3, cache });
        const second = layer.forward(Float32Array.of(1, 2), { seqQ: 1, cache });
        cache.dispose();
        return [...first, ...second];
      });
      // The third query is none itself: its key is.
      expect(half!.map(Number.isNaN)).toEqual([false, false, true, true, true, true, true, true]);
      expect(full!.map(Number.isNaN)).toEqual(half!.map(Number.isNaN));
      expect(half!.slice(0, 2)).toEqual(full!.slice(0, 2));
    }
    engine.dispose();
  });

  it('a cache that has ended is told before what else is wrong', async () => {
    const [engine, layer] = await make();
    const cache = engine.kvCache({ kvHeads: 2, headDim: 2, capacity: 4 });
    cache.dispose();
    matches(
      fault(() => layer.forward(x, { ...pass, cache, out: pattern(1) })),
      disposed('forward', 'cache', 'cache'),
    );
  });

  it('a cache that is disposed of while a pass is under way is given back when that is done', async () => {
    const [engine, layer] = await make();
    const cache = engine.kvCache({ kvHeads: 2, headDim: 2, capacity: 4 });
    const wanted = layer.forward(x, { ...pass, cache });
    cache.truncate(0);
    const later = layer.forwardAsync(x, { ...pass, cache });
    const { used } = engine.memory;
    cache.dispose();
    expect(engine.memory.used).toBe(used);
    expect(await later).toEqual(wanted);
    expect(engine.memory.used).toBe(layerBytes);
  });

  it('joined weights give the bits of separate ones, whatever their layout', async () => {
    const [, layer] = await make();
    const { wq, wk, wv, wo, bq, bk, bv, bo } = weights();
    const bqkv = Float32Array.of(...bq, ...bk, ...bv);
    const wqkv = Float32Array.of(...wq, ...wk, ...wv);
    const turned = (w: Float32Array, columns: number): Float32Array =>
      w.map((_, i) => w[(i % (w.length / columns)) * columns + Math.floor(i / (w.length / columns))]!);
    const wanted = layer.forward(x, pass);
    const [, joined] = await make({ weights: { wqkv, bqkv, wo, bo } });
    expect(joined.forward(x, pass)).toEqual(wanted);
    const inOut = { wqkv: turned(wqkv, 6), bqkv, wo: turned(wo, 8), bo };
    const [, transposed] = await make({ weights: inOut, weightLayout: 'in-out' });
    expect(transposed.forward(x, pass)).toEqual(wanted);
  });

  it('passes leave nothing behind, and the second is the first', async () => {
    const [engine, layer] = await make();
    const input = x.slice();
    const first = layer.inspect(input, pass);
    const { used, reserved } = engine.memory;
    expect(layer.inspect(input, pass)).toEqual(first);
    expect(layer.forward(input, pass)).toEqual(first.out);
    expect(input).toEqual(x);
    expect(engine.memory).toMatchObject({ used, reserved });
    expect(used).toBe(layerBytes);
  });

  it('is projections, attention with every option, and a projection, to the bit', async () => {
    const [engine, layer] = await make();
    const { wq, wk, wv, wo, bq, bk, bv, bo } = weights();
    const [batch, seqQ, seqK] = [2, 5, 7];
    const [input, context] = [normal(batch * seqQ * 6, 12), normal(batch * seqK * 6, 13)];
    const linear = (
      a: Float32Array,
      w: Float32Array,
      K: number,
      N: number,
      bias: Float32Array,
    ): Float32Array =>
      engine.matmul(a, engine.packMatrix(w, { K, N, transposeB: true }), { M: a.length / K, bias });
    const [q, k, v] = [
      linear(input, wq, 6, 8, bq),
      linear(context, wk, 6, 4, bk),
      linear(context, wv, 6, 4, bv),
    ];
    const masked = Uint8Array.from({ length: seqQ * seqK }, (_, i) => (i % 3 === 0 ? 0 : 0x80));
    const rows: readonly ForwardOptions[] = [
      { seqQ, causal: true, queryOffset: [1, -2] },
      { seqQ, window: [2, 1] },
      { seqQ, mask: masked },
      { seqQ, mask: { data: masked.subarray(0, 2 * seqK), shape: [batch, 1, 1, seqK] } },
      { seqQ, bias: { data: normal(4 * seqK, 14), shape: [1, 4, 1, seqK] } },
      { seqQ, keyLengths: [7, 3], causal: true },
      { seqQ, scale: -2, softcap: 1.5 },
      { seqQ, alibi: Float32Array.of(1, 0.5, 0.25, 0), sinks: Float32Array.of(0, 1, -1, -Infinity) },
    ];
    const plain = layer.forward(input, { seqQ, batch, seqK, context });
    for (const options of rows) {
      const looks = layer.inspect(input, { ...options, batch, seqK, context });
      const shape = { batch, seqK, heads: 4, kvHeads: 2, headDim: 2 };
      const wanted = engine.attentionWeights(q, k, v, { ...options, ...shape });
      expect(looks.weights, Object.keys(options).join()).toEqual(wanted.weights);
      expect(looks.logSumExp).toEqual(wanted.logSumExp);
      expect(looks.out).toEqual(linear(wanted.out, wo, 8, 6, bo));
      expect(layer.forward(input, { ...options, batch, seqK, context })).toEqual(looks.out);
      expect(looks.out).not.toEqual(plain);
    }
  });

  it('out may overlap x and context, and is returned', async () => {
    const [, layer] = await make();
    const context = normal(24, 10);
    const wanted = layer.forward(x, { ...pass, context });
    for (const shift of [0, 3, 6]) {
      const memory = pattern(36);
      memory.set(x, 3);
      const out = memory.subarray(shift, shift + 24);
      expect(layer.forward(memory.subarray(3, 27), { ...pass, context, out })).toBe(out);
      expect(out).toEqual(wanted);
      memory.set(context, 6);
      expect(layer.forward(x, { ...pass, context: memory.subarray(6, 30), out })).toEqual(wanted);
    }
    const logSumExp = pattern(16);
    expect(layer.forward(x, { ...pass, context, logSumExp })).toEqual(wanted);
    expect(logSumExp).toEqual(layer.inspect(x, { ...pass, context }).logSumExp);
  });

  it('a refused pass loses nothing: seqK without a context', async () => {
    const [engine, layer] = await make();
    const [out, logSumExp] = [pattern(24), pattern(16)];
    const watched = await watch(engine, x, out, logSumExp);
    for (const op of ['forward', 'inspect'] as const) {
      const call = (): unknown => layer[op](x, { ...pass, seqK: 3, out, logSumExp });
      refuses(call, refusal(op, 'seqK', 'ERR_OPTION', `seqQ ${pass.seqQ} without a context, got 3`), watched);
    }
  });

  it('a refused construction leaves nothing', async () => {
    const engine = await engineOf(build);
    const watched = await watch(engine);
    const good = { ...dims, weights: weights(), engine };
    for (const wrong of [
      null,
      {},
      [],
      'engine',
      3,
      Object.create(engine),
      new Proxy(engine, {}),
    ] as unknown[]) {
      const kind = wrong === null ? 'null' : Array.isArray(wrong) ? 'Array' : typeof wrong;
      const options = { ...good, engine: wrong as Engine };
      const hint = kind === 'object' ? ' — what createEngine of this very copy of heed gives' : '';
      const none = refusal('MultiHeadAttention', 'engine', 'ERR_ARG_TYPE', `Engine, got ${kind}${hint}`);
      refuses(() => new MultiHeadAttention(options), none, watched);
    }
    expect(engine.memory.used).toBe(0);
  });

  it('a getter that disposes of the layer, or calls it', async () => {
    const [engine, layer] = await make();
    const wanted = layer.forward(x, { ...pass, causal: true });
    const calling = {
      ...pass,
      get causal(): boolean {
        layer.inspect(x, pass);
        return true;
      },
    };
    expect(layer.forward(x, calling)).toEqual(wanted);
    const out = pattern(24);
    const disposing = {
      ...pass,
      out,
      get causal(): boolean {
        layer.dispose();
        return true;
      },
    };
    matches(
      fault(() => layer.forward(x, disposing)),
      ended('forward', 'layer'),
    );
    expect(out).toEqual(pattern(24));
    expect(engine.memory.used).toBe(0);
  });

  it('weights on the engine’s own memory are taken before it grows', async () => {
    const engine = await createEngine({ threads: 1, simd: build, maxMemory: 64 * MIB });
    const n = 256;
    const w = normal(4 * n * n, 12, 0.1);
    const tokens = normal(2 * n, 13);
    const tensor = engine.tensor([w.length], w);
    const { data } = tensor;
    const part = (from: Float32Array, i: number): Float32Array => from.subarray(i * n * n, (i + 1) * n * n);
    const all = (from: Float32Array) => ({
      wq: part(from, 0),
      wk: part(from, 1),
      wv: part(from, 2),
      wo: part(from, 3),
    });
    const { reserved } = engine.memory;
    const layer = new MultiHeadAttention({ modelDim: n, heads: 4, weights: all(data), engine });
    expect(engine.memory.reserved).toBeGreaterThan(reserved);
    expect(data).toHaveLength(0);
    const other = new MultiHeadAttention({ modelDim: n, heads: 4, weights: all(w), engine });
    expect(layer.forward(tokens, { seqQ: 2 })).toEqual(other.forward(tokens, { seqQ: 2 }));
    const joined = tensor.data.subarray(0, 3 * n * n);
    const third = new MultiHeadAttention({
      modelDim: n,
      heads: 4,
      weights: { wqkv: joined, wo: part(tensor.data, 3) },
      engine,
    });
    expect(third.forward(tokens, { seqQ: 2 })).toEqual(other.forward(tokens, { seqQ: 2 }));
    engine.dispose();
  });

  it('two layers share an engine and disturb each other in nothing', async () => {
    const [engine, layer] = await make();
    const second = new MultiHeadAttention({
      modelDim: 3,
      heads: 1,
      weights: { wq: x.subarray(0, 9), wk: x.subarray(9, 18), wv: x.subarray(1, 10), wo: x.subarray(2, 11) },
      engine,
    });
    const [one, two] = [layer.forward(x, pass), second.forward(x, { seqQ: 8 })];
    layer.dispose();
    expect(second.forward(x, { seqQ: 8 })).toEqual(two);
    const again = new MultiHeadAttention({ ...dims, weights: weights(), engine });
    expect(again.forward(x, pass)).toEqual(one);
  });
});
