/**
 * S = S · scale, in place: a power of two that the packed queries could not bear (docs/decisions/0006-scale.md). Exact.
 *
 * Needs:     vectors >= 0; s aligned to 16.
 * Registers: scale, score.
 * FLOPs:     1 a score, for extreme scales only.
 */
export function f32ScoreScale(s: usize, vectors: i32, scale: f32): void {
  assert(vectors >= 0);
  const factor = f32x4.splat(scale);
  for (const end = s + ((<usize>vectors) << 4); s < end; s += 16) {
    v128.store(s, f32x4.mul(v128.load(s), factor));
  }
}
