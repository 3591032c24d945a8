/**
 * to[row][i] = from[row][i], i = 0 … n − 1: rows that lie far apart, brought side by side; and the last columns of C, to and fro.
 *
 * Values in 'bshd' are kvHeads · valueDim · 4 bytes apart. At 4096 bytes each row has a page of its own and all rows share the
 * same few sets of the first cache level, so that a tile's columns of V do not stay there from panel to panel: four panels at
 * a time, attention over 32 × 64, S = 256 ran at 67 % of peak instead of 72. Keys, which are read row by row, gain nothing.
 *
 *   from ─► rows of n floats, ldf bytes apart          to ─► rows of floats, ldt bytes apart
 *
 * Needs:     rows >= 0; n >= 0. Nothing beyond n floats of a row is read or written.
 * Registers: 4 vectors of a line.
 * FLOPs:     none.
 */
export function f32CopyRows(from: usize, ldf: usize, rows: i32, n: i32, to: usize, ldt: usize): void {
  assert(rows >= 0 && n >= 0);
  const bytes = (<usize>n) << 2;
  for (; rows > 0; rows--, from += ldf, to += ldt) {
    let i: usize = 0;
    for (; i + 64 <= bytes; i += 64) {
      const a = v128.load(from + i);
      const b = v128.load(from + i, 16);
      const c = v128.load(from + i, 32);
      const d = v128.load(from + i, 48);
      v128.store(to + i, a);
      v128.store(to + i, b, 16);
      v128.store(to + i, c, 32);
      v128.store(to + i, d, 48);
    }
    for (; i < bytes; i += 4) store<f32>(to + i, load<f32>(from + i));
  }
}
