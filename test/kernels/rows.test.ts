/** The kernels that move rows: f32Row scales one, f32CopyRows brings many side by side, f32Touch only reads them. */
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { normal } from '../data.ts';
import { Arena, expectSame, type Block } from './harness.ts';

const LENGTHS = [...Array.from({ length: 41 }, (_, i) => i), 64, 127, 128, 130];

/** Where `count` rows of `bytes` begin and end. Rows that follow each other are one, of which a line may hold several. */
function rowsOf(
  address: number,
  bytes: number,
  gap: number,
  count: number,
): { readonly start: number; readonly end: number }[] {
  const [length, rows] = gap === 0 ? [count * bytes, Math.min(count, 1)] : [bytes, count];
  return Array.from({ length: rows }, (_, row) => {
    const start = address + row * (bytes + gap);
    return { start, end: start + length };
  });
}

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

  const SIZES = [1, 63, 64, 65, 127, 128, 129, 257, 520];
  const pairs = SIZES.flatMap((bytes, i) => [
    [bytes, bytes],
    [bytes, SIZES[(i + 3) % SIZES.length]!],
  ]);
  it.each(pairs)(
    'f32Touch: every line of rows of %i and %i bytes, nothing else, and it writes no more than four bytes',
    (kBytes, vBytes) => {
      for (const [kGap, vGap] of [
        [0, 0],
        [4, 0],
        [0, 64],
      ] as const) {
        for (const rows of [0, 1, 2, 5]) {
          for (const last of ['k', 'v']) {
            const what = `${kBytes} and ${vBytes} bytes, ${rows} rows, gaps ${kGap}, ${vGap}`;
            arena.clear();
            const place = (name: string, bytes: number, gap: number): Block => {
              const length = Math.ceil(Math.max(0, rows * (bytes + gap) - gap) / 4);
              return name === last ? arena.placeLast(new Float32Array(length)) : arena.room(length);
            };
            const [k, v] = [place('k', kBytes, kGap), place('v', vBytes, vGap)];
            const rest = arena.room(1);
            const memory = new Uint8Array(rest.words.buffer);
            const touched = (): number => {
              arena.run([rest], () => {
                const [ldk, ldv] = [kBytes + kGap, vBytes + vGap];
                kernels.f32Touch(k.address, ldk, kBytes, v.address, ldv, vBytes, rows, rest.address);
              });
              return rest.words[0]!;
            };
            // Only bytes of rows are zero: a byte between or behind them would show.
            k.words.fill(0xffffffff);
            v.words.fill(0xffffffff);
            const runs = [...rowsOf(k.address, kBytes, kGap, rows), ...rowsOf(v.address, vBytes, vGap, rows)];
            for (const { start, end } of runs) memory.fill(0, start, end);
            expect(touched(), what).toBe(0);
            for (const { start, end } of runs) {
              for (let line = start - (start % 64); line < end; line += 64) {
                const [from, to] = [Math.max(line, start), Math.min(line + 64, end)];
                memory.fill(8, from, to);
                expect(touched(), `${what}, line ${from}`).toBe(8);
                memory.fill(0, from, to);
              }
            }
          }
        }
      }
    },
  );

  it('refuse what is negative', () => {
    for (const call of [
      () => {
        kernels.f32Row(4096, -1, 1, 8192);
      },
      () => {
        kernels.f32Touch(4096, 4, 1, 4096, 4, 1, -1, 8192);
      },
      () => {
        kernels.f32Touch(4096, 4, 0, 4096, 4, 1, 1, 8192);
      },
    ]) {
      expect(call).toThrow('assertion');
    }
  });
});
