/**
 * Driver of a cache's append: rows of new tokens into the cache's memory, as they are or as float16, in place.
 *
 *   from ─► [batch][token][head][dim] in either layout          to ─► [batch][head][slot][dim], slot = token, or token % ring
 *
 * In a first run (CHECK) nothing is written: it says in `found` what float16 cannot hold, and what is no number.
 */
import { CHECK, NARROW } from '../common/abi';
import { AppendArgs, AppendItem } from './args';
import { f16Check, f16Narrow } from './kernels/f16-narrow';

/** An item is the new tokens of one row of the batch. */
export function append(args: usize, begin: i32, end: i32, scratch: usize): void {
  const a = changetype<AppendArgs>(args);
  const dim = a.dim;
  const mode = a.mode;
  for (let i = begin; i < end; i++) {
    const item = changetype<AppendItem>(a.items + <usize>i * offsetof<AppendItem>());
    for (let head = 0; head < a.heads; head++) {
      let from = a.from + <usize>item.batch * a.fromBatch + <usize>head * a.fromHead;
      const base = a.to + <usize>item.batch * a.toBatch + <usize>head * a.toHead;
      for (let t = item.start; t < item.start + item.count; t++, from += a.fromToken) {
        const to = base + <usize>(a.ring ? t % a.ring : t) * a.toToken;
        if (mode == CHECK) a.found |= f16Check(from, dim);
        else if (mode == NARROW) f16Narrow(from, dim, to);
        else memory.copy(to, from, (<usize>dim) << 2);
      }
    }
  }
}
