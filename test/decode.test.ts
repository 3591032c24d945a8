/**
 * The decoding family through the public API, few queries against many keys: the law over shapes and options, what NaN
 * and infinity reach, and which calls have the same bits.
 */
import { describe, expect, it } from 'vitest';
import { FEW, SPLIT } from '../common/abi.ts';
import type { AttentionOptions, AttentionShape, Engine } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { attentionInputs, sizesOf } from './cases.ts';
import { integers, normal } from './data.ts';
import { decodeOptions, decodeShapes, mostUse } from './decoding.ts';
import { attentionLaw, use } from './laws.ts';
import { expectSameBits } from './problems.ts';

type Options = AttentionShape & AttentionOptions;
type Inputs = [q: Float32Array, k: Float32Array, v: Float32Array];

const poison = (x: Float32Array, value: number, ...places: number[]): Float32Array => {
  const y = x.slice();
  for (const at of places) y[at] = value;
  return y;
};

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);
  const run = ([q, k, v]: Inputs, options: Options): Float32Array => engine.attention(q, k, v, options);

  describe('the law', () => {
    it.each(decodeShapes.map((each) => [each.name, each] as const))('%s', (_, each) => {
      const inputs = attentionInputs(each);
      const logSumExp = new Float32Array(sizesOf(each.options).heads * each.options.seqQ);
      const out = run(inputs, { ...each.options, logSumExp });
      expect(mostUse(inputs, each.options, out, logSumExp)).toBeLessThanOrEqual(1);
      expect(out.some((x) => x !== 0)).toBe(true);
    });

    it.each(decodeOptions.map((each) => [each.name, each] as const))('%s', (_, each) => {
      const inputs = attentionInputs(each);
      const { heads, totalQ } = sizesOf(each.options);
      const logSumExp = new Float32Array(heads * totalQ);
      const out = engine.attention(...inputs, { ...each.options, logSumExp });
      expect(mostUse(inputs, each.options, out, logSumExp)).toBeLessThanOrEqual(1);
      expect(out.some((x) => x !== 0)).toBe(!each.name.includes('hides all'));
    });

    it('attentionWeights: the same out, weights that add up to its own', () => {
      for (const { options } of decodeOptions) {
        if ('cuSeqlensQ' in options || options.causal) continue;
        const inputs = attentionInputs({ options });
        const { heads, totalQ, seqK } = sizesOf(options);
        const logSumExp = new Float32Array(heads * totalQ);
        const out = engine.attention(...inputs, { ...options, logSumExp });
        const looks = engine.attentionWeights(...inputs, options);
        expectSameBits(looks.out, out);
        expectSameBits(looks.logSumExp, logSumExp);
        for (const row of attentionLaw(...inputs, options)) {
          expect(use(looks.weights, row.weights('blocks'), row.row * seqK)).toBeLessThanOrEqual(1);
        }
      }
    });
  });

  describe('extremes', () => {
    it('equal scores over parts: the mean, exact for powers of two and integers', () => {
      for (const seqK of [2048, 4096]) {
        const v = integers(seqK * 9, 1, 100);
        const shape = { seqQ: 1, seqK, heads: 5, kvHeads: 1, headDim: 3, valueDim: 9 };
        const out = run([normal(15, 2), new Float32Array(seqK * 3), v], shape);
        const mean = Float32Array.from({ length: 9 }, (_, d) => {
          let sum = 0;
          for (let j = 0; j < seqK; j++) sum += v[j * 9 + d]!;
          return sum / seqK;
        });
        for (let h = 0; h < 5; h++) expectSameBits(out.subarray(9 * h, 9 * h + 9), mean);
      }
    });

    it('a key that wins by 1000 gives its value, wherever it is', () => {
      const [seqK, valueDim] = [3100, 7];
      const v = normal(seqK * valueDim, 3);
      const k = new Float32Array(seqK);
      const shape = { seqQ: 1, seqK, heads: 6, kvHeads: 1, headDim: 1, valueDim, scale: 1 };
      const edges = [0, 96, 1536, 3072, 3100].flatMap((edge) => [
        edge - 2,
        edge - 1,
        edge,
        edge + 1,
        edge + 2,
      ]);
      for (const j of [...edges.filter((at) => at >= 0 && at < seqK), 500, 1000, 1777, 2999]) {
        k[j] = 1000;
        const out = run([new Float32Array(6).fill(1), k, v], shape);
        k[j] = 0;
        const value = v.subarray(j * valueDim, (j + 1) * valueDim);
        for (let h = 0; h < 6; h++) expectSameBits(out.subarray(h * valueDim, (h + 1) * valueDim), value);
      }
    });

    // A scale of ln 2 makes scores powers of two, and of a part whose scores are equal all sums are exact. What is left to err, in u:
    // the power by which parts are added up, 1.8; its products with both sums, ½ each; their sum, its reciprocal and the product, ½ each.
    const u = 2 ** -24;
    // Of a logarithm the first three of these, and 0.82 of its last place (2u·|lse| at most); of all that is met 5.1 is the most.
    const sumBound = (lse: number): number => u * Math.min(8, 3 + 1.64 * Math.abs(lse));
    const heads = 64;
    const shape = { seqQ: 1, heads, kvHeads: 1, headDim: 1, scale: Math.LN2 };

    it.each([...Array(66).keys()])('a part that lies by %i · 2 powers of two below another', (below) => {
      const q = Float32Array.from({ length: heads }, (_, h) => 2 * below + h / 32);
      const k = Float32Array.from({ length: SPLIT + 4 }, (_, j) => (j < SPLIT ? -1 : 0));
      const v = k.map((x) => -x);
      const logSumExp = new Float32Array(heads);
      const out = run([q, k, v], { ...shape, seqK: SPLIT + 4, logSumExp });
      for (const [h, x] of q.entries()) {
        const [l, rest] = [SPLIT * 2 ** -x, SPLIT * 2 ** -126];
        expect(Math.abs(out[h]! - l / (l + 4)), `2^−${x}`).toBeLessThanOrEqual((6 * u * l) / (l + 4) + rest);
        expect(Math.abs(logSumExp[h]! - Math.log(l + 4)), `2^−${x}`).toBeLessThanOrEqual(
          sumBound(Math.log(l + 4)) + rest,
        );
      }
    });

    it.each([
      ['up to two', 46],
      ['up to 9000', 0.01],
    ])('a sink that lies by %s powers of two below', (_, parts) => {
      const sinks = Float32Array.from({ length: heads }, (_, h) => -h / parts);
      const k = Float32Array.from({ length: SPLIT + 1 }, (_, j) => (j < SPLIT ? -200 : 0));
      const q = new Float32Array(heads).fill(1);
      const out = run([q, k, k.map((x) => Number(x === 0))], { ...shape, seqK: SPLIT + 1, sinks });
      for (const [h, sink] of sinks.entries()) {
        const l = 1 + 2 ** Math.fround(Math.fround(Math.LOG2E) * sink);
        expect(Math.abs(out[h]! - 1 / l), `${sink}`).toBeLessThanOrEqual((4 * u) / l);
      }
    });

    it('one key: its value; no key, or all of them hidden: zeros and −∞', () => {
      const [q, v] = [normal(10, 1), normal(7, 2)];
      const shape = { heads: 2, kvHeads: 1, headDim: 5, valueDim: 7 };
      const one = run([q, normal(5, 3), v], { ...shape, seqQ: 1, seqK: 1 });
      expectSameBits(one, Float32Array.of(...v, ...v));
      for (const seqK of [0, 1, 1700]) {
        for (const seqQ of [1, 2, FEW]) {
          const logSumExp = new Float32Array(2 * seqQ);
          const mask = { data: new Uint8Array(seqK), shape: [1, 1, 1, seqK] as const };
          const inputs: Inputs = [normal(10 * seqQ, 1), normal(5 * seqK, 2), normal(7 * seqK, 3)];
          const options = { ...shape, seqQ, seqK, logSumExp };
          for (const hidden of seqK === 0 ? [{}] : [{ mask }, { causal: true, queryOffset: -seqQ }]) {
            expectSameBits(run(inputs, { ...options, ...hidden }), new Float32Array(14 * seqQ));
            expect([...logSumExp]).toEqual(new Array(2 * seqQ).fill(-Infinity));
          }
        }
      }
    });
  });

  describe.each([1, FEW])('NaN and infinity, seqQ %i', (seqQ) => {
    // Two parts, groups of 5: four queries together and one alone; key 1699 is seen by the last query only.
    const shape = { seqQ, seqK: 1700, heads: 10, kvHeads: 2, headDim: 9, valueDim: 6, causal: true };
    const inputs: Inputs = [normal(10 * seqQ * 9, 1), normal(1700 * 18, 2), normal(1700 * 12, 3)];
    const [q, k, v] = inputs;
    const mask = new Uint8Array(seqQ * 1700).fill(1);
    const HIDDEN = [3, 700, 1535, 1536, 1690];
    for (let i = 0; i < seqQ; i++) for (const j of HIDDEN) mask[i * 1700 + j] = 0;

    it.each([NaN, Infinity, -Infinity])('%d in what is masked, too late or beyond is never seen', (value) => {
      const options = { ...shape, mask, keyLengths: [1695] };
      const before = run(inputs, options);
      const places = [...HIDDEN, 1695, 1699];
      const badK = poison(k, value, ...places.flatMap((j) => [18 * j + 1, 18 * j + 17]));
      const badV = poison(v, value, ...places.flatMap((j) => [12 * j, 12 * j + 11]));
      expectSameBits(run([q, badK, badV], options), before);
      // Before a window, in the block that it begins in.
      const windowed = { ...shape, window: [50, 0] as const };
      const early = [0, 1632, 1640, 1648 - seqQ];
      const worseK = poison(k, value, ...early.map((j) => 18 * j));
      const worseV = poison(v, value, ...early.map((j) => 12 * j + 3));
      expectSameBits(run([q, worseK, worseV], windowed), run(inputs, windowed));
    });

    it.each([NaN, Infinity, -Infinity])('a value of %d reaches exactly what sees it', (value) => {
      const before = run(inputs, shape);
      for (const [j, head, d] of [
        [5, 0, 0],
        [1536, 1, 5],
        [1699, 1, 3],
        [1699, 1, 5],
      ] as const) {
        const out = run([q, k, poison(v, value, 12 * j + 6 * head + d)], shape);
        for (const [at, x] of out.entries()) {
          const [i, h] = [Math.floor(at / 60), Math.floor(at / 6) % 10];
          const hit = at % 6 === d && Math.floor(h / 5) === head && j <= 1700 - seqQ + i;
          expect(Number.isFinite(x)).toBe(!hit);
          if (!hit) expect(x).toBe(before[at]);
        }
      }
    });

    it('NaN in a key reaches the queries that see it, in a query that query', () => {
      const before = run(inputs, shape);
      for (const j of [5, 1536, 1699]) {
        // Of the value, too: the sums of rows that see it do not tell of those that meet it with 0.
        for (const values of [v, poison(v, NaN, 12 * j + 6)]) {
          const out = run([q, poison(k, NaN, 18 * j + 9), values], shape);
          for (const [at, x] of out.entries()) {
            const hit = Math.floor(at / 6) % 10 >= 5 && j <= 1700 - seqQ + Math.floor(at / 60);
            if (hit) expect(x).toBeNaN();
            else expect(x).toBe(before[at]);
          }
        }
      }
      for (let row = 0; row < 10 * seqQ; row++) {
        const out = run([poison(q, NaN, 9 * row + 8), k, v], shape);
        for (const [at, x] of out.entries()) {
          if (Math.floor(at / 6) === row) expect(x).toBeNaN();
          else expect(x).toBe(before[at]);
        }
      }
    });

    it('a score of +∞ makes its row NaN, a score of −∞ is a masked key', () => {
      const one = { seqQ, seqK: 1700, headDim: 1, valueDim: 1, scale: 1 };
      const ones = [new Float32Array(seqQ).fill(1), new Float32Array(1700), normal(1700, 1)] as const;
      for (const j of [0, 1535, 1536, 1699]) {
        expect([...run([ones[0], poison(ones[1], Infinity, j), ones[2]], one)].every(Number.isNaN)).toBe(
          true,
        );
        const mask = poison(new Float32Array(1700).fill(1), 0, j);
        const hidden = run([...ones], {
          ...one,
          mask: { data: Uint8Array.from(mask), shape: [1, 1, 1, 1700] },
        });
        const minus = run([ones[0], poison(ones[1], -Infinity, j), poison(ones[2], NaN, j)], one);
        expectSameBits(minus, hidden);
      }
    });
  });

  it.each([5, 1540])('%i keys: a NaN in a hidden one is kept from a row that alone can tell', (seqK) => {
    const mask = Uint8Array.from({ length: seqK }, (_, j) => Number(j !== 2));
    // The fewest last: where they have no rows, the calls before have left NaN.
    for (const heads of [9, 4, 2]) {
      const shape = { seqQ: 1, seqK, heads, kvHeads: 1, headDim: 3, valueDim: 10 };
      const [q, k, v] = attentionInputs({ options: shape });
      const before = run([q, k, v], { ...shape, mask });
      for (let h = 0; h < heads; h++) {
        // All but one have a NaN of their own.
        const others = q.map((x, at) => (Math.floor(at / 3) === h ? x : NaN));
        for (let d = 0; d < 10; d++) {
          const out = run([others, k, poison(v, NaN, 20 + d)], { ...shape, mask });
          expectSameBits(out.subarray(10 * h, 10 * h + 10), before.subarray(10 * h, 10 * h + 10));
        }
      }
    }
  });

  it('a NaN in a hidden key is kept from the row behind one that is NaN, whatever the bits of its sum are', () => {
    const k = Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1);
    const v = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, NaN, NaN, NaN, NaN);
    const mask = Uint8Array.of(1, 1, 0);
    for (let i = 1; i <= 1000; i++) {
      const q = Float32Array.of(NaN, 0, 0, 0, -i / 4000, 0, 0, 0);
      const out = run([q, k, v], { seqQ: 1, seqK: 3, heads: 2, kvHeads: 1, headDim: 4, mask });
      if (!(out[4]! >= 1 && out[4]! <= 5)) expect.fail(`${q[4]}: ${out[4]}`);
    }
  });

  describe('bits', () => {
    const shape = { batch: 3, seqQ: 2, seqK: 1700, heads: 18, kvHeads: 2, headDim: 11, valueDim: 37 };
    const inputs = attentionInputs({ options: shape });
    const bhsd = { ...shape, layout: 'bhsd' } as const;
    const sized = (x: Float32Array, parts: number, i: number): Float32Array =>
      x.subarray((i * x.length) / parts, ((i + 1) * x.length) / parts);

    it('a sequence alone has those that it has in a batch (P7)', () => {
      for (const causal of [false, true]) {
        const together = run(inputs, { ...shape, causal });
        for (let b = 0; b < 3; b++) {
          const [q, k, v] = inputs.map((x) => sized(x, 3, b));
          expectSameBits(run([q!, k!, v!], { ...shape, batch: 1, causal }), sized(together, 3, b));
        }
      }
    });

    it('a query head alone has those that it has in a group of nine (P10)', () => {
      const together = run(inputs, bhsd);
      for (let h = 0; h < 3 * 18; h++) {
        const [q, k, v] = [
          sized(inputs[0], 54, h),
          ...inputs.slice(1).map((x) => sized(x, 6, Math.floor(h / 9))),
        ];
        const one = { ...bhsd, batch: 1, heads: 1, kvHeads: 1 };
        expectSameBits(run([q, k!, v!], one), sized(together, 54, h));
      }
    });

    it('a query alone has those that it has beside another', () => {
      for (const [keys, causal] of [
        [1700, false],
        [1700, true],
        [1537, true],
        [97, true],
      ] as const) {
        const one = { heads: 6, kvHeads: 2, headDim: 7, valueDim: 5 };
        const [q, k, v] = [normal(2 * 6 * 7, 1), normal(keys * 14, 2), normal(keys * 10, 3)];
        const both = run([q, k, v], { ...one, seqQ: 2, seqK: keys, causal });
        for (let i = 0; i < 2; i++) {
          const queryOffset = keys - 2 + i;
          const alone = run([sized(q, 2, i), k, v], { ...one, seqQ: 1, seqK: keys, causal, queryOffset });
          expectSameBits(alone, sized(both, 2, i));
        }
      }
    });

    it('windows and lengths skip blocks and never shift the grid: a mask of the same keys gives the same', () => {
      const [, k, v] = inputs;
      for (const seqQ of [1, 2, FEW]) {
        const three = { ...shape, seqQ };
        const queries = normal(3 * seqQ * 18 * 11, seqQ);
        for (const [window, keyLengths] of [
          [
            [100, 0],
            [1700, 1700, 1700],
          ],
          [
            [0, 0],
            [1700, 1537, 97],
          ],
          [
            [163, 0],
            [1700, 1601, 1536],
          ],
          [
            [1000, 1000],
            [1, 0, 1650],
          ],
        ] as const) {
          const options = { ...three, window, keyLengths: [...keyLengths] };
          const data = Uint8Array.from({ length: 3 * seqQ * 1700 }, (_, at) => {
            const [b, i, j] = [Math.floor(at / 1700 / seqQ), Math.floor(at / 1700) % seqQ, at % 1700];
            const place = i + Math.max(0, keyLengths[b]! - seqQ);
            return Number(j < keyLengths[b]! && j >= place - window[0] && j <= place + window[1]);
          });
          const masked = { ...three, mask: { data, shape: [3, 1, seqQ, 1700] as const } };
          expectSameBits(run([queries, k, v], options), run([queries, k, v], masked));
        }
      }
    });

    it('key heads shared or repeated, though rows of a group may fill several items and their keys several parts (P10)', () => {
      for (const [heads, few, window] of [
        [64, 2, undefined],
        [32, 4, undefined],
        [71, 2, [100, 0]],
      ] as const) {
        const seqK = window ? 3073 : 1537;
        const one = { seqQ: few, seqK, heads, kvHeads: 1, headDim: 16, causal: true, window };
        const [q, k, v] = attentionInputs({ options: one });
        const repeated = (x: Float32Array): Float32Array =>
          Float32Array.from({ length: heads * x.length }, (_, at) => {
            return x[Math.floor(at / 16 / heads) * 16 + (at % 16)]!;
          });
        for (const sinks of [undefined, normal(heads, 5)]) {
          const all = { ...one, kvHeads: heads, sinks };
          expectSameBits(run([q, repeated(k), repeated(v)], all), run([q, k, v], { ...one, sinks }));
        }
      }
    });

    it('both layouts, arrays and tensors, and the second call give the same', () => {
      const first = run(inputs, shape);
      expectSameBits(run(inputs, shape), first);
      const scope = engine.scope();
      const tensors = [
        scope.tensor([3, 2, 18, 11], inputs[0]),
        scope.tensor([3, 1700, 2, 11], inputs[1]),
        scope.tensor([3, 1700, 2, 37], inputs[2]),
      ] as const;
      expectSameBits(scope.attention(...tensors).data, first);
      scope.dispose();
    });
  });
});
