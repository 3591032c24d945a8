/**
 * Every public function on every build against float64, by the accuracy laws (test/laws.ts): each element inside its
 * own bound, and the pooled error beside that of the plainest float32 program.
 */
import { describe, expect, it } from 'vitest';
import type { Engine, MatmulOptions } from '../src/index.ts';
import { attentionWeights } from '../src/reference.ts';
import { builds, engineOf } from './builds.ts';
import {
  attentionInputs,
  awkwardAttention,
  awkwardMatmul,
  optionAttention,
  matmulInputs,
  realAttention,
  realMatmul,
  sizesOf,
  type AttentionCase,
  type MatmulCase,
} from './cases.ts';
import { integers, normal, uniform } from './data.ts';
import { attentionLaw, every, matmulLaw, u, use, type Law, type Order } from './laws.ts';

/** A case proves nothing if most of what it compares is zero. */
function expectSubstance(laws: readonly Law[]): void {
  const values = laws.flatMap((law) => [...law.values]);
  const nonzero = values.filter((value) => value !== 0 && Number.isFinite(value)).length;
  expect(nonzero).toBeGreaterThan(0.1 * values.length);
}

/** About `count` of the rows of a large case, every row of a small one. */
function someRows({ options }: AttentionCase, count: number): number[] {
  const { heads, totalQ } = sizesOf(options);
  const all = heads * totalQ;
  const next = uniform(7);
  return [...every(1, all)].filter(() => next() < count / all);
}

/** Every row of a matmul by the law. */
function matmulUse(c: Float32Array, a: Float32Array, b: Float32Array, options: MatmulOptions): number {
  const rows = [...matmulLaw(a, b, options)].map(({ at, out }) => ({ at, law: out('blocks') }));
  expectSubstance(rows.map(({ law }) => law));
  return Math.max(...rows.map(({ at, law }) => use(c, law, at)));
}

function run(
  engine: Engine,
  { options, packed = false }: MatmulCase,
  a: Float32Array,
  b: Float32Array,
): Float32Array {
  if (!packed) return engine.matmul(a, b, options);
  const { K, N, transposeB } = options;
  const matrix = engine.packMatrix(b, { K, N, transposeB });
  const c = engine.matmul(a, matrix, { ...options, transposeB: undefined });
  matrix.dispose();
  return c;
}

describe('the laws themselves', () => {
  const options = { seqQ: 5, seqK: 300, heads: 2, headDim: 16 };
  const [q, k, v] = attentionInputs({ options });
  const rows = [...attentionLaw(q, k, v, options)];
  const logSumExp = new Float32Array(10);
  const right = attentionWeights(q, k, v, { ...options, out: new Float32Array(160), logSumExp });
  const most = (order: Order, { out, weights }: { out: ArrayLike<number>; weights: ArrayLike<number> }) => ({
    out: Math.max(...rows.map((row) => use(out, row.out(order), row.at))),
    weights: Math.max(...rows.map((row) => use(weights, row.weights(order), row.row * 300))),
    logSumExp: Math.max(...rows.map((row) => use(logSumExp, row.logSumExp(order), row.row))),
  });

  it.each(['blocks', 'chain'] as const)('pass the rounded truth, %s', (order) => {
    const weights = Float32Array.from(right.weights);
    for (const part of Object.values(most(order, { out: right.out, weights }))) {
      expect(part).toBeGreaterThan(0);
      expect(part).toBeLessThanOrEqual(1);
    }
  });

  it.each(['blocks', 'chain'] as const)('see the last key left out, %s', (order) => {
    // What a tail that is forgotten does.
    const short = { ...options, seqK: 299, out: new Float32Array(160), logSumExp: new Float32Array(10) };
    const wrong = attentionWeights(q, k.subarray(0, 299 * 32), v.subarray(0, 299 * 32), short);
    const weights = Array.from({ length: 3000 }, (_, i) => {
      return i % 300 === 299 ? 0 : wrong.weights[Math.floor(i / 300) * 299 + (i % 300)]!;
    });
    const parts = most(order, { out: wrong.out, weights });
    expect(parts.out).toBeGreaterThan(1);
    expect(parts.weights).toBeGreaterThan(1);
    const sums = Math.max(...rows.map((row) => use(short.logSumExp, row.logSumExp(order), row.row)));
    expect(sums).toBeGreaterThan(1);
  });

  it('see a NaN wherever it is, and what is missing', () => {
    const law = { values: Float64Array.of(1, 2, 3), bounds: Float64Array.of(1, 1, 1) };
    expect(use([1, 2, 3], law)).toBe(0);
    expect(use([1, 2.25, 3.5], law)).toBe(0.5);
    expect(use([9, 1, 2, 3], law, 1)).toBe(0);
    for (const wrong of [
      [NaN, 2, 3],
      [1, NaN, 3],
      [1, 2, NaN],
      [1, 2],
      [1, Infinity, 3],
    ]) {
      expect(use(wrong, law)).toBe(Infinity);
    }
  });

  it('know the order of addition', () => {
    const K = 1500;
    const shape = { M: 2, N: 3, K, bias: normal(3, 4) };
    const [row] = matmulLaw(normal(2 * K, 1), normal(3 * K, 2), shape, [1]);
    const { blocks, chain } = { blocks: row!.out('blocks'), chain: row!.out('chain') };
    // 256 products of a block, 6 blocks, 1 bias; or 1500 products, 1 bias.
    for (const [n, bound] of chain.bounds.entries()) {
      expect(bound / blocks.bounds[n]!).toBeCloseTo((K + 1) / (256 + 6 + 1), 12);
    }
  });

  it('look at the last row whatever the stride', () => {
    expect([...every(1, 3)]).toEqual([0, 1, 2]);
    expect([...every(7, 16)]).toEqual([0, 7, 14, 15]);
    expect([...every(5, 16)]).toEqual([0, 5, 10, 15]);
    expect([...every(5, 0)]).toEqual([]);
  });
});

