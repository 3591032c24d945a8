/** mergeAttention: against float64 by its law, against attention over all the keys, and what it does with odd values. */
import { describe, expect, it } from 'vitest';
import { attentionWeights, mergeAttention } from '../src/index.ts';
import type { AttentionPart, Engine } from '../src/index.ts';
import * as reference from '../src/reference.ts';
import { builds, engineOf } from './builds.ts';
import { mergeCases, mergeInputs } from './cases.ts';
import { normal } from './data.ts';
import { use } from './laws.ts';
import { mergeLaw } from './merge-law.ts';
import { expectSameBits } from './problems.ts';

type Part = AttentionPart<Float32Array>;

describe('the reference', () => {
  const shape = { seqQ: 1, valueDim: 2 };
  const part = (lse: number, ...out: number[]): Part => ({
    out: Float32Array.from(out),
    logSumExp: Float32Array.of(lse),
  });
  it('weighs by e^lse', () => {
    const { out, logSumExp } = reference.mergeAttention(
      [part(0, 1, 0), part(1, 0, 1), part(-Infinity, NaN, NaN)],
      shape,
    );
    const sum = 1 + Math.E;
    expect(out[0]).toBeCloseTo(1 / sum, 15);
    expect(out[1]).toBeCloseTo(Math.E / sum, 15);
    expect(logSumExp[0]).toBeCloseTo(Math.log(sum), 15);
  });
  it('is attention over all the keys', () => {
    const [q, k, v] = [normal(2 * 3 * 5, 1), normal(7 * 3 * 5, 2), normal(7 * 3 * 4, 3)];
    const options = { seqQ: 2, heads: 3, headDim: 5, valueDim: 4 };
    const parts = [0, 4, 5].map((from, i) => {
      const to = [4, 5, 7][i]!;
      const keys = [k.subarray(15 * from, 15 * to), v.subarray(12 * from, 12 * to)] as const;
      return reference.attentionWeights(q, ...keys, { ...options, seqK: to - from });
    });
    const { out, logSumExp } = reference.mergeAttention(parts, { seqQ: 2, heads: 3, valueDim: 4 });
    const all = reference.attentionWeights(q, k, v, { ...options, seqK: 7 });
    for (const [at, x] of all.out.entries()) expect(out[at]).toBeCloseTo(x, 13);
    for (const [at, x] of all.logSumExp.entries()) expect(logSumExp[at]).toBeCloseTo(x, 13);
  });
});

