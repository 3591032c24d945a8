/** Packed sequences are the calls one by one, to the bit: with every option that they take, on random lengths. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { PackedOptions } from '../../src/index.ts';
import { attention as reference } from '../../src/reference.ts';
import { normal } from '../data.ts';
import { attentionLaw, use } from '../laws.ts';
import { expectSameBits } from '../problems.ts';
import { holds, type Property } from './property.ts';

const lengths = fc.integer({ min: 1, max: 6 }).chain((n) => {
  const length = fc.oneof(
    { weight: 8, arbitrary: fc.nat({ max: 9 }) },
    fc.nat({ max: 40 }),
    fc.constantFrom(0, 1, 64, 65, 95, 96, 97, 150),
  );
  const list = fc.array(length, { minLength: n, maxLength: n });
  return fc.tuple(list, list);
});

const side = fc.oneof(fc.nat({ max: 60 }), fc.constant(Infinity));
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const packed = fc.record({
  lengths,
  /** Queries and keys are of the same tokens. */
  self: fc.boolean(),
  kvHeads: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 3 }),
  headDim: fc.integer({ min: 1, max: 20 }),
  valueDim: fc.integer({ min: 1, max: 20 }),
  causal: fc.boolean(),
  window: maybe(fc.tuple(side, side)),
  queryOffset: fc.constantFrom(undefined, 7, 'list' as const),
  softcap: maybe(fc.constantFrom(0.5, 30)),
  scale: maybe(fc.constantFrom(-0.3, 1)),
  alibi: fc.boolean(),
  sinks: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1e6 }),
});

const sums = (list: readonly number[]): Int32Array => {
  let sum = 0;
  return Int32Array.of(0, ...list.map((n) => (sum += n)));
};

type Drawn = typeof packed extends fc.Arbitrary<infer T> ? T : never;

function make({ lengths: [Q, keys], self, kvHeads, group, headDim, valueDim, seed, ...more }: Drawn) {
  const K = self ? Q : keys;
  const [heads, starts] = [kvHeads * group, { q: sums(Q), k: sums(K) }];
  const { causal, window, softcap, scale, queryOffset, alibi, sinks } = more;
  const options: Omit<PackedOptions, 'out' | 'logSumExp'> = {
    ...{ causal, window, softcap, scale },
    queryOffset: queryOffset === 'list' ? Q.map((_, b) => b * 11 - 5) : queryOffset,
    alibi: alibi ? normal(heads, seed + 3, 0.1) : undefined,
    sinks: sinks ? normal(heads, seed + 4) : undefined,
  };
  const shape = { heads, kvHeads, headDim, valueDim };
  return {
    ...{ Q, K, starts, shape, options },
    packed: { ...shape, ...options, cuSeqlensQ: starts.q, cuSeqlensK: self ? undefined : starts.k },
    q: normal(starts.q.at(-1)! * heads * headDim, seed),
    k: normal(starts.k.at(-1)! * kvHeads * headDim, seed + 1),
    v: normal(starts.k.at(-1)! * kvHeads * valueDim, seed + 2),
  };
}

const apart = holds(
  'packed: each sequence alone, its part of out and logSumExp (P7)',
  packed,
  (engine, given) => {
    const { Q, K, starts, shape, options, packed: together, q, k, v } = make(given);
    const { heads, kvHeads, headDim, valueDim } = shape;
    const total = starts.q.at(-1)!;
    const logSumExp = new Float32Array(heads * total);
    const out = engine.attention(q, k, v, { ...together, logSumExp });
    for (const [b, seqQ] of Q.entries()) {
      const part = (x: Float32Array, at: Int32Array, width: number): Float32Array =>
        x.subarray(at[b]! * width, at[b + 1]! * width);
      const { queryOffset, ...others } = options;
      const mine = new Float32Array(heads * seqQ);
      const alone = engine.attention(
        part(q, starts.q, heads * headDim),
        part(k, starts.k, kvHeads * headDim),
        part(v, starts.k, kvHeads * valueDim),
        {
          ...{ ...shape, ...others, seqQ, seqK: K[b]!, logSumExp: mine },
          queryOffset: typeof queryOffset === 'object' ? queryOffset[b] : queryOffset,
        },
      );
      expectSameBits(alone, part(out, starts.q, heads * valueDim));
      for (let h = 0; h < heads; h++) {
        const start = h * total + starts.q[b]!;
        expectSameBits(mine.subarray(h * seqQ, (h + 1) * seqQ), logSumExp.subarray(start, start + seqQ));
      }
    }
  },
);

const float64 = holds(
  'packed: float64, row by row (P1), and tensors, to the bit',
  packed,
  (engine, given) => {
    const { starts, shape, packed: options, q, k, v } = make(given);
    const { heads, kvHeads, headDim, valueDim } = shape;
    const [totalQ, totalK] = [starts.q.at(-1)!, starts.k.at(-1)!];
    const logSumExp = new Float32Array(heads * totalQ);
    const out = engine.attention(q, k, v, { ...options, logSumExp });
    const truth = reference(q, k, v, options);
    let [most, double] = [0, 0];
    const rows = Array.from({ length: 20 }, (_, n) => Math.floor((n * heads * totalQ) / 20));
    for (const row of attentionLaw(q, k, v, options, totalQ === 0 ? [] : new Set(rows))) {
      most = Math.max(most, use(out, row.out('blocks'), row.at));
      double = Math.max(double, use(truth, row.out('chain'), row.at));
      most = Math.max(most, use(logSumExp, row.logSumExp('blocks'), row.row));
    }
    expect(most).toBeLessThanOrEqual(1);
    // u of float64 is 2⁻²⁹ of that of float32; the reference adds in one chain.
    expect(double).toBeLessThanOrEqual(2 ** -20);

    const scope = engine.scope();
    const result = scope.attention(
      scope.tensor([totalQ, heads, headDim], q),
      scope.tensor([totalK, kvHeads, headDim], k),
      scope.tensor([totalK, kvHeads, valueDim], v),
      options,
    );
    expect(result.shape).toEqual([totalQ, heads, valueDim]);
    expectSameBits(result.data, out);
    scope.dispose();
  },
);

const unseen = holds(
  'packed: sequences do not see each other, NaN or not (P13)',
  fc.tuple(packed, fc.nat()),
  (engine, [given, which]) => {
    const { Q, starts, shape, packed: options, q, k, v } = make(given);
    const { heads, kvHeads, headDim, valueDim } = shape;
    const b = which % Q.length;
    const spoilt = (x: Float32Array, at: Int32Array, width: number): Float32Array =>
      x.slice().fill(NaN, at[b]! * width, at[b + 1]! * width);
    const [one, two] = [
      engine.attention(q, k, v, options),
      engine.attention(
        spoilt(q, starts.q, heads * headDim),
        spoilt(k, starts.k, kvHeads * headDim),
        spoilt(v, starts.k, kvHeads * valueDim),
        options,
      ),
    ];
    const [begin, end] = [starts.q[b]! * heads * valueDim, starts.q[b + 1]! * heads * valueDim];
    expectSameBits(one.subarray(0, begin), two.subarray(0, begin));
    expectSameBits(one.subarray(end), two.subarray(end));
  },
);

export const packedSequences: readonly Property[] = [apart, float64, unseen];
