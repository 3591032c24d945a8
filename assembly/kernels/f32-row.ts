/**
 * to[i] = from[i] · scale, i = 0 … n − 1: queries as they are packed for decoding, outputs as they are written.
 *
 * Needs:     n >= 0. Nothing beyond n floats is read or written.
 * Registers: scale, the value.
 * FLOPs:     n.
 */
export function f32Row(from: usize, n: i32, scale: f32, to: usize): void {
  assert(n >= 0);
  const factor = f32x4.splat(scale);
  let i: usize = 0;
  for (const whole = (<usize>(n & ~3)) << 2; i < whole; i += 16) {
    v128.store(to + i, f32x4.mul(v128.load(from + i), factor));
  }
  for (const all = (<usize>n) << 2; i < all; i += 4) store<f32>(to + i, load<f32>(from + i) * scale);
}
