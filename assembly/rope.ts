/**
 * Driver of rotary position embeddings (RoFormer, Su et al. 2021): each token's heads turned by the angles of its position.
 *
 * The sines and cosines of a token are computed once and serve all of its heads. The frequencies that its angles are
 * multiples of are computed once a call, by `ropeFrequencies`.
 *
 *   scratch: | table of the item's first token | of its second | …
 */
import { RopeArgs, RopeItem } from './args';
import { f32RopeInterleaved } from './kernels/f32-rope-interleaved';
import { f32RopeSplit } from './kernels/f32-rope-split';
import { f32RopeTable } from './kernels/f32-rope-table';

/** A cosine and a sine a pair, by fours. */
// @ts-ignore: decorator
@inline
function bytesOfTable(pairs: i32): usize {
  return ((<usize>(pairs + 3)) >> 2) << 5;
}

/** Bytes of scratch that one thread needs for any item of this call: the tables of its tokens. Exact. */
export function ropeScratch(args: usize): f64 {
  const a = changetype<RopeArgs>(args);
  return <f64>a.tokens * <f64>bytesOfTable(a.pairs);
}

/**
 * frequencies[i] = θ^(−i / pairs) / scaling in float64, i = 0 … pairs − 1, rounded up to a multiple of 4.
 *
 * Powers of a root, so that nothing but products and quotients is needed, which every engine rounds alike. The root is
 * the largest y whose product y·y·…, as computed, is at most θ: bisection over the bits finds it, because products of
 * positive numbers round monotonically.
 *
 * Relative error, in units of 2⁻⁵³: the product of `pairs` factors errs by less than `pairs`, so the root errs by 1 and
 * by its own last bit, 2; its reciprocal by 1 more; a power i of that by 4i + i − 1; the quotient by 1. 5i in all (0 at
 * i = 0 but for the quotient).
 */
export function ropeFrequencies(frequencies: usize, pairs: i32, theta: f64, scaling: f64): void {
  let low: u64 = 0;
  let high: u64 = 0x7ff0000000000000;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (power(reinterpret<f64>(middle), pairs) <= theta) low = middle;
    else high = middle;
  }
  const ratio = 1 / reinterpret<f64>(low);
  const end = frequencies + ((<usize>((pairs + 3) & ~3)) << 3);
  for (let f: f64 = 1; frequencies < end; frequencies += 8, f *= ratio) store<f64>(frequencies, f / scaling);
}

/** yⁿ, by squares. */
function power(y: f64, n: i32): f64 {
  let product: f64 = 1;
  for (; n > 0; n >>= 1) {
    if (n & 1) product *= y;
    y *= y;
  }
  return product;
}

export function rope(args: usize, begin: i32, end: i32, scratch: usize): void {
  const a = changetype<RopeArgs>(args);
  for (let i = begin; i < end; i++) {
    tokens(a, changetype<RopeItem>(a.items + <usize>i * offsetof<RopeItem>()), scratch);
  }
}

function tokens(args: RopeArgs, item: RopeItem, scratch: usize): void {
  const pairs = args.pairs;
  const tableBytes = bytesOfTable(pairs);

  // Pass 1: the tables of all tokens.
  const positionStep = args.positionToken;
  let position = args.positions + <usize>item.batch * args.positionBatch + <usize>item.token0 * positionStep;
  for (let t = 0; t < item.tokens; t++, position += positionStep) {
    const at = load<i32>(position) + (positionStep ? 0 : item.token0 + t);
    f32RopeTable(at, args.frequencies, pairs, scratch + <usize>t * tableBytes);
  }

  // Pass 2: along memory. Token by token where the heads of a token lie together, else head by head.
  const byToken = args.xHead < args.xToken;
  const turns = byToken ? item.tokens : args.heads;
  const rows = byToken ? args.heads : item.tokens;
  const xStep = byToken ? args.xHead : args.xToken;
  const outStep = byToken ? args.outHead : args.outToken;
  const tableStep: usize = byToken ? 0 : tableBytes;
  const turned = (<usize>pairs) << 3;
  const rest = ((<usize>args.headDim) << 2) - turned;
  let table = scratch;
  let x = args.x + <usize>item.batch * args.xBatch + <usize>item.token0 * args.xToken;
  let out = args.out + <usize>item.batch * args.outBatch + <usize>item.token0 * args.outToken;
  for (let i = 0; i < turns; i++) {
    if (args.interleaved) f32RopeInterleaved(x, xStep, out, outStep, rows, table, tableStep, pairs);
    else f32RopeSplit(x, xStep, out, outStep, rows, table, tableStep, pairs);
    if (rest && x != out) {
      for (let row: usize = 0; row < <usize>rows; row++) {
        memory.copy(out + row * outStep + turned, x + row * xStep + turned, rest);
      }
    }
    x += byToken ? args.xToken : args.xHead;
    out += byToken ? args.outToken : args.outHead;
    table += tableBytes - tableStep;
  }
}
