/** The kernels that move rows: f32Row scales one, f32CopyRows brings many side by side, f32Touch only reads them. */
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { normal } from '../data.ts';
import { Arena, expectSame, type Block } from './harness.ts';

const LENGTHS = [...Array.from({ length: 41 }, (_, i) => i), 64, 127, 128, 130];

describe.each(builds)('rows, %s', (build) => {
  const arena = new Arena(build);
  const { kernels } = arena;
  const placer = (last?: string): ((name: string, data: ArrayLike<number>) => Block) => {
    arena.clear();
    return (name, data) => (name === last ? arena.placeLast(data) : arena.place(data));
  };

  it.each(LENGTHS)('f32Row: %i floats times a factor, here, there and in place', (n) => {
    const x = normal(n, n + 1);
    for (const scale of [1, -0.3, 2 ** -140, Infinity]) {
      const expected = x.map((y) => y * Math.fround(scale));
      for (const last of [undefined, 'from', 'to']) {
        const place = placer(last);
        const [from, to] = [place('from', x), place('to', new Float32Array(n))];
        arena.run([to], () => {
          kernels.f32Row(from.address, n, scale, to.address);
        });
        expectSame(to.floats, expected, `times ${scale}, last ${last}`);
        arena.run([to], () => {
          kernels.f32Row(to.address, n, 2, to.address);
        });
        expectSame(
          to.floats,
          expected.map((y) => y * 2),
          'in place',
        );
      }
    }
  });

  it.each(LENGTHS)('f32CopyRows: rows of %i floats, nothing between or behind them', (n) => {
    for (const rows of [0, 1, 2, 5]) {
      for (const [gapFrom, gapTo] of [
        [0, 0],
        [3, 0],
        [0, 1],
        [40, 7],
      ] as const) {
        const [ldf, ldt] = [n + gapFrom, n + gapTo];
        const x = normal(Math.max(0, rows * ldf - gapFrom), n + rows);
        const before = normal(Math.max(0, rows * ldt - gapTo), 9);
        const expected = before.slice();
        for (let row = 0; row < rows; row++) {
          expected.set(x.subarray(row * ldf, row * ldf + n), row * ldt);
        }
        for (const last of [undefined, 'from', 'to']) {
          const place = placer(last);
          const [from, to] = [place('from', x), place('to', before)];
          arena.run([to], () => {
            kernels.f32CopyRows(from.address, 4 * ldf, rows, n, to.address, 4 * ldt);
          });
          expectSame(to.floats, expected, `${rows} rows, gaps ${gapFrom}, ${gapTo}, last ${last}`);
        }
      }
    }
  });

  it('f32Touch: every line of every row, nothing else, and it writes no more than four bytes', () => {
    for (const bytes of [1, 2, 63, 64, 65, 127, 255, 256, 257, 520, 700]) {
      for (const gap of [0, 4, 64]) {
        for (const rows of [0, 1, 2, 5]) {
          const size = Math.ceil(Math.max(0, rows * (bytes + gap) - gap) / 4);
          for (const last of [false, true]) {
            arena.clear();
            const block = last ? arena.placeLast(new Float32Array(size)) : arena.room(size);
            const rest = arena.room(1);
            const memory = new Uint8Array(block.words.buffer);
            const touched = (): number => {
              arena.run([rest], () => {
                kernels.f32Touch(block.address, bytes + gap, rows, bytes, rest.address);
              });
              return rest.words[0]!;
            };
            // Only bytes of rows are zero: a byte between or behind them would show.
            block.words.fill(0xffffffff);
            // Rows that follow each other are one.
            const [length, count] = gap === 0 ? [rows * bytes, Math.min(rows, 1)] : [bytes, rows];
            const starts = Array.from({ length: count }, (_, row) => block.address + row * (bytes + gap));
            for (const start of starts) memory.fill(0, start, start + length);
            expect(touched(), `${bytes} bytes, ${rows} rows, gap ${gap}`).toBe(0);
            for (const start of starts) {
              for (let line = start - (start % 64); line < start + length; line += 64) {
                const [from, to] = [Math.max(line, start), Math.min(line + 64, start + length)];
                memory.fill(8, from, to);
                expect(touched(), `${bytes} bytes, ${rows} rows, gap ${gap}, line ${from}`).toBe(8);
                memory.fill(0, from, to);
              }
            }
          }
        }
      }
    }
  });

  it('refuse what is negative', () => {
    for (const call of [
      () => {
        kernels.f32Row(4096, -1, 1, 8192);
      },
      () => {
        kernels.f32Touch(4096, 4, -1, 1, 8192);
      },
      () => {
        kernels.f32Touch(4096, 4, 1, 0, 8192);
      },
    ]) {
      expect(call).toThrow('assertion');
    }
  });
});
