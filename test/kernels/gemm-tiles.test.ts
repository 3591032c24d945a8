/** The register tiles, each alone: rows form (A as it lies) and columns form (A transposed), by every epilogue. */
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { integers, normal } from '../data.ts';
import {
  ADD,
  Arena,
  expectSame,
  expectWithin,
  MAX,
  part,
  type Column,
  type Epilogue,
  type Row,
} from './harness.ts';
import {
  COLUMNS,
  exact,
  gather,
  inOrder,
  inPanels,
  operands,
  spread,
  transpose,
  type Operands,
} from './tiles.ts';

interface Form {
  readonly name: Row | Column;
  readonly rows: number;
  readonly cols: number;
  readonly transposed: boolean;
  readonly epilogues: readonly Epilogue[];
}

const SIZES = ['1x8', '2x8', '4x8', '6x8', '3x12', '4x16', '6x16'] as const;
const forms: readonly Form[] = SIZES.flatMap((size): Form[] => {
  const [rows, cols] = size.split('x').map(Number) as [number, number];
  return [
    { name: `f32Gemm${size}`, rows, cols, transposed: false, epilogues: [ADD, MAX] },
    { name: `f32GemmT${size}`, rows, cols, transposed: true, epilogues: [ADD] },
  ];
});

/** Around the unrolling by four, and many. */
const DEPTHS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100];
/** Floats between rows of A and rows of C. */
const GAPS = [
  [0, 0],
  [1, 3],
  [20, 8],
] as const;

type Operand = 'a' | 'b' | 'c' | 'f';

/** B packed; half a panel at its end is a whole one whose columns beyond are NaN. */
function panelsOf({ cols, k, b }: Operands): number[] {
  const wide = Math.ceil(cols / COLUMNS) * COLUMNS;
  const whole = new Float32Array(Math.max(0, k) * wide).fill(NaN);
  for (let i = 0; i < k; i++) whole.set(b.subarray(i * cols, (i + 1) * cols), i * wide);
  return inPanels(whole, Math.max(0, k), wide).flatMap((panel) => [...panel]);
}

/** Runs one tile. `last` lies at the very end of the memory. */
function run(
  arena: Arena,
  form: Form,
  epilogue: Epilogue,
  x: Operands,
  gaps: readonly number[],
  last?: Operand,
) {
  const [gapA = 0, gapC = 0] = gaps;
  const { rows, cols, k } = x;
  arena.clear();
  const place = (name: Operand, data: Float32Array) =>
    name === last ? arena.placeLast(data) : arena.place(data);
  const columns = form.transposed ? rows : k;
  const a = place('a', spread(form.transposed ? transpose(x.a, rows, k) : x.a, columns, gapA));
  const b = place('b', Float32Array.from(panelsOf(x)));
  const f = place('f', x.f);
  // What MAX writes was NaN before; ADD adds to it.
  const old = epilogue === ADD ? x.c : new Float32Array(rows * cols).fill(NaN);
  const c = place('c', spread(old, cols, gapC));
  const written = Array.from({ length: rows }, (_, i) => part(c, i * (cols + gapC), cols));
  if (epilogue === MAX) written.push(f);
  const [lda, ldc] = [4 * (columns + gapA), 4 * (cols + gapC)];
  arena.run(written, () => {
    arena.kernels[form.name](a.address, lda, b.address, k, c.address, ldc, f.address, epilogue);
  });
  return { c: gather(c, rows, cols, gapC), f: f.floats.slice() };
}

const small = (length: number, seed: number) => integers(length, seed, 9);

