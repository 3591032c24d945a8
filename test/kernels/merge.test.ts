/** The kernels of mergeAttention: f32MergeWeights and f32Merge. */
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { normal } from '../data.ts';
import { Arena, expectSame, expectWithin, gamma } from './harness.ts';

const { fround } = Math;
const PARTS = [1, 2, 3, 4, 5, 9, 100];
const DIMS = [1, 2, 3, 4, 5, 7, 8, 9, 16, 64, 67];
const LANES = [0, 1, 2, 3];
const LOG2E = fround(Math.LOG2E);
const LOWEST = -(2 - 2 ** -23) * 2 ** 127;

describe.each(builds)('merge, %s', (build) => {
  const arena = new Arena(build);
  const oracle = new Arena(build);
  const { kernels } = arena;

  /** The build's own 2^x, whose error is known. */
  function exp2(x: readonly number[]): Float32Array {
    oracle.clear();
    const block = oracle.place([...x, ...Array<number>((4 - (x.length % 4)) % 4).fill(0)]);
    oracle.kernels.exp2Vectors(block.address, block.floats.length / 4);
    return block.floats.slice(0, x.length);
  }

  describe('f32MergeWeights', () => {
    const run = (lse: Float32Array, last = false) => {
      arena.clear();
      const block = last ? arena.placeLast(lse) : arena.place(lse);
      const sum = arena.room(8);
      arena.run([block, sum], () => {
        kernels.f32MergeWeights(block.address, lse.length / 4, sum.address);
      });
      return { w: block.floats.slice(), m: sum.floats.slice(0, 4), l: sum.floats.slice(4) };
    };

    it.each(PARTS)('%i parts', (parts) => {
      for (const sigma of [0, 1, 30, 1e4]) {
        const lse = normal(4 * parts, parts, sigma).map((x, at) => (at % 7 === 5 ? -Infinity : x));
        const { w, m, l } = run(lse, sigma === 1);
        for (const lane of LANES) {
          const given = Array.from({ length: parts }, (_, p) => lse[4 * p + lane]!);
          const most = Math.max(LOWEST, ...given);
          expect(m[lane]! === most).toBe(true);
          // In the kernel's own steps, to the bit.
          const steps = exp2(given.map((x) => fround(fround(x - most) * LOG2E)));
          const weights = given.map((_, p) => w[4 * p + lane]!);
          expectSame(weights, steps, `lane ${lane}: w`);
          expect(l[lane]).toBe(steps.reduce((sum, x) => fround(sum + x), 0));
          // And against float64: the difference, log₂e and the product each move the exponent by its size.
          const truth = given.map((x) => Math.exp(x - most));
          const bound = given.map((x) => gamma(x === -Infinity ? 0 : 3 * (most - x) + 2));
          expectWithin(
            weights,
            truth,
            truth.map((x, p) => x * bound[p]! + 2 ** -126),
            `lane ${lane}: against float64`,
          );
        }
      }
    });
    it('gives a part at −∞ exactly 0, and a row of nothing else a sum of 0', () => {
      const none = -Infinity;
      const { w, l } = run(Float32Array.of(1, none, none, 2, none, none, 3, none));
      expect([...w.slice(0, 4), ...w.slice(4)]).toEqual([1, 0, 0, 1, 0, 0, 1, 0]);
      expect([...l]).toEqual([1, 0, 1, 1]);
    });
    it.each([NaN, Infinity])('makes the sum of a row with %s NaN, and of no other', (special) => {
      for (const lane of LANES) {
        for (const part of [0, 2]) {
          const lse = normal(12, 3);
          const clean = run(lse).l;
          lse[4 * part + lane] = special;
          expectSame(
            run(lse).l,
            clean.map((x, at) => (at === lane ? NaN : x)),
            `lane ${lane}`,
          );
        }
      }
    });
    it('weighs the lowest numbers and the highest', () => {
      const { l } = run(Float32Array.of(LOWEST, -LOWEST, LOWEST, 0, LOWEST, LOWEST, -LOWEST, LOWEST));
      expect([...l]).toEqual([2, 1, 1, 1]);
      expect([...run(new Float32Array(8).fill(LOWEST)).l]).toEqual([2, 2, 2, 2]);
    });
    it('refuses no parts', () => {
      expect(() => {
        kernels.f32MergeWeights(8192, 0, 4096);
      }).toThrow('assertion');
    });
  });

  describe('f32Merge', () => {
    const bits = new Uint32Array(1);
    const asWord = (x: number): number => {
      new Float32Array(bits.buffer)[0] = x;
      return bits[0]!;
    };
    const run = (rows: readonly Float32Array[], w: Float32Array, dim: number, last: number) => {
      arena.clear();
      const blocks = rows.map((row, p) => (p === last ? arena.placeLast(row) : arena.place(row)));
      const table = arena.table(blocks.flatMap(({ address }, p) => [address, asWord(w[p]!)]));
      const out = last === rows.length ? arena.placeLast(new Float32Array(dim)) : arena.room(dim);
      arena.run([out], () => {
        kernels.f32Merge(table.address, rows.length, dim, out.address);
      });
      return out.floats.slice();
    };

    it.each(DIMS)('dim %i', (dim) => {
      for (const parts of [0, 1, 2, 3, 7]) {
        const rows = Array.from({ length: parts }, (_, p) => normal(dim, p + dim));
        const w = normal(parts, dim).map(Math.abs);
        for (const last of [0, parts - 1, parts]) {
          const expected = Float32Array.from({ length: dim }, (_, d) =>
            rows.reduce(
              (sum, row, p) => (p === 0 ? fround(w[0]! * row[d]!) : arena.madd(w[p]!, row[d]!, sum)),
              0,
            ),
          );
          expectSame(run(rows, w, dim, last), expected, `${parts} parts`);
        }
      }
    });
    it('copies one part of weight 1 to the bit', () => {
      const row = Float32Array.of(-0, 2 ** -149, 3e38, Infinity, -1);
      expectSame(run([row], Float32Array.of(1), 5, 0), row, 'one part');
    });
    it('refuses what it cannot sum', () => {
      for (const [parts, dim] of [
        [-1, 4],
        [1, 0],
      ] as const) {
        expect(() => {
          kernels.f32Merge(8192, parts, dim, 4096);
        }).toThrow('assertion');
      }
    });
  });
});
