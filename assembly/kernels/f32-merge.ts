/**
 * out[d] = Σₚ w[p] · row[p][d], d = 0 … dim − 1: one row of a result from the same row of each of its parts.
 *
 *   table: | address of row 0, w[0] | address of row 1, w[1] | …      8 bytes a part
 *
 * Sums go part after part, beginning with the first product: one part of weight 1 is copied to the bit. Zeros without parts.
 *
 * Needs:     parts >= 0; dim >= 1; out overlaps no row.
 * Registers: the sum, the weight and a load = 3 of 15.
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
  for (; d + 16 <= bytes; d += 16) {
    let o = f32x4.mul(v128.load32_splat(table, 4), v128.load(load<usize>(table) + d));
    for (let t = table + 8; t < end; t += 8) {
      o = madd(v128.load32_splat(t, 4), v128.load(load<usize>(t) + d), o);
    }
    v128.store(out + d, o);
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
