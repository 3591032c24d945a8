/**
 * Brings rows into the cache: one load a line of 64 bytes, four lines at once on their way. WebAssembly has no prefetch.
 *
 * Needs:     rows >= 0; bytes >= 1; 16 bytes at `rest`, where what was loaded goes, so that no compiler leaves it out.
 * Registers: 4 that gather.
 * FLOPs:     none.
 */
export function f32Touch(p: usize, ld: usize, rows: i32, bytes: i32, rest: usize): void {
  assert(rows >= 0 && bytes >= 1);
  let run = <usize>bytes;
  if (ld == run) {
    // Rows that follow each other are one.
    run *= <usize>rows;
    rows = min(rows, 1);
  }
  let a: u32 = 0;
  let b: u32 = 0;
  let c: u32 = 0;
  let d: u32 = 0;
  for (; rows > 0; rows--, p += ld) {
    let i = p;
    const end = p + run;
    for (; i + 256 <= end; i += 256) {
      a |= load<u8>(i);
      b |= load<u8>(i, 64);
      c |= load<u8>(i, 128);
      d |= load<u8>(i, 192);
    }
    for (; i < end; i += 64) a |= load<u8>(i);
    d |= load<u8>(end - 1);
  }
  store<u32>(rest, a | b | c | d);
}
