/** The door of the layer: what it is made of, how joined weights are cut, and one pass. */
import { describe, expect, it } from 'vitest';
import { resolveForward, resolveLayer, type SeparateWeights } from '../src/options/layer.ts';
import { f32 } from './data.ts';
import { absent, table } from './door.ts';
import { fault } from './nothing-lost.ts';

const count = (n: number, from = 0): Float32Array => Float32Array.from({ length: n }, (_, i) => from + i);

// modelDim 6, 4 heads of 2 on 2 key heads, context of 5: q 8 wide, k and v 4.
const weights = { wq: count(48), wk: count(20, 100), wv: count(20, 200), wo: count(48, 300) };
const good = { modelDim: 6, heads: 4, kvHeads: 2, headDim: 2, contextDim: 5, weights };
// the same without a context of its own: (4 + 2·2)·2 = 16 wide
const joined = { modelDim: 6, heads: 4, kvHeads: 2, headDim: 2, weights: { wqkv: count(96), wo: count(48) } };

describe('MultiHeadAttention', () => {
  it('takes separate weights as they are', () => {
    const biases = { bq: f32(8), bk: f32(4), bv: f32(4), bo: f32(6) };
    const engine = {};
    const layer = resolveLayer({ ...good, weights: { ...weights, ...biases }, engine });
    expect(layer).toEqual({ ...good, weights: { ...weights, ...biases }, transpose: true, engine });
    expect(layer.engine).toBe(engine);
    expect(resolveLayer({ ...good, weightLayout: 'in-out' })).toEqual({
      ...good,
      transpose: false,
      engine: undefined,
    });
  });
  it('fills in kvHeads, headDim and contextDim', () => {
    const square = { wq: f32(16), wk: f32(16), wv: f32(16), wo: f32(16) };
    const layer = resolveLayer({ modelDim: 4, heads: 2, weights: square });
    expect(layer).toMatchObject({ kvHeads: 2, headDim: 2, contextDim: 4 });
  });
  it("cuts 'out-in' by rows", () => {
    const bqkv = count(16, 500);
    const { weights: cut } = resolveLayer({ ...joined, weights: { ...joined.weights, bqkv } });
    expect(cut).toEqual({
      wq: count(48),
      wk: count(24, 48),
      wv: count(24, 72),
      wo: count(48),
      bq: count(8, 500),
      bk: count(4, 508),
      bv: count(4, 512),
    });
  });
  it("cuts 'in-out' by columns", () => {
    const wqkv = joined.weights.wqkv;
    const { weights: cut } = resolveLayer({ ...joined, weightLayout: 'in-out' });
    const part = (start: number, width: number): Float32Array =>
      Float32Array.from(
        { length: 6 * width },
        (_, i) => wqkv[Math.floor(i / width) * 16 + start + (i % width)]!,
      );
    expect(cut).toEqual({ wq: part(0, 8), wk: part(8, 4), wv: part(12, 4), wo: count(48) });
  });
  it('gives plain arrays, whatever subclass came', () => {
    class Hostile extends Float32Array {
      override subarray(): never {
        throw new Error('called');
      }
    }
    const hostile = (x: Float32Array): Float32Array => new Hostile(x);
    for (const weightLayout of ['out-in', 'in-out']) {
      const own = { wqkv: hostile(joined.weights.wqkv), wo: hostile(joined.weights.wo) };
      const cut = resolveLayer({ ...joined, weights: own, weightLayout }).weights;
      for (const name of ['wq', 'wk', 'wv', 'wo'] as const) expect(cut[name].constructor).toBe(Float32Array);
    }
  });

  const all = 'wq, wk, wv, bq, bk, bv, wqkv, bqkv, wo, bo';
  const change = (
    more: Partial<Record<keyof SeparateWeights | 'wqkv' | 'bqkv' | 'wx', unknown>>,
  ): object => ({
    weights: { ...weights, ...more },
  });
  table(
    'MultiHeadAttention',
    [
      [{ modelDim: undefined }, 'modelDim', 'ERR_ARG_TYPE', absent],
      [{ heads: undefined, headDim: undefined }, 'heads', 'ERR_ARG_TYPE', absent],
      [{ modelDim: 6n, headDim: undefined }, 'modelDim', 'ERR_ARG_TYPE', 'number, got bigint'],
      [{ heads: '4', headDim: undefined }, 'heads', 'ERR_ARG_TYPE', 'number, got string'],
      [{ modelDim: 0 }, 'modelDim', 'ERR_DIM', 'an integer from 1 to 4294967296, got 0'],
      [{ heads: 0, headDim: undefined }, 'heads', 'ERR_DIM', 'an integer from 1 to 4294967296, got 0'],
      [{ contextDim: 0.5 }, 'contextDim', 'ERR_DIM', 'an integer from 1 to 4294967296, got 0.5'],
      [{ headDim: undefined }, 'headDim', 'ERR_DIM', 'an integer from 1 to 4294967296, got 1.5'],
      [{ kvHeads: 3 }, 'heads', 'ERR_HEADS', 'a multiple of kvHeads 3, got 4'],
      [{ weightLayout: 'in_out' }, 'weightLayout', 'ERR_OPTION', "'out-in' or 'in-out', got 'in_out'"],
      [
        { dropout: 0.1 },
        'dropout',
        'ERR_UNKNOWN_OPTION',
        'one of modelDim, heads, kvHeads, headDim, contextDim, weights, weightLayout, rope, engine, got an unknown option',
      ],
      [{ rope: { theta: -1 } }, 'rope.theta', 'ERR_RANGE', 'a finite number above 0, got -1'],
      [{ rope: { scaling: '1' } }, 'rope.scaling', 'ERR_ARG_TYPE', 'number, got string'],
      [{ rope: { interleaved: 1 } }, 'rope.interleaved', 'ERR_ARG_TYPE', 'boolean, got number'],
      [
        { rope: { rotaryDim: 4 } },
        'rope.rotaryDim',
        'ERR_RANGE',
        'an even integer from 2 to headDim 2, got 4',
      ],
      [
        { rope: { base: 500 } },
        'rope.base',
        'ERR_UNKNOWN_OPTION',
        'one of theta, rotaryDim, interleaved, scaling, got an unknown option',
      ],
      [{ rope: 10000 }, 'rope', 'ERR_ARG_TYPE', 'an object, got number'],
      [{ weights: null }, 'weights', 'ERR_ARG_TYPE', 'an object, got null'],
      [{ weights: [f32(1)] }, 'weights', 'ERR_ARG_TYPE', 'an object, got Array'],
      [{ weights: undefined }, 'weights.wq', 'ERR_ARG_TYPE', 'Float32Array, got undefined'],
      [{ weights: { bqkv: f32(16) } }, 'weights.wqkv', 'ERR_ARG_TYPE', 'Float32Array, got undefined'],
      [change({ wx: 1 }), 'weights.wx', 'ERR_UNKNOWN_OPTION', `one of ${all}, got an unknown option`],
      [change({ wo: undefined }), 'weights.wo', 'ERR_ARG_TYPE', 'Float32Array, got undefined'],
      [
        { contextDim: undefined, weights: { wqkv: f32(96) } },
        'weights.wo',
        'ERR_ARG_TYPE',
        'Float32Array, got undefined',
      ],
      [change({ bk: null }), 'weights.bk', 'ERR_ARG_TYPE', 'Float32Array, got null'],
      [change({ wqkv: f32(96) }), 'weights.wq', 'ERR_OPTION', 'undefined beside wqkv, got a weight'],
      [
        { weights: { ...joined.weights, bq: f32(8) }, contextDim: undefined },
        'weights.bq',
        'ERR_OPTION',
        'undefined beside wqkv, got a weight',
      ],
      [
        { weights: joined.weights },
        'contextDim',
        'ERR_OPTION',
        'modelDim 6 with weights.wqkv, got 5 — give wq, wk and wv one by one',
      ],
      [
        change({ wq: f32(47) }),
        'weights.wq',
        'ERR_SHAPE',
        'Float32Array of length 48 (heads 4 × headDim 2 × modelDim 6), got length 47',
      ],
      [
        { ...change({ wk: f32(21) }), weightLayout: 'in-out' },
        'weights.wk',
        'ERR_SHAPE',
        'Float32Array of length 20 (contextDim 5 × kvHeads 2 × headDim 2), got length 21',
      ],
      [
        change({ wo: f32(1) }),
        'weights.wo',
        'ERR_SHAPE',
        'Float32Array of length 48 (modelDim 6 × heads 4 × headDim 2), got length 1',
      ],
      [
        change({ bv: f32(8) }),
        'weights.bv',
        'ERR_SHAPE',
        'Float32Array of length 4 (kvHeads 2 × headDim 2), got length 8',
      ],
      [
        change({ bo: f32(8) }),
        'weights.bo',
        'ERR_SHAPE',
        'Float32Array of length 6 (modelDim 6), got length 8',
      ],
      [
        { contextDim: undefined, weights: { ...joined.weights, wqkv: f32(95) } },
        'weights.wqkv',
        'ERR_SHAPE',
        'Float32Array of length 96 (heads + 2·kvHeads 8 × headDim 2 × modelDim 6), got length 95',
      ],
      [
        { modelDim: 2 ** 20, headDim: 2 ** 10 },
        'weights.wq',
        'ERR_SIZE',
        'at most 4294967296 bytes, got heads 4 × headDim 1024 × modelDim 1048576 × 4 bytes',
      ],
    ],
    (more) => resolveLayer({ ...good, ...more }),
  );
});

