/**
 * What holds of attention to the bit, with any options and without (numbers as in docs/reliability.md). Which keys a query
 * sees is decided by the words of the options alone (test/problems-options.ts).
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Engine, TensorAttentionOptions } from '../../src/index.ts';
import { integers, normal } from '../data.ts';
import { equal } from '../equal.ts';
import { at, expectSameBits, swapped, type Problem } from '../problems.ts';
import {
  element,
  expanded,
  optioned,
  placeless,
  placeOf,
  rowsOf,
  sees,
  someRows,
  type Shape,
  type Side,
} from '../problems-options.ts';
import { holds, type Property } from './property.ts';

interface Result {
  readonly out: Float32Array;
  readonly logSumExp: Float32Array;
}

export function run(engine: Engine, { q, k, v, options }: Problem): Result {
  const logSumExp = new Float32Array(rowsOf(options));
  return { out: engine.attention(q, k, v, { ...options, logSumExp }), logSumExp };
}

function expectEqual(one: Result, two: Result): void {
  expectSameBits(one.out, two.out);
  expectSameBits(one.logSumExp, two.logSumExp);
}

const twice = holds(
  'the second call is the first, and inputs are left alone (P14)',
  optioned,
  (engine, problem) => {
    const { mask, bias, alibi, sinks } = problem.options;
    const sides = [(mask as Side<Uint8Array>)?.data, (bias as Side<Float32Array>)?.data, alibi, sinks];
    const inputs = [problem.q, problem.k, problem.v, ...sides].filter((x) => x !== undefined);
    const bytes = (): Uint8Array[] => inputs.map((x) => new Uint8Array(x.buffer));
    const copies = bytes().map((x) => x.slice());
    expectEqual(run(engine, problem), run(engine, problem));
    if (!bytes().every((x, i) => equal(x, copies[i]!))) expect.fail('an input was written');
  },
);

/** In the middle of something larger. */
function within<T extends Uint8Array | Float32Array>(x: T, shift: number, fill: number): T {
  const wide = new (x.constructor as new (n: number) => T)(x.length + 16);
  wide.fill(fill);
  wide.set(x, shift);
  return wide.subarray(shift, shift + x.length) as T;
}

const beside = holds(
  'what lies beyond the inputs, and beside the side inputs, is never used (P18)',
  optioned,
  (engine, problem) => {
    const { mask, bias, alibi, sinks } = problem.options;
    const side = <T extends Uint8Array | Float32Array>(given: Side<T>, fill: number): Side<T> =>
      given && { ...given, data: within(given.data, 5, fill) };
    const before = run(engine, problem);
    for (const byte of mask === undefined ? [0] : [0, 1]) {
      const options = {
        ...problem.options,
        mask: side(mask as Side<Uint8Array>, byte),
        bias: side(bias as Side<Float32Array>, NaN),
        alibi: alibi && within(alibi, 3, NaN),
        sinks: sinks && within(sinks, 1, NaN),
      };
      const [q, k, v] = [within(problem.q, 8, NaN), within(problem.k, 8, NaN), within(problem.v, 8, NaN)];
      expectEqual(run(engine, { q, k, v, options }), before);
    }
  },
);

const layouts = holds('both layouts', optioned, (engine, problem) => {
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } = problem.options;
  const to = layout === 'bhsd' ? 'bshd' : 'bhsd';
  const one = run(engine, problem);
  const other = run(engine, {
    q: swapped(problem.q, batch, heads, seqQ, headDim, layout),
    k: swapped(problem.k, batch, kvHeads, seqK, headDim, layout),
    v: swapped(problem.v, batch, kvHeads, seqK, valueDim, layout),
    options: { ...problem.options, layout: to },
  });
  expectSameBits(swapped(other.out, batch, heads, seqQ, valueDim, to), one.out);
  expectSameBits(other.logSumExp, one.logSumExp);
});

const tensors = holds('tensors give what arrays give', optioned, (engine, problem) => {
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } = problem.options;
  const shape = (hs: number, seq: number, dim: number): number[] =>
    layout === 'bhsd' ? [batch, hs, seq, dim] : [batch, seq, hs, dim];
  const scope = engine.scope();
  const { queryOffset, keyLengths, causal, window, mask, scale, softcap, alibi, sinks } = problem.options;
  const bias = problem.options.bias as Side<Float32Array>;
  const sums = scope.tensor([batch, heads, seqQ]);
  const options: TensorAttentionOptions = {
    ...{ layout, queryOffset, keyLengths, causal, window, mask, scale, softcap, logSumExp: sums },
    bias: bias && scope.tensor(bias.shape, bias.data),
    alibi: alibi && scope.tensor([heads], alibi),
    sinks: sinks && scope.tensor([heads], sinks),
  };
  const out = scope.attention(
    scope.tensor(shape(heads, seqQ, headDim), problem.q),
    scope.tensor(shape(kvHeads, seqK, headDim), problem.k),
    scope.tensor(shape(kvHeads, seqK, valueDim), problem.v),
    options,
  );
  expect(out.shape).toEqual(shape(heads, seqQ, valueDim));
  expectEqual({ out: out.data, logSumExp: sums.data }, run(engine, problem));
  scope.dispose();
  expect(engine.memory.used).toBe(0);
});

