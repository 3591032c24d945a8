/** Between scores and weights: f32ScoreLimit, f32SoftmaxOnline, f32Weights. The exponential itself is in test/exp.test.ts. */
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { normal, uniform } from '../data.ts';
import { Arena, expectSame, expectWithin, gamma, part } from './harness.ts';
import { COLUMNS } from './tiles.ts';

/** Around a quad of keys, around two, and a whole block of attention. */
const KEYS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 95, 96];
const LANES = [0, 1, 2, 3, 4, 5, 6, 7];
/** What running maxima start from, as in assembly/panel.ts. */
const LOWEST = -(2 - 2 ** -23) * 2 ** 127;

/** Raises m over the scores of a block; a NaN is no larger maximum. */
function raise(m: Float32Array, s: Float32Array): void {
  for (const [at, x] of s.entries()) if (m[at % COLUMNS]! < x) m[at % COLUMNS] = x;
}

/** Scores whose lanes differ in level, some of them masked. */
function scores(keys: number, seed: number, level = 0, sigma = 5): Float32Array {
  const next = uniform(seed);
  return normal(keys * COLUMNS, seed, sigma).map((x, at) =>
    next() < 0.1 ? -Infinity : x + level + (at % 3),
  );
}

describe.each(builds)('scores to weights, %s', (build) => {
  const arena = new Arena(build);
  const oracle = new Arena(build);
  const { kernels } = arena;

  /** The build's own 2^x, whose error is known. */
  function exp2(x: Float32Array): Float32Array {
    oracle.clear();
    const block = oracle.place([...x, ...Array<number>((4 - (x.length % 4)) % 4).fill(0)]);
    oracle.kernels.exp2Vectors(block.address, block.floats.length / 4);
    return block.floats.slice(0, x.length);
  }

  describe('f32ScoreLimit', () => {
    const run = (
      s: Float32Array,
      first: number,
      limits: readonly number[],
      m: Float32Array,
      last = false,
      starts: readonly number[] = LANES.map(() => 0),
    ) => {
      arena.clear();
      const block = last ? arena.placeLast(s) : arena.place(s);
      const start = arena.table(starts);
      const limit = arena.table(limits);
      const maxima = arena.place(m);
      arena.run([block, maxima], () => {
        const keys = s.length / COLUMNS;
        kernels.f32ScoreLimit(block.address, first, keys, start.address, limit.address, maxima.address);
      });
      return { s: block.floats.slice(), m: maxima.floats.slice() };
    };
    const formula = (
      s: Float32Array,
      first: number,
      limits: readonly number[],
      m: Float32Array,
      starts: readonly number[] = LANES.map(() => 0),
    ) => {
      const masked = s.map((x, at) => {
        const key = first + Math.floor(at / COLUMNS);
        return key >= starts[at % COLUMNS]! && key < limits[at % COLUMNS]! ? x : -Infinity;
      });
      const maxima = m.slice();
      raise(maxima, masked);
      return { s: masked, m: maxima };
    };

    it.each(KEYS)('%i keys, limits before, inside and behind the block', (keys) => {
      for (const first of [0, 96, 2 ** 30]) {
        const around = [0, first, first + 1, first + 3, first + keys - 1, first + keys, first + keys + 1];
        for (const shift of LANES) {
          const limits = LANES.map((lane) => Math.max(0, around[(lane + shift) % around.length]!));
          const s = scores(keys, keys + shift);
          for (const m of [new Float32Array(8).fill(LOWEST), normal(8, shift, 5)]) {
            const actual = run(s, first, limits, m, shift === 0);
            const expected = formula(s, first, limits, m);
            expectSame(actual.s, expected.s, `first ${first}, limits ${limits.join()}: s`);
            expectSame(actual.m, expected.m, `first ${first}, limits ${limits.join()}: m`);
          }
        }
      }
    });

    it('does not let a masked NaN through, and keeps a NaN that is seen out of the maximum', () => {
      const s = scores(5, 1);
      s.fill(NaN, 3 * COLUMNS, 4 * COLUMNS);
      for (const shift of LANES) {
        const limits = LANES.map((lane) => (lane + shift) % COLUMNS);
        const { s: actual, m } = run(s, 0, limits, new Float32Array(8).fill(LOWEST));
        const isNaN = Array.from(actual, Number.isNaN);
        expect(isNaN).toEqual(
          isNaN.map((_, at) => Math.floor(at / COLUMNS) === 3 && limits[at % COLUMNS]! > 3),
        );
        expectSame(m, formula(s, 0, limits, new Float32Array(8).fill(LOWEST)).m, 'm');
        expect(m.some(Number.isNaN)).toBe(false);
      }
    });

    it('masks from below too', () => {
      const s = scores(97, 2);
      const lowest = new Float32Array(8).fill(LOWEST);
      const starts = [0, 95, 96, 97, 98, 150, 192, 193];
      const limits = [300, 97, 100, 98, 97, 192, 300, 300];
      const actual = run(s, 96, limits, lowest, false, starts);
      const expected = formula(s, 96, limits, lowest, starts);
      expectSame(actual.s, expected.s, 's');
      expectSame(actual.m, expected.m, 'm');
    });

    it('refuses a negative number of keys', () => {
      expect(() => {
        kernels.f32ScoreLimit(8192, 0, -1, 4096, 4096, 4096);
      }).toThrow('assertion');
    });
  });

  describe('f32SoftmaxOnline', () => {
    interface State {
      readonly m: Float32Array;
      readonly l: Float32Array;
    }
    const start = (): State => ({ m: new Float32Array(8).fill(LOWEST), l: new Float32Array(8) });

    /** Runs one block as the driver does: the maxima raised first, those from before in `factor`. */
    const run = (s: Float32Array, { m, l }: State) => {
      const keys = s.length / COLUMNS;
      arena.clear();
      const rounded = COLUMNS * Math.ceil(keys / 4) * 4;
      const block = arena.room(rounded);
      block.floats.set(s);
      const factor = arena.place(m);
      const after = m.slice();
      raise(after, s);
      const maxima = arena.place(after);
      const sums = arena.place(l);
      arena.run([block, factor, sums], () => {
        kernels.f32SoftmaxOnline(block.address, keys, 2, factor.address, maxima.address, sums.address);
      });
      const rest = part(block, s.length, rounded - s.length).floats;
      expectSame(rest, new Float32Array(rest.length), 'rows that fill the last quad');
      const next: State = { m: after, l: sums.floats.slice() };
      return { p: block.floats.slice(0, s.length), factor: factor.floats.slice(), next };
    };

    /** The same in float32, quad by quad, with the build's 2^x. */
    const inOrder = (s: Float32Array, { m, l }: State) => {
      const after = m.slice();
      raise(after, s);
      const p = exp2(s.map((x, at) => x - after[at % COLUMNS]!));
      const factor = exp2(m.map((x, lane) => x - after[lane]!));
      const sums = l.map((before, lane) => {
        const at = (key: number) => p[key * COLUMNS + lane] ?? 0;
        let sum = 0;
        for (let key = 0; key * COLUMNS < s.length; key += 4) {
          const low = Math.fround(at(key) + at(key + 1));
          const high = Math.fround(at(key + 2) + at(key + 3));
          sum = Math.fround(sum + Math.fround(low + high));
        }
        return arena.madd(before, factor[lane]!, sum);
      });
      return { p, factor, next: { m: after, l: sums } };
    };

    /** Runs block after block, each against the order of addition; gives the last state. */
    const runAll = (blocks: readonly Float32Array[]): State => {
      let state = start();
      for (const [i, s] of blocks.entries()) {
        const actual = run(s, state);
        const expected = inOrder(s, state);
        expectSame(actual.p, expected.p, `block ${i}: p`);
        expectSame(actual.factor, expected.factor, `block ${i}: factor`);
        expectSame(actual.next.l, expected.next.l, `block ${i}: l`);
        state = actual.next;
      }
      return state;
    };

    /**
     * Requires l = Σ 2^(s − m) over all blocks, within the roundings that each term met: one of s − m, at most 2u of
     * the exponential, ⌈keys/4⌉ + 1 in its block, one where the block joins; then per later block those of m′ − m, of
     * its exponential, of the product and of the sum. What underflows costs 2⁻¹²⁶ a time.
     */
    const expectLaw = (blocks: readonly Float32Array[], { m, l }: State) => {
      const after: Float32Array[] = [];
      const running = start().m;
      for (const s of blocks) {
        raise(running, s);
        after.push(running.slice());
      }
      expectSame(m, running, 'm');
      const truth = new Float64Array(8);
      const bound = new Float64Array(8);
      for (const lane of LANES) {
        let later = 0;
        for (let b = blocks.length - 1; b >= 0; b--) {
          const s = blocks[b]!;
          const keys = s.length / COLUMNS;
          for (let key = 0; key < keys; key++) {
            const x = s[key * COLUMNS + lane]!;
            if (x === -Infinity) continue;
            const term = 2 ** (x - m[lane]!);
            const roundings = Math.abs(x - after[b]![lane]!) + 2 + Math.ceil(keys / 4) + 2 + later;
            truth[lane]! += term;
            bound[lane]! += gamma(roundings) * term + (blocks.length + 1) * 2 ** -126;
          }
          if (b > 0 && after[b - 1]![lane]! > LOWEST) later += after[b]![lane]! - after[b - 1]![lane]! + 4;
        }
      }
      expectWithin(l, truth, bound, 'l');
    };

    it.each(KEYS)('one block of %i keys', (keys) => {
      for (const [seed, level] of [0, -300, 300, 1e4].entries()) {
        const blocks = [scores(keys, seed, level)];
        expectLaw(blocks, runAll(blocks));
      }
    });

    it.each([
      ['rise', [0, 3, 40, 90, 400]],
      ['fall', [400, 90, 40, 3, 0]],
      ['rise and fall', [0, 90, -40, 91, 60]],
      ['leap', [-1e4, 1e4, -1e4, 2e4, 0]],
      ['stay', [7, 7, 7, 7, 7]],
    ])('blocks whose maxima %s', (_, levels) => {
      for (const keys of [96, 5, 1]) {
        for (const sigma of [0, 1, 30]) {
          const blocks = levels.map((level, i) => scores(i === 4 ? 3 : keys, 10 * keys + i, level, sigma));
          expectLaw(blocks, runAll(blocks));
        }
      }
    });

    it('counts equal scores exactly', () => {
      const blocks = [96, 96, 33].map((keys) => new Float32Array(keys * COLUMNS).fill(-3.25));
      expectSame(runAll(blocks).l, new Float32Array(8).fill(225), 'l');
    });

    it('drops what was summed when the maximum rises beyond 127, and adds nothing from 127 below it', () => {
      const state = runAll([
        new Float32Array(40).fill(-200),
        new Float32Array(40),
        new Float32Array(40).fill(-127),
      ]);
      expectSame(state.l, new Float32Array(8).fill(5), 'l');
    });

    it('gives rows without a key weights, sum and factor of 0, 0 and 1', () => {
      const masked = new Float32Array(9 * COLUMNS).fill(-Infinity);
      const { p, factor, next } = run(masked, start());
      expectSame(p, new Float32Array(9 * COLUMNS), 'p');
      expectSame(factor, new Float32Array(8).fill(1), 'factor');
      expectSame(next.l, new Float32Array(8), 'l');
      expectSame(next.m, start().m, 'm');
      // And a block with keys behind it counts alone.
      const one = run(new Float32Array(7 * COLUMNS).fill(2), next);
      expectSame(one.next.l, new Float32Array(8).fill(7), 'l behind it');
    });

    it.each([NaN, Infinity])('keeps %s to its row', (special) => {
      for (const lane of LANES) {
        for (const key of [0, 3, 4, 6]) {
          const blocks = [scores(7, 1), scores(7, 2), scores(5, 3)];
          const clean = runAll(blocks).l;
          blocks[1]![key * COLUMNS + lane] = special;
          const { l } = runAll(blocks);
          expectSame(
            l,
            clean.map((x, at) => (at === lane ? NaN : x)),
            `lane ${lane}, key ${key}`,
          );
        }
      }
    });

    it('makes a row of nothing but NaN a NaN', () => {
      const { p, next } = run(new Float32Array(5 * COLUMNS).fill(NaN), start());
      expect([...p, ...next.l].every(Number.isNaN)).toBe(true);
    });

    it('refuses a negative number of keys', () => {
      expect(() => {
        kernels.f32SoftmaxOnline(8192, -1, 2, 4096, 4096, 4096);
      }).toThrow('assertion');
    });
  });

  describe('f32Weights', () => {
    const run = (s: Float32Array, m: Float32Array, inverse: Float32Array, last = false) => {
      arena.clear();
      const block = last ? arena.placeLast(s) : arena.place(s);
      const maxima = arena.place(m);
      const factors = arena.place(inverse);
      arena.run([block], () => {
        kernels.f32Weights(block.address, s.length / COLUMNS, maxima.address, factors.address);
      });
      return block.floats.slice();
    };
    const inOrder = (s: Float32Array, m: Float32Array, inverse: Float32Array) => {
      const p = exp2(s.map((x, at) => x - m[at % COLUMNS]!));
      return s.map((x, at) => (x === -Infinity ? 0 : p[at]! * inverse[at % COLUMNS]!));
    };

    it.each(KEYS)('%i keys', (keys) => {
      for (const last of [false, true]) {
        for (const sigma of [1, 30, 1e4]) {
          const s = scores(keys, keys, 5, sigma);
          const m = new Float32Array(8).fill(LOWEST);
          raise(m, s);
          const inverse = normal(8, keys).map((x) => 1 / (1 + Math.abs(x)));
          const actual = run(s, m, inverse, last);
          expectSame(actual, inOrder(s, m, inverse), `sigma ${sigma}: in float32`);
          // Roundings: of s − m, 2u of the exponential, of the product; and what underflows.
          const below = Float64Array.from(s, (x, at) => (x === -Infinity ? -Infinity : x - m[at % COLUMNS]!));
          const truth = below.map((x, at) => 2 ** x * inverse[at % COLUMNS]!);
          const bound = truth.map((w, at) => (w === 0 ? 0 : gamma(3 - below[at]!) * w) + 2 ** -126);
          expectWithin(actual, truth, bound, `sigma ${sigma}: against float64`);
        }
      }
    });

    it('keeps a NaN where it is', () => {
      const [s, m, inverse] = [normal(4 * COLUMNS, 1), new Float32Array(8).fill(5), normal(8, 2)];
      for (const at of s.keys()) {
        const one = s.map((x, i) => (i === at ? NaN : x));
        expectSame(run(one, m, inverse), inOrder(one, m, inverse), `NaN at ${at}`);
      }
    });

    it('gives a masked key exactly 0, whatever stands beside it', () => {
      const s = scores(9, 1);
      for (const lane of LANES) s[3 * COLUMNS + lane] = -Infinity;
      const specials = [0, NaN, Infinity, 1, NaN, 0, 2, 0.5];
      for (const m of [
        new Float32Array(8).fill(LOWEST),
        new Float32Array(8).fill(Infinity),
        normal(8, 2, 50),
      ]) {
        // Each of them in each lane.
        for (const turn of LANES) {
          const inverse = Float32Array.from(LANES, (lane) => specials[(lane + turn) % 8]!);
          const actual = run(s, m, inverse);
          for (const [at, x] of s.entries()) if (x === -Infinity) expect(actual[at]).toBe(0);
        }
      }
    });

    it('keeps NaN to its row', () => {
      for (const lane of LANES) {
        const s = scores(6, 1);
        const m = new Float32Array(8).fill(10);
        const ones = new Float32Array(8).fill(1);
        const clean = run(s, m, ones);
        const bad = ones.map((x, at) => (at === lane ? NaN : x));
        const expected = clean.map((x, at) => (at % COLUMNS === lane && s[at] !== -Infinity ? NaN : x));
        expectSame(run(s, m, bad), expected, `1 / l of lane ${lane}`);
      }
    });

    it('refuses a negative number of keys', () => {
      expect(() => {
        kernels.f32Weights(8192, -1, 4096, 4096);
      }).toThrow('assertion');
    });
  });
});
