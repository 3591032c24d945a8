/** What a machine is, asked from inside wasm. */
import { madd } from './simd';

/**
 * a·b + c as this build computes it. With a = b = 1 + 2⁻¹² and c = −(1 + 2⁻¹¹) the result is 2⁻²⁴ where the product is
 * not rounded (fused) and 0 where it is. Arguments, so that no compiler folds it.
 */
export function multiplyAdd(a: f32, b: f32, c: f32): f32 {
  return f32x4.extract_lane(madd(f32x4.splat(a), f32x4.splat(b), f32x4.splat(c)), 0);
}

/** First byte behind the static data: where the host's allocator begins. */
export function heapBase(): usize {
  return __heap_base;
}
