/** What becomes of a score (README, "Semantics that bite"): the order of the options, their extremes, and the weights. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../src/index.ts';
import { attention as reference, attentionWeights as referenceWeights } from '../src/reference.ts';
import { builds, engineOf } from './builds.ts';
import { attentionInputs, optionAttention, type DenseCase } from './cases.ts';
import { normal } from './data.ts';
import { attentionLaw, u, use } from './laws.ts';
import { at, expectSameBits, make, type Problem } from './problems.ts';
import { sees } from './problems-options.ts';

const [seqQ, seqK, batch, heads, headDim, valueDim] = [11, 150, 2, 4, 8, 5];

function problemOf(more: object): Problem {
  const dims = { batch, seqQ, seqK, headDim, valueDim, causal: false, layout: 'bshd' } as const;
  const problem = make({ ...dims, kvHeads: 2, group: 2, seed: 5 });
  return { ...problem, options: { ...problem.options, ...more } };
}

/** The rows of one head, in an array of [batch, seqQ, heads, dim]. */
function ofHead(x: Float32Array, h: number, dim = valueDim): number[] {
  return [...x].filter((_, e) => Math.floor(e / dim) % heads === h);
}

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);
  const look = ({ q, k, v, options }: Problem) => engine.attentionWeights(q, k, v, options);
  const run = ({ q, k, v, options }: Problem) => engine.attention(q, k, v, options);

  /** One query of 1, and keys that are its scores. */
  const row = (scores: readonly number[], v: readonly number[], more: object = {}) => {
    const shape = { seqQ: 1, seqK: scores.length, headDim: 1, scale: 1, ...more };
    const given = [Float32Array.of(1), Float32Array.from(scores), Float32Array.from(v)] as const;
    const { out, logSumExp, weights } = engine.attentionWeights(...given, shape);
    const truth = referenceWeights(...given, shape);
    return { out: out[0]!, sum: logSumExp[0]!, weights: [...weights], truth };
  };

  /** Every row of out and logSumExp by the law. */
  const expectLaw = ({ q, k, v, options }: Problem): void => {
    const { out, logSumExp } = engine.attentionWeights(q, k, v, options);
    let most = 0;
    for (const each of attentionLaw(q, k, v, options)) {
      most = Math.max(most, use(out, each.out('blocks'), each.at));
      most = Math.max(most, use(logSumExp, each.logSumExp('blocks'), each.row));
    }
    expect(most).toBeLessThanOrEqual(1);
  };

  it('scale → softcap → alibi → bias → mask, and no other order', () => {
    const [scale, softcap, slope] = [2, 1.5, 0.5];
    const [keys, added] = [
      [0.3, -0.7, 1.1],
      [0.75, -2, NaN],
    ];
    const steps: Record<string, (s: number, j: number) => number> = {
      scale: (s) => scale * s,
      softcap: (s) => softcap * Math.tanh(s / softcap),
      alibi: (s, j) => s - slope * Math.abs(3 - j),
      bias: (s, j) => s + added[j]!,
    };
    // Key 2 has a bias of NaN, and is masked: later, or it would be seen.
    const options = { scale, softcap, alibi: Float32Array.of(slope), bias: Float32Array.from(added) };
    const { weights } = row(keys, [1, 2, 3], { ...options, queryOffset: 3, mask: Uint8Array.of(1, 1, 0) });
    const orders = Object.keys(steps).flatMap(function lead(first, _, names): string[][] {
      const rest = names.filter((name) => name !== first);
      return rest.length === 0 ? [[first]] : rest.flatMap(lead).map((tail) => [first, ...tail]);
    });
    expect(orders).toHaveLength(24);
    const right = orders.filter((order) => {
      const [a, b] = [0, 1].map((j) => order.reduce((s, name) => steps[name]!(s, j), keys[j]!));
      return Math.abs(1 / (1 + Math.exp(b! - a!)) - weights[0]!) < 1e-3;
    });
    // Sums commute.
    expect(right.map((order) => order.join())).toEqual([
      'scale,softcap,alibi,bias',
      'scale,softcap,bias,alibi',
    ]);
    expect(weights[2]).toBe(0);
  });

  describe('softcap', () => {
    it('makes infinite scores finite, and leaves NaN', () => {
      for (const softcap of [0.5, 2, 50]) {
        const { out, sum, weights, truth } = row([Infinity, -Infinity, 0], [1, 2, 4], { softcap });
        for (const [j, w] of truth.weights.entries()) expect(weights[j]).toBeCloseTo(w, 6);
        expect(out).toBeCloseTo(truth.out[0]!, 5);
        expect(sum).toBeCloseTo(truth.logSumExp[0]!, 5);
        expect(truth.logSumExp[0]).toBeCloseTo(Math.log(Math.exp(softcap) + Math.exp(-softcap) + 1), 10);
        expect(row([NaN, 1, 0], [1, 2, 4], { softcap })).toMatchObject({
          out: NaN,
          weights: [NaN, NaN, NaN],
        });
      }
      expect(row([Infinity, 0], [1, 2]).out).toBeNaN();
    });
    it('0 is off, to the bit', () => {
      expectSameBits(run(problemOf({ softcap: 0 })), run(problemOf({})));
    });
    it.each([1e-30, 1e-40, 1e-45, 1e-50, 5e-324])(
      '%d, of which float32 may know nothing, makes all scores equal',
      (softcap) => {
        const v = [1, 2, 4, 8];
        const { out, weights } = row([3, -1, 40, Infinity], v, { softcap });
        expect(weights).toEqual([0.25, 0.25, 0.25, 0.25]);
        expect(out).toBe(3.75);
      },
    );
    it.each([1e6, 1e20, 1e37, 1e300])('%d: small scores keep their last bits', (softcap) => {
      // The law allows 4·softcap·u, which here is anything. What is true of |s| <= S: the cap changes s by S³/(3·softcap²)
      // at most, and rounds within 2.5u·S (test/kernels/scores.test.ts); a score off by e moves a mean by 2e·max|v|.
      const [capped, plain] = [problemOf({ softcap }), problemOf({})];
      const longest = (x: Float32Array): number => {
        return Math.max(
          ...Array.from({ length: x.length / headDim }, (_, i) =>
            Math.hypot(...x.subarray(headDim * i, headDim * (i + 1))),
          ),
        );
      };
      const S = (longest(plain.q) * longest(plain.k)) / Math.sqrt(headDim);
      const e = S ** 3 / (3 * softcap ** 2) + 2.5 * u * S;
      const more = 2 * e * plain.v.reduce((x, y) => Math.max(x, Math.abs(y)), 0);
      const { out } = look(capped);
      for (const each of attentionLaw(plain.q, plain.k, plain.v, plain.options)) {
        const { values, bounds } = each.out('blocks');
        expect(use(out, { values, bounds: bounds.map((x) => x + more) }, each.at)).toBeLessThanOrEqual(1);
      }
    });
  });

  describe('sinks', () => {
    const mask = new Uint8Array(seqQ * seqK);
    it.each([Infinity, NaN])('of %d: NaN in its head, and nowhere else', (bad) => {
      const [with1, without] = [Float32Array.of(0.5, bad, 2, 1), Float32Array.of(0.5, 0, 2, 1)];
      for (const more of [{}, { mask }]) {
        const [one, two] = [
          look(problemOf({ ...more, sinks: with1 })),
          look(problemOf({ ...more, sinks: without })),
        ];
        for (const h of [0, 2, 3]) expect(ofHead(one.out, h)).toEqual(ofHead(two.out, h));
        expect(ofHead(one.out, 1).every(Number.isNaN)).toBe(true);
        const sums = [...one.logSumExp].filter((_, r) => Math.floor(r / seqQ) % heads === 1);
        expect(sums.every(Number.isNaN)).toBe(true);
        // Masked weights are 0, in a NaN row too.
        const expected = new Set(['mask' in more ? 0 : NaN]);
        const weights = one.weights.subarray(seqQ * seqK, 2 * seqQ * seqK);
        expect(new Set(weights)).toEqual(expected);
      }
    });
    it('of −∞, or so low that float32 has no such score, are none, to the bit', () => {
      const none = look(problemOf({}));
      for (const sink of [-Infinity, -3e38]) {
        const { out, weights, logSumExp } = look(problemOf({ sinks: new Float32Array(heads).fill(sink) }));
        expectSameBits(out, none.out);
        expectSameBits(weights, none.weights);
        expectSameBits(logSumExp, none.logSumExp);
      }
    });
    it('alone: zeros, and the sink as logSumExp', () => {
      const sinks = Float32Array.of(0, 3.7, -80, 1e4);
      const { out, weights, logSumExp } = look(problemOf({ sinks, mask }));
      expect(out.every((x) => x === 0) && weights.every((x) => x === 0)).toBe(true);
      for (const [r, sum] of logSumExp.entries()) {
        const sink = sinks[Math.floor(r / seqQ) % heads]!;
        expect(Math.abs(sum - sink)).toBeLessThanOrEqual(4 * u * Math.abs(sink));
      }
    });
    it('far above all scores take all, far below nothing', () => {
      const { out, weights } = look(problemOf({ sinks: Float32Array.of(1e4, 1e30, -1e4, -1e30) }));
      const plain = run(problemOf({}));
      for (const h of [0, 1]) expect(ofHead(out, h).every((x) => x === 0)).toBe(true);
      for (const h of [2, 3]) expect(ofHead(out, h)).toEqual(ofHead(plain, h));
      expect(weights.subarray(0, 2 * seqQ * seqK).every((x) => x === 0)).toBe(true);
    });
  });

  describe('bias', () => {
    it('of +∞ or NaN makes its row NaN, and no other', () => {
      for (const bad of [Infinity, NaN]) {
        const bias = normal(seqQ * seqK, 3);
        const clean = run(problemOf({ bias: bias.slice() }));
        bias[4 * seqK + 100] = bad;
        const { out, weights } = look(problemOf({ bias }));
        for (const [e, x] of out.entries()) {
          if (Math.floor(e / valueDim / heads) % seqQ === 4) expect(x).toBeNaN();
          else expect(x).toBe(clean[e]);
        }
        for (const [e, w] of weights.entries())
          expect(Number.isNaN(w)).toBe(Math.floor(e / seqK) % seqQ === 4);
      }
    });
    it('of −∞ hides a key of NaN, and of an infinite score', () => {
      const bias = Float32Array.of(-Infinity, 0, -Infinity, -Infinity);
      const { out, weights } = row([NaN, 1, Infinity, -Infinity], [NaN, 7, NaN, NaN], { bias });
      expect([out, ...weights]).toEqual([7, 0, 1, 0, 0]);
    });
    it('of the lowest float, as some write a mask, hides as −∞ does', () => {
      const lowest = -(2 - 2 ** -23) * 2 ** 127;
      const { out, weights, truth } = row([NaN, 1, 3], [NaN, 7, NaN], {
        bias: Float32Array.of(lowest, 0, lowest),
      });
      expect([out, ...weights]).toEqual([7, 0, 1, 0]);
      expect([...truth.out, ...truth.weights]).toEqual([7, 0, 1, 0]);
    });
  });

  describe('alibi', () => {
    it.each([2 ** 24 - 50, 2 ** 24, 2 ** 24 + 77, 2 ** 26 + 1, 2 ** 40, -(2 ** 40), -(2 ** 24) - 3])(
      'from queryOffset %d stays inside the law',
      (queryOffset) => {
        const slope = 8 / Math.abs(queryOffset);
        expectLaw(problemOf({ queryOffset, alibi: Float32Array.of(slope, 0, -slope, 1e3 * slope) }));
      },
    );
    it.each([1e300, -1e300, 1e39])(
      'without a slope does nothing, be it from queryOffset %d',
      (queryOffset) => {
        const alibi = Float32Array.of(0, 1, -0, -1);
        const { out } = look(problemOf({ queryOffset, alibi }));
        const plain = run(problemOf({ queryOffset }));
        for (const h of [0, 2]) expect(ofHead(out, h)).toEqual(ofHead(plain, h));
        // The others' distance is infinite: masked, or NaN.
        expect(ofHead(out, 1).every((x) => x === 0)).toBe(true);
        expect(ofHead(out, 3).every(Number.isNaN)).toBe(true);
      },
    );
    it('counts from the query on either side', () => {
      const { weights } = row([0, 0, 0, 0, 0], [1, 2, 3, 4, 5], {
        alibi: Float32Array.of(Math.LN2),
        queryOffset: 2,
      });
      const sum = 0.25 + 0.5 + 1 + 0.5 + 0.25;
      for (const [j, w] of [0.25, 0.5, 1, 0.5, 0.25].entries()) expect(weights[j]).toBeCloseTo(w / sum, 6);
    });
  });

  describe('weights, of every option', () => {
    const dense = optionAttention.filter((each): each is DenseCase => !('cuSeqlensQ' in each.options));
    it.each(dense.map((each) => [each.name, each] as const))('%s', (_, each) => {
      const [q, k, v] = attentionInputs(each);
      const problem = { q, k, v, options: each.options as Problem['options'] };
      const { out, weights, logSumExp } = look(problem);
      const sums = new Float32Array(logSumExp.length);
      expectSameBits(out, engine.attention(q, k, v, { ...each.options, logSumExp: sums }));
      expectSameBits(logSumExp, sums);
      const { seqQ: Q, seqK: N = Q, heads: H = 1, sinks } = each.options;
      let [hidden, most] = [0, 0];
      for (const { row: r, ...law } of attentionLaw(q, k, v, each.options)) {
        const [b, h, i] = [Math.floor(r / Q / H), Math.floor(r / Q) % H, r % Q];
        let sum = 0;
        for (let j = 0; j < N; j++) {
          const w = weights[r * N + j]!;
          sum += w;
          if (sees(each.options, b, h, i, j)) continue;
          if (w !== 0) expect.fail(`[${b}, ${h}, ${i}, ${j}] is hidden and weighs ${w}`);
          hidden++;
        }
        // With what a sink takes they sum to 1: as nearly as the law has each of them.
        const { values, bounds } = law.weights('blocks');
        const whole = values.reduce((x, y) => x + y, 0);
        most = Math.max(most, Math.abs(sum - whole) / bounds.reduce((x, y) => x + y, 2 ** -126));
        if (sinks === undefined && whole > 0) expect(whole).toBeCloseTo(1, 12);
        if (sinks !== undefined) {
          const taken = Math.exp(sinks[h]! - logSumExp[r]!);
          expect(sum + taken).toBeCloseTo(1, 4);
          if (taken > 1e-3) expect(sum).toBeLessThan(1 - taken / 2);
        }
      }
      expect(most).toBeLessThanOrEqual(1);
      const masks = ['causal', 'window', 'mask', 'bias', 'keyLengths'].some((name) => name in each.options);
      if (masks && !each.name.startsWith('bias per')) expect(hidden).toBeGreaterThan(0);
    });
  });

  it('the reference computes the same, float64 side inputs and all', () => {
    const { q, k, v, options } = problemOf({ softcap: 3, causal: true });
    const bias = Float64Array.from(normal(seqQ * seqK, 1));
    const alibi = Float64Array.of(0.1, 0.01, -0.1, 0);
    const sinks = Float64Array.of(1, -Infinity, 0, 2);
    const truth = reference(q, k, v, { ...options, bias, alibi, sinks });
    const rounded = {
      bias: Float32Array.from(bias),
      alibi: Float32Array.from(alibi),
      sinks: Float32Array.from(sinks),
    };
    const out = run({ q, k, v, options: { ...options, ...rounded } });
    for (const [e, x] of truth.entries()) expect(out[e]).toBeCloseTo(x, 5);
    const start = at('bshd', heads, seqQ, valueDim, 1, 3, 10);
    expect(truth[start]).not.toBe(0);
  });
});
