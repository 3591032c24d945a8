/** Metamorphic properties with options that hold inside the law (test/laws.ts), on random problems. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { integers, normal } from './data.ts';
import { attentionLaw, use } from './laws.ts';
import { at, type Problem } from './problems.ts';
import {
  optioned,
  placeless,
  placeOf,
  rowsOf,
  sees,
  someRows,
  withKeys,
  type Shape,
} from './problems-options.ts';

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);
  const run = ({ q, k, v, options }: Problem) => {
    const logSumExp = new Float32Array(rowsOf(options));
    return { out: engine.attention(q, k, v, { ...options, logSumExp }), logSumExp };
  };
  const holds = (from: fc.Arbitrary<Problem>, property: (problem: Problem) => void, numRuns = 40): void => {
    fc.assert(fc.property(from, property), { numRuns });
  };
  /** Two problems of one truth: each row of out, and of logSumExp less `shift`, no farther apart than both laws allow. */
  const expectNear = (a: Problem, b: Problem, shift: (row: number) => number = () => 0): void => {
    const [one, two] = [run(a), run(b)];
    const rows = someRows(a.options);
    const others = [...attentionLaw(b.q, b.k, b.v, b.options, rows)];
    let most = 0;
    for (const [n, row] of [...attentionLaw(a.q, a.k, a.v, a.options, rows)].entries()) {
      const twin = others[n]!;
      const [mine, its] = [row.out('blocks'), twin.out('blocks')];
      const bounds = mine.bounds.map((x, d) => x + its.bounds[d]!);
      const values = Float64Array.from(two.out.subarray(twin.at, twin.at + bounds.length));
      most = Math.max(most, use(one.out, { values, bounds }, row.at));
      const [sum, sums] = [row.logSumExp('blocks').bounds[0]!, twin.logSumExp('blocks').bounds[0]!];
      const apart = {
        values: Float64Array.of(two.logSumExp[row.row]! - shift(row.row)),
        bounds: Float64Array.of(sum + sums),
      };
      most = Math.max(most, use(one.logSumExp, apart, row.row));
    }
    expect(most).toBeLessThanOrEqual(1);
  };

  it('float64, row by row: out, logSumExp, weights (P1)', () => {
    let [nonzero, all] = [0, 0];
    holds(
      optioned,
      ({ q, k, v, options }) => {
        const { out, logSumExp, weights } = engine.attentionWeights(q, k, v, options);
        let most = 0;
        for (const row of attentionLaw(q, k, v, options, someRows(options))) {
          const law = row.out('blocks');
          most = Math.max(most, use(out, law, row.at), use(logSumExp, row.logSumExp('blocks'), row.row));
          most = Math.max(most, use(weights, row.weights('blocks'), row.row * options.seqK));
          nonzero += law.values.filter((x) => x !== 0).length;
          all += law.values.length;
        }
        expect(most).toBeLessThanOrEqual(1);
      },
      80,
    );
    expect(nonzero, 'most is not zeros').toBeGreaterThan(0.5 * all);
  });

  it('the order of the keys does not matter (P3)', () => {
    holds(placeless, (problem) => {
      const { seqK } = problem.options;
      const keys = normal(seqK, 1);
      const move = [...keys.keys()].sort((a, b) => keys[a]! - keys[b]!);
      expectNear(problem, withKeys(problem, move));
    });
  });

  it('a masked key is one that is not there (P13)', () => {
    holds(placeless, (problem) => {
      const { options } = problem;
      const { seqK } = options;
      const gone = (j: number): boolean => j % 5 === 2;
      const left = Array.from({ length: seqK }, (_, j) => j).filter((j) => !gone(j));
      const data = Float32Array.from({ length: seqK }, (_, j) => (gone(j) ? -Infinity : 0));
      const shape: Shape = [1, 1, 1, seqK];
      const bytes = { data: Uint8Array.from(data, (x) => (x === 0 ? 3 : 0)), shape };
      const shorter = withKeys(problem, left);
      if (options.bias === undefined)
        expectNear({ ...problem, options: { ...options, bias: { data, shape } } }, shorter);
      if (options.mask === undefined)
        expectNear({ ...problem, options: { ...options, mask: bytes } }, shorter);
    });
  });

  it('an output lies between the values that are seen (P4)', () => {
    holds(optioned, (given) => {
      const problem = { ...given, options: { ...given.options, sinks: undefined } };
      const { q, k, v, options } = problem;
      const { heads, kvHeads, seqK, valueDim, layout } = options;
      const { out } = run(problem);
      for (const row of attentionLaw(q, k, v, options, someRows(options))) {
        const [b, h, i] = placeOf(row.row, options);
        const seen = Array.from({ length: seqK }, (_, j) => j).filter((j) => sees(options, b, h, i, j));
        const g = Math.floor((h * kvHeads) / heads);
        for (const [d, e] of row.out('blocks').bounds.entries()) {
          const values = seen.map((j) => v[at(layout, kvHeads, seqK, valueDim, b, g, j) + d]!);
          const [low, high] = values.length === 0 ? [0, 0] : [Math.min(...values), Math.max(...values)];
          const x = out[row.at + d]!;
          if (!(x >= low - e && x <= high + e)) expect.fail(`${low} − ${e} > ${x} or ${x} > ${high} + ${e}`);
        }
      }
    });
  });

  it('a vector added to every key, or a number to a row of the bias, changes nothing (P5)', () => {
    holds(optioned, (given) => {
      // Small multiples of 2⁻⁸ and 2⁻⁶: their sums are exact.
      const { batch, kvHeads, seqQ, seqK, headDim, layout } = given.options;
      const options = { ...given.options, softcap: undefined, sinks: undefined, scale: 0.25 };
      const problem = { ...given, k: integers(given.k.length, 1, 512).map((x) => x / 256), options };
      const w = integers(headDim, 2, 256).map((x) => x / 256);
      const k = problem.k.slice();
      for (let token = 0; token < batch * kvHeads * seqK; token++) {
        const start = token * headDim;
        for (let d = 0; d < headDim; d++) k[start + d]! += w[d]!;
      }
      expectNear(problem, { ...problem, k }, (row) => {
        const start = at(layout, options.heads, seqQ, headDim, ...placeOf(row, options));
        return w.reduce((sum, x, d) => sum + 0.25 * x * problem.q[start + d]!, 0);
      });

      const shape: Shape = [1, 1, seqQ, seqK];
      const data = integers(seqQ * seqK, 3, 128).map((x) => x / 64);
      const c = (i: number): number => (i % 7) - 3;
      const more = data.map((x, e) => x + c(Math.floor(e / seqK)));
      const [one, two] = [data, more].map((each) => ({
        ...problem,
        options: { ...options, bias: { data: each, shape } },
      }));
      expectNear(one!, two!, (row) => c(row % seqQ));
    });
  });
});
