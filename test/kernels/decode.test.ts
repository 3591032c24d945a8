/**
 * The kernels of the decoding family: scores (f32Qk4x2, and f32Dot into a column) and weighted sums (f32Pv4x8, f32Pv1x16, f32Pv1x32, f32PvExactRow),
 * against their formulas in the order of the contract, and against each other: how many queries share a key head does not
 * touch the bits.
 */
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { integers, normal, uniform } from '../data.ts';
import { Arena, expectSame, expectWithin, gamma, type Block } from './harness.ts';
import { COLUMNS, spread } from './tiles.ts';

const DIMS = [...Array.from({ length: 40 }, (_, i) => i + 1), 64, 127, 128, 130];
const KEYS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 94, 95, 96];
const MOST = 96;
const ROWS = 4;

type Make = (length: number, seed: number) => Float32Array;
const small: Make = (length, seed) => integers(length, seed, 9);

const padded = (dim: number): number => 4 * Math.ceil(dim / 4);

/** Rows of `dim` as rows of whole vectors, zeros behind, and so many canaries between two. */
function wide(x: Float32Array, dim: number, gap: number): Float32Array {
  const rows = Float32Array.from({ length: (x.length / dim) * padded(dim) }, (_, at) => {
    const d = at % padded(dim);
    return d < dim ? x[Math.floor(at / padded(dim)) * dim + d]! : 0;
  });
  return spread(rows, padded(dim), gap);
}