describe('forward', () => {
  const layer = resolveLayer(joined);
  const cross = resolveLayer(good);
  const x = f32(36); // batch 2, 3 tokens of 6

  it('fills in the defaults', () => {
    expect(resolveForward('forward', layer, f32(18), { seqQ: 3 })).toEqual({
      batch: 1,
      seqQ: 3,
      seqK: 3,
      scale: 1 / Math.sqrt(2),
      ...{ softcap: 0, before: Infinity, after: Infinity },
      ...{ mask: undefined, bias: undefined, alibi: undefined, sinks: undefined },
      sequence: expect.any(Function) as unknown,
      cache: undefined,
      positions: Int32Array.of(0),
      context: undefined,
      out: undefined,
      logSumExp: undefined,
    });
  });
  it('takes a context, out and logSumExp', () => {
    const [context, out, logSumExp] = [f32(40), f32(36), f32(24)];
    const given = { batch: 2, seqQ: 3, seqK: 4, context, out, logSumExp, causal: true, scale: 2 };
    const problem = resolveForward('forward', cross, x, given);
    expect(problem).toMatchObject({
      batch: 2,
      seqQ: 3,
      seqK: 4,
      scale: 2,
      after: 0,
    });
    expect(problem.sequence(1)).toMatchObject({ offset: 1, firstQuery: 3, firstKey: 4 });
    expect([problem.context, problem.out, problem.logSumExp?.value]).toEqual([context, out, logSumExp]);
    expect(problem.out).toBe(out);
  });
  it('turns keys of a context by as many positions as there are: what is too far is refused', () => {
    const turned = resolveLayer({ ...good, rope: { scaling: 1e-9 } });
    const given = { batch: 2, seqQ: 1, context: f32(40) };
    expect(fault(() => resolveForward('forward', turned, f32(12), { ...given, seqK: 4 })).message).toBe(
      'forward: "scaling" expected one that makes no angle larger than 2147483648, got 1e-9 [ERR_RANGE]',
    );
    const near = { ...given, seqK: 3, context: f32(30) };
    expect(() => resolveForward('forward', turned, f32(12), near)).not.toThrow();
  });
  it('seqK without a context may be stated, if it is seqQ', () => {
    expect(resolveForward('forward', layer, x, { batch: 2, seqQ: 3, seqK: 3 }).seqK).toBe(3);
  });
  it('out may be x, but not logSumExp', () => {
    expect(() => resolveForward('forward', layer, x, { batch: 2, seqQ: 3, out: x })).not.toThrow();
    const given = { batch: 2, seqQ: 3, out: x, logSumExp: x.subarray(0, 24) };
    expect(fault(() => resolveForward('forward', layer, x, given)).message).toBe(
      'forward: "out" expected memory of its own, got memory that "logSumExp" uses too [ERR_OVERLAP]',
    );
  });
  it('inspect needs room for the weights', () => {
    const large = { seqQ: 2 ** 15 };
    const tokens = f32(6 * 2 ** 15);
    expect(() => resolveForward('forward', layer, tokens, large)).not.toThrow();
    expect(fault(() => resolveForward('inspect', layer, tokens, large, true)).message).toBe(
      'inspect: "weights" expected at most 4294967296 bytes, got batch 1 × heads 4 × seqQ 32768 × seqK 32768 × 4 bytes [ERR_SIZE]',
    );
  });
  it('context is needed where contextDim is not modelDim', () => {
    expect(fault(() => resolveForward('forward', cross, x, { batch: 2, seqQ: 3 })).message).toBe(
      'forward: "context" expected Float32Array, as contextDim 5 is not modelDim 6, got undefined [ERR_OPTION]',
    );
  });
  table(
    'forward',
    [
      [{ seqQ: undefined }, 'seqQ', 'ERR_ARG_TYPE', absent],
      [{ seqQ: -1 }, 'seqQ', 'ERR_DIM', 'an integer from 0 to 4294967296, got -1'],
      [{ seqK: 4 }, 'seqK', 'ERR_OPTION', 'seqQ 3 without a context, got 4'],
      [{ context: null }, 'context', 'ERR_ARG_TYPE', 'Float32Array, got null'],
      [
        { context: f32(36), seqK: 2 },
        'context',
        'ERR_SHAPE',
        'Float32Array of length 24 (batch 2 × seqK 2 × contextDim 6), got length 36',
      ],
      [
        { batch: 1 },
        'x',
        'ERR_SHAPE',
        'Float32Array of length 18 (batch 1 × seqQ 3 × modelDim 6), got length 36',
      ],
      [
        { out: f32(35) },
        'out',
        'ERR_SHAPE',
        'Float32Array of length 36 (batch 2 × seqQ 3 × modelDim 6), got length 35',
      ],
      [
        { logSumExp: f32(6) },
        'logSumExp',
        'ERR_SHAPE',
        'Float32Array of length 24 (batch 2 × heads 4 × seqQ 3), got length 6',
      ],
      [{ causal: 0 }, 'causal', 'ERR_ARG_TYPE', 'boolean, got number'],
      [{ scale: NaN }, 'scale', 'ERR_RANGE', 'a finite number, got NaN'],
      [{ queryOffset: [1] }, 'queryOffset', 'ERR_SHAPE', 'length 2, got length 1'],
      [
        { layout: 'bhsd' },
        'layout',
        'ERR_UNKNOWN_OPTION',
        'one of batch, seqQ, context, seqK, cache, causal, queryOffset, keyLengths, window, mask, bias, scale, softcap, alibi, ' +
          'sinks, out, logSumExp, got an unknown option',
      ],
    ],
    (more) => resolveForward('forward', layer, x, { batch: 2, seqQ: 3, ...more }),
  );
  it('the projections have to fit as well', () => {
    const wide = resolveLayer({
      modelDim: 1,
      heads: 64,
      headDim: 1,
      weights: { wqkv: f32(192), wo: f32(64) },
    });
    expect(fault(() => resolveForward('forward', wide, x, { seqQ: 2 ** 25 })).message).toBe(
      'forward: "q" expected at most 4294967296 bytes, got batch 1 × heads 64 × seqQ 33554432 × headDim 1 × 4 bytes [ERR_SIZE]',
    );
    const context = { seqQ: 1, seqK: 2 ** 25, context: x };
    expect(fault(() => resolveForward('forward', wide, x, context)).message).toBe(
      'forward: "k" expected at most 4294967296 bytes, got batch 1 × kvHeads 64 × seqK 33554432 × headDim 1 × 4 bytes [ERR_SIZE]',
    );
  });
});
