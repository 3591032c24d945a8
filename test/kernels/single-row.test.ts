/**
 * The kernels of a matmul with one row, M = 1: against packed panels (f32Gemm1x32, f32Gemm1x32Pairs), against B in
 * place (f32Gemv8, f32Gemv4, f32Gemv1) and against a B that lies transposed (f32Dot, f32Dot8).
 */
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { integers, normal } from '../data.ts';
import { Arena, expectSame, expectWithin, gamma, part, type Block } from './harness.ts';
import { inPanels, spread } from './tiles.ts';

/** Floats between two rows of B, or between two panels. */
const GAPS = [0, 1, 6];

type Make = (length: number, seed: number) => Float32Array;
const small: Make = (length, seed) => integers(length, seed, 9);

/** Puts the named operand at the end of the memory, the others anywhere. */
function placer(arena: Arena, last?: string): (name: string, data: ArrayLike<number>) => Block {
  arena.clear();
  return (name, data) => (name === last ? arena.placeLast(data) : arena.place(data));
}

/** start[j] + Σ a[i]·b[i][j] in float64, and Σ of the sizes. */
function sums(
  a: Float32Array,
  b: Float32Array,
  start: Float32Array,
): { truth: Float64Array; size: Float64Array } {
  const truth = Float64Array.from(start);
  const size = Float64Array.from(start, Math.abs);
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < start.length; j++) {
      const product = a[i]! * b[i * start.length + j]!;
      truth[j]! += product;
      size[j]! += Math.abs(product);
    }
  }
  return { truth, size };
}

