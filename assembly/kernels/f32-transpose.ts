/**
 * Between rows in memory and the panel of eight columns in which all kernels work.
 *
 *   rows (eight addresses)          panel (32 bytes a step)
 *   row 0: x0 x1 x2 …               | step 0: row0 row1 … row7 |
 *   row 1: x0 x1 x2 …      ◄──►     | step 1: row0 row1 … row7 |
 *   …                               | …
 *
 * Queries go in (scale · log₂e folded in), outputs come back (1 / l folded in), and so does B of a matmul that lies
 * transposed. Rows may lie anywhere: strides, heads of a group and remainders are a table of addresses.
 *
 * Needs:     n >= 0; count 1 … 8; a table of eight addresses into, of `count` out of the panel.
 * Registers: into the panel 1 factor + 4 rows + 4 half-way; out of it 3 constants and flags + 4 steps + 4 half-way = 11.
 * FLOPs:     data movement, and 8 · n products on the way; out of the panel 6 · n additions more, which look for NaN.
 */

/** 4 × 4: a = [a0 a1 a2 a3] … d => [a0 b0 c0 d0] [a1 b1 c1 d1] [a2 b2 c2 d2] [a3 b3 c3 d3], stored `step` apart. */
// @ts-ignore: decorator
@inline
function interleave(a: v128, b: v128, c: v128, d: v128, to: usize): void {
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5); // a0 b0 a1 b1
  const ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7); // a2 b2 a3 b3
  const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5); // c0 d0 c1 d1
  const cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7); // c2 d2 c3 d3
  v128.store(to, v128.shuffle<f32>(ab0, cd0, 0, 1, 4, 5)); // a0 b0 c0 d0
  v128.store(to, v128.shuffle<f32>(ab0, cd0, 2, 3, 6, 7), 32); // a1 b1 c1 d1
  v128.store(to, v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5), 64); // a2 b2 c2 d2
  v128.store(to, v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7), 96); // a3 b3 c3 d3
}

/** panel[i][r] = rows[r][i] · scale, i = 0 … n − 1. `rows` holds eight addresses (u32), all readable for n floats. */
export function f32RowsToPanel(rows: usize, n: i32, scale: f32, panel: usize): void {
  assert(n >= 0);
  const factor = f32x4.splat(scale);
  for (let half: usize = 0; half < 2; half++) {
    let a = <usize>load<u32>(rows + half * 16);
    let b = <usize>load<u32>(rows + half * 16, 4);
    let c = <usize>load<u32>(rows + half * 16, 8);
    let d = <usize>load<u32>(rows + half * 16, 12);
    let to = panel + half * 16;
    let i = n;
    for (; i >= 4; i -= 4) {
      interleave(
        f32x4.mul(v128.load(a), factor),
        f32x4.mul(v128.load(b), factor),
        f32x4.mul(v128.load(c), factor),
        f32x4.mul(v128.load(d), factor),
        to,
      );
      a += 16;
      b += 16;
      c += 16;
      d += 16;
      to += 128;
    }
    for (; i > 0; i--) {
      store<f32>(to, load<f32>(a) * scale);
      store<f32>(to, load<f32>(b) * scale, 4);
      store<f32>(to, load<f32>(c) * scale, 8);
      store<f32>(to, load<f32>(d) * scale, 12);
      a += 4;
      b += 4;
      c += 4;
      d += 4;
      to += 32;
    }
  }
}

/**
 * rows[r][i] = panel[i][r] · factor[r], for the first `count` of eight rows. Returns lanes that are all ones where a
 * result is NaN although its factor is not: a value that no weight should have met (see `assembly/attention.ts`).
 * Rows beyond `count` are looked at too, so they repeat a row that counts.
 */
export function f32PanelToRows(panel: usize, n: i32, factor: usize, rows: usize, count: i32): v128 {
  assert(n >= 0 && count >= 1 && count <= 8);
  let foreign = i32x4.splat(0);
  for (let half: i32 = 0; half < 2; half++) {
    const valid = count - 4 * half;
    if (valid <= 0) break;
    const f = v128.load(factor + 16 * half);
    const known = f32x4.eq(f, f);
    let from = panel + 16 * half;
    const table = rows + 16 * half;
    let i = 0;
    for (; i + 4 <= n; i += 4) {
      const x0 = f32x4.mul(v128.load(from), f);
      const x1 = f32x4.mul(v128.load(from, 32), f);
      const x2 = f32x4.mul(v128.load(from, 64), f);
      const x3 = f32x4.mul(v128.load(from, 96), f);
      // A sum keeps a NaN. It may also make one, of ∞ − ∞: then an item is computed once more than it had to be.
      const sum = f32x4.add(f32x4.add(x0, x1), f32x4.add(x2, x3));
      foreign = v128.or(foreign, v128.and(f32x4.ne(sum, sum), known));
      // [x0 of q0…q3] [x1 …] [x2 …] [x3 …] => four floats of each query
      const lo0 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5);
      const hi0 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
      const lo1 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5);
      const hi1 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
      const offset = (<usize>i) << 2;
      v128.store(<usize>load<u32>(table) + offset, v128.shuffle<f32>(lo0, lo1, 0, 1, 4, 5));
      if (valid > 1) v128.store(<usize>load<u32>(table, 4) + offset, v128.shuffle<f32>(lo0, lo1, 2, 3, 6, 7));
      if (valid > 2) v128.store(<usize>load<u32>(table, 8) + offset, v128.shuffle<f32>(hi0, hi1, 0, 1, 4, 5));
      if (valid > 3)
        v128.store(<usize>load<u32>(table, 12) + offset, v128.shuffle<f32>(hi0, hi1, 2, 3, 6, 7));
      from += 128;
    }
    for (; i < n; i++) {
      const x = f32x4.mul(v128.load(from), f);
      foreign = v128.or(foreign, v128.and(f32x4.ne(x, x), known));
      const offset = (<usize>i) << 2;
      store<f32>(<usize>load<u32>(table) + offset, f32x4.extract_lane(x, 0));
      if (valid > 1) store<f32>(<usize>load<u32>(table, 4) + offset, f32x4.extract_lane(x, 1));
      if (valid > 2) store<f32>(<usize>load<u32>(table, 8) + offset, f32x4.extract_lane(x, 2));
      if (valid > 3) store<f32>(<usize>load<u32>(table, 12) + offset, f32x4.extract_lane(x, 3));
      from += 32;
    }
  }
  return foreign;
}
