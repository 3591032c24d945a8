/**
 * Matmul, rung 7: packed panels. B is copied once, four columns side by side, in the order in which they are read.
 *
 *   b (a row of N floats a step)       panel (16 bytes a step)
 *   … | j0 j1 j2 j3 | …        ──►     | k0: j0 j1 j2 j3 | k1: j0 j1 j2 j3 | …
 *
 * What is new: only where B lies; the block is that of rung 6. Rows of 2 KB share a few cache sets and a page holds two of
 * them; a panel of K = 512 is 8 KB in one piece, read by every block of rows.
 *
 * Needs: M >= 4, N >= 4; scratch for K rows of N floats, N rounded up to 4.
 */
import { block } from './6-simd.as';

/** All of B, in panels of `columns` columns. The last panel is moved back, so that it ends where B ends. */
export function pack(b: usize, N: i32, K: i32, columns: i32, to: usize): void {
  for (let j = 0; j < N; j += columns) {
    let from = b + ((<usize>min(j, N - columns)) << 2);
    for (let k = 0; k < K; k++, from += (<usize>N) << 2) {
      for (let i = 0; i < columns; i += 4, to += 16) v128.store(to, v128.load(from + ((<usize>i) << 2)));
    }
  }
}

export function matmul(a: usize, b: usize, c: usize, M: i32, N: i32, K: i32, panels: usize): void {
  pack(b, N, K, 4, panels);
  const aRow = (<usize>K) << 2;
  const row = (<usize>N) << 2;
  for (let i = 0; i < M; i += 4) {
    const m = <usize>min(i, M - 4);
    let panel = panels;
    for (let j = 0; j < N; j += 4, panel += aRow << 2) {
      const n = (<usize>min(j, N - 4)) << 2;
      block(a + m * aRow, aRow, 4, panel, 16, K, c + m * row + n, row);
    }
  }
}
