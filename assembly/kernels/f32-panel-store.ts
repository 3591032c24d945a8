/**
 * How a register tile leaves its registers: the two epilogues that all 8-column tiles share, one row at a time.
 *
 *   ADD     c = c·f + x     f = factor per column: ones in a matmul, the rescale exp2(m − m′) of the online softmax in
 *                           attention. ·1 is exact, so one epilogue serves both; c begins as the bias, or zeros.
 *   MAX     c = x           and the running maximum per column at f rises to max(f, x): scores of attention; and the first
 *                           depth block of a matmul that adds to nothing, whose maxima nobody reads
 *
 * `epilogue` is a literal at every call, so only one branch is compiled.
 *
 * Needs:     c has room for 8 floats, which ADD reads.
 * Registers: the row's 2 accumulators + 2 of f + 1 load.
 * FLOPs:     ADD 16, MAX none (the tile compares).
 */
import { madd } from '../simd';

export const ADD = 0;
export const MAX = 1;

/** Writes the four floats x of one row to c. */
// @ts-ignore: decorator
@inline
export function storeVector(c: usize, x: v128, f: v128, epilogue: i32): void {
  v128.store(c, epilogue == ADD ? madd(v128.load(c), f, x) : x);
}

/** Writes the 8 floats x0 x1 of one row to c. */
// @ts-ignore: decorator
@inline
export function storeRow(c: usize, x0: v128, x1: v128, f0: v128, f1: v128, epilogue: i32): void {
  if (epilogue == ADD) {
    v128.store(c, madd(v128.load(c), f0, x0));
    v128.store(c, madd(v128.load(c, 16), f1, x1), 16);
  } else {
    v128.store(c, x0);
    v128.store(c, x1, 16);
  }
}
