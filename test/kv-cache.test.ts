/**
 * KVCache beside a plain program that keeps its tokens in arrays (test/caches.ts): what it holds, bit by bit, and what it
 * gives, with the bits of attention on all tokens and inside the law of float64.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { KVCacheOptions } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { Pair, PlainCache } from './caches.ts';
import { normal } from './data.ts';
import { mostUse, scoreOptions } from './decoding.ts';
import { MOST, roundToHalf } from './halves.ts';
import { expectSameBits } from './problems.ts';

const DTYPES = ['f32', 'f16'] as const;

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(builds)('%s', async (build) => {
  const engine = await engineOf(build);
  const small: KVCacheOptions = { batch: 3, kvHeads: 2, headDim: 7, valueDim: 5, capacity: 210 };

  describe.each(DTYPES)('%s', (dtype) => {
    describe.each([false, true])('ring %s', (ring) => {
      const pairOf = (options: Partial<KVCacheOptions> = {}): Pair =>
        new Pair(engine, { ...small, dtype, ring, ...options });

      it('holds what was appended, in pieces, both layouts, part of it', () => {
        const pair = pairOf();
        pair.expectLengths();
        for (const [tokens, options] of [
          [1, {}],
          [5, { layout: 'bhsd' }],
          [4, { counts: [4, 0, 2] }],
          [0, {}],
          [97, { counts: Int32Array.of(0, 97, 1), layout: 'bhsd' }],
          [3, { counts: { length: 3, 0: 0, 1: 0, 2: 0 } }],
          [1, { layout: 'bshd' }],
          [90, { counts: [90, 80, 0] }],
        ] as const) {
          pair.append(tokens, options);
          pair.expectContents();
        }
        expect([...pair.cache.lengths]).toEqual([101, 184, 10]);
        // A copy.
        pair.cache.lengths.fill(7);
        pair.expectLengths();
        pair.cache.dispose();
      });

      it('gives back each of the last tokens: through a window of one it is its own value', () => {
        const pair = pairOf({ batch: 1, valueDim: 9 });
        pair.append(90);
        for (const seqQ of [1, 2, 90]) {
          const out = pair.cache.attend(pair.query(2, seqQ), { heads: 2, seqQ, window: [0, 0] });
          expectSameBits(out, pair.plain.all('v', 'bshd').slice(-seqQ * 18));
        }
        pair.cache.dispose();
      });

      it('every option, one query, two and five, sequences of any length, none too', () => {
        const pair = pairOf();
        pair.append(110, { counts: [110, 0, 3] });
        pair.append(95, { counts: [95, 0, 0], layout: 'bhsd' });
        const { length } = pair.plain;
        for (const seqQ of [1, 2, 5]) {
          for (const [, options] of scoreOptions({ batch: 3, heads: 6, seqQ, seqK: length })) {
            if (ring && (options.mask || options.bias)) continue;
            const window = ring ? { window: [Math.min(90, options.window?.[0] ?? 90), 0] as const } : {};
            pair.expectAttends({ ...options, ...window, heads: 6, seqQ });
          }
          pair.expectAttends({ heads: 2, seqQ, layout: 'bhsd', window: [30, 0] });
          pair.expectAttends({ heads: 18, seqQ, layout: 'bhsd', window: [100, 7] });
        }
        pair.cache.dispose();
      });

      it('truncated it goes on from there', () => {
        const pair = pairOf();
        pair.append(100, { counts: [100, 40, 0] });
        for (const [n, more] of [
          [60, 30],
          [60, 1],
          [61, 90],
          [3, 0],
          [0, 7],
        ] as const) {
          pair.truncate(n);
          pair.append(more, { counts: [more, Math.floor(more / 2), 0] });
          pair.expectContents();
          pair.expectAttends({ heads: 4, window: [20, 0] });
          pair.expectAttends({ heads: 4, seqQ: 4, window: [100, 0] });
        }
        pair.cache.dispose();
      });

      it('token by token is one pass (P8): the law, and the bits in one family', () => {
        const pair = pairOf({ batch: 1, headDim: 24, valueDim: 24 });
        const [seq, heads, width] = [190, 4, 96];
        const [k, v] = pair.make(seq);
        const [q, out] = [pair.query(heads, seq), new Float32Array(seq * width)];
        const window = [95, 0] as const;
        const whole = new PlainCache(pair.plain.options);
        for (let t = 0; t < seq; t++) {
          const of = (x: Float32Array): Float32Array => x.subarray(t * 48, (t + 1) * 48);
          pair.append(1, {}, [of(k), of(v)]);
          whole.append(of(k), of(v));
          const last = q.subarray(t * width, (t + 1) * width);
          out.set(pair.cache.attend(last, { heads, window }), t * width);
          if (t % 2 === 0) continue;
          const two = pair.cache.attend(q.subarray((t - 1) * width, (t + 1) * width), {
            heads,
            window,
            seqQ: 2,
          });
          expectSameBits(two, out.slice((t - 1) * width, (t + 1) * width));
        }
        // In one pass, without a cache: every key is there, whatever a ring would have lost.
        const float = dtype === 'f16' ? (x: number): number => roundToHalf(x) : (x: number): number => x;
        const inputs = [q, k.map(float), v.map(float)] as const;
        const shape = { seqQ: seq, heads, kvHeads: 2, headDim: 24, causal: true, window };
        expect(mostUse(inputs, shape, out)).toBeLessThanOrEqual(1);
        expect(mostUse(inputs, shape, engine.attention(...inputs, shape))).toBeLessThanOrEqual(1);
        pair.cache.dispose();
      });

      it('thousands of tokens: parts, many blocks', () => {
        const pair = pairOf({ batch: 2, capacity: 4000, headDim: 8, valueDim: 8 });
        pair.append(3500, { counts: [3500, 1537] });
        const window = ring ? [3400, 0] : [Infinity, 0];
        for (const seqQ of [1, 2, 3]) {
          pair.expectAttends({ heads: 10, seqQ, window: window as [number, number] });
          pair.expectAttends({ heads: 2, seqQ, window: [1600, 0], sinks: normal(2, 1) });
        }
        pair.cache.dispose();
      });

      it('takes its memory once and gives it back, when disposed of (fault 32)', () => {
        const { used } = engine.memory;
        const bytes = 3 * 2 * (ring ? 288 : 210) * (dtype === 'f16' ? 2 : 4);
        const size = [7, 5].reduce((sum, dim) => sum + 64 * Math.ceil((bytes * dim) / 64), 0);
        const pair = pairOf();
        expect(engine.memory.used - used).toBe(size);
        pair.append(200);
        pair.expectAttends({ heads: 2, window: [3, 0] });
        expect(engine.memory.used - used).toBe(size);
        pair.cache.dispose();
        pair.cache.dispose();
        pair.cache[Symbol.dispose]();
        expect(engine.memory.used).toBe(used);
      });
    });
  });

  it('cannot be told another capacity, and an empty one gives zeros', () => {
    const pair = new Pair(engine, small);
    const cache = pair.cache as { capacity: number };
    expect(() => (cache.capacity = 7)).toThrow(TypeError);
    for (const seqQ of [0, 1, 2, 9]) {
      const logSumExp = new Float32Array(3 * 4 * seqQ);
      const out = pair.cache.attend(pair.query(4, seqQ), { heads: 4, seqQ, logSumExp });
      expectSameBits(out, new Float32Array(3 * 4 * seqQ * 5));
      expect([...logSumExp]).toEqual(new Array(12 * seqQ).fill(-Infinity));
    }
    pair.append(1, { counts: [0, 1, 0] });
    // More queries than tokens: those that stand before the first token see nothing.
    pair.expectAttends({ heads: 4, seqQ: 9 });
    const none = engine.kvCache({ ...small, batch: 0 });
    none.append(new Float32Array(0), new Float32Array(0));
    expect(none.attend(new Float32Array(0), { heads: 2 })).toHaveLength(0);
    for (const each of [pair.cache, none]) each.dispose();
  });

  it('writes where it is told: out, and plain arrays on its own memory', () => {
    const pair = new Pair(engine, small);
    pair.append(20);
    const q = pair.query(4);
    const wanted = pair.expectAttends({ heads: 4 }, q);
    const out = new Float32Array(60);
    expect(pair.cache.attend(q, { heads: 4, out })).toBe(out);
    expectSameBits(out, wanted);
    const tensor = engine.tensor([q.length], q);
    expectSameBits(pair.cache.attend(tensor.data, { heads: 4, out: tensor.data.subarray(0, 60) }), wanted);
    const [k, v] = pair.make(1);
    const [K, V] = [engine.tensor([k.length], k), engine.tensor([v.length], v)];
    pair.append(1, {}, [K.data, V.data]);
    pair.expectContents();
    const [bias, sinks] = [engine.tensor([1, 4, 1, 21], normal(84, 1)), engine.tensor([4], normal(4, 2))];
    const same = {
      bias: { data: bias.data.slice(), shape: [1, 4, 1, 21] as const },
      sinks: sinks.data.slice(),
    };
    expectSameBits(
      pair.cache.attend(q, { heads: 4, bias, sinks }),
      pair.expectAttends({ heads: 4, ...same }, q),
    );
    for (const each of [tensor, K, V, bias, sinks, pair.cache]) each.dispose();
  });

  describe('float16', () => {
    const one = { kvHeads: 1, headDim: 8, capacity: 200, dtype: 'f16' } as const;

    it('subnormals, the largest, and what rounds to them', () => {
      const pair = new Pair(engine, one);
      const k = normal(8 * 40, 1).map((x, i) => (i % 3 === 0 ? x * 2 ** -20 : x));
      const v = normal(8 * 40, 2).map((x, i) => [x, x * 2 ** -20, x * 2 ** -26, MOST, -MOST, -0][i % 6]!);
      pair.append(40, {}, [k, v]);
      pair.expectContents();
      for (const seqQ of [1, 2, 4]) pair.expectAttends({ heads: 5, seqQ });
      pair.cache.dispose();
    });

    it('meets a single query as it lies, where its rows are whole vectors, and widened where not', () => {
      for (const [headDim, valueDim] of [
        [8, 32],
        [16, 64],
        [8, 33],
        [9, 32],
      ] as const) {
        const pair = new Pair(engine, { ...one, headDim, valueDim });
        pair.append(200);
        pair.expectAttends({ heads: 1 });
        pair.cache.dispose();
      }
    });

    it('lies beside what a call has in its scratch: whole panels of queries, vectors whole and broken', () => {
      for (const [headDim, valueDim] of [
        [5, 4],
        [4, 8],
      ] as const) {
        const pair = new Pair(engine, { ...one, headDim, valueDim });
        pair.append(200);
        for (const seqQ of [8, 16]) pair.expectAttends({ heads: 1, seqQ });
        pair.cache.dispose();
      }
    });

    it('has its room in the first call too, whatever the call before was', async () => {
      const wide = { kvHeads: 1, headDim: 256, capacity: 96 } as const;
      const rows = new Float32Array(96 * 256).map((_, i) => (i % 7) - 3);
      const q = normal(4 * 256, 3);
      const results = [];
      for (const dtype of ['f32', 'f16'] as const) {
        const fresh = await engineOf(build);
        const other = fresh.kvCache({
          kvHeads: 1,
          headDim: 8,
          capacity: 8,
          dtype: dtype === 'f32' ? 'f16' : 'f32',
        });
        other.append(new Float32Array(8), new Float32Array(8));
        other.attend(new Float32Array(8), { heads: 1 });
        const cache = fresh.kvCache({ ...wide, dtype });
        cache.append(rows, rows);
        results.push(cache.attend(q, { heads: 4, scale: 0.01 }));
        fresh.dispose();
      }
      const [full, half] = results as [Float32Array, Float32Array];
      for (const [i, x] of full.entries()) expect(half[i]).toBeCloseTo(x, 5);
    });
    it.each([8, 64])('sixteen rows of %i elements before two blocks that are widened', (headDim) => {
      const pair = new Pair(engine, { kvHeads: 1, headDim, capacity: 192, dtype: 'f16' });
      pair.append(192);
      for (const seqQ of [1, 9]) pair.expectAttends({ heads: 16, seqQ });
      pair.cache.dispose();
    });
    it('says how it is to whoever works on it, as it was when it was asked', () => {
      const cache = engine.kvCache({
        batch: 2,
        kvHeads: 1,
        headDim: 1,
        capacity: 96,
        ring: true,
        dtype: 'f16',
      });
      const one = cache.stateOf();
      expect(one).toMatchObject({ special: false, lengths: [0, 0], oldest: [0, 0], ring: true });
      cache.append(new Float32Array(180), new Float32Array(180));
      cache.append(new Float32Array(20), new Float32Array(20));
      const two = cache.stateOf();
      expect(two).toMatchObject({ special: false, lengths: [100, 100], oldest: [4, 4] });
      cache.append(Float32Array.of(0, NaN), new Float32Array(2));
      expect(cache.stateOf()).toMatchObject({ special: true, lengths: [101, 101], oldest: [5, 5] });
      expect(one).toMatchObject({ special: false, lengths: [0, 0], oldest: [0, 0] });
      expect(two).toMatchObject({ special: false, lengths: [100, 100], oldest: [4, 4] });
      cache.dispose();
    });
    it('a number beyond its range is found wherever it stands', () => {
      const cache = engine.kvCache({ batch: 2, kvHeads: 2, headDim: 3, capacity: 8, dtype: 'f16' });
      // Two tokens of each sequence: 24 numbers of K and of V.
      for (let at = 0; at < 48; at++) {
        const [k, v] = [new Float32Array(24), new Float32Array(24)];
        (at < 24 ? k : v)[at % 24] = 70000;
        expect(() => {
          cache.append(k, v);
        }, `${at}`).toThrow('numbers of at most ±65504');
      }
      expect(cache.lengths).toEqual(Int32Array.of(0, 0));
      cache.dispose();
    });
    it('∞ and NaN are what they were, and masked they are not seen', () => {
      for (const special of [NaN, Infinity, -Infinity]) {
        const pair = new Pair(engine, one);
        pair.append(100);
        const q = pair.query(5);
        const before = pair.cache.attend(q, { heads: 5 });
        const [k, v] = pair.make(1);
        v[3] = special;
        pair.append(1, {}, [k, v]);
        const mask = {
          data: Uint8Array.from({ length: 101 }, (_, j) => Number(j < 100)),
          shape: [1, 1, 1, 101],
        };
        const hidden = { heads: 5, mask: mask as { data: Uint8Array; shape: [1, 1, 1, 101] } };
        // One number fewer to scale by powers of two: the bits are the same.
        expectSameBits(pair.cache.attend(q, hidden), before);
        const seen = pair.cache.attend(q, { heads: 5 });
        for (const [i, x] of seen.entries()) expect(Number.isFinite(x)).toBe(i % 8 !== 3);
        pair.truncate(100);
        expectSameBits(pair.cache.attend(q, { heads: 5 }), before);
        pair.cache.dispose();
      }
    });

    it('queries and scales up to 2¹⁰⁰ together: what float32 bears, a float16 cache bears', () => {
      const pair = new Pair(engine, one);
      pair.append(100, {}, [normal(800, 1, 2 ** -12), normal(800, 2)]);
      for (const [size, scale] of [
        [2 ** 80, 2 ** -70],
        [2 ** 100, 2 ** -90],
        [2 ** 80, 2 ** -8],
        [2 ** -60, 2 ** 60],
        [1, 2 ** 70],
        [2 ** 60, 2 ** 20],
        [2 ** 98, 2 ** -4],
        [2 ** -126, 1],
      ] as const) {
        for (const seqQ of [1, 2, 3])
          pair.expectAttends({ heads: 5, seqQ, scale }, pair.query(5, seqQ, size));
      }
      pair.cache.dispose();
    });
  });
});