/** One head of one sequence of an array: [seq, dim]. */
function pick(
  x: Float32Array,
  layout: string | undefined,
  [heads, seq, dim]: readonly [heads: number, seq: number, dim: number],
  b: number,
  h: number,
): Float32Array {
  const y = new Float32Array(seq * dim);
  for (let i = 0; i < seq; i++) {
    const start = at(layout, heads, seq, dim, b, h, i);
    y.set(x.subarray(start, start + dim), i * dim);
  }
  return y;
}

const alone = holds(
  'alone or in a batch (P7), key heads shared or repeated (P10)',
  optioned,
  (engine, problem) => {
    const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout, ...options } = problem.options;
    const together = run(engine, problem);
    const n = seqQ * seqK;
    const all = batch * heads * n;
    const mask = options.mask && expanded(options.mask, problem.options, new Uint8Array(all)).data;
    const bias = options.bias && expanded(options.bias, problem.options, new Float32Array(all)).data;
    const { queryOffset, keyLengths, alibi, sinks } = options;
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        const g = Math.floor(h / (heads / kvHeads));
        const row = b * heads + h;
        const one = run(engine, {
          q: pick(problem.q, layout, [heads, seqQ, headDim], b, h),
          k: pick(problem.k, layout, [kvHeads, seqK, headDim], b, g),
          v: pick(problem.v, layout, [kvHeads, seqK, valueDim], b, g),
          options: {
            ...options,
            ...{ batch: 1, heads: 1, kvHeads: 1, seqQ, seqK, headDim, valueDim },
            queryOffset: typeof queryOffset === 'object' ? queryOffset[b] : queryOffset,
            keyLengths: keyLengths && [keyLengths[b]!],
            mask: mask?.subarray(row * n, (row + 1) * n),
            bias: bias?.subarray(row * n, (row + 1) * n),
            alibi: alibi?.subarray(h, h + 1),
            sinks: sinks?.subarray(h, h + 1),
          },
        });
        expectSameBits(one.out, pick(together.out, layout, [heads, seqQ, valueDim], b, h));
        expectSameBits(one.logSumExp, together.logSumExp.subarray(row * seqQ, (row + 1) * seqQ));
      }
    }
  },
);

/** What the first half of the queries does not see is made NaN and infinite; gives how many keys that are. */
function spoil({ options }: Problem, k: Float32Array, v: Float32Array): number {
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } = options;
  const group = heads / kvHeads;
  const first = Math.ceil(seqQ / 2);
  const isSeen = (b: number, g: number, j: number): boolean => {
    for (let h = g * group; h < (g + 1) * group; h++) {
      for (let i = 0; i < first; i++) if (sees(options, b, h, i, j)) return true;
    }
    return false;
  };
  let hidden = 0;
  for (let b = 0; b < batch; b++) {
    for (let g = 0; g < kvHeads; g++) {
      for (let j = 0; j < seqK; j++) {
        if (isSeen(b, g, j)) continue;
        const [x, y] = [
          at(layout, kvHeads, seqK, headDim, b, g, j),
          at(layout, kvHeads, seqK, valueDim, b, g, j),
        ];
        k.fill(NaN, x, x + headDim);
        v.fill(Infinity, y, y + valueDim);
        hidden++;
      }
    }
  }
  return hidden;
}

const hiddenKeys: Property = {
  name: 'keys that the first queries do not see may hold anything (P6, P13)',
  on: (engine) => {
    let [hidden, all] = [0, 0];
    const property = fc.property(optioned, (problem) => {
      const { batch, heads, kvHeads, seqQ, seqK, valueDim, layout } = problem.options;
      const [k, v] = [problem.k.slice(), problem.v.slice()];
      hidden += spoil(problem, k, v);
      all += batch * kvHeads * seqK;
      const [one, two] = [run(engine, { ...problem, k, v }), run(engine, problem)];
      for (let row = 0; row < rowsOf(problem.options); row++) {
        const [b, h, i] = placeOf(row, problem.options);
        if (2 * i >= seqQ) continue;
        const start = at(layout, heads, seqQ, valueDim, b, h, i);
        expectSameBits(one.out.subarray(start, start + valueDim), two.out.subarray(start, start + valueDim));
        expectSameBits(one.logSumExp.subarray(row, row + 1), two.logSumExp.subarray(row, row + 1));
      }
    });
    return {
      property,
      proves: () => {
        expect(hidden / all, 'hidden').toBeGreaterThan(0.1);
        expect(hidden / all, 'hidden').toBeLessThan(0.9);
      },
    };
  },
};

