/** What the words mean (README, "Semantics that bite"): extremes, NaN and infinity, and that every key counts. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { integers, normal } from './data.ts';
import { attentionLaw, use } from './laws.ts';
import { expectSameBits, make, type Problem } from './problems.ts';

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);
  const run = ({ q, k, v, options }: Problem): Float32Array => engine.attention(q, k, v, options);

  describe('extremes', () => {
    it('one key: its value, bit for bit', () => {
      const v = normal(7, 1);
      const out = engine.attention(normal(5, 2), normal(5, 3), v, { seqQ: 1, headDim: 5, valueDim: 7 });
      expectSameBits(out, v);
    });

    it('equal scores: the mean, exact for powers of two and integers', () => {
      const [seqK, valueDim] = [256, 9];
      const v = integers(seqK * valueDim, 1, 100);
      const out = engine.attention(normal(6, 2), new Float32Array(seqK * 3), v, {
        seqQ: 2,
        seqK,
        headDim: 3,
        valueDim,
      });
      for (let d = 0; d < valueDim; d++) {
        let sum = 0;
        for (let j = 0; j < seqK; j++) sum += v[j * valueDim + d]!;
        expect(out[d]).toBe(sum / seqK);
        expect(out[valueDim + d]).toBe(sum / seqK);
      }
    });

    it.each([1e4, 1e30, -1e4])('scores of ±%d: the winner takes all', (size) => {
      const seq = 150;
      const q = new Float32Array(seq).fill(size);
      const k = Float32Array.from({ length: seq }, (_, j) => (j === 77 ? 1 : -1) * Math.sign(size));
      const v = normal(seq * 4, 3);
      const out = engine.attention(q, k, v, { seqQ: seq, headDim: 1, valueDim: 4, scale: 1 });
      for (let i = 0; i < seq; i++) expectSameBits(out.subarray(4 * i, 4 * i + 4), v.subarray(308, 312));
    });

    it.each([
      ['no keys at all', { seqQ: 5, seqK: 0, headDim: 4 }],
      ['all beyond the diagonal', { seqQ: 5, seqK: 9, headDim: 4, causal: true, queryOffset: -5 }],
    ])('%s: zeros and −∞', (_, options) => {
      const [k, sums] = [normal(4 * options.seqK, 1), new Float32Array(5)];
      const looks = engine.attentionWeights(normal(20, 2), k, k, { ...options, logSumExp: sums });
      expectSameBits(looks.out, new Float32Array(20));
      expectSameBits(looks.weights, new Float32Array(5 * options.seqK));
      expect([...sums]).toEqual(new Array(5).fill(-Infinity));
    });

    it('the first rows see nothing, the others something', () => {
      const options = { seqQ: 20, seqK: 8, headDim: 4, causal: true };
      const k = normal(32, 1);
      const out = engine.attention(normal(80, 2), k, k, options);
      expectSameBits(out.subarray(0, 12 * 4), new Float32Array(12 * 4));
      expectSameBits(out.subarray(12 * 4, 13 * 4), k.subarray(0, 4));
    });

    it.each([[{ seqQ: 0, seqK: 5, headDim: 4, batch: 1 }], [{ seqQ: 3, seqK: 5, headDim: 4, batch: 0 }]])(
      'an empty result: %o',
      (options) => {
        const size = options.batch * 20;
        const q = new Float32Array(options.batch * options.seqQ * 4);
        expect(engine.attention(q, new Float32Array(size), new Float32Array(size), options)).toHaveLength(0);
      },
    );

    it('subnormal values are kept', () => {
      const v = Float32Array.of(1e-44, 3e-44, 2 ** -149, -(2 ** -149));
      expectSameBits(
        engine.attention(normal(2, 1), normal(2, 2), v, { seqQ: 1, headDim: 2, valueDim: 4 }),
        v,
      );
    });
  });

  describe('NaN and infinity', () => {
    const options = { seqQ: 40, seqK: 130, heads: 2, headDim: 9, valueDim: 6, causal: true, queryOffset: 30 };
    const clean: Problem = make({
      ...{ batch: 1, kvHeads: 2, group: 1, layout: 'bshd', seed: 5 },
      ...options,
    });
    const poison = (x: Float32Array, index: number, value: number): Float32Array => {
      const y = x.slice();
      y[index] = value;
      return y;
    };
    const before = run(clean);

    it.each([NaN, Infinity, -Infinity])('a masked key or value of %d is never seen', (value) => {
      // Token 100 of head 0 lies beyond what any query sees (39 + 30), token 69 is seen by the last query only.
      const k = poison(poison(clean.k, 100 * 18, value), 129 * 18 + 17, value);
      const v = poison(poison(clean.v, 100 * 12, value), 129 * 12 + 11, value);
      expectSameBits(run({ ...clean, k, v }), before);
    });

    it.each([NaN, Infinity, -Infinity])('a value of %d reaches exactly the rows that see it', (value) => {
      // Token 50, head 1, element 2: seen by queries 20 … 39.
      const out = run({ ...clean, v: poison(clean.v, 50 * 12 + 6 + 2, value) });
      for (let i = 0; i < 40; i++) {
        for (let e = 0; e < 12; e++) {
          const hit = i >= 20 && e === 8;
          const x = out[12 * i + e]!;
          expect(Number.isFinite(x)).toBe(!hit);
          if (!hit) expect(x).toBe(before[12 * i + e]);
        }
      }
    });

    it('what is computed once more finds its queries, though the first result lies where they lay', () => {
      // As above, with headDim = valueDim: then arrays get their result in the place of their queries.
      const shape = { batch: 1, kvHeads: 2, group: 1, layout: 'bshd', seed: 5 } as const;
      const square = make({ ...shape, ...options, valueDim: 9 });
      const seen = run(square);
      const out = run({ ...square, v: poison(square.v, 50 * 18 + 9 + 2, NaN) });
      for (let i = 20; i < 40; i++) seen[18 * i + 9 + 2] = NaN;
      expectSameBits(out, seen);
    });

    it('a NaN in a key reaches exactly the rows and heads that see it', () => {
      const out = run({ ...clean, k: poison(clean.k, 50 * 18 + 9, NaN) });
      for (let i = 0; i < 40; i++) {
        for (let e = 0; e < 12; e++) {
          const hit = i >= 20 && e >= 6;
          if (hit) expect(out[12 * i + e]).toBeNaN();
          else expect(out[12 * i + e]).toBe(before[12 * i + e]);
        }
      }
    });

    it('a NaN in a query reaches its own row and head', () => {
      const out = run({ ...clean, q: poison(clean.q, 7 * 18 + 9, NaN) });
      for (let i = 0; i < 480; i++) {
        if (i >= 7 * 12 + 6 && i < 8 * 12) expect(out[i]).toBeNaN();
        else expect(out[i]).toBe(before[i]);
      }
    });

    it('a score of +∞ makes its row NaN, a score of −∞ is a masked key', () => {
      const k = Float32Array.of(1, 1, 1, 1);
      const shape = { seqQ: 1, seqK: 4, headDim: 1, valueDim: 1, scale: 1 };
      const one = Float32Array.of(1);
      expect(engine.attention(one, poison(k, 2, Infinity), k, shape)[0]).toBeNaN();
      const v = Float32Array.of(2, 4, NaN, 6);
      expect(engine.attention(one, poison(k, 2, -Infinity), v, shape)[0]).toBe(4);
      const looks = engine.attentionWeights(one, poison(k, 2, -Infinity), v, { ...shape, seqK: 4 });
      expect(looks.weights[2]).toBe(0);
    });

    it('masked weights are exactly 0, in a NaN row too', () => {
      const k = poison(clean.k, 0, NaN);
      const { weights } = engine.attentionWeights(clean.q, k, clean.v, clean.options);
      for (let h = 0; h < 2; h++) {
        for (let i = 0; i < 40; i++) {
          for (let j = 0; j < 130; j++) {
            const w = weights[(h * 40 + i) * 130 + j]!;
            if (j > i + 30) expect(w).toBe(0);
            else expect(Number.isNaN(w)).toBe(h === 0);
          }
        }
      }
    });
  });

  it('a sink counts once, however many parts the keys of a few queries are split into', () => {
    for (const seqK of [96, 1536, 1537, 4700]) {
      // As much as all the keys together.
      const sinks = Float32Array.of(Math.log(seqK));
      const logSumExp = new Float32Array(1);
      const shape = { seqQ: 1, seqK, headDim: 1, sinks, logSumExp };
      const inputs = [new Float32Array(1), new Float32Array(seqK), new Float32Array(seqK).fill(1)] as const;
      const out = engine.attention(...inputs, shape);
      for (const row of attentionLaw(...inputs, shape)) {
        expect(row.out('blocks').values[0]).toBeCloseTo(0.5, 6);
        expect(use(out, row.out('blocks'))).toBeLessThanOrEqual(1);
        expect(use(logSumExp, row.logSumExp('blocks'))).toBeLessThanOrEqual(1);
      }
    }
  });

  it('every key in turn wins by 50 (P17): its value to 2u', () => {
    for (const [seqK, headDim, valueDim] of [
      [67, 5, 3],
      [203, 16, 9],
    ] as const) {
      const k = new Float32Array(seqK * headDim);
      const v = normal(seqK * valueDim, 9);
      const q = new Float32Array(headDim).fill(1);
      const largest = v.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      for (let j = 0; j < seqK; j++) {
        k.fill(50 / headDim, j * headDim, (j + 1) * headDim);
        const out = engine.attention(q, k, v, { seqQ: 1, seqK, headDim, valueDim, scale: 1 });
        k.fill(0, j * headDim, (j + 1) * headDim);
        // The others weigh at most exp(−50) each; 2u for the normalisation.
        for (let d = 0; d < valueDim; d++) {
          const rest = seqK * Math.exp(-50) * largest;
          expect(Math.abs(out[d]! - v[j * valueDim + d]!)).toBeLessThanOrEqual(
            2 ** -23 * Math.abs(out[d]!) + rest,
          );
        }
      }
    }
  });
});
