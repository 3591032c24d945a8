/**
 * Launches mergeAttention.
 *
 *   room: | items | addresses of the parts | scratch, for each thread |
 */
import { MERGE_ITEM, writeMergeArgs, type MergeArgs } from '../descriptor.ts';
import { tokenItems } from '../items.ts';
import { align } from '../memory/allocator.ts';
import type { MergeProblem } from '../options/merge.ts';
import type { Runtime } from '../runtime.ts';
import type { Launch } from './launch.ts';
import { stridesOf } from './rope.ts';

export interface PartAddresses {
  readonly out: number;
  readonly logSumExp: number;
}

export interface MergeAddresses extends PartAddresses {
  readonly parts: readonly PartAddresses[];
}

export function launchMerge(
  runtime: Runtime,
  op: string,
  problem: MergeProblem,
  threads = 1,
): Launch<MergeAddresses> {
  const { batch, heads, seqQ, valueDim, layout, parts } = problem;
  const items = tokenItems(batch, seqQ);
  const table = align(4 * MERGE_ITEM.length * items.count);
  const scratch = table + align(8 * parts.length);
  const strides = stridesOf(layout, seqQ, heads, valueDim);
  const args: MergeArgs = {
    parts: 0,
    out: 0,
    logSumExp: 0,
    items: 0,
    count: parts.length,
    heads,
    seqQ,
    valueDim,
    outBatch: strides.batch,
    outHead: strides.head,
    outToken: strides.token,
  };
  writeMergeArgs(runtime.words, runtime.descriptor, args);
  const slab = align(runtime.kernels.mergeScratch(runtime.descriptor));
  return {
    bytes: items.count > 0 ? scratch + threads * slab : 0,
    run(addresses, room) {
      if (items.count === 0) return;
      args.parts = room + table;
      args.out = addresses.out;
      args.logSumExp = addresses.logSumExp;
      args.items = room;
      const { words, descriptor, kernels } = runtime;
      writeMergeArgs(words, descriptor, args);
      items.write(words.u32, room >>> 2);
      words.u32.set(
        addresses.parts.flatMap(({ out, logSumExp }) => [out, logSumExp]),
        (room + table) >>> 2,
      );
      runtime.run(op, kernels.merge, descriptor, items.count, room + scratch, slab);
    },
  };
}