describe.each(builds)('one row of A, %s', (build) => {
  const arena = new Arena(build);
  const { kernels } = arena;

  describe.each(['f32Gemm1x32', 'f32Gemm1x32Pairs'] as const)('%s', (kernel) => {
    /** c as the kernel has it: eight floats a panel, so many canaries between them. */
    const run = (
      k: number,
      a: Float32Array,
      b: Float32Array,
      c: Float32Array,
      gap: number,
      last?: string,
    ) => {
      const place = placer(arena, last);
      const x = place('a', a);
      const panels = place(
        'b',
        spread(
          inPanels(b, k, 32).flatMap((panel) => [...panel]),
          8 * k,
          gap,
        ),
      );
      const y = place('c', spread(c, 8, gap));
      const step = 8 + gap;
      const written = [0, 1, 2, 3].map((panel) => part(y, panel * step, 8));
      arena.run(written, () => {
        kernels[kernel](x.address, panels.address, 4 * (8 * k + gap), k, y.address, 4 * step);
      });
      return Float32Array.from(written.flatMap(({ floats }) => [...floats]));
    };

    it.each([0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 64, 100])('k = %i', (k) => {
      for (const gap of GAPS) {
        const what = `gap ${gap}`;
        const whole = [small(k, 1), small(32 * k, 2), small(32, 3)] as const;
        expectSame(run(k, ...whole, gap), Float32Array.from(sums(...whole).truth), `${what}: integers`);

        const [a, b, c] = [normal(k, 4), normal(32 * k, 5), normal(32, 6)];
        const actual = run(k, a, b, c, gap);
        const { truth, size } = sums(a, b, c);
        // k roundings in the sum from zero, one when it is added to c.
        expectWithin(
          actual,
          truth,
          size.map((s) => gamma(k + 1) * s),
          `${what}: against float64`,
        );
        const ordered = c.map((start, j) => {
          let sum = 0;
          for (let i = 0; i < k; i++) sum = arena.madd(a[i]!, b[32 * i + j]!, sum);
          return start + sum;
        });
        expectSame(actual, ordered, `${what}: in order`);
      }
    });

    it('reads nothing beyond its operands', () => {
      for (const last of ['a', 'b', 'c']) {
        const whole = [small(3, 1), small(96, 2), small(32, 3)] as const;
        expectSame(run(3, ...whole, 0, last), Float32Array.from(sums(...whole).truth), last);
      }
    });

    it('refuses a negative depth', () => {
      expect(() => {
        kernels[kernel](4096, 4096, 32, -1, 8192, 32);
      }).toThrow('assertion');
    });

    it('keeps NaN in B to its column', () => {
      for (let column = 0; column < 32; column++) {
        const b = normal(32 * 3, 1);
        b[32 + column] = NaN;
        const isNaN = Array.from(run(3, normal(3, 2), b, normal(32, 3), 0), Number.isNaN);
        expect(isNaN).toEqual(isNaN.map((_, j) => j === column));
      }
    });
  });

  describe.each([1, 4, 8] as const)('f32Gemv%i', (rows) => {
    const run = (
      cols: number,
      a: Float32Array,
      b: Float32Array,
      t: Float32Array,
      gap: number,
      last?: string,
    ) => {
      const place = placer(arena, last);
      const x = place('a', a);
      const rowsOfB = place('b', spread(b, cols, gap));
      const y = place('t', t);
      arena.run([y], () => {
        if (rows === 1) kernels.f32Gemv1(x.address, rowsOfB.address, cols, y.address);
        else kernels[`f32Gemv${rows}`](x.address, rowsOfB.address, 4 * (cols + gap), cols, y.address);
      });
      return y.floats.slice();
    };
    const inOrder = (cols: number, a: Float32Array, b: Float32Array, t: Float32Array) =>
      t.map((start, j) => a.reduce((sum, x, i) => arena.madd(x, b[cols * i + j]!, sum), start));

    it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 100])('%i columns', (cols) => {
      for (const gap of GAPS) {
        const what = `gap ${gap}`;
        const whole = [small(rows, 1), small(rows * cols, 2), small(cols, 3)] as const;
        expectSame(run(cols, ...whole, gap), Float32Array.from(sums(...whole).truth), `${what}: integers`);

        const real = [normal(rows, 4), normal(rows * cols, 5), normal(cols, 6)] as const;
        const actual = run(cols, ...real, gap);
        const { truth, size } = sums(...real);
        // A rounding of each product and one of each of `rows` additions.
        expectWithin(
          actual,
          truth,
          size.map((s) => gamma(rows + 1) * s),
          `${what}: against float64`,
        );
        expectSame(actual, inOrder(cols, ...real), `${what}: in order`);
      }
    });

    it('gives a column the same bits wherever it stands', () => {
      const cols = 19;
      const [a, b, t] = [normal(rows, 1), normal(rows * cols, 2), normal(cols, 3)];
      const whole = run(cols, a, b, t, 0);
      for (let first = 1; first < cols; first++) {
        const shifted = Float32Array.from({ length: rows * (cols - first) }, (_, at) => {
          const row = Math.floor(at / (cols - first));
          return b[row * cols + first + (at % (cols - first))]!;
        });
        expectSame(
          run(cols - first, a, shifted, t.subarray(first), 0),
          whole.subarray(first),
          `from ${first}`,
        );
      }
    });

    it('reads nothing beyond its operands', () => {
      for (const cols of [1, 3, 7, 8, 9]) {
        for (const last of ['a', 'b', 't']) {
          const whole = [small(rows, 1), small(rows * cols, 2), small(cols, 3)] as const;
          expectSame(
            run(cols, ...whole, 1, last),
            Float32Array.from(sums(...whole).truth),
            `${cols}, ${last}`,
          );
        }
      }
    });

    it('keeps NaN in B to its column', () => {
      for (let column = 0; column < 11; column++) {
        const b = normal(rows * 11, 1);
        b[11 * (rows - 1) + column] = NaN;
        const isNaN = Array.from(run(11, normal(rows, 2), b, normal(11, 3), 0), Number.isNaN);
        expect(isNaN).toEqual(isNaN.map((_, j) => j === column));
      }
    });

    it('refuses a negative number of columns', () => {
      expect(() => {
        if (rows === 1) kernels.f32Gemv1(4096, 4096, -1, 4096);
        else kernels[`f32Gemv${rows}`](4096, 4096, 0, -1, 4096);
      }).toThrow('assertion');
    });
  });

  describe.each(['f32Dot', 'f32Dot8'] as const)('%s', (kernel) => {
    /** f32Dot8 takes eight rows at a time, of whole vectors. */
    const takes = (k: number, rows: number): boolean =>
      kernel === 'f32Dot' || (k % 4 === 0 && rows % 8 === 0);
    /** B [rows × k]. */
    const run = (k: number, rows: number, a: Float32Array, b: Float32Array, gap: number, last?: string) => {
      const place = placer(arena, last);
      const x = place('a', a);
      const rowsOfB = place('b', spread(b, k, gap));
      // A row of results, or a column of a panel of scores.
      const step = k % 3 === 0 ? 8 : 1;
      const t = place('t', new Float32Array(Math.max(0, rows - 1) * step + Math.min(rows, 1)).fill(NaN));
      const written = Array.from({ length: rows }, (_, row) => part(t, row * step, 1));
      arena.run(written, () => {
        kernels[kernel](x.address, rowsOfB.address, 4 * (k + gap), k, rows, t.address, 4 * step);
      });
      return Float32Array.from(written, ({ floats }) => floats[0]!);
    };
    const dots = (k: number, rows: number, term: (i: number, at: number) => number) =>
      Float64Array.from({ length: rows }, (_, row) => {
        let sum = 0;
        for (let i = 0; i < k; i++) sum += term(i, row * k + i);
        return sum;
      });
    /** Four lanes, what is left in the first of them, then (x0 + x2) + (x1 + x3). */
    const inOrder = (k: number, a: Float32Array, row: Float32Array) => {
      const lanes = [0, 0, 0, 0];
      const whole = k - (k % 4);
      for (let i = 0; i < k; i++) {
        const lane = i < whole ? i % 4 : 0;
        lanes[lane] = arena.madd(a[i]!, row[i]!, lanes[lane]!);
      }
      const [x0, x1, x2, x3] = lanes as [number, number, number, number];
      return Math.fround(Math.fround(x0 + x2) + Math.fround(x1 + x3));
    };

    const DEPTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 31, 32, 33, 100];
    it.each([0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 72].filter((rows) => takes(4, rows)))('%i rows', (rows) => {
      for (const k of DEPTHS.filter((depth) => takes(depth, rows))) {
        for (const gap of GAPS) {
          const what = `k = ${k}, gap ${gap}`;
          const [wholeA, wholeB] = [small(k, 1), small(rows * k, 2)];
          const exact = dots(k, rows, (i, at) => wholeA[i]! * wholeB[at]!);
          expectSame(run(k, rows, wholeA, wholeB, gap), Float32Array.from(exact), `${what}: integers`);

          const [a, b] = [normal(k, 3), normal(rows * k, 4)];
          const actual = run(k, rows, a, b, gap);
          const size = dots(k, rows, (i, at) => Math.abs(a[i]! * b[at]!));
          // A product's own rounding, those down its lane with what is left of k, and two across.
          const depth = Math.floor(k / 4) + 3 + (k % 4);
          const truth = dots(k, rows, (i, at) => a[i]! * b[at]!);
          expectWithin(
            actual,
            truth,
            size.map((s) => gamma(depth) * s),
            `${what}: against float64`,
          );
          const ordered = Array.from({ length: rows }, (_, row) => inOrder(k, a, b.subarray(row * k)));
          expectSame(actual, ordered, `${what}: in order`);
        }
      }
    });

    it('reads nothing beyond its operands', () => {
      for (const [rows, k] of [
        [1, 3],
        [1, 4],
        [2, 4],
        [3, 4],
        [4, 5],
        [5, 8],
        [6, 5],
        [7, 8],
        [8, 4],
        [16, 12],
      ] as const) {
        if (!takes(k, rows)) continue;
        const [a, b] = [small(k, 1), small(rows * k, 2)];
        const exact = Float32Array.from(dots(k, rows, (i, at) => a[i]! * b[at]!));
        for (const last of ['a', 'b', 't']) {
          expectSame(run(k, rows, a, b, 1, last), exact, `${rows} × ${k}, ${last}`);
        }
      }
    });

    it('keeps NaN in B to its row', () => {
      const [k, rows] = kernel === 'f32Dot' ? [6, 6] : [8, 16];
      for (let bad = 0; bad < rows; bad++) {
        for (const at of [0, k - 1]) {
          const b = normal(rows * k, 1);
          b[k * bad + at] = NaN;
          const isNaN = Array.from(run(k, rows, normal(k, 2), b, 0), Number.isNaN);
          expect(isNaN).toEqual(isNaN.map((_, row) => row === bad));
        }
      }
    });

    it('refuses a negative depth or number of rows', () => {
      expect(() => {
        kernels[kernel](4096, 4096, 0, -1, 1, 4096, 4);
      }).toThrow('assertion');
      expect(() => {
        kernels[kernel](4096, 4096, 0, 4, -8, 4096, 4);
      }).toThrow('assertion');
    });
  });
});
