/**
 * What becomes of scores between the product and the softmax: f32ScoreScale, f32ScoreCap, f32ScoreAlibi, f32ScoreBias,
 * f32MaskSeen, f32ScoreMask. (f32ScoreLimit, which comes last, is in softmax.test.ts.)
 */
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { normal, uniform } from '../data.ts';
import { Arena, expectSame, expectWithin, part, U, type Block } from './harness.ts';
import { COLUMNS } from './tiles.ts';

/** Around four, around vectors of sixteen bytes, and a whole block of attention. */
const KEYS = [0, 1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 47, 48, 95, 96];
const LANES = [0, 1, 2, 3, 4, 5, 6, 7];
const MAX = (2 - 2 ** -23) * 2 ** 127;
const { fround, LN2, LOG2E } = Math;

/** Scores of every kind: numbers, both infinities, NaN, both zeros. */
function scores(keys: number, seed: number): Float32Array {
  const next = uniform(seed);
  const odd = [-Infinity, Infinity, NaN, 0, -0];
  return normal(keys * COLUMNS, seed, 5).map((x) => (next() < 0.2 ? odd[Math.floor(5 * next())]! : x));
}

describe.each(builds)('scores, %s', (build) => {
  const arena = new Arena(build);
  const { kernels } = arena;

  /** Runs a kernel on scores in place, which may be the last of the memory, and gives them back. */
  const inPlace = (s: Float32Array, last: boolean, kernel: (s: number) => void): Float32Array => {
    const block = last ? arena.placeLast(s) : arena.place(s);
    arena.run([block], () => {
      kernel(block.address);
    });
    return block.floats.slice();
  };

  describe('f32ScoreScale', () => {
    it.each([1, -2, 2 ** 62, 2 ** -126, 0])('times %d', (scale) => {
      for (const [i, vectors] of [0, 1, 2, 3, 192].entries()) {
        arena.clear();
        const s = scores(Math.ceil(vectors / 2), 1 + i).subarray(0, 4 * vectors);
        const actual = inPlace(s, i % 2 === 1, (at) => {
          kernels.f32ScoreScale(at, vectors, scale);
        });
        expectSame(
          actual,
          s.map((x) => x * scale),
          `${vectors} vectors`,
        );
      }
    });
  });

  describe('f32ScoreCap', () => {
    /** As src/launch/attention.ts has it. */
    const cap = (s: Float32Array, softcap: number, last = false): Float32Array => {
      arena.clear();
      const [half, twice] = [LN2 / softcap, 2 / softcap].map((x) => Math.min(x, MAX));
      return inPlace(s, last, (at) => {
        kernels.f32ScoreCap(at, s.length / 4, half!, twice!, Math.min(softcap * LOG2E, MAX));
      });
    };

    /**
     * Scores in base 2 capped in float64, and how far float32 may be off. With x = S₂·ln 2 / softcap, to first order:
     *
     * |x| < 0.625: tanh(x)/x − 1 = t, |t| <= 0.1126, t ∝ z at most. z = x² has 5 roundings (half, twice the product, the
     * square), P(z) by Horner Σ(2i + 1)|cᵢ|zⁱ / |P| <= 1.9, P·z one, times S₂ one, all on |t|; then the sum's own, and a
     * third for the fit (scripts/fit-tanh.mjs): u·(1.34 + 8.9·0.1126 / 0.8874) < 2.5u, relative. So small scores stay
     * right to the last bit or two, however large the cap.
     *
     * Else: e^(−2|x|) is off by (4|x| + 2)u (two roundings of its argument, the exponential's 2u), and tanh by 2e/(1 + e)²
     * of that; 1 − e, 1 + e, their quotient, cap and the product round once each: cap·u·(5·tanh + 2e/(1 + e)²·(4|x| + 2)).
     */
    const law = (s: Float32Array, softcap: number) => {
      const truth = new Float64Array(s.length);
      const bound = new Float64Array(s.length);
      for (const [i, score] of s.entries()) {
        const x = (Math.abs(score) * LN2) / softcap;
        const tanh = Math.tanh(x);
        truth[i] = Math.sign(score) * softcap * LOG2E * tanh;
        const e = Math.exp(-2 * x);
        const small = 2.5 * U * softcap * LOG2E * tanh + 2 ** -149;
        const large = U * softcap * LOG2E * (5 * tanh + ((2 * e) / (1 + e) ** 2) * (4 * x + 2));
        // The kernel chooses by a rounded x.
        bound[i] = x < 0.625 * (1 - 4 * U) ? small : x > 0.625 * (1 + 4 * U) ? large : Math.max(small, large);
      }
      return { truth, bound };
    };

    it.each([1e-30, 0.01, 2, 30, 50, 1e6, 1e30, 2e38])('%d: every magnitude of a float', (softcap) => {
      const size = 1 << 13;
      const bits = new Uint32Array(size);
      const s = new Float32Array(bits.buffer);
      // Prime, so that all low bits occur.
      const step = 10_007;
      let seen = 0;
      for (let from = 0; from + step * size < 0x7f800000; from += step * size) {
        for (let i = 0; i < size; i++) bits[i] = from + i * step + (i % 2 === 0 ? 0x80000000 : 0);
        const actual = cap(s, softcap, from === 0);
        const { truth, bound } = law(s, softcap);
        expectWithin(actual, truth, bound, `softcap ${softcap}, from ${s[1]}`);
        const limit = fround(Math.min(softcap * LOG2E, MAX));
        seen += actual.filter((x) => Math.abs(x) <= limit).length;
      }
      expect(seen, 'within ±cap').toBe(26 * size);
    });

    it.each([0.5, 50, 1e6])('%d: around the place where one form takes over from the other', (softcap) => {
      const middle = fround((0.625 * softcap) / LN2);
      const s = Float32Array.from({ length: 8192 }, (_, i) => middle * (1 + (i - 4096) * 2 ** -23));
      const { truth, bound } = law(s, softcap);
      expectWithin(cap(s, softcap), truth, bound, 'above');
      const negative = s.map((x) => -x);
      expectSame(
        cap(negative, softcap),
        cap(s, softcap).map((x) => -x),
        'odd',
      );
    });

    it.each([1e-30, 2, 50, 1e30])('%d: zeros, infinities, NaN', (softcap) => {
      const limit = fround(softcap * LOG2E);
      const s = Float32Array.of(0, -0, Infinity, -Infinity, NaN, -NaN, MAX, -MAX);
      const actual = cap(s, softcap);
      expect(actual[0]).toBe(0);
      expect(Math.abs(actual[1]!)).toBe(0);
      expectSame(actual.subarray(2, 4), [limit, -limit], '±∞');
      expect([actual[4], actual[5]]).toEqual([NaN, NaN]);
      if (softcap < 1e30) expectSame(actual.subarray(6), [limit, -limit], 'largest');
      for (const lane of [0, 1, 2, 3]) {
        const one = new Float32Array(8).fill(1);
        one[4 + lane] = NaN;
        const [clean] = cap(new Float32Array(4).fill(1), softcap);
        const expected = one.map((x) => (Number.isNaN(x) ? NaN : clean!));
        expectSame(cap(one, softcap), expected, `NaN in lane ${lane}`);
      }
    });

    it('a cap without end changes nothing, one below float32 leaves nothing', () => {
      const s = normal(64, 1, 1e3);
      expectSame(cap(s, 1e300), s, '1e300');
      // half is as large as a float can be: below 0.625 / half a score stays, above it becomes ±cap.
      for (const softcap of [1e-40, 1e-45, 5e-324]) {
        for (const [i, x] of cap(s, softcap).entries()) {
          expect(Math.abs(x)).toBeLessThanOrEqual(0.625 / MAX);
          expect(x * s[i]!).toBeGreaterThanOrEqual(0);
        }
      }
    });
  });

  describe('f32ScoreAlibi', () => {
    const alibi = (s: Float32Array, places: Float32Array, slopes: Float32Array, last = ''): Float32Array => {
      arena.clear();
      const place = last === 'place' ? arena.placeLast(places) : arena.place(places);
      const slope = last === 'slope' ? arena.placeLast(slopes) : arena.place(slopes);
      return inPlace(s, last === 's', (at) => {
        kernels.f32ScoreAlibi(at, s.length / COLUMNS, place.address, slope.address);
      });
    };

    it.each(KEYS)('%i keys: exact distances, one multiply-add', (keys) => {
      for (const [i, last] of ['s', 'place', 'slope', ''].entries()) {
        const s = scores(keys, keys + i);
        const places = Float32Array.of(0, 1, keys - 1, keys + 50, -70, 2 ** 24 - 1, -(2 ** 23), 12);
        const slopes = normal(8, i).map((x, lane) => (lane === i ? 0 : x));
        const expected = s.map((x, at) => {
          const lane = at % COLUMNS;
          const distance = Math.abs(places[lane]! - Math.floor(at / COLUMNS));
          return arena.madd(distance, slopes[lane]!, x);
        });
        expectSame(alibi(s, places, slopes, last), expected, `last ${last}`);
      }
    });

    it('distances beyond 2²⁴ are rounded once, not once a key', () => {
      const zeros = new Float32Array(96 * COLUMNS);
      const places = Float32Array.of(
        2 ** 24,
        2 ** 24 + 10,
        2 ** 25 + 4,
        -(2 ** 24),
        2 ** 30,
        -(2 ** 40),
        1e30,
        95,
      );
      const actual = alibi(zeros, places, new Float32Array(8).fill(1));
      const truth = Float64Array.from(zeros, (_, at) => {
        return Math.abs(places[at % COLUMNS]! - Math.floor(at / COLUMNS));
      });
      expectWithin(
        actual,
        truth,
        truth.map((x) => U * x),
        'distance',
      );
    });
  });

  describe('f32ScoreBias', () => {
    const bias = (s: Float32Array, b: Float32Array, step: number, last = ''): Float32Array => {
      arena.clear();
      const added = last === 'b' ? arena.placeLast(b) : arena.place(b);
      return inPlace(s, last === 's', (at) => {
        kernels.f32ScoreBias(at, s.length / COLUMNS, added.address, step);
      });
    };
    const formula = (x: number, b: number) => (b === -Infinity ? -Infinity : fround(x + b));

    it.each(KEYS)('%i keys', (keys) => {
      for (const [i, last] of ['s', 'b', ''].entries()) {
        const [s, b] = [scores(keys, keys + i), scores(keys, keys + 10 + i)];
        expectSame(
          bias(s, b, 32, last),
          s.map((x, at) => formula(x, b[at]!)),
          `a row a key, last ${last}`,
        );
        const one = scores(1, keys + 20 + i);
        expectSame(
          bias(s, one, 0, last),
          s.map((x, at) => formula(x, one[at % COLUMNS]!)),
          `one row, last ${last}`,
        );
      }
    });

    it('−∞ masks whatever the score is, and nothing else does', () => {
      const kinds = [NaN, Infinity, -Infinity, 0, 1, -MAX, MAX, -NaN];
      for (const added of kinds) {
        const actual = bias(Float32Array.from(kinds), new Float32Array(8).fill(added), 32);
        const expected = kinds.map((x) => formula(x, added));
        expectSame(actual, expected, `bias ${added}`);
        if (added === -Infinity) expect(actual.every((x) => x === -Infinity)).toBe(true);
      }
    });
  });

  describe('masks of bytes', () => {
    /** What counts as seen, beside 1: the sign bit alone, and all others. */
    const TRUE = [1, 2, 0x80, 0xff, 0x10];

    interface Rows {
      readonly bytes: readonly Uint8Array[];
      readonly table: Block;
    }

    /**
     * Eight rows of bytes, one behind the other from the given alignment mod 16 on, so that each is at another one;
     * between them bytes that say the opposite of what is left of the row. `last`: the last row ends with the memory.
     */
    const lay = (
      keys: number,
      alignment: number,
      last: boolean,
      byte: (lane: number, j: number) => number,
    ): Rows => {
      const bytes = LANES.map((lane) => Uint8Array.from({ length: keys }, (_, j) => byte(lane, j)));
      const gap = 3;
      const length = 8 * (keys + gap) - gap;
      const words = Math.ceil((length + 48) / 4);
      const block = last ? arena.placeLast(new Float32Array(words)) : arena.room(words);
      const memory = new Uint8Array(block.words.buffer, block.address, 4 * words);
      const pad = (16 - (block.address % 16) + alignment) % 16;
      const start = last ? memory.length - length : 16 + pad;
      memory.fill(0x55);
      for (const [lane, row] of bytes.entries()) memory.set(row, start + lane * (keys + gap));
      // A read beyond a row that is all zeros would find something, one that is all ones a zero.
      for (const [lane, row] of bytes.entries()) {
        const opposite = row.every((x) => x !== 0) ? 0 : 0x55;
        memory.fill(opposite, start + lane * (keys + gap) + keys, start + (lane + 1) * (keys + gap));
      }
      const table = arena.table(LANES.map((lane) => block.address + start + lane * (keys + gap)));
      return { bytes, table };
    };

    const seen = ({ table }: Rows, keys: number): number => {
      let answer = NaN;
      arena.run([], () => {
        answer = kernels.f32MaskSeen(table.address, keys);
      });
      return answer;
    };
    const [NONE, ALL, SOME] = [0, 1, 2];

    it.each(KEYS)('f32MaskSeen, %i keys: all, none, and one byte that differs anywhere', (keys) => {
      for (let alignment = 0; alignment < 16; alignment++) {
        for (const last of alignment === 5 ? [false, true] : [false]) {
          const look = (byte: (lane: number, j: number) => number): number => {
            arena.clear();
            return seen(lay(keys, alignment, last, byte), keys);
          };
          expect(look((lane, j) => TRUE[(lane + j) % 5]!)).toBe(ALL);
          expect(look(() => 0)).toBe(keys === 0 ? ALL : NONE);
          if (keys === 0) continue;
          for (const lane of LANES) {
            const where = (7 * lane + alignment * 11) % keys;
            for (const j of new Set([where, keys - 1, Math.max(0, (keys & ~15) - 1)])) {
              const at = (l: number, i: number): boolean => l === lane && i === j;
              expect(
                look((l, i) => (at(l, i) ? 0 : 0x80)),
                `0 at ${lane}, ${j}`,
              ).toBe(SOME);
              expect(
                look((l, i) => (at(l, i) ? TRUE[lane % 5]! : 0)),
                `1 at ${lane}, ${j}`,
              ).toBe(SOME);
            }
          }
        }
      }
    });

    it('f32MaskSeen: rows that repeat are looked at once, and lose nothing', () => {
      const keys = 21;
      for (const pattern of [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 0, 0, 2, 2],
        [3, 0, 0, 0, 0, 0, 0, 3],
        [0, 0, 0, 0, 0, 0, 0, 1],
      ]) {
        arena.clear();
        // Row 0 is all ones, row 1 all zeros, 2 and 3 have both.
        const rows = lay(keys, 9, false, (lane, j) => (lane === 0 ? 1 : lane === 1 ? 0 : Number(j === lane)));
        const table = arena.table(pattern.map((row) => rows.table.words[row]!));
        expect(seen({ ...rows, table }, keys)).toBe(pattern.every((row) => row === 0) ? ALL : SOME);
        const none = arena.table(pattern.map(() => rows.table.words[1]!));
        expect(seen({ ...rows, table: none }, keys)).toBe(NONE);
      }
    });

    it('f32MaskSeen: looks at each row, whatever stands beside the table', () => {
      for (const lane of LANES) {
        arena.clear();
        const rows = lay(5, 9, false, (l) => Number(l !== lane));
        // Each row once more on either side, so far off as it is from the other end.
        const mirror = [...rows.table.words].reverse();
        const table = arena.table([...mirror, ...rows.table.words, ...mirror]);
        expect(seen({ ...rows, table: part(table, COLUMNS, COLUMNS) }, 5)).toBe(SOME);
      }
    });

    it.each(KEYS)('f32ScoreMask, %i keys', (keys) => {
      for (let alignment = 0; alignment < 16; alignment++) {
        for (const chance of [0, 0.5, 1]) {
          for (const last of ['', 'rows', 's']) {
            if (last !== '' && alignment % 5 !== 0) continue;
            arena.clear();
            const next = uniform(1 + keys + alignment);
            const byte = (): number => (next() < chance ? TRUE[Math.floor(5 * next())]! : 0);
            const { bytes, table } = lay(keys, alignment, last === 'rows', byte);
            const s = scores(keys, keys + alignment);
            const actual = inPlace(s, last === 's', (at) => {
              kernels.f32ScoreMask(at, keys, table.address);
            });
            const expected = s.map((x, at) => {
              return bytes[at % COLUMNS]![Math.floor(at / COLUMNS)] === 0 ? -Infinity : x;
            });
            expectSame(actual, expected, `alignment ${alignment}, chance ${chance}, last ${last}`);
          }
        }
      }
    });

    it('f32ScoreMask: each byte hides its own score', () => {
      const keys = 37;
      for (const lane of LANES) {
        for (let j = 0; j < keys; j++) {
          arena.clear();
          const { table } = lay(keys, 3, false, (l, i) => (l === lane && i === j ? 0 : 2));
          const s = new Float32Array(keys * COLUMNS).fill(NaN);
          const actual = inPlace(s, false, (at) => {
            kernels.f32ScoreMask(at, keys, table.address);
          });
          expectSame(
            actual,
            s.map((x, at) => (at === j * COLUMNS + lane ? -Infinity : x)),
            `query ${lane}, key ${j}`,
          );
        }
      }
    });
  });

  it('all refuse a negative number of keys or vectors', () => {
    const at = 8192;
    const calls: readonly (() => void)[] = [
      () => {
        kernels.f32ScoreScale(at, -1, 1);
      },
      () => {
        kernels.f32ScoreCap(at, -1, 1, 1, 1);
      },
      () => {
        kernels.f32ScoreAlibi(at, -1, 4096, 4096);
      },
      () => {
        kernels.f32ScoreBias(at, -1, 4096, 0);
      },
      () => {
        kernels.f32ScoreMask(at, -1, 4096);
      },
      () => kernels.f32MaskSeen(4096, -1),
    ];
    for (const call of calls) expect(call).toThrow('assertion');
  });
});
