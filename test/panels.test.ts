/**
 * Panels of eight rows that meet a block of keys together, in prefill (assembly/attention.ts): those whose rows all see all of it, where
 * nothing is added to a score. Whoever goes with whom, the bits are those of a panel alone; and what scratch each item needs.
 */
import { describe, expect, it } from 'vitest';
import { BK, SPLIT } from '../common/abi.ts';
import { ATTENTION_ARGS } from '../src/descriptor.ts';
import { Runtime } from '../src/runtime.ts';
import { TILES_OF } from '../src/tile.ts';
import { createEngine, type AttentionOptions } from '../src/index.ts';
import { builds } from './builds.ts';
import { normal } from './data.ts';
import { expectSameBits } from './problems.ts';

const headDim = 4;
const rows = 40;

describe.each(builds)('%s', (build) => {
  describe.each(TILES_OF[build])('%s', async (tile) => {
    const engine = await createEngine({ threads: 1, simd: build, tile });

    /** Equal scores: each row is the mean of the values that it sees, integers here, so that sums are exact. */
    const means = (seqQ: number, seqK: number, options: AttentionOptions): Float32Array => {
      const shape = { seqQ, seqK, headDim: 1, scale: 0 };
      const v = Float32Array.from({ length: seqK }, (_, j) => ((j * 7) % 31) - 15);
      return engine.attention(new Float32Array(seqQ), new Float32Array(seqK), v, { ...shape, ...options });
    };
    const mean = (from: number, end: number): number => {
      let sum = 0;
      for (let j = from; j < end; j++) sum += ((j * 7) % 31) - 15;
      return Math.fround(sum * Math.fround(1 / (end - from)));
    };

    // Of each window another panel is the first that does not see the first key, or the last one.
    it.each([...Array(rows).keys()])('a window that begins %i keys before', (before) => {
      for (const after of [0, 1, BK - 2, BK - 1, BK]) {
        const out = means(rows, BK, { window: [before, after], queryOffset: 0 });
        const expected = out.map((_, i) => mean(Math.max(0, i - before), Math.min(BK, i + after + 1)));
        expectSameBits(out, expected);
      }
    });

    it.each([8, 9, 16, 17, 24, 32, 33, 40, 72])('%i rows that see all of two blocks', (seqQ) => {
      const out = means(seqQ, BK + 5, {});
      expectSameBits(
        out,
        out.map(() => mean(0, BK + 5)),
      );
    });

    const [q, k, v] = [
      normal(rows * headDim, 1),
      normal((BK + 9) * headDim, 2),
      normal((BK + 9) * headDim, 3),
    ];
    const shape = { seqQ: rows, seqK: BK + 9, headDim };
    const ones = {
      mask: { data: new Uint8Array(rows * (BK + 9)).fill(1), shape: [1, 1, rows, BK + 9] },
    } as const;
    const same = (options: AttentionOptions, a = q, b = k): void => {
      // Of a mask it is seen block by block that it hides nothing: each panel goes alone.
      const alone = engine.attention(a, b, v, { ...shape, ...options, ...ones });
      expectSameBits(engine.attention(a, b, v, { ...shape, ...options }), alone);
    };

    it.each([
      ['nothing', {}],
      // log₂e times it is 1.
      ['a softcap of ln 2', { softcap: Math.LN2 }],
      ['a softcap', { softcap: 3 }],
      ['alibi', { alibi: Float32Array.of(0.25) }],
      ['sinks', { sinks: Float32Array.of(0.5) }],
      ['a bias', { bias: normal(rows * (BK + 9), 4) }],
    ] as const)('the same alone, with %s', (_, options) => {
      same(options);
    });

    it.each([
      [1e-45, 3e22, 3e22],
      [1e39, 1e-20, 1e-19],
    ])('the same alone, with a scale of %d', (scale, ofQ, ofK) => {
      same(
        { scale },
        q.map((x) => x * ofQ),
        k.map((x) => x * ofK),
      );
    });

    it('heads of a group, causal: the bits of keys that each has for its own', () => {
      const [seqQ, heads] = [48, 4];
      const [x, y, values] = [normal(seqQ * heads * 2, 1), normal(seqQ * 2, 2), normal(seqQ * 2, 3)];
      const repeated = (given: Float32Array): Float32Array =>
        Float32Array.from(
          { length: heads * given.length },
          (_, at) => given[2 * Math.floor(at / 8) + (at % 2)]!,
        );
      const sizes = { seqQ, heads, headDim: 2, causal: true } as const;
      const shared = engine.attention(x, y, values, { ...sizes, kvHeads: 1 });
      expectSameBits(shared, engine.attention(x, repeated(y), repeated(values), sizes));
    });

    it('powers of two, in a scale that is as large as no query bears, or in queries and keys', () => {
      const [large, small] = [q.map((x) => x * 2 ** -66), k.map((x) => x * 2 ** -64)];
      const expected = engine.attention(q, k, v, { ...shape, scale: 1 });
      expectSameBits(engine.attention(large, small, v, { ...shape, scale: 2 ** 130 }), expected);
    });

    it('a second item, with what is looked up by its rows', () => {
      // 520 rows are one of 512 and one of eight, which are the same alone.
      const [seqQ, seqK] = [520, 8];
      const x = normal(seqQ, 1);
      const [y, values] = [normal(seqK, 2), normal(seqK, 3)];
      const bytes = Uint8Array.from({ length: seqQ * seqK }, (_, at) => (at * 7919) % 3);
      const biases = normal(seqQ * seqK, 4);
      const last = seqQ - 8;
      const call = (from: number, more: AttentionOptions): Float32Array =>
        engine.attention(x.subarray(from), y, values, {
          ...{
            seqQ: seqQ - from,
            seqK,
            headDim: 1,
            queryOffset: from,
            alibi: Float32Array.of(0.01),
            ...more,
          },
        });
      for (const side of ['mask', 'bias'] as const) {
        const all = side === 'mask' ? bytes : biases;
        const whole = call(0, { [side]: all });
        expectSameBits(whole.subarray(last), call(last, { [side]: all.subarray(last * seqK) }));
      }
    });

    it.each([
      [8, 5],
      // Parts of keys, of which the weights know nothing.
      [1, SPLIT + 4],
    ])('weights of several items, %i queries and %i keys: those of each head alone', (seqQ, seqK) => {
      const heads = 3;
      const [x, y, values] = [normal(seqQ * heads, 1), normal(seqK * heads, 2), normal(seqK * heads, 3)];
      const sizes = { seqQ, seqK, headDim: 1, layout: 'bhsd' } as const;
      const all = engine.attentionWeights(x, y, values, { ...sizes, heads });
      for (let h = 0; h < heads; h++) {
        const [one, keys] = [x.subarray(seqQ * h, seqQ * (h + 1)), y.subarray(seqK * h, seqK * (h + 1))];
        const own = values.subarray(seqK * h, seqK * (h + 1));
        const alone = engine.attentionWeights(one, keys, own, sizes);
        expectSameBits(all.weights.subarray(seqQ * seqK * h, seqQ * seqK * (h + 1)), alone.weights);
      }
    });

    it('a NaN of a hidden key is kept from all of them, panel by panel', () => {
      const long = 128;
      const [x, y, values] = [
        normal(long * headDim, 5),
        normal(long * headDim, 6),
        normal(long * headDim, 7),
      ];
      const call = (given: Float32Array): Float32Array =>
        engine.attention(x, y, given, { seqQ: long, headDim, causal: true });
      const before = call(values);
      for (const hidden of [long - 1, BK + 1, 41]) {
        const seen = hidden * headDim;
        const out = call(values.map((each, at) => (at === seen ? NaN : each)));
        expectSameBits(out.subarray(0, seen), before.subarray(0, seen));
        for (let row = hidden; row < long; row++) expect(out[row * headDim]).toBeNaN();
      }
    });

    it('values that lie two kilobytes apart: the bits of those that lie side by side', () => {
      // [16 queries × 72 heads on 9]: 128 rows an item, which has such values copied; 256 bring them into the cache, too.
      for (const seqQ of [16, 32]) {
        const [heads, kvHeads, seqK, valueDim] = [72, 9, BK + 4, 60];
        const far = {
          q: normal(seqQ * heads * headDim, 1),
          k: normal(seqK * kvHeads * headDim, 2),
          v: normal(seqK * kvHeads * valueDim, 3),
        };
        /** [S × H × D] as [H × S × D], and back with S and H the other way. */
        const turned = (given: Float32Array, seq: number, count: number, dim: number): Float32Array =>
          given.map((_, at) => {
            const [d, s, h] = [at % dim, Math.floor(at / dim) % seq, Math.floor(at / dim / seq)];
            return given[(s * count + h) * dim + d]!;
          });
        const sizes = { seqQ, seqK, heads, kvHeads, headDim, valueDim } as const;
        const out = engine.attention(far.q, far.k, far.v, sizes);
        const near = engine.attention(
          turned(far.q, seqQ, heads, headDim),
          turned(far.k, seqK, kvHeads, headDim),
          turned(far.v, seqK, kvHeads, valueDim),
          { ...sizes, layout: 'bhsd' },
        );
        expectSameBits(turned(out, seqQ, heads, valueDim), near);
      }
    });
  });

  describe('scratch', () => {
    const runtime = new Runtime('test', build, 2 ** 20, '4x8');
    const padded = (dim: number): number => 4 * Math.ceil(dim / 4);
    /** What is said of a call; all that the answer must not hang on is `rest`. */
    const asked = (given: Record<string, number>, rest: number): number => {
      const words = runtime.words.u32.subarray(runtime.descriptor >>> 2);
      for (const [i, name] of ATTENTION_ARGS.entries()) words[i] = given[name] ?? rest;
      return runtime.kernels.attentionScratch(runtime.descriptor);
    };

    it.each([
      [1, 1, 1, 1],
      [9, 3, 64, 32],
      [64, 8, 128, 128],
      [64, 9, 7, 256],
      [2048, 1, 5, 257],
      [3, 2048, 300, 3],
    ])('of %i queries of %i heads: what an item uses, and room for eight more elements', (...sizes) => {
      const [seqQ, group, dim, valueDim] = sizes;
      const panels = Math.ceil(Math.min(512, seqQ * group) / 8);
      // Tables, factors, places, slopes; scores of four panels and a bias; of a panel what it is at, its queries and sums.
      const state =
        32 + 4 * 32 + 2 * 32 + 5 * 32 * BK + panels * (160 + 32 * (padded(dim) + padded(valueDim)));
      for (const half of [0, 1]) {
        for (const vToken of [4, 2044, 2048, 4096]) {
          const far = valueDim <= 256 && vToken >= 2048;
          const near = half ? padded(dim) + padded(valueDim) : far ? padded(valueDim) : 0;
          const least = state + 4 * BK * near;
          const more = 8 * (32 * panels + (half || far ? 4 * BK : 0)) + (!half && far ? 4 * BK * dim : 0);
          for (const rest of [0, 5000]) {
            const bytes = asked({ seqQ, group, headDim: dim, valueDim, half, vToken }, rest);
            expect(bytes).toBeGreaterThanOrEqual(least);
            expect(bytes).toBeLessThanOrEqual(least + more);
          }
        }
      }
    });
  });
});