describe.each(builds)('mergeAttention, %s', async (build) => {
  const engine: Engine = await engineOf(build);

  const worst = (
    parts: readonly Part[],
    options: (typeof mergeCases)[number]['options'],
    got: Part,
  ): number => {
    let most = 0;
    for (const { row, at, out, logSumExp } of mergeLaw(parts, options)) {
      most = Math.max(most, use(got.out, out, at), use(got.logSumExp, logSumExp, row));
    }
    return most;
  };

  describe('inside its law', () => {
    it.each(mergeCases.map((each) => [each.name, each] as const))('%s', (_, each) => {
      const { options } = each;
      const parts = mergeInputs(each);
      const copies = structuredClone(parts);
      const merged = engine.mergeAttention(parts, options);
      expect(worst(parts, options, merged)).toBeLessThanOrEqual(1);
      expect(parts).toEqual(copies);
      // The rounded truth passes; the last part left out does not, were it to count.
      const truth = reference.mergeAttention(parts, options);
      const rounded = { out: Float32Array.from(truth.out), logSumExp: Float32Array.from(truth.logSumExp) };
      expect(worst(parts, options, rounded)).toBeLessThanOrEqual(1);
      if (parts.length > 1) {
        const less = engine.mergeAttention(parts.slice(0, -1), options);
        expect(worst(parts, options, less)).toBeGreaterThan(1);
      }
    });
    it('sums of weights from 1 to 2, of which there is a logarithm', () => {
      const options = { seqQ: 4096, valueDim: 1 };
      const parts = [0, 1].map((p) => ({
        out: normal(4096, p),
        logSumExp: Float32Array.from({ length: 4096 }, (_, i) => -p * (i / 512)),
      }));
      expect(worst(parts, options, engine.mergeAttention(parts, options))).toBeLessThanOrEqual(1);
    });
    it('parts that saw no key, for some queries', () => {
      for (const seed of [1, 2, 3]) {
        const each = { name: '', options: { seqQ: 13, heads: 3, valueDim: 10 }, parts: 6 };
        const parts = mergeInputs(each, seed);
        for (const [p, { out, logSumExp }] of parts.entries()) {
          for (let row = 0; row < 39; row++) {
            if ((row * 7 + p * 3 + seed) % 5 > 1) continue;
            logSumExp[row] = -Infinity;
            const at = 10 * ((row % 13) * 3 + Math.floor(row / 13));
            // Never read into a result.
            out.fill([NaN, Infinity, 3e38][p % 3]!, at, at + 10);
          }
        }
        expect(worst(parts, each.options, engine.mergeAttention(parts, each.options))).toBeLessThanOrEqual(1);
      }
    });
  });

  it('one part is itself, to the bit', () => {
    const parts = mergeInputs({ name: '', options: { seqQ: 9, heads: 2, valueDim: 13 }, parts: 1 });
    parts[0]!.out[3] = -0;
    const merged = engine.mergeAttention(parts, { seqQ: 9, heads: 2, valueDim: 13 });
    expectSameBits(merged.out, parts[0]!.out);
    expectSameBits(merged.logSumExp, parts[0]!.logSumExp);
  });

  it('tensors give what arrays give, in both layouts, whatever stands beside a row', () => {
    for (const layout of ['bshd', 'bhsd'] as const) {
      const options = { batch: 2, seqQ: 6, heads: 3, valueDim: 18, layout };
      const parts = mergeInputs({ name: '', options, parts: 3 });
      const wanted = engine.mergeAttention(parts, options);
      const scope = engine.scope();
      const shape = layout === 'bshd' ? [2, 6, 3, 18] : [2, 3, 6, 18];
      const tensors = parts.map(({ out, logSumExp }) => ({
        out: scope.tensor(shape, out),
        logSumExp: scope.tensor([2, 3, 6], logSumExp),
      }));
      const merged = engine.mergeAttention(tensors, { layout });
      expect(merged.out.shape).toEqual(shape);
      expect(merged.logSumExp.shape).toEqual([2, 3, 6]);
      expectSameBits(merged.out.data, wanted.out);
      expectSameBits(merged.logSumExp.data, wanted.logSumExp);
      merged.out.dispose();
      merged.logSumExp.dispose();
      scope.dispose();
      expect(engine.memory.used).toBe(0);
      // The last query of the first head alone.
      const at = layout === 'bshd' ? 18 * 5 * 3 : 18 * 5;
      const one = parts.map(({ out, logSumExp }) => ({
        out: out.subarray(at, at + 18),
        logSumExp: logSumExp.subarray(5, 6),
      }));
      const alone = engine.mergeAttention(one, { seqQ: 1, valueDim: 18 });
      expectSameBits(alone.out, wanted.out.subarray(at, at + 18));
    }
  });

  it('no key in any part: zeros and −∞', () => {
    const parts = mergeInputs({ name: '', options: { seqQ: 5, valueDim: 6 }, parts: 3 });
    for (const { out, logSumExp } of parts) {
      logSumExp[2] = -Infinity;
      out.fill(NaN, 12, 18);
    }
    const { out, logSumExp } = engine.mergeAttention(parts, { seqQ: 5, valueDim: 6 });
    expect([...out.subarray(12, 18)]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(logSumExp[2]).toBe(-Infinity);
    expect([...out.subarray(0, 12), ...out.subarray(18)].every((x) => Number.isFinite(x) && x !== 0)).toBe(
      true,
    );
  });

  it('NaN and +∞ make their row NaN, and no other', () => {
    const options = { seqQ: 6, valueDim: 9 };
    const clean = engine.mergeAttention(mergeInputs({ name: '', options, parts: 3 }), options);
    for (const special of [NaN, Infinity]) {
      for (const row of [0, 3, 5]) {
        const parts = mergeInputs({ name: '', options, parts: 3 });
        parts[1]!.logSumExp[row] = special;
        const { out, logSumExp } = engine.mergeAttention(parts, options);
        expect(reference.mergeAttention(parts, options).logSumExp[row]).toBeNaN();
        for (const [i, x] of out.entries()) expect(x).toBe(Math.floor(i / 9) === row ? NaN : clean.out[i]);
        for (const [i, x] of logSumExp.entries()) expect(x).toBe(i === row ? NaN : clean.logSumExp[i]);
      }
      // In out: its element of the row.
      const parts = mergeInputs({ name: '', options, parts: 3 });
      parts[2]!.out[4 * 9 + 7] = special;
      const { out, logSumExp } = engine.mergeAttention(parts, options);
      for (const [i, x] of out.entries()) expect(x).toBe(i === 4 * 9 + 7 ? special : clean.out[i]);
      expectSameBits(logSumExp, clean.logSumExp);
    }
  });

  it('nothing in, nothing out', () => {
    const none = new Float32Array(0);
    const parts = [{ out: none, logSumExp: none }];
    for (const options of [
      { seqQ: 0, valueDim: 4 },
      { seqQ: 3, valueDim: 4, batch: 0 },
    ]) {
      expect(engine.mergeAttention(parts, options)).toEqual(parts[0]);
      expect(reference.mergeAttention(parts, options).out).toHaveLength(0);
    }
  });
});

it('the plain function, on what attentionWeights gives', () => {
  const [q, k, v] = [Float32Array.of(1, 0), Float32Array.of(0, 1, 2, 0), Float32Array.of(1, 2, 3, 4)];
  const shape = { seqQ: 1, seqK: 1, headDim: 2 };
  const first = attentionWeights(q, k.subarray(0, 2), v.subarray(0, 2), shape);
  const second = attentionWeights(q, k.subarray(2), v.subarray(2), shape);
  const { out } = mergeAttention([first, second], { seqQ: 1, valueDim: 2 });
  const all = attentionWeights(q, k, v, { ...shape, seqK: 2 });
  expect(out[0]).toBeCloseTo(all.out[0]!, 6);
  expect(out[1]).toBeCloseTo(all.out[1]!, 6);
});
