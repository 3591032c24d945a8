/** What holds of attention inside its law (test/laws.ts), with any options and without (numbers as in docs/reliability.md). */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Engine } from '../../src/index.ts';
import { attention as reference } from '../../src/reference.ts';
import { builds, engineOf } from '../builds.ts';
import { integers, normal } from '../data.ts';
import { attentionLaw, use } from '../laws.ts';
import { at, expectSameBits, type Problem } from '../problems.ts';
import {
  optioned,
  placeless,
  placeOf,
  rowsOf,
  sees,
  someRows,
  withKeys,
  type Shape,
  type Side,
} from '../problems-options.ts';
import { run } from './bits.ts';
import { holds, type Property } from './property.ts';

/** Whose law is computed, of each problem: of a thousand problems that is most of the time. */
const ROWS = 8;

/** Two problems of one truth: each row of out, and of logSumExp less `shift`, no farther apart than both laws allow. */
function expectNear(
  engine: Engine,
  a: Problem,
  b: Problem,
  shift: (row: number) => number = () => 0,
  other: Engine = engine,
): void {
  const [one, two] = [run(engine, a), run(other, b)];
  const rows = someRows(a.options, ROWS);
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
}

const float64: Property = {
  name: 'float64, row by row: out, logSumExp, weights (P1)',
  on: (engine) => {
    let [nonzero, all] = [0, 0];
    const sharp = fc.constantFrom(1, 1, 8, 100);
    const property = fc.property(optioned, sharp, (problem, sigma) => {
      const { k, v, options } = problem;
      const q = problem.q.map((x) => x * sigma);
      const { out, logSumExp, weights } = engine.attentionWeights(q, k, v, options);
      let most = 0;
      for (const row of attentionLaw(q, k, v, options, someRows(options, ROWS))) {
        const law = row.out('blocks');
        most = Math.max(most, use(out, law, row.at), use(logSumExp, row.logSumExp('blocks'), row.row));
        most = Math.max(most, use(weights, row.weights('blocks'), row.row * options.seqK));
        nonzero += law.values.filter((x) => x !== 0).length;
        all += law.values.length;
      }
      expect(most).toBeLessThanOrEqual(1);
    });
    return {
      property,
      proves: () => {
        expect(nonzero / all, 'is not zero').toBeGreaterThan(0.5);
      },
    };
  },
};

const order = holds('the order of the keys does not matter (P3)', placeless, (engine, problem) => {
  const { seqK } = problem.options;
  const keys = normal(seqK, 1);
  const move = [...keys.keys()].sort((a, b) => keys[a]! - keys[b]!);
  expectNear(engine, problem, withKeys(problem, move));
});

const between = holds('an output lies between the values that are seen (P4)', optioned, (engine, given) => {
  const problem = { ...given, options: { ...given.options, sinks: undefined } };
  const { q, k, v, options } = problem;
  const { heads, kvHeads, seqK, valueDim, layout } = options;
  const { out } = run(engine, problem);
  for (const row of attentionLaw(q, k, v, options, someRows(options, ROWS))) {
    const [b, h, i] = placeOf(row.row, options);
    const g = Math.floor((h * kvHeads) / heads);
    const low = new Float64Array(valueDim).fill(Infinity);
    const high = new Float64Array(valueDim).fill(-Infinity);
    for (let j = 0; j < seqK; j++) {
      if (!sees(options, b, h, i, j)) continue;
      const start = at(layout, kvHeads, seqK, valueDim, b, g, j);
      for (let d = 0; d < valueDim; d++) {
        low[d] = Math.min(low[d]!, v[start + d]!);
        high[d] = Math.max(high[d]!, v[start + d]!);
      }
    }
    for (const [d, e] of row.out('blocks').bounds.entries()) {
      // Who sees nothing has zeros.
      const [least, most] = low[d] === Infinity ? [0, 0] : [low[d]!, high[d]!];
      const x = out[row.at + d]!;
      if (!(x >= least - e && x <= most + e)) expect.fail(`${least} − ${e} > ${x} or ${x} > ${most} + ${e}`);
    }
  }
});

/** With keys that are small multiples of 2⁻⁸, and what else lets a sum of two of them be exact. */
function rounded({ options: given, ...problem }: Problem): Problem {
  const options = { ...given, softcap: undefined, sinks: undefined, scale: 0.25 };
  return { ...problem, k: integers(problem.k.length, 1, 512).map((x) => x / 256), options };
}

const vector = holds('a vector added to every key changes nothing (P5)', optioned, (engine, given) => {
  const problem = rounded(given);
  const { options } = problem;
  const { heads, seqQ, headDim, layout } = options;
  const w = integers(headDim, 2, 256).map((x) => x / 256);
  const k = problem.k.map((x, e) => x + w[e % headDim]!);
  expectNear(engine, problem, { ...problem, k }, (row) => {
    const start = at(layout, heads, seqQ, headDim, ...placeOf(row, options));
    return w.reduce((sum, x, d) => sum + 0.25 * x * problem.q[start + d]!, 0);
  });
});

