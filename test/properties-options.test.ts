/**
 * Metamorphic properties with options that hold to the bit, on random problems (numbers as in docs/reliability.md). Which
 * keys a query sees is decided by the words of the options alone (test/problems-options.ts).
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine, TensorAttentionOptions } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { integers, normal } from './data.ts';
import { equal } from './equal.ts';
import { at, expectSameBits, swapped, type Problem } from './problems.ts';
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
} from './problems-options.ts';

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);
  const run = ({ q, k, v, options }: Problem): { out: Float32Array; logSumExp: Float32Array } => {
    const logSumExp = new Float32Array(rowsOf(options));
    return { out: engine.attention(q, k, v, { ...options, logSumExp }), logSumExp };
  };
  const holds = (from: fc.Arbitrary<Problem>, property: (problem: Problem) => void, numRuns = 40): void => {
    fc.assert(fc.property(from, property), { numRuns });
  };
  const expectEqual = (one: ReturnType<typeof run>, two: ReturnType<typeof run>): void => {
    expectSameBits(one.out, two.out);
    expectSameBits(one.logSumExp, two.logSumExp);
  };

  it('the second call is the first, and inputs are left alone (P14)', () => {
    holds(optioned, (problem) => {
      const { mask, bias, alibi, sinks } = problem.options;
      const sides = [(mask as Side<Uint8Array>)?.data, (bias as Side<Float32Array>)?.data, alibi, sinks];
      const inputs = [problem.q, problem.k, problem.v, ...sides].filter((x) => x !== undefined);
      const bytes = (): Uint8Array[] => inputs.map((x) => new Uint8Array(x.buffer));
      const copies = bytes().map((x) => x.slice());
      expectEqual(run(problem), run(problem));
      expect(bytes().every((x, i) => equal(x, copies[i]!))).toBe(true);
    });
  });

  it('what lies beyond the inputs, and beside the side inputs, is never used (P18)', () => {
    const within = <T extends Uint8Array | Float32Array>(x: T, shift: number, fill: number): T => {
      const wide = new (x.constructor as new (n: number) => T)(x.length + 16);
      wide.fill(fill);
      wide.set(x, shift);
      return wide.subarray(shift, shift + x.length) as T;
    };
    holds(optioned, (problem) => {
      const { mask, bias, alibi, sinks } = problem.options;
      const side = <T extends Uint8Array | Float32Array>(given: Side<T>, fill: number): Side<T> =>
        given && { ...given, data: within(given.data, 5, fill) };
      const before = run(problem);
      for (const byte of [0, 1]) {
        const options = {
          ...problem.options,
          mask: side(mask as Side<Uint8Array>, byte),
          bias: side(bias as Side<Float32Array>, NaN),
          alibi: alibi && within(alibi, 3, NaN),
          sinks: sinks && within(sinks, 1, NaN),
        };
        const [q, k, v] = [within(problem.q, 8, NaN), within(problem.k, 8, NaN), within(problem.v, 8, NaN)];
        expectEqual(run({ q, k, v, options }), before);
      }
    });
  });

  it('both layouts, and tensors, to the bit', () => {
    holds(optioned, (problem) => {
      const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } = problem.options;
      const { q, k, v } = problem;
      const to = layout === 'bhsd' ? 'bshd' : 'bhsd';
      const [Q, K] = [
        swapped(q, batch, heads, seqQ, headDim, layout),
        swapped(k, batch, kvHeads, seqK, headDim, layout),
      ];
      const V = swapped(v, batch, kvHeads, seqK, valueDim, layout);
      const one = run(problem);
      const other = run({ q: Q, k: K, v: V, options: { ...problem.options, layout: to } });
      expectSameBits(swapped(other.out, batch, heads, seqQ, valueDim, to), one.out);
      expectSameBits(other.logSumExp, one.logSumExp);

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
        scope.tensor(shape(heads, seqQ, headDim), q),
        scope.tensor(shape(kvHeads, seqK, headDim), k),
        scope.tensor(shape(kvHeads, seqK, valueDim), v),
        options,
      );
      expectEqual({ out: out.data, logSumExp: sums.data }, one);
      scope.dispose();
      expect(engine.memory.used).toBe(0);
    });
  });

  it('alone or in a batch (P7), key heads shared or repeated (P10)', () => {
    holds(
      optioned,
      (problem) => {
        const { options } = problem;
        const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } = options;
        const together = run(problem);
        const pick = (
          x: Float32Array,
          hs: number,
          seq: number,
          dim: number,
          b: number,
          h: number,
        ): Float32Array => {
          const start = Array.from({ length: seq }, (_, i) => at(layout, hs, seq, dim, b, h, i));
          return Float32Array.from(
            { length: seq * dim },
            (_, e) => x[start[Math.floor(e / dim)]! + (e % dim)]!,
          );
        };
        const n = seqQ * seqK;
        const mask = options.mask && expanded(options.mask, options, new Uint8Array(batch * heads * n)).data;
        const bias =
          options.bias && expanded(options.bias, options, new Float32Array(batch * heads * n)).data;
        const of = (list: number | ArrayLike<number> | undefined, b: number): number | undefined =>
          typeof list === 'object' ? list[b] : list;
        for (let b = 0; b < batch; b++) {
          for (let h = 0; h < heads; h++) {
            const g = Math.floor(h / (heads / kvHeads));
            const row = b * heads + h;
            const { causal, window, scale, softcap, keyLengths, alibi, sinks } = options;
            const alone = run({
              q: pick(problem.q, heads, seqQ, headDim, b, h),
              k: pick(problem.k, kvHeads, seqK, headDim, b, g),
              v: pick(problem.v, kvHeads, seqK, valueDim, b, g),
              options: {
                ...{
                  batch: 1,
                  heads: 1,
                  kvHeads: 1,
                  seqQ,
                  seqK,
                  headDim,
                  valueDim,
                  causal,
                  window,
                  scale,
                  softcap,
                },
                queryOffset: of(options.queryOffset, b),
                keyLengths: keyLengths && [keyLengths[b]!],
                mask: mask?.subarray(row * n, (row + 1) * n),
                bias: bias?.subarray(row * n, (row + 1) * n),
                alibi: alibi?.subarray(h, h + 1),
                sinks: sinks?.subarray(h, h + 1),
              },
            });
            expectSameBits(alone.out, pick(together.out, heads, seqQ, valueDim, b, h));
            expectSameBits(alone.logSumExp, together.logSumExp.subarray(row * seqQ, (row + 1) * seqQ));
          }
        }
      },
      30,
    );
  });

  it('keys that the first queries do not see may hold anything (P6, P13)', () => {
    let hidden = 0;
    holds(optioned, (problem) => {
      const { options } = problem;
      const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } = options;
      const first = Array.from({ length: rowsOf(options) }, (_, row) => placeOf(row, options)).filter(
        ([, , i]) => 2 * i < seqQ,
      );
      const [k, v] = [problem.k.slice(), problem.v.slice()];
      for (let b = 0; b < batch; b++) {
        for (let g = 0; g < kvHeads; g++) {
          const its = first.filter(([c, h]) => c === b && Math.floor((h * kvHeads) / heads) === g);
          for (let j = 0; j < seqK; j++) {
            if (its.some(([, h, i]) => sees(options, b, h, i, j))) continue;
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
      const [one, two] = [run({ ...problem, k, v }), run(problem)];
      for (const [b, h, i] of first) {
        const start = at(layout, heads, seqQ, valueDim, b, h, i);
        expectSameBits(one.out.subarray(start, start + valueDim), two.out.subarray(start, start + valueDim));
        const row = (b * heads + h) * seqQ + i;
        expectSameBits(one.logSumExp.subarray(row, row + 1), two.logSumExp.subarray(row, row + 1));
      }
    });
    expect(hidden).toBeGreaterThan(100);
  });

  it('powers of two pass through V and scale (P11, P12)', () => {
    holds(optioned, (problem) => {
      const { out, logSumExp } = run(problem);
      const large = run({ ...problem, v: problem.v.map((x) => x * 1024) });
      expectEqual(large, { out: out.map((x) => x * 1024), logSumExp });
      const scale = 8 * (problem.options.scale ?? 1 / Math.sqrt(problem.options.headDim));
      const folded = { ...problem, q: problem.q.map((x) => x / 8), options: { ...problem.options, scale } };
      expectEqual(run(folded), { out, logSumExp });
    });
  });

  it('64 keys that are seen, by whatever option, have the mean of their values exactly (P2)', () => {
    holds(
      placeless,
      ({ options: { batch, heads, kvHeads, valueDim, seqQ } }) => {
        const seqK = 211;
        const random = normal(seqK, seqQ);
        const seen = [...random.keys()].sort((a, b) => random[a]! - random[b]!).slice(0, 64);
        const bytes = new Uint8Array(seqK);
        for (const j of seen) bytes[j] = 1 + (j % 255);
        const v = integers(batch * kvHeads * seqK * valueDim, 5, 500);
        const [q, k] = [normal(batch * heads * seqQ, 1), normal(batch * kvHeads * seqK, 2)];
        const shape: Shape = [1, 1, 1, seqK];
        const bias = Float32Array.from(bytes, (x) => (x === 0 ? -Infinity : 0));
        const dims = {
          batch,
          heads,
          kvHeads,
          valueDim,
          seqQ,
          seqK,
          headDim: 1,
          scale: 0,
          layout: 'bshd',
        } as const;
        // A sink of 0 is a 64th key of value 0.
        const one = {
          mask: { data: bytes.map((x, j) => (j === seen[0] ? 0 : x)), shape },
          sinks: new Float32Array(heads),
        };
        for (const [keys, more] of [
          [seen, { mask: { data: bytes, shape } }],
          [seen, { bias: { data: bias, shape } }],
          [Array.from({ length: 64 }, (_, j) => j), { keyLengths: new Array<number>(batch).fill(64) }],
          [
            Array.from({ length: 64 }, (_, j) => 90 + j),
            {
              window: [0, Infinity],
              queryOffset: 90,
              keyLengths: new Array<number>(batch).fill(154),
              seqQ: 1,
            },
          ],
          [seen.slice(1), one],
        ] as const) {
          const options = { ...dims, ...more };
          const { out } = run({ q: q.subarray(0, batch * heads * options.seqQ), k, v, options });
          for (const [e, x] of out.entries()) {
            const [d, h] = [e % valueDim, Math.floor(e / valueDim) % heads];
            const b = Math.floor(e / valueDim / heads / options.seqQ);
            const g = Math.floor((h * kvHeads) / heads);
            const sum = keys.reduce(
              (total, j) => total + v[at('bshd', kvHeads, seqK, valueDim, b, g, j) + d]!,
              0,
            );
            if (x !== sum / 64) expect.fail(`${Object.keys(more).join()}: [${e}] ${x}, not ${sum / 64}`);
          }
        }
      },
      20,
    );
  });

  it('the oracle of these tests and the options agree on who sees whom', () => {
    let [some, all] = [0, 0];
    holds(optioned, ({ q, k, v, options }) => {
      const { weights } = engine.attentionWeights(q, k.fill(0), v, {
        ...options,
        softcap: undefined,
        alibi: undefined,
      });
      for (const row of someRows(options)) {
        const [b, h, i] = placeOf(row, options);
        for (let j = 0; j < options.seqK; j++) {
          const seen = sees(options, b, h, i, j);
          if (weights[row * options.seqK + j]! > 0 !== seen) {
            expect.fail(
              `[${b}, ${h}, ${i}, ${j}] ${seen}, bias ${element(options.bias, options, [b, h, i, j])}`,
            );
          }
          some += Number(seen);
          all++;
        }
      }
    });
    expect(some).toBeGreaterThan(0.1 * all);
    expect(some).toBeLessThan(0.9 * all);
  });
});
