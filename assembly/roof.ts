/**
 * The roof: what this machine and engine can reach at all, for the benchmark. Modules of their own, which only the
 * benchmark has.
 *
 * `peakN` runs N independent multiply-add chains on registers. Each chain multiplies its own (broadcast, register)
 * pair, so no product is shared or hoisted; broadcasts come from 1 KB of the first cache level. `readN` reads an array
 * once, in N streams side by side: processors fetch ahead for each, so that four read 64 MB 1.2 to 2 times as fast as one.
 */
import { hsum, madd } from './simd';

/** 8 chains: 4 broadcasts × 2 registers. */
export function peak8(x: usize, steps: i32): f32 {
  const b0 = v128.load(x, 0);
  const b1 = v128.load(x, 16);
  let c00 = f32x4.splat(0);
  let c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0);
  let c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0);
  let c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0);
  let c31 = f32x4.splat(0);
  let a: v128;
  for (let i = 0; i < steps; i++) {
    const p = x + ((i & 63) << 2);
    a = v128.load32_splat(p);
    c00 = madd(a, b0, c00);
    c01 = madd(a, b1, c01);
    a = v128.load32_splat(p, 4);
    c10 = madd(a, b0, c10);
    c11 = madd(a, b1, c11);
    a = v128.load32_splat(p, 8);
    c20 = madd(a, b0, c20);
    c21 = madd(a, b1, c21);
    a = v128.load32_splat(p, 12);
    c30 = madd(a, b0, c30);
    c31 = madd(a, b1, c31);
  }
  let sum = c00;
  sum = f32x4.add(sum, c01);
  sum = f32x4.add(sum, c10);
  sum = f32x4.add(sum, c11);
  sum = f32x4.add(sum, c20);
  sum = f32x4.add(sum, c21);
  sum = f32x4.add(sum, c30);
  sum = f32x4.add(sum, c31);
  return hsum(sum);
}

/** 9 chains: 3 broadcasts × 3 registers. */
export function peak9(x: usize, steps: i32): f32 {
  const b0 = v128.load(x, 0);
  const b1 = v128.load(x, 16);
  const b2 = v128.load(x, 32);
  let c00 = f32x4.splat(0);
  let c01 = f32x4.splat(0);
  let c02 = f32x4.splat(0);
  let c10 = f32x4.splat(0);
  let c11 = f32x4.splat(0);
  let c12 = f32x4.splat(0);
  let c20 = f32x4.splat(0);
  let c21 = f32x4.splat(0);
  let c22 = f32x4.splat(0);
  let a: v128;
  for (let i = 0; i < steps; i++) {
    const p = x + ((i & 63) << 2);
    a = v128.load32_splat(p);
    c00 = madd(a, b0, c00);
    c01 = madd(a, b1, c01);
    c02 = madd(a, b2, c02);
    a = v128.load32_splat(p, 4);
    c10 = madd(a, b0, c10);
    c11 = madd(a, b1, c11);
    c12 = madd(a, b2, c12);
    a = v128.load32_splat(p, 8);
    c20 = madd(a, b0, c20);
    c21 = madd(a, b1, c21);
    c22 = madd(a, b2, c22);
  }
  let sum = c00;
  sum = f32x4.add(sum, c01);
  sum = f32x4.add(sum, c02);
  sum = f32x4.add(sum, c10);
  sum = f32x4.add(sum, c11);
  sum = f32x4.add(sum, c12);
  sum = f32x4.add(sum, c20);
  sum = f32x4.add(sum, c21);
  sum = f32x4.add(sum, c22);
  return hsum(sum);
}

/** 10 chains: 5 broadcasts × 2 registers. */
export function peak10(x: usize, steps: i32): f32 {
  const b0 = v128.load(x, 0);
  const b1 = v128.load(x, 16);
  let c00 = f32x4.splat(0);
  let c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0);
  let c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0);
  let c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0);
  let c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0);
  let c41 = f32x4.splat(0);
  let a: v128;
  for (let i = 0; i < steps; i++) {
    const p = x + ((i & 63) << 2);
    a = v128.load32_splat(p);
    c00 = madd(a, b0, c00);
    c01 = madd(a, b1, c01);
    a = v128.load32_splat(p, 4);
    c10 = madd(a, b0, c10);
    c11 = madd(a, b1, c11);
    a = v128.load32_splat(p, 8);
    c20 = madd(a, b0, c20);
    c21 = madd(a, b1, c21);
    a = v128.load32_splat(p, 12);
    c30 = madd(a, b0, c30);
    c31 = madd(a, b1, c31);
    a = v128.load32_splat(p, 16);
    c40 = madd(a, b0, c40);
    c41 = madd(a, b1, c41);
  }
  let sum = c00;
  sum = f32x4.add(sum, c01);
  sum = f32x4.add(sum, c10);
  sum = f32x4.add(sum, c11);
  sum = f32x4.add(sum, c20);
  sum = f32x4.add(sum, c21);
  sum = f32x4.add(sum, c30);
  sum = f32x4.add(sum, c31);
  sum = f32x4.add(sum, c40);
  sum = f32x4.add(sum, c41);
  return hsum(sum);
}

