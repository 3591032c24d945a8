/**
 * Turns `pairs` pairs one by one: what is left of four in both pairings.
 *
 *   x₁ at x, x₂ at x + gap, the next pair `step` bytes on; c at table, s 16 bytes behind it, the next 4 bytes on
 *
 *   out₁ = x₁·c − x₂·s        out₂ = x₂·c + x₁·s        the same operations as on vectors, so the same bits
 *
 * Needs:     pairs >= 0; out is x, or does not overlap it.
 * Registers: 4 scalars and 4 products.
 * FLOPs:     6 · pairs.
 */
export function f32RopePairs(x: usize, out: usize, gap: usize, step: usize, table: usize, pairs: i32): void {
  assert(pairs >= 0);
  for (; pairs > 0; pairs--) {
    const c = load<f32>(table);
    const s = load<f32>(table, 16);
    const x1 = load<f32>(x);
    const x2 = load<f32>(x + gap);
    store<f32>(out, x1 * c - x2 * s);
    store<f32>(out + gap, x2 * c + x1 * s);
    x += step;
    out += step;
    table += 4;
  }
}