const number = holds(
  'a number added to a row of the bias changes nothing (P5)',
  optioned,
  (engine, given) => {
    const problem = rounded(given);
    const { seqQ, seqK } = problem.options;
    const shape: Shape = [1, 1, seqQ, seqK];
    const data = integers(seqQ * seqK, 3, 128).map((x) => x / 64);
    const c = (i: number): number => (i % 7) - 3;
    const [one, two] = [data, data.map((x, e) => x + c(Math.floor(e / seqK)))].map((each): Problem => {
      return { ...problem, options: { ...problem.options, bias: { data: each, shape } } };
    });
    expectNear(engine, one!, two!, (row) => c(row % seqQ));
  },
);

const removed = holds('a masked key is one that is not there (P13)', placeless, (engine, problem) => {
  const { options } = problem;
  const { seqK } = options;
  const gone = (j: number): boolean => j % 5 === 2;
  const left = Array.from({ length: seqK }, (_, j) => j).filter((j) => !gone(j));
  const shorter = withKeys(problem, left);
  const shape: Shape = [1, 1, 1, seqK];
  if (options.bias === undefined) {
    const data = Float32Array.from({ length: seqK }, (_, j) => (gone(j) ? -Infinity : 0));
    expectNear(engine, { ...problem, options: { ...options, bias: { data, shape } } }, shorter);
  }
  if (options.mask === undefined) {
    const data = Uint8Array.from({ length: seqK }, (_, j) => (gone(j) ? 0 : 3));
    expectNear(engine, { ...problem, options: { ...options, mask: { data, shape } } }, shorter);
  }
});

/** −∞ aside, which hides a key. */
const largest = (x: Float32Array | undefined): number =>
  x?.reduce((most, each) => (each === -Infinity ? most : Math.max(most, Math.abs(each))), 0) ?? 0;

const needle = holds(
  'a key that is far ahead wins, for those who see it (P17)',
  fc.tuple(optioned, fc.nat()),
  (engine, [given, choice]) => {
    const options = { ...given.options, scale: 1, softcap: undefined, alibi: undefined };
    const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } = options;
    const { v } = given;
    const j = choice % seqK;
    const q = new Float32Array(given.q.length).fill(1);
    const flat = { q, k: new Float32Array(given.k.length), v, options };
    const k = flat.k.slice();
    for (let b = 0; b < batch; b++) {
      for (let g = 0; g < kvHeads; g++) {
        const start = at(layout, kvHeads, seqK, headDim, b, g, j);
        k.fill(50 / headDim, start, start + headDim);
      }
    }
    const [before, after] = [run(engine, flat), run(engine, { ...flat, k })];
    // What the others weigh: 50 behind, but for what a bias or a sink puts them ahead.
    const ahead = 2 * largest((options.bias as Side<Float32Array>)?.data) + largest(options.sinks);
    const rest = (seqK + 1) * Math.exp(ahead - 49) * largest(v);
    for (let row = 0; row < rowsOf(options); row++) {
      const [b, h, i] = placeOf(row, options);
      const start = at(layout, heads, seqQ, valueDim, b, h, i);
      const value = at(layout, kvHeads, seqK, valueDim, b, Math.floor((h * kvHeads) / heads), j);
      const wins = sees(options, b, h, i, j);
      for (let d = 0; d < valueDim; d++) {
        const x = after.out[start + d]!;
        const wanted = wins ? v[value + d]! : before.out[start + d]!;
        // 2u for the normalisation.
        const most = wins ? 2 ** -23 * Math.abs(x) + rest : 0;
        if (!(Math.abs(x - wanted) <= most)) expect.fail(`key ${j}, row ${row}: ${x}, not ${wanted}`);
      }
    }
  },
);

const bothBuilds: Property = {
  name: 'both builds agree inside their laws (P20)',
  on: async (engine) => {
    const other = await engineOf(builds.find((each) => each !== engine.features.simd)!);
    const property = fc.property(optioned, (problem) => {
      expectNear(engine, problem, problem, undefined, other);
    });
    return { property };
  },
};

const special = fc.constantFrom(NaN, Infinity, -Infinity);
const places = fc.array(fc.tuple(fc.nat(), special), { minLength: 1, maxLength: 4 });

const poison = holds(
  'NaN and infinities land where the reference has them',
  fc.tuple(optioned, places, fc.constantFrom('q', 'k', 'v')),
  (engine, [given, bad, where]) => {
    const x = given[where].slice();
    const problem = { ...given, [where]: x };
    for (const [place, value] of bad) x[place % x.length] = value;
    const { q, k, v, options } = problem;
    const [out, truth] = [run(engine, problem).out, reference(q, k, v, options)];
    expectSameBits(finite(out), finite(truth));
  },
);

const finite = (x: ArrayLike<number>): Float32Array =>
  Float32Array.from(x, (each) => Number(Number.isFinite(each)));

export const laws: readonly Property[] = [
  ...[float64, order, between, vector, number, removed, needle, poison],
  ...(builds.length > 1 ? [bothBuilds] : []),
];