const powers = holds('powers of two pass through V and scale (P11, P12)', optioned, (engine, problem) => {
  const { out, logSumExp } = run(engine, problem);
  const large = run(engine, { ...problem, v: problem.v.map((x) => x * 1024) });
  expectEqual(large, { out: out.map((x) => x * 1024), logSumExp });
  const scale = 8 * (problem.options.scale ?? 1 / Math.sqrt(problem.options.headDim));
  const folded = { ...problem, q: problem.q.map((x) => x / 8), options: { ...problem.options, scale } };
  expectEqual(run(engine, folded), { out, logSumExp });
});

/** 64 keys that are seen, each by another option: the keys, the option, and how many queries there are. */
type Way = readonly [name: string, keys: readonly number[], options: Partial<Problem['options']>];

function waysToSee64(batch: number, heads: number, seen: readonly number[], seqK: number): Way[] {
  const shape: Shape = [1, 1, 1, seqK];
  const bytes = new Uint8Array(seqK);
  for (const j of seen) bytes[j] = 1 + (j % 255);
  const bias = Float32Array.from(bytes, (x) => (x === 0 ? -Infinity : 0));
  const from = (first: number): number[] => Array.from({ length: 64 }, (_, j) => first + j);
  const lengths = (n: number): number[] => new Array<number>(batch).fill(n);
  return [
    ['a mask', seen, { mask: { data: bytes, shape } }],
    ['a bias', seen, { bias: { data: bias, shape } }],
    ['keyLengths', from(0), { keyLengths: lengths(64) }],
    ['a window', from(90), { window: [0, Infinity], queryOffset: 90, keyLengths: lengths(154), seqQ: 1 }],
    // A sink of 0 is a 64th key of value 0.
    [
      'a mask and sinks',
      seen.slice(1),
      {
        mask: { data: bytes.map((x, j) => (j === seen[0] ? 0 : x)), shape },
        sinks: new Float32Array(heads),
      },
    ],
  ];
}

const means = holds(
  '64 keys that are seen, by whatever option, have the mean of their values exactly (P2)',
  fc.tuple(placeless, fc.nat(4)),
  (engine, [{ options: given }, which]) => {
    const { batch, heads, kvHeads, valueDim } = given;
    const seqK = 211;
    const random = normal(seqK, given.seqQ);
    const seen = [...random.keys()].sort((a, b) => random[a]! - random[b]!).slice(0, 64);
    const [name, keys, more] = waysToSee64(batch, heads, seen, seqK)[which]!;
    const { seqQ } = { ...given, ...more };
    const v = integers(batch * kvHeads * seqK * valueDim, 5, 500);
    const options = {
      ...{ batch, heads, kvHeads, valueDim, seqQ, seqK, headDim: 1, scale: 0, layout: 'bshd' },
      ...more,
    } as Problem['options'];
    const [q, k] = [normal(batch * heads * seqQ, 1), normal(batch * kvHeads * seqK, 2)];
    const { out } = run(engine, { q, k, v, options });
    for (const [e, x] of out.entries()) {
      const [d, h] = [e % valueDim, Math.floor(e / valueDim) % heads];
      const b = Math.floor(e / valueDim / heads / seqQ);
      const g = Math.floor((h * kvHeads) / heads);
      let sum = 0;
      for (const j of keys) sum += v[at('bshd', kvHeads, seqK, valueDim, b, g, j) + d]!;
      if (x !== sum / 64) expect.fail(`${name}: [${e}] ${x}, not ${sum / 64}`);
    }
  },
);

const oracle: Property = {
  name: 'the oracle of these tests and the options agree on who sees whom',
  on: (engine) => {
    let [some, all] = [0, 0];
    const property = fc.property(optioned, ({ q, k, v, options }) => {
      const { weights } = engine.attentionWeights(
        q,
        k.map(() => 0),
        v,
        {
          ...options,
          softcap: undefined,
          alibi: undefined,
        },
      );
      for (const row of someRows(options, 10)) {
        const [b, h, i] = placeOf(row, options);
        for (let j = 0; j < options.seqK; j++) {
          const seen = sees(options, b, h, i, j);
          if (weights[row * options.seqK + j]! > 0 !== seen) {
            const bias = element(options.bias, options, [b, h, i, j]);
            expect.fail(`[${b}, ${h}, ${i}, ${j}] ${seen}, bias ${bias}`);
          }
          some += Number(seen);
          all++;
        }
      }
    });
    return {
      property,
      proves: () => {
        expect(some / all, 'seen').toBeGreaterThan(0.1);
        expect(some / all, 'seen').toBeLessThan(0.9);
      },
    };
  },
};

export const bits: readonly Property[] = [
  ...[twice, beside, layouts, tensors, alone, hiddenKeys, powers, means, oracle],
];