describe.each(builds)('%s', async (build) => {
  const engine = await engineOf(build);

  describe('attention', () => {
    const cases = [...awkwardAttention, ...optionAttention, ...realAttention];
    it.each(cases.map((each) => [each.name, each] as const))('%s', (_, each) => {
      const [q, k, v] = attentionInputs(each);
      const { heads, totalQ, seqK } = sizesOf(each.options);
      const logSumExp = new Float32Array(heads * totalQ);
      const rows = [...attentionLaw(q, k, v, each.options, someRows(each, 150))];
      const out = engine.attention(q, k, v, { ...each.options, logSumExp });
      const looks =
        heads * totalQ * seqK < 1e6 && !('cuSeqlensQ' in each.options)
          ? engine.attentionWeights(q, k, v, each.options)
          : undefined;
      const pooled = { heed: 0, naive: 0, largest: 0 };
      for (const row of rows) {
        const law = row.out('blocks');
        expect(use(out, law, row.at)).toBeLessThanOrEqual(1);
        expect(use(logSumExp, row.logSumExp('blocks'), row.row)).toBeLessThanOrEqual(1);
        const naive = row.naive();
        for (const [d, value] of law.values.entries()) {
          pooled.heed = Math.max(pooled.heed, Math.abs(out[row.at + d]! - value));
          pooled.naive = Math.max(pooled.naive, Math.abs(naive[d]! - value));
          pooled.largest = Math.max(pooled.largest, Math.abs(value));
        }
        if (looks) expect(use(looks.weights, row.weights('blocks'), row.row * seqK)).toBeLessThanOrEqual(1);
      }
      expect(rows.length).toBeGreaterThan(0);
      expectSubstance(rows.map((row) => row.out('blocks')));
      // Of sharper scores one problem is too small a pool: test/slow/sigmas.test.ts has a larger.
      if ((each.sigma ?? 1) <= 8) {
        expect(pooled.heed).toBeLessThanOrEqual(2 * pooled.naive + 2 * u * pooled.largest);
      }
      if (looks) {
        expect(looks.out).toEqual(out);
        expect(looks.logSumExp).toEqual(logSumExp);
      }
    });
  });

  // Speed must not be paid for: over many keys sums in blocks are nearer than the plain chain of float32, however sharp the scores.
  describe('with many keys the error is less than naive float32 makes, all elements pooled', () => {
    const problems = [
      { seqQ: 64, seqK: 1024, headDim: 64 },
      { seqQ: 64, seqK: 2048, headDim: 128 },
      { seqQ: 2, seqK: 4096, headDim: 128 },
    ].flatMap((shape) => [0.3, 1, 2, 4, 8].map((sigma) => ({ ...shape, sigma })));
    it.each(problems)('seqQ $seqQ, seqK $seqK, headDim $headDim, sigma $sigma', ({ sigma, ...shape }) => {
      const options = { ...shape, heads: 4 };
      const [q, k, v] = attentionInputs({ options, sigma });
      const out = engine.attention(q, k, v, options);
      const pooled = { heed: 0, naive: 0 };
      for (const row of attentionLaw(q, k, v, options, every(7, 4 * shape.seqQ))) {
        const naive = row.naive();
        for (const [d, value] of row.out('blocks').values.entries()) {
          pooled.heed += (out[row.at + d]! - value) ** 2;
          pooled.naive += (naive[d]! - value) ** 2;
        }
      }
      expect(pooled.heed).toBeGreaterThan(0);
      expect(pooled.heed).toBeLessThan(pooled.naive);
    });
  });

  describe('matmul', () => {
    const cases = [...awkwardMatmul, ...realMatmul.filter(({ options: { M, N, K } }) => M * N * K < 2e8)];
    it.each(cases.map((each) => [each.name, each] as const))('%s', (_, each) => {
      const [a, b] = matmulInputs(each);
      expect(matmulUse(run(engine, each, a, b), a, b, each.options)).toBeLessThanOrEqual(1);
    });

    it('one b for a whole batch', () => {
      const options = { batch: 3, M: 5, N: 19, K: 70 };
      const [a, b] = [integers(3 * 5 * 70, 1, 8), integers(70 * 19, 2, 8)];
      expect(matmulUse(engine.matmul(a, b, options), a, b, options)).toBe(0);
    });
  });

  describe('exact on integers', () => {
    const sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 24, 33];
    it.each(sizes)('matmul, M = %i', (M) => {
      for (const N of sizes) {
        for (const K of [0, 1, 3, 4, 5, 8, 31, 64, 257]) {
          for (const [transposeA, transposeB] of [
            [false, false],
            [true, false],
            [false, true],
          ] as const) {
            const options = { M, N, K, transposeA, transposeB, bias: integers(N, 5, 50) };
            const [a, b] = [integers(M * K, M * N, 20), integers(K * N, K + 1, 20)];
            const exact = [...matmulLaw(a, b, options)].flatMap((row) => [...row.out('blocks').values]);
            expect(engine.matmul(a, b, options)).toEqual(Float32Array.from(exact));
          }
        }
      }
    });
  });
});
