/**
 * panel[i][j] = b[i][j], i = 0 … k − 1, j = 0 … cols − 1: eight columns of a row-major B copied side by side.
 *
 *   b (ldb bytes a row)        panel (32 bytes a step)
 *   … | j0 … j7 | …     ──►    | step 0: j0 … j7 | step 1: j0 … j7 | …
 *
 * Columns beyond `cols` are zeros: they are computed with and never stored.
 *
 * Needs:     k >= 0; cols 1 … 8; panel has room for k steps. Nothing beyond `cols` floats of a row is read.
 * Registers: 2, both halves of a step.
 * FLOPs:     none, data movement only: k · cols floats in, k · 8 out.
 */
export function f32Pack(b: usize, ldb: usize, k: i32, cols: i32, panel: usize): void {
  assert(k >= 0 && cols >= 1 && cols <= 8);
  if (cols == 8) {
    for (let i = 0; i < k; i++) {
      const lo = v128.load(b);
      const hi = v128.load(b, 16);
      v128.store(panel, lo);
      v128.store(panel, hi, 16);
      b += ldb;
      panel += 32;
    }
    return;
  }
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < 8; j++) {
      store<f32>(panel + ((<usize>j) << 2), j < cols ? load<f32>(b + ((<usize>j) << 2)) : 0);
    }
    b += ldb;
    panel += 32;
  }
}