describe.each(builds)('the decoding family, %s', (build) => {
  const arena = new Arena(build);
  const { kernels, madd } = { kernels: arena.kernels, madd: arena.madd.bind(arena) };
  const placer = (last?: string): ((name: string, data: ArrayLike<number>) => Block) => {
    arena.clear();
    return (name, data) => (name === last ? arena.placeLast(data) : arena.place(data));
  };

  describe('scores', () => {
    interface Operands {
      readonly headDim: number;
      /** [4, headDim], [96, headDim] */
      readonly q: Float32Array;
      readonly k: Float32Array;
    }
    const operands = (headDim: number, make: Make): Operands => {
      return { headDim, q: make(ROWS * headDim, headDim), k: make(MOST * headDim, headDim + 1) };
    };
    /** Four queries at once are only of whole vectors. */
    const rowsOf = (headDim: number): readonly (1 | 4)[] => (headDim % 4 === 0 ? [1, 4] : [1]);
    /** Scores [keys, 4] of the queries from column `column` on in a panel of eight, by either kernel. */
    const run = (
      rows: 1 | 4,
      { headDim, q, k }: Operands,
      keys: number,
      { gap = 0, column = 0, last }: { gap?: number; column?: number; last?: string } = {},
    ): Float32Array => {
      const out = new Float32Array(keys * ROWS);
      for (let row = 0; row < ROWS; row += rows) {
        const place = placer(last);
        const ldq = padded(headDim) + gap;
        const Q = place('q', wide(q.subarray(row * headDim, (row + rows) * headDim), headDim, gap));
        const K = place('k', spread(k.subarray(0, keys * headDim), headDim, gap));
        const s = arena.room(COLUMNS * keys);
        const written = Array.from({ length: keys }, (_, j) => {
          return { address: s.address + 4 * (COLUMNS * j + column), words: { byteLength: 4 * rows } };
        });
        const [to, ldk] = [s.address + 4 * column, 4 * (headDim + gap)];
        arena.run(written, () => {
          if (rows === 4) kernels.f32Qk4x2(Q.address, 4 * ldq, K.address, ldk, headDim, keys, to);
          else kernels.f32Dot(Q.address, K.address, ldk, headDim, keys, to, 4 * COLUMNS);
        });
        for (let at = 0; at < keys * rows; at++) {
          const [j, r] = [Math.floor(at / rows), at % rows];
          out[j * ROWS + row + r] = s.floats[COLUMNS * j + column + r]!;
        }
      }
      return out;
    };
    /** [96, 4]: one chain of four lanes, what is left in the first, (x0 + x2) + (x1 + x3). */
    const inOrder = ({ headDim, q, k }: Operands): Float32Array =>
      Float32Array.from({ length: MOST * ROWS }, (_, at) => {
        const [j, row] = [Math.floor(at / ROWS), at % ROWS];
        const lanes = [0, 0, 0, 0];
        for (let d = 0; d < headDim; d++) {
          const lane = d < headDim - (headDim % 4) ? d % 4 : 0;
          lanes[lane] = madd(q[row * headDim + d]!, k[j * headDim + d]!, lanes[lane]!);
        }
        const [x0, x1, x2, x3] = lanes as [number, number, number, number];
        return Math.fround(Math.fround(x0 + x2) + Math.fround(x1 + x3));
      });
    const sum = ({ headDim, q, k }: Operands, size: (x: number) => number): Float64Array =>
      Float64Array.from({ length: MOST * ROWS }, (_, at) => {
        const [j, row] = [Math.floor(at / ROWS), at % ROWS];
        let total = 0;
        for (let d = 0; d < headDim; d++) total += size(q[row * headDim + d]! * k[j * headDim + d]!);
        return total;
      });

    it.each(DIMS)(
      'headDim %i: exact on integers, in order and inside the law, the same from both',
      (headDim) => {
        const [whole, real] = [operands(headDim, small), operands(headDim, normal)];
        const integer = Float32Array.from(
          sum(whole, (x) => x),
          (x) => x + 0,
        );
        const ordered = inOrder(real);
        const [truth, sizes] = [sum(real, (x) => x), sum(real, Math.abs)];
        // A product's own rounding, those down its lane, and two across.
        const bound = sizes.map((x) => gamma(Math.floor(headDim / 4) + 3 + (headDim % 4)) * x);
        for (const keys of KEYS) {
          const [end, gap, column] = [keys * ROWS, [0, 1, 6][keys % 3]!, keys % 5];
          const what = `${keys} keys`;
          for (const rows of rowsOf(headDim)) {
            const exact = run(rows, whole, keys, { gap, column: rows === 4 ? 4 * (keys % 2) : column });
            expectSame(
              exact.map((x) => x + 0),
              integer.subarray(0, end),
              `${what}, ${rows} rows: integers`,
            );
            const actual = run(rows, real, keys, { gap });
            expectSame(actual, ordered.subarray(0, end), `${what}, ${rows} rows: in order`);
            expectWithin(actual, truth.subarray(0, end), bound, `${what}, ${rows} rows: against float64`);
          }
          if (headDim % 4 === 0)
            expectSame(run(1, real, keys), run(4, real, keys), `${what}: alone or with three`);
        }
      },
    );

    it('reads nothing beyond its operands', () => {
      for (const headDim of [1, 2, 3, 4, 5, 64, 130]) {
        const real = operands(headDim, normal);
        const ordered = inOrder(real);
        for (const keys of [1, 2, 3, 4, 5, 96]) {
          for (const rows of rowsOf(headDim)) {
            for (const last of ['q', 'k']) {
              const actual = run(rows, real, keys, { gap: 1, last });
              expectSame(actual, ordered.subarray(0, keys * ROWS), `${headDim}, ${keys}, ${rows}, ${last}`);
            }
          }
        }
      }
    });

    it('keeps NaN in a key to its row, NaN in a query to its column', () => {
      const clean = operands(8, normal);
      for (let key = 0; key < 7; key++) {
        for (const d of [0, 7]) {
          const k = clean.k.map((x, at) => (at === 8 * key + d ? NaN : x));
          const q = clean.q.map((x, at) => (at === 8 * (key % 4) + d ? NaN : x));
          for (const rows of [1, 4] as const) {
            const isNaN = (x: Float32Array): boolean[] => Array.from(x, Number.isNaN);
            const byKey = isNaN(run(rows, { ...clean, k }, 7));
            expect(byKey).toEqual(byKey.map((_, at) => Math.floor(at / ROWS) === key));
            const byQuery = isNaN(run(rows, { ...clean, q }, 7));
            expect(byQuery).toEqual(byQuery.map((_, at) => at % ROWS === key % 4));
          }
        }
      }
    });
  });

  describe('weighted sums', () => {
    interface Operands {
      readonly valueDim: number;
      /** [96, valueDim]; [96, 8]; [4, valueDim]; [8] */
      readonly v: Float32Array;
      readonly p: Float32Array;
      readonly o: Float32Array;
      readonly factor: Float32Array;
      /** [96, 8]: whether a query sees a key. Only the exact row asks. */
      readonly seen: readonly boolean[];
    }
    const operands = (valueDim: number, make: Make, masked = 0): Operands => {
      const next = uniform(valueDim);
      const seen = Array.from({ length: MOST * COLUMNS }, () => next() >= masked);
      return {
        valueDim,
        v: make(MOST * valueDim, valueDim),
        p: make(MOST * COLUMNS, valueDim + 1).map((x, at) => (seen[at] ? x : 0)),
        o: make(ROWS * valueDim, valueDim + 2),
        factor: make(COLUMNS, valueDim + 3),
        seen,
      };
    };
    type Kernel = 'f32Pv4x8' | 'f32Pv1x16' | 'f32Pv1x32' | 'f32PvExactRow';
    const ONE: readonly Kernel[] = ['f32Pv1x16', 'f32Pv1x32', 'f32PvExactRow'];
    const ALL: readonly Kernel[] = ['f32Pv4x8', ...ONE];
    /** Four queries at once are only of pairs of vectors. */
    const each = (valueDim: number): readonly Kernel[] => (valueDim % 8 === 0 ? ALL : ONE);
    /** O [4, valueDim] of the queries from column `column` on. */
    const run = (
      kernel: Kernel,
      x: Operands,
      keys: number,
      { gap = 0, column = 0, last }: { gap?: number; column?: number; last?: string } = {},
    ): Float32Array => {
      const { valueDim } = x;
      const out = new Float32Array(ROWS * valueDim);
      const rows = kernel === 'f32Pv4x8' ? 4 : 1;
      for (let row = 0; row < ROWS; row += rows) {
        const place = placer(last);
        const v = place('v', spread(x.v.subarray(0, keys * valueDim), valueDim, gap));
        const p = place('p', x.p.subarray(0, keys * COLUMNS));
        const factor = place('factor', x.factor);
        const seen = place('seen', new Float32Array(kernel === 'f32PvExactRow' ? keys * COLUMNS : 0));
        seen.words.set(Uint32Array.from(seen.words, (_, at) => (x.seen[at] ? 0xffffffff : 0)));
        const ldo = padded(valueDim) + gap;
        const o = place('o', wide(x.o.subarray(row * valueDim, (row + rows) * valueDim), valueDim, gap));
        const written = Array.from({ length: rows }, (_, r) => {
          return { address: o.address + 4 * r * ldo, words: { byteLength: 4 * padded(valueDim) } };
        });
        const [ldv, lane] = [4 * (valueDim + gap), 4 * (column + row)];
        arena.run(written, () => {
          const [P, F] = [p.address + lane, factor.address + lane];
          if (kernel === 'f32Pv4x8')
            kernels[kernel](v.address, ldv, valueDim, P, keys, o.address, 4 * ldo, F);
          else if (kernel === 'f32PvExactRow')
            kernels[kernel](v.address, ldv, valueDim, P, keys, seen.address + lane, o.address, F);
          else kernels[kernel](v.address, ldv, valueDim, P, keys, o.address, F);
        });
        for (let r = 0; r < rows; r++) {
          out.set(o.floats.subarray(r * ldo, r * ldo + valueDim), (row + r) * valueDim);
          // What a NaN of a weight makes of the zeros there goes nowhere.
          if (![...x.p, ...x.factor].some(Number.isNaN)) {
            const behind = o.floats.subarray(r * ldo + valueDim, r * ldo + padded(valueDim));
            expectSame(behind.map(Math.abs), new Float32Array(behind.length), 'behind valueDim');
          }
        }
      }
      return out;
    };
    /** For each number of keys, [4, valueDim]: each key in ascending order from zero, then the rescale; and float64. */
    const formulas = (x: Operands, column: number, keysOf: readonly number[], skips = false) => {
      const { valueDim, v, p, o, factor, seen } = x;
      const [sums, exact, sizes] = [
        o.map(() => 0),
        Float64Array.from(o, () => 0),
        Float64Array.from(o, () => 0),
      ];
      const found = new Map<number, Record<'ordered' | 'truth' | 'bound', Float64Array>>();
      for (let keys = 0; keys <= MOST; keys++) {
        if (keysOf.includes(keys)) {
          const f = (at: number): number => factor[column + Math.floor(at / valueDim)]!;
          found.set(keys, {
            ordered: Float64Array.from(o, (before, at) => madd(before, f(at), sums[at]!)),
            truth: Float64Array.from(o, (before, at) => before * f(at) + exact[at]!),
            bound: Float64Array.from(o, (before, at) => {
              return gamma(2) * Math.abs(before * f(at)) + gamma(keys + 1) * sizes[at]!;
            }),
          });
        }
        if (keys === MOST) break;
        for (const at of o.keys()) {
          const weight = keys * COLUMNS + column + Math.floor(at / valueDim);
          if (skips && !seen[weight]) continue;
          const value = v[keys * valueDim + (at % valueDim)]!;
          sums[at] = madd(p[weight]!, value, sums[at]!);
          exact[at]! += p[weight]! * value;
          sizes[at]! += Math.abs(p[weight]! * value);
        }
      }
      return found;
    };

    it.each(DIMS)(
      'valueDim %i: exact on integers, in order and inside the law, the same from all',
      (valueDim) => {
        const [whole, real, masked] = [
          operands(valueDim, small),
          operands(valueDim, normal),
          operands(valueDim, normal, 0.3),
        ];
        const column = 4 * (valueDim % 2);
        const [exact, right, seen] = [whole, real, masked].map((x) =>
          formulas(x, column, KEYS, x === masked),
        );
        for (const keys of KEYS) {
          const options = { gap: [0, 1, 6][keys % 3]!, column };
          for (const kernel of each(valueDim)) {
            const what = `${kernel}, ${keys} keys`;
            const integer = run(kernel, whole, keys, options).map((x) => x + 0);
            expectSame(
              integer,
              exact!.get(keys)!.truth.map((x) => x + 0),
              `${what}: integers`,
            );
            const { ordered, truth, bound } = right!.get(keys)!;
            const actual = run(kernel, real, keys, options);
            expectSame(actual, ordered, `${what}: in order`);
            expectWithin(actual, truth, bound, `${what}: against float64`);
            // A weight of 0 adds nothing to a finite sum, whether it is skipped or not.
            expectSame(run(kernel, masked, keys, options), seen!.get(keys)!.ordered, `${what}: masked`);
          }
        }
      },
    );

    it('reads nothing beyond its operands', () => {
      for (const valueDim of [1, 2, 3, 4, 5, 8, 33, 64, 130]) {
        const x = operands(valueDim, normal);
        const right = formulas(x, 0, [1, 2, 5, 96]);
        for (const [keys, { ordered }] of right) {
          for (const kernel of each(valueDim)) {
            for (const last of ['v', 'p', 'o', 'factor', ...(kernel === 'f32PvExactRow' ? ['seen'] : [])]) {
              const actual = run(kernel, x, keys, { gap: 1, last });
              expectSame(actual, ordered, `${kernel}, valueDim ${valueDim}, ${keys} keys, ${last}`);
            }
          }
        }
      }
    });

    it.each(ALL)('%s keeps NaN to the element, the query and the row that it is in', (kernel) => {
      const clean = operands(40, normal);
      const before = run(kernel, clean, 9);
      const hit = (x: Operands, where: (at: number) => boolean): void => {
        expectSame(
          run(kernel, x, 9),
          before.map((y, at) => (where(at) ? NaN : y)),
          kernel,
        );
      };
      for (const d of [0, 7, 8, 31, 32, 39]) {
        const v = clean.v.map((y, at) => (at === 5 * 40 + d ? NaN : y));
        hit({ ...clean, v }, (at) => at % 40 === d);
      }
      for (let row = 0; row < ROWS; row++) {
        const p = clean.p.map((y, at) => (at === 2 * COLUMNS + row ? NaN : y));
        hit({ ...clean, p }, (at) => Math.floor(at / 40) === row);
        const factor = clean.factor.map((y, at) => (at === row ? NaN : y));
        hit({ ...clean, factor }, (at) => Math.floor(at / 40) === row);
      }
    });

    it('the exact row does not see NaN and infinity of a masked key', () => {
      for (const special of [NaN, Infinity, -Infinity]) {
        for (const valueDim of [1, 4, 7, 34]) {
          const x = operands(valueDim, normal, 0.5);
          const clean = run('f32PvExactRow', x, 9);
          for (let key = 0; key < 9; key++) {
            const v = x.v.slice();
            v.fill(special, key * valueDim, (key + 1) * valueDim);
            const actual = run('f32PvExactRow', { ...x, v }, 9);
            for (const [at, y] of actual.entries()) {
              if (x.seen[key * COLUMNS + Math.floor(at / valueDim)]) expect(Number.isFinite(y)).toBe(false);
              else expect(y).toBe(clean[at]);
            }
          }
        }
      }
    });
  });

  it('refuse what is negative, and four queries at once what is no whole number of vectors', () => {
    for (const [keys, dim] of [
      [-1, 8],
      [1, 6],
      [1, -1],
    ] as const) {
      for (const call of [
        () => {
          kernels.f32Qk4x2(4096, 4, 4096, 4, dim, keys, 8192);
        },
        () => {
          kernels.f32Pv4x8(4096, 4, dim, 4096, keys, 8192, 16, 4096);
        },
        ...(dim === 6
          ? []
          : [
              () => {
                kernels.f32Dot(4096, 4096, 4, dim, keys, 8192, 32);
              },
              () => {
                kernels.f32Pv1x32(4096, 4, dim, 4096, keys, 8192, 4096);
              },
              () => {
                kernels.f32PvExactRow(4096, 4, dim, 4096, keys, 4096, 8192, 4096);
              },
            ]),
      ]) {
        expect(call).toThrow('assertion');
      }
    }
  });
});
