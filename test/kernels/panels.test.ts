/** Into panels and out of them: f32Pack, f32RowsToPanel, f32PanelToRows. Copies, so every comparison is of bits. */
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { normal } from '../data.ts';
import { Arena, expectSame, part, type Block } from './harness.ts';
import { COLUMNS, spread } from './tiles.ts';

/** Lengths around a vector of four, around two of them, and many. */
const LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 33];
const LANES = [0, 1, 2, 3, 4, 5, 6, 7];
/** An address that traps. */
const NOWHERE = 0xfffffff0;

describe.each(builds)('panels, %s', (build) => {
  const arena = new Arena(build);
  const { kernels } = arena;

  describe('f32Pack', () => {
    const run = (k: number, cols: number, b: Float32Array, gap: number, last: boolean) => {
      arena.clear();
      const rows = spread(b, cols, gap);
      const from = last ? arena.placeLast(rows) : arena.place(rows);
      const panel = arena.room(COLUMNS * k);
      arena.run([panel], () => {
        kernels.f32Pack(from.address, 4 * (cols + gap), k, cols, panel.address);
      });
      return panel.floats.slice();
    };

    it.each([1, 2, 3, 4, 5, 6, 7, 8])('%i columns, zeros beyond them', (cols) => {
      for (const k of [0, 1, 2, 3, 31, 100]) {
        const b = normal(k * cols, k);
        b[0] = -0;
        if (k > 1) b[cols] = NaN;
        const expected = Float32Array.from({ length: COLUMNS * k }, (_, at) => {
          const column = at % COLUMNS;
          return column < cols ? b[Math.floor(at / COLUMNS) * cols + column]! : 0;
        });
        for (const gap of [0, 1, 5]) {
          for (const last of [false, true]) {
            expectSame(run(k, cols, b, gap, last), expected, `k = ${k}, gap ${gap}, at the end: ${last}`);
          }
        }
      }
    });

    it('refuses no columns, nine columns, a negative depth', () => {
      for (const [k, cols] of [
        [1, 0],
        [1, 9],
        [-1, 8],
      ] as const) {
        expect(() => {
          kernels.f32Pack(4096, 32, k, cols, 8192);
        }).toThrow('assertion');
      }
    });
  });

  describe('f32RowsToPanel', () => {
    /** Row r at addresses[r]. */
    const run = (n: number, scale: number, rows: readonly Block[]) => {
      const table = arena.table(rows.map((row) => row.address));
      const panel = arena.room(COLUMNS * n);
      arena.run([panel], () => {
        kernels.f32RowsToPanel(table.address, n, scale, panel.address);
      });
      return panel.floats.slice();
    };
    const formula = (n: number, scale: number, rows: readonly ArrayLike<number>[]) =>
      Float32Array.from(
        { length: COLUMNS * n },
        (_, at) => rows[at % COLUMNS]![Math.floor(at / COLUMNS)]! * Math.fround(scale),
      );

    it.each(LENGTHS)('%i floats of each row, from anywhere', (n) => {
      for (const scale of [1, -2, Math.LOG2E / 8, 0]) {
        const data = LANES.map((r) => normal(n, 100 * n + r));
        for (const last of LANES) {
          arena.clear();
          // At every alignment, in descending order in memory, one at the very end.
          const rows = LANES.map((r) => (r === last ? arena.placeLast(data[r]!) : undefined));
          for (const r of [...LANES].reverse()) rows[r] ??= arena.place(data[r]!);
          expectSame(run(n, scale, rows as Block[]), formula(n, scale, data), `scale ${scale}, last ${last}`);
        }
      }
    });

    it('takes one row eight times, and rows that overlap', () => {
      arena.clear();
      const data = normal(20, 1);
      const whole = arena.place(data);
      const same = LANES.map(() => whole);
      expectSame(run(9, 0.5, same), formula(9, 0.5, Array(8).fill(data)), 'the same row');
      const shifted = LANES.map((r) => part(whole, r, 9));
      expectSame(
        run(9, 0.5, shifted),
        formula(
          9,
          0.5,
          LANES.map((r) => data.subarray(r)),
        ),
        'shifted rows',
      );
    });

    it('keeps NaN and infinity in their place', () => {
      for (const special of [NaN, Infinity, -Infinity]) {
        for (const lane of LANES) {
          arena.clear();
          const data = LANES.map((r) => normal(6, r));
          data[lane]![3] = special;
          data[lane]![5] = special;
          expectSame(
            run(
              6,
              0.5,
              data.map((row) => arena.place(row)),
            ),
            formula(6, 0.5, data),
            `lane ${lane}`,
          );
        }
      }
    });
  });

  describe('f32PanelToRows', () => {
    /** Gives the rows and which of the four foreign lanes are set. What must not be read or written is made so. */
    const run = (
      n: number,
      panelData: Float32Array,
      factors: ArrayLike<number>,
      count: number,
      last = false,
    ) => {
      arena.clear();
      const panel = last ? arena.placeLast(panelData) : arena.place(panelData);
      const factor = arena.place(factors);
      const rows = Array.from({ length: count }, () => arena.room(n));
      const table = arena.table(LANES.map((r) => rows[r]?.address ?? NOWHERE));
      const foreign = arena.room(4);
      arena.run([...rows, foreign], () => {
        kernels.f32PanelToRows(panel.address, n, factor.address, table.address, count, foreign.address);
      });
      for (const lane of foreign.words) expect([0, 0xffffffff]).toContain(lane);
      return {
        rows: rows.map((row) => row.floats.slice()),
        foreign: Array.from(foreign.words, (x) => x !== 0),
      };
    };
    const formula = (n: number, panel: Float32Array, factors: ArrayLike<number>, row: number) =>
      Float32Array.from({ length: n }, (_, i) => panel[COLUMNS * i + row]! * factors[row]!);
    const none = [false, false, false, false];

    it.each([1, 2, 3, 4, 5, 6, 7, 8])('%i rows, times their factors', (count) => {
      for (const n of LENGTHS) {
        const panel = normal(COLUMNS * n, n);
        const factors = normal(COLUMNS, n + 1);
        for (const last of [false, true]) {
          const { rows, foreign } = run(n, panel, factors, count, last);
          for (const [r, row] of rows.entries())
            expectSame(row, formula(n, panel, factors, r), `n ${n}, row ${r}`);
          expect(foreign).toEqual(none);
        }
      }
    });

    it('finds every NaN that no factor explains', () => {
      for (const n of [1, 3, 4, 5, 9]) {
        for (let i = 0; i < n; i++) {
          for (const lane of LANES) {
            const panel = normal(COLUMNS * n, n);
            const factors = normal(COLUMNS, 1);
            panel[COLUMNS * i + lane] = NaN;
            const { rows, foreign } = run(n, panel, factors, 8);
            for (const [r, row] of rows.entries()) expectSame(row, formula(n, panel, factors, r), `row ${r}`);
            expect(foreign, `n = ${n}, float ${i}, lane ${lane}`).toEqual(
              none.map((_, at) => at === lane % 4),
            );
          }
        }
      }
    });

    it('finds infinity · 0 as well, and no infinity that stays one', () => {
      for (const n of [1, 4, 6]) {
        for (const lane of LANES) {
          const panel = normal(COLUMNS * n, n);
          panel[COLUMNS * (n - 1) + lane] = Infinity;
          const zero = Float32Array.from(LANES, (r) => (r === lane ? 0 : 1));
          expect(run(n, panel, zero, 8).foreign).toEqual(none.map((_, at) => at === lane % 4));
          const { rows, foreign } = run(n, panel, new Float32Array(8).fill(1), 8);
          expect(foreign).toEqual(none);
          expect(rows[lane]![n - 1]).toBe(Infinity);
        }
      }
    });

    it('leaves a row whose factor is NaN to be NaN', () => {
      for (const n of [1, 4, 7]) {
        for (const lane of LANES) {
          const panel = normal(COLUMNS * n, n);
          const factors = normal(COLUMNS, 1);
          factors[lane] = NaN;
          panel[lane] = NaN;
          const { rows, foreign } = run(n, panel, factors, 8);
          for (const [r, row] of rows.entries()) expectSame(row, formula(n, panel, factors, r), `row ${r}`);
          expect(foreign, `n = ${n}, lane ${lane}`).toEqual(none);
          expect(rows[lane]!.every(Number.isNaN)).toBe(true);
        }
      }
    });

    it('refuses no rows and nine, and a negative length', () => {
      for (const [n, count] of [
        [1, 0],
        [1, 9],
        [-1, 8],
      ] as const) {
        expect(() => {
          kernels.f32PanelToRows(4096, n, 4096, 4096, count, 4096);
        }).toThrow('assertion');
      }
      expect(() => {
        kernels.f32RowsToPanel(4096, -1, 1, 8192);
      }).toThrow('assertion');
    });
  });
});
