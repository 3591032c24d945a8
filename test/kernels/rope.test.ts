/** The kernels of rope: f32RopeTable, and the turns f32RopeSplit, f32RopeInterleaved, f32RopePairs; ropeFrequencies. */
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { normal, uniform } from '../data.ts';
import { Arena, U, expectSame, expectWithin, type Block } from './harness.ts';
import { spread } from './tiles.ts';

const { fround } = Math;
const PAIRS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 33, 64];
const ROWS = [0, 1, 2, 5];
/** Floats between two rows. */
const GAPS = [0, 1, 6];
/** Angles by quadrant: where sine and cosine change roles, and up to where they are good. */
const QUARTERS = [0, 1, 2, 3, 4, 5, 1e3, 1e6 + 1, 2 ** 30 + 3, Math.floor(2 ** 32 / Math.PI) - 1];

const fours = (pairs: number): number => 4 * Math.ceil(pairs / 4);
/** Float64 as pairs of words: copied bit by bit. */
const words = (x: Float64Array): Float32Array => new Float32Array(x.buffer, x.byteOffset, 2 * x.length);
const doubles = ({ floats }: Block): Float64Array => new Float64Array(floats.slice().buffer);

describe.each(builds)('rope, %s', (build) => {
  const arena = new Arena(build);
  const { kernels } = arena;

  describe('ropeFrequencies', () => {
    it.each(PAIRS.slice(1))('%i pairs', (pairs) => {
      for (const theta of [10000, 5e5, 2, 1, 1.0000001, 0.75, 1e-6, 1e300]) {
        for (const scaling of [1, 8, 3, 0.1]) {
          arena.clear();
          const table = arena.room(2 * fours(pairs));
          arena.run([table], () => {
            kernels.ropeFrequencies(table.address, pairs, theta, scaling);
          });
          const actual = doubles(table).slice(0, pairs);
          const wanted = actual.map((_, i) => theta ** (-i / pairs) / scaling);
          // 5i roundings of ours, at least the quotient; of the truth's the exponent, the power, the quotient.
          const log = Math.abs(Math.log(theta));
          const bound = wanted.map((f, i) => f * (Math.max(5 * i, 1) + log + 3) * 2 ** -53);
          expectWithin(actual, wanted, bound, `theta ${theta}, scaling ${scaling}`);
          expect(actual[0]).toBe(1 / scaling);
        }
      }
    });
    it('finds a root exactly where there is one', () => {
      arena.clear();
      const table = arena.room(8);
      kernels.ropeFrequencies(table.address, 4, 2 ** 16, 1);
      expect([...doubles(table)]).toEqual([1, 2 ** -4, 2 ** -8, 2 ** -12]);
    });
  });

  describe('f32RopeTable', () => {
    /** cos and sin of position · frequencies. */
    const run = (position: number, frequencies: Float64Array, last = false) => {
      const pairs = frequencies.length;
      arena.clear();
      const padded = new Float64Array(fours(pairs));
      padded.set(frequencies);
      const from = last ? arena.placeLast(words(padded)) : arena.place(words(padded));
      const table = arena.room(2 * fours(pairs));
      arena.run([table], () => {
        kernels.f32RopeTable(position, from.address, pairs, table.address);
      });
      const at = (i: number): number => 8 * (i >> 2) + (i & 3);
      const cos = frequencies.map((_, i) => table.floats[at(i)]!);
      return { cos, sin: frequencies.map((_, i) => table.floats[at(i) + 4]!) };
    };
    /** 2⁻⁴⁰, and half a unit of the last place that it is then rounded to; the truth's sine may be off by one of its last places. */
    const bound = (x: Float64Array): Float64Array =>
      x.map((y) => {
        const off = 2 ** -40 + 2 ** -52;
        return off + U * 2 ** Math.floor(Math.log2(Math.abs(y) + off));
      });
    const expectTable = (position: number, frequencies: Float64Array, what: string, last = false) => {
      const { cos, sin } = run(position, frequencies, last);
      const angles = frequencies.map((f) => position * f);
      const [c, s] = [angles.map(Math.cos), angles.map(Math.sin)];
      expectWithin(cos, c, bound(c), `${what}: cos`);
      expectWithin(sin, s, bound(s), `${what}: sin`);
    };

    it.each(PAIRS)('%i pairs', (pairs) => {
      const next = uniform(pairs + 1);
      const frequencies = Float64Array.from({ length: pairs }, () => next() - 0.5);
      for (const last of [false, true]) {
        for (const position of [0, 1, -1, 7, 1000, 131071, -(2 ** 31), 2 ** 31 - 1]) {
          expectTable(position, frequencies, `position ${position}`, last);
        }
      }
    });
    it('whole positions up to the last', () => {
      const one = Float64Array.of(1);
      for (let position = 1; position < 2 ** 31; position = Math.ceil(position * 1.013)) {
        expectTable(position, one, `position ${position}`);
        expectTable(-position, one, `position ${-position}`);
      }
    });
    it.each(QUARTERS)('around %i quarters of π and a little', (quarter) => {
      const angle = (quarter * Math.PI) / 4;
      const near = [0, 1, -1, 2 ** 10, -(2 ** 20), 2 ** 40].map(
        (ulps) => angle + ulps * 2 ** -52 * Math.max(angle, 1),
      );
      const around = [...near, ...near.map((x) => -x)].filter((x) => Math.abs(x) <= 2 ** 31);
      expectTable(1, Float64Array.from(around), `${quarter} π/4`);
    });
    it('beside odd quarters of π, where series need all their terms', () => {
      const next = uniform(1);
      const angles = Float64Array.from({ length: 3000 }, (_, i) => {
        return (2 * (i % 4) + 1) * (Math.PI / 4) + (next() - 0.5) / 50;
      });
      expectTable(1, angles, 'odd quarters');
    });
    it('small angles keep their digits, and 0 is 0', () => {
      for (const angle of [1e-3, 1e-10, 1e-30, 1e-45, 1e-300]) {
        const { cos, sin } = run(1, Float64Array.of(angle, -angle));
        expect([...cos]).toEqual(angle > 1e-4 ? [fround(Math.cos(angle)), fround(Math.cos(angle))] : [1, 1]);
        expect([...sin]).toEqual([fround(angle > 1e-4 ? Math.sin(angle) : angle), fround(-Math.sin(angle))]);
      }
      const zero = run(0, Float64Array.of(1, 0.5, 3));
      expect([...zero.cos, ...zero.sin]).toEqual([1, 1, 1, 0, 0, 0]);
    });
  });

  describe('the turns', () => {
    /** x₁·c − x₂·s and x₂·c + x₁·s, every step rounded. */
    const turned = (x1: number, x2: number, c: number, s: number): [number, number] => [
      fround(fround(x1 * c) - fround(x2 * s)),
      fround(fround(x2 * c) + fround(x1 * s)),
    ];
    /** Tables of `count` tokens, one behind the other: no angle's, so that nothing can be mistaken. */
    const tables = (pairs: number, count: number) => normal(2 * fours(pairs) * count, pairs + 7);

    const kinds = [
      ['f32RopeSplit', (i: number, pairs: number) => [i, i + pairs]],
      ['f32RopeInterleaved', (i: number) => [2 * i, 2 * i + 1]],
    ] as const;
    describe.each(kinds)('%s', (name, place) => {
      const run = (
        pairs: number,
        rows: number,
        gap: number,
        each: boolean,
        inPlace: boolean,
        last: string,
      ) => {
        const length = 2 * pairs + gap;
        const x = normal(rows * length, pairs);
        const table = tables(pairs, each ? rows : 1);
        arena.clear();
        const put = (what: string, data: Float32Array) =>
          what === last ? arena.placeLast(data) : arena.place(data);
        const X = put('x', x);
        const t = put('table', table);
        // Written rows end with what belongs to others: the canary of a gap of one more.
        const outGap = inPlace ? gap : gap + 1;
        const before = spread(new Float32Array(rows * 2 * pairs).fill(NaN), 2 * pairs, outGap);
        const out = inPlace ? X : put('out', Float32Array.from(before));
        const expected = Float32Array.from(inPlace ? x : before);
        const [from, to] = [length, 2 * pairs + outGap];
        for (let row = 0; row < rows; row++) {
          for (let i = 0; i < pairs; i++) {
            const [first, second] = place(i, pairs) as [number, number];
            const at = (each ? row * 2 * fours(pairs) : 0) + 8 * (i >> 2) + (i & 3);
            const [y1, y2] = turned(
              x[row * from + first]!,
              x[row * from + second]!,
              table[at]!,
              table[at + 4]!,
            );
            expected[row * to + first] = y1;
            expected[row * to + second] = y2;
          }
        }
        arena.run([out], () => {
          const step = each ? 8 * fours(pairs) : 0;
          kernels[name](X.address, 4 * from, out.address, 4 * to, rows, t.address, step, pairs);
        });
        expectSame(out.floats, expected, `${rows} rows, gap ${gap}, ${last} last`);
      };
      it.each(PAIRS)('%i pairs', (pairs) => {
        for (const rows of ROWS) {
          for (const gap of GAPS) {
            for (const each of [false, true]) {
              for (const inPlace of [false, true]) {
                for (const last of ['x', 'table', 'out', 'none']) run(pairs, rows, gap, each, inPlace, last);
              }
            }
          }
        }
      });
      it('refuses negative counts', () => {
        for (const [rows, pairs] of [
          [-1, 4],
          [1, -4],
        ] as const) {
          expect(() => {
            kernels[name](8192, 32, 8192, 32, rows, 4096, 0, pairs);
          }).toThrow('assertion');
        }
      });
    });

    it.each([0, 1, 2, 3, 5])('f32RopePairs, %i pairs', (pairs) => {
      for (const [gap, step] of [
        [1, 2],
        [9, 1],
      ] as const) {
        arena.clear();
        const x = normal(20, pairs);
        const table = normal(4 + pairs, 3);
        const X = arena.place(x);
        const t = arena.place(table);
        arena.run([X], () => {
          kernels.f32RopePairs(X.address, X.address, 4 * gap, 4 * step, t.address, pairs);
        });
        for (let i = 0; i < pairs; i++) {
          const [first, second] = [i * step, i * step + gap];
          [x[first], x[second]] = turned(x[first]!, x[second]!, table[i]!, table[i + 4]!);
        }
        expectSame(X.floats, x, `gap ${gap}`);
      }
    });
  });
});