describe.each(builds)('register tiles, %s', (build) => {
  const arena = new Arena(build);

  it('multiplyAdd, which all arithmetic of these tests goes by, rounds once or twice', () => {
    const { kernels } = arena;
    expect(kernels.multiplyAdd(3, -5, 7)).toBe(-8);
    // (1 + 2⁻¹²)² = 1 + 2⁻¹¹ + 2⁻²⁴, of which float32 has no last place.
    expect([0, 2 ** -24]).toContain(kernels.multiplyAdd(1 + 2 ** -12, 1 + 2 ** -12, -(1 + 2 ** -11)));
  });

  describe.each(forms)('$name', (form) => {
    const { rows, cols, epilogues } = form;

    it.each(DEPTHS)('is exact on integers, k = %i', (k) => {
      const x = operands(rows, cols, k, small);
      for (const epilogue of epilogues) {
        const expected = Float32Array.from(exact(x, epilogue).c);
        for (const gaps of GAPS) {
          expectSame(
            run(arena, form, epilogue, x, gaps).c,
            expected,
            `epilogue ${epilogue}, gaps ${gaps.join()}`,
          );
        }
      }
    });

    it.each(DEPTHS)('keeps the law and the order of addition, k = %i', (k) => {
      const x = operands(rows, cols, k, normal);
      for (const epilogue of epilogues) {
        const what = `epilogue ${epilogue}`;
        const { c, f } = run(arena, form, epilogue, x, [1, 3]);
        const truth = exact(x, epilogue);
        expectWithin(c, truth.c, truth.bound, `${what}: against float64`);
        const ordered = inOrder(x, epilogue, arena);
        expectSame(c, ordered.c, `${what}: in order`);
        expectSame(f, ordered.f, `${what}: f`);
      }
    });

    it('reads nothing beyond its operands', () => {
      for (const k of [1, 3, 4, 5, 8]) {
        const x = operands(rows, cols, k, small);
        for (const epilogue of epilogues) {
          const expected = run(arena, form, epilogue, x, [0, 0]);
          for (const last of ['a', 'b', 'c', 'f'] as const) {
            expectSame(
              run(arena, form, epilogue, x, [2, 1], last).c,
              expected.c,
              `k = ${k}, ${last} at the end`,
            );
          }
        }
      }
    });

    it.each([NaN, Infinity, -Infinity])('keeps %s in A to its row', (special) => {
      for (const k of [1, 4, 6]) {
        for (let row = 0; row < rows; row++) {
          const x = operands(rows, cols, k, normal);
          x.a[row * k + (k >> 1)] = special;
          for (const epilogue of epilogues) {
            const actual = run(arena, form, epilogue, x, [0, 0]);
            const expected = inOrder(x, epilogue, arena);
            expectSame(actual.c, expected.c, `k = ${k}, row ${row}, epilogue ${epilogue}`);
            expectSame(actual.f, expected.f, `k = ${k}, row ${row}, epilogue ${epilogue}: f`);
            const spoiled = Array.from(actual.c, (y) => !Number.isFinite(y));
            expect(spoiled).toEqual(spoiled.map((_, at) => Math.floor(at / cols) === row));
          }
        }
      }
    });

    it('keeps NaN in B to its column', () => {
      for (let column = 0; column < cols; column++) {
        const x = operands(rows, cols, 5, normal);
        x.b[2 * cols + column] = NaN;
        for (const epilogue of epilogues) {
          const actual = run(arena, form, epilogue, x, [0, 0]);
          const isNaN = Array.from(actual.c, Number.isNaN);
          expect(isNaN).toEqual(isNaN.map((_, at) => at % cols === column));
          expectSame(actual.f, inOrder(x, epilogue, arena).f, `column ${column}: f`);
        }
      }
    });

    it('refuses what it does not serve', () => {
      const x = operands(rows, cols, 1, small);
      expect(() => run(arena, form, epilogues[0]!, { ...x, k: -1 }, [0, 0])).toThrow('assertion');
    });
  });

  it.each([false, true])('of all heights give the same bits, transposed: %s', (transposed) => {
    const some = forms.filter((form) => form.transposed === transposed && form.cols === COLUMNS);
    const whole = some.find((form) => form.rows === 6)!;
    for (const k of [1, 4, 7, 33]) {
      const x = operands(6, COLUMNS, k, normal);
      for (const epilogue of whole.epilogues) {
        const expected = run(arena, whole, epilogue, x, [0, 0]).c;
        for (const form of some) {
          const { rows } = form;
          for (let i = 0; i + rows <= 6; i++) {
            const [from, to] = [i * COLUMNS, (i + rows) * COLUMNS];
            const few = { ...x, rows, a: x.a.subarray(i * k, (i + rows) * k), c: x.c.subarray(from, to) };
            const actual = run(arena, form, epilogue, few, [0, 0]).c;
            expectSame(actual, expected.subarray(from, to), `${form.name}, rows from ${i}, k = ${k}`);
          }
        }
      }
    }
  });
});
