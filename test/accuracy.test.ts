/**
 * Every public function on every build against float64, by the accuracy laws (test/laws.ts): each element inside its
 * own bound, and the pooled error beside that of the plainest float32 program.
 */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import {
  attentionInputs,
  awkwardAttention,
  awkwardMatmul,
  matmulInputs,
  realAttention,
  realMatmul,
  type AttentionCase,
  type MatmulCase,
} from './cases.ts';
import { integers, uniform } from './data.ts';
import { attentionLaw, matmulLaw, u, type Bounded } from './laws.ts';

/** Largest share of its bound that any element uses; more than 1 breaks the law. NaN breaks it too. */
function use(computed: ArrayLike<number>, law: readonly Bounded[], at = 0): number {
  let most = 0;
  for (const [i, { value, bound }] of law.entries()) {
    const error = Math.abs(computed[at + i]! - value);
    const share = computed[at + i] === value ? 0 : error / bound;
    if (!(share <= most)) most = share;
  }
  return most;
}

/** A case proves nothing if most of what it compares is zero. */
function expectSubstance(law: readonly Bounded[]): void {
  const nonzero = law.filter(({ value }) => value !== 0 && Number.isFinite(value)).length;
  expect(nonzero).toBeGreaterThan(0.1 * law.length);
}

/** About `count` of the rows of a large case, every row of a small one. */
function someRows({ options }: AttentionCase, count: number): () => boolean {
  const { batch = 1, heads = 1, seqQ } = options;
  const share = count / (batch * heads * seqQ);
  const next = uniform(7);
  return () => next() < share;
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

describe.each(builds)('%s', async (build) => {
  const engine = await engineOf(build);

  describe('attention', () => {
    const cases = [...awkwardAttention, ...realAttention];
    it.each(cases.map((each) => [each.name, each] as const))('%s', (_, each) => {
      const [q, k, v] = attentionInputs(each);
      const { batch = 1, heads = 1, seqQ, seqK = seqQ } = each.options;
      const logSumExp = new Float32Array(batch * heads * seqQ);
      const rows = attentionLaw(q, k, v, each.options, someRows(each, 150));
      const out = engine.attention(q, k, v, { ...each.options, logSumExp });
      const small = batch * heads * seqQ * seqK < 1e6;
      const looks = small ? engine.attentionWeights(q, k, v, each.options) : undefined;
      const pooled = { heed: 0, naive: 0, largest: 0 };
      for (const row of rows) {
        const sums = (row.batch * heads + row.head) * seqQ + row.query;
        expect(use(out, row.out, row.at)).toBeLessThanOrEqual(1);
        expect(use(logSumExp, [row.logSumExp], sums)).toBeLessThanOrEqual(1);
        for (const [d, { value }] of row.out.entries()) {
          pooled.heed = Math.max(pooled.heed, Math.abs(out[row.at + d]! - value));
          pooled.naive = Math.max(pooled.naive, Math.abs(row.naive[d]! - value));
          pooled.largest = Math.max(pooled.largest, Math.abs(value));
        }
        if (looks) expect(use(looks.weights, row.weights, sums * seqK)).toBeLessThanOrEqual(1);
      }
      expect(rows.length).toBeGreaterThan(0);
      expectSubstance(rows.flatMap((row) => row.out));
      if ((each.sigma ?? 1) <= 100) {
        expect(pooled.heed).toBeLessThanOrEqual(2 * pooled.naive + 2 * u * pooled.largest);
      }
      if (looks) {
        expect(looks.out).toEqual(out);
        expect(looks.logSumExp).toEqual(logSumExp);
      }
    });
  });

  describe('matmul', () => {
    const cases = [...awkwardMatmul, ...realMatmul.filter(({ options: { M, N, K } }) => M * N * K < 2e8)];
    it.each(cases.map((each) => [each.name, each] as const))('%s', (_, each) => {
      const [a, b] = matmulInputs(each);
      const law = matmulLaw(a, b, each.options);
      expectSubstance(law);
      expect(use(run(engine, each, a, b), law)).toBeLessThanOrEqual(1);
    });

    it('one b for a whole batch', () => {
      const options = { batch: 3, M: 5, N: 19, K: 70 };
      const [a, b] = [integers(3 * 5 * 70, 1, 8), integers(70 * 19, 2, 8)];
      expect(use(engine.matmul(a, b, options), matmulLaw(a, b, options))).toBe(0);
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
            const exact = Float32Array.from(matmulLaw(a, b, options), ({ value }) => value);
            expect(engine.matmul(a, b, options)).toEqual(exact);
          }
        }
      }
    });
  });
});
