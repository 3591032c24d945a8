/**
 * Brings rows of K and of V into the cache: one load a line of 64 bytes. WebAssembly has no prefetch.
 *
 *   k ─► rows of kBytes, ldk bytes apart          v ─► rows of vBytes, ldv bytes apart
 *
 * Two lines of K, two of V, and so on: two streams that go on where the block before ended, which processors fetch ahead for.
 * Rows that follow each other are one.
 *
 * Needs:     rows >= 0; kBytes, vBytes >= 1; 4 bytes at `rest`, where what was loaded goes, so that no compiler leaves it out.
 * Registers: 4 that gather.
 * FLOPs:     none.
 */
export function f32Touch(
  k: usize,
  ldk: usize,
  kBytes: usize,
  v: usize,
  ldv: usize,
  vBytes: usize,
  rows: i32,
  rest: usize,
): void {
  assert(rows >= 0 && kBytes >= 1 && vBytes >= 1);
  if (ldk == kBytes && ldv == vBytes && rows > 1) {
    kBytes *= <usize>rows;
    vBytes *= <usize>rows;
    rows = 1;
  }
  const both = min(kBytes, vBytes) & ~127;
  let a: u32 = 0;
  let b: u32 = 0;
  let c: u32 = 0;
  let d: u32 = 0;
  for (; rows > 0; rows--, k += ldk, v += ldv) {
    let p = k;
    let q = v;
    for (const end = k + both; p < end; p += 128, q += 128) {
      a |= load<u8>(p);
      b |= load<u8>(p, 64);
      c |= load<u8>(q);
      d |= load<u8>(q, 64);
    }
    for (const end = k + kBytes; p < end; p += 64) a |= load<u8>(p);
    for (const end = v + vBytes; q < end; q += 64) c |= load<u8>(q);
    b |= load<u8>(k + kBytes - 1);
    d |= load<u8>(v + vBytes - 1);
  }
  store<u32>(rest, a | b | c | d);
}