/** 12 chains: 6 broadcasts × 2 registers. */
export function peak12(x: usize, steps: i32): f32 {
  const b0 = v128.load(x, 0);
  const b1 = v128.load(x, 16);
  let c00 = f32x4.splat(0);
  let c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0);
  let c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0);
  let c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0);
  let c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0);
  let c41 = f32x4.splat(0);
  let c50 = f32x4.splat(0);
  let c51 = f32x4.splat(0);
  let a: v128;
  for (let i = 0; i < steps; i++) {
    const p = x + ((i & 63) << 2);
    a = v128.load32_splat(p);
    c00 = madd(a, b0, c00);
    c01 = madd(a, b1, c01);
    a = v128.load32_splat(p, 4);
    c10 = madd(a, b0, c10);
    c11 = madd(a, b1, c11);
    a = v128.load32_splat(p, 8);
    c20 = madd(a, b0, c20);
    c21 = madd(a, b1, c21);
    a = v128.load32_splat(p, 12);
    c30 = madd(a, b0, c30);
    c31 = madd(a, b1, c31);
    a = v128.load32_splat(p, 16);
    c40 = madd(a, b0, c40);
    c41 = madd(a, b1, c41);
    a = v128.load32_splat(p, 20);
    c50 = madd(a, b0, c50);
    c51 = madd(a, b1, c51);
  }
  let sum = c00;
  sum = f32x4.add(sum, c01);
  sum = f32x4.add(sum, c10);
  sum = f32x4.add(sum, c11);
  sum = f32x4.add(sum, c20);
  sum = f32x4.add(sum, c21);
  sum = f32x4.add(sum, c30);
  sum = f32x4.add(sum, c31);
  sum = f32x4.add(sum, c40);
  sum = f32x4.add(sum, c41);
  sum = f32x4.add(sum, c50);
  sum = f32x4.add(sum, c51);
  return hsum(sum);
}

/** Reads `bytes` (a multiple of 128) from end to end and returns something of all of it. */
export function read1(p: usize, bytes: usize): i32 {
  let s0 = i32x4.splat(0);
  let s1 = i32x4.splat(0);
  let s2 = i32x4.splat(0);
  let s3 = i32x4.splat(0);
  const end = p + bytes;
  for (; p < end; p += 128) {
    s0 = v128.xor(s0, v128.load(p));
    s1 = v128.xor(s1, v128.load(p, 16));
    s2 = v128.xor(s2, v128.load(p, 32));
    s3 = v128.xor(s3, v128.load(p, 48));
    s0 = v128.xor(s0, v128.load(p, 64));
    s1 = v128.xor(s1, v128.load(p, 80));
    s2 = v128.xor(s2, v128.load(p, 96));
    s3 = v128.xor(s3, v128.load(p, 112));
  }
  return fold(s0, s1, s2, s3);
}

/** Reads `bytes` (a multiple of 256), four quarters at once. */
export function read4(p: usize, bytes: usize): i32 {
  let s0 = i32x4.splat(0);
  let s1 = i32x4.splat(0);
  let s2 = i32x4.splat(0);
  let s3 = i32x4.splat(0);
  const end = p + (bytes >> 2);
  let p1 = end;
  let p2 = p1 + (bytes >> 2);
  let p3 = p2 + (bytes >> 2);
  for (; p < end; p += 64) {
    s0 = v128.xor(s0, v128.load(p));
    s1 = v128.xor(s1, v128.load(p, 16));
    s2 = v128.xor(s2, v128.load(p, 32));
    s3 = v128.xor(s3, v128.load(p, 48));
    s0 = v128.xor(s0, v128.load(p1));
    s1 = v128.xor(s1, v128.load(p1, 16));
    s2 = v128.xor(s2, v128.load(p1, 32));
    s3 = v128.xor(s3, v128.load(p1, 48));
    s0 = v128.xor(s0, v128.load(p2));
    s1 = v128.xor(s1, v128.load(p2, 16));
    s2 = v128.xor(s2, v128.load(p2, 32));
    s3 = v128.xor(s3, v128.load(p2, 48));
    s0 = v128.xor(s0, v128.load(p3));
    s1 = v128.xor(s1, v128.load(p3, 16));
    s2 = v128.xor(s2, v128.load(p3, 32));
    s3 = v128.xor(s3, v128.load(p3, 48));
    p1 += 64;
    p2 += 64;
    p3 += 64;
  }
  return fold(s0, s1, s2, s3);
}

// @ts-ignore: decorator
@inline
function fold(s0: v128, s1: v128, s2: v128, s3: v128): i32 {
  const sum = v128.xor(v128.xor(s0, s1), v128.xor(s2, s3));
  return (
    i32x4.extract_lane(sum, 0) ^
    i32x4.extract_lane(sum, 1) ^
    i32x4.extract_lane(sum, 2) ^
    i32x4.extract_lane(sum, 3)
  );
}
