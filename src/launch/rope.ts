/**
 * Launches rope: from wherever x lies to wherever out does, or in place.
 *
 *   room: | items | positions | frequencies | scratch, for each thread |
 */
import { ROPE_ITEM, writeRopeArgs, type RopeArgs } from '../descriptor.ts';
import { TOKENS, tokenItems } from '../items.ts';
import { align } from '../memory/allocator.ts';
import type { Layout } from '../options/attention.ts';
import type { RopeProblem } from '../options/rope.ts';
import type { Runtime } from '../runtime.ts';
import type { Launch } from './launch.ts';

/** Bytes from one batch, token or head to the next. Elements of a head are contiguous. */
export interface Strides {
  readonly batch: number;
  readonly token: number;
  readonly head: number;
}

/** What a rope launch has to know beside the strides. `positions`: [batch, seq], or [batch] of first ones. */
export type RopeShape = Omit<RopeProblem, 'tensors' | 'layout' | 'out'>;

export interface RopeAddresses {
  readonly x: number;
  /** May be x, where the strides are the same. */
  readonly out: number;
}

/** Strides of [batch, seq, heads, dim] in a layout, nothing between. */
export function stridesOf(layout: Layout, seq: number, heads: number, dim: number): Strides {
  const batch = 4 * seq * heads * dim;
  if (layout === 'bshd') return { batch, token: 4 * heads * dim, head: 4 * dim };
  return { batch, token: 4 * dim, head: 4 * seq * dim };
}

export function launchRope(
  runtime: Runtime,
  op: string,
  problem: RopeShape,
  x: Strides,
  out: Strides,
  threads = 1,
): Launch<RopeAddresses> {
  const { batch, seq, heads, headDim, rotaryDim, theta, scaling, positions } = problem;
  const items = tokenItems(batch, seq);
  const pairs = rotaryDim / 2;
  const positionsAt = align(4 * ROPE_ITEM.length * items.count);
  const frequencies = positionsAt + align(4 * positions.length);
  const scratch = frequencies + align(32 * Math.ceil(pairs / 4));
  const each = positions.length !== batch;
  const args: RopeArgs = {
    x: 0,
    out: 0,
    positions: 0,
    frequencies: 0,
    items: 0,
    heads,
    headDim,
    pairs,
    tokens: Math.min(seq, TOKENS),
    interleaved: Number(problem.interleaved),
    positionBatch: each ? 4 * seq : 4,
    positionToken: each ? 4 : 0,
    xBatch: x.batch,
    xToken: x.token,
    xHead: x.head,
    outBatch: out.batch,
    outToken: out.token,
    outHead: out.head,
  };
  writeRopeArgs(runtime.words, runtime.descriptor, args);
  const slab = align(runtime.kernels.ropeScratch(runtime.descriptor));
  return {
    bytes: items.count > 0 ? scratch + threads * slab : 0,
    run(addresses, room) {
      if (items.count === 0) return;
      args.x = addresses.x;
      args.out = addresses.out;
      args.positions = room + positionsAt;
      args.frequencies = room + frequencies;
      args.items = room;
      const { words, descriptor, kernels } = runtime;
      writeRopeArgs(words, descriptor, args);
      items.write(words.u32, room >>> 2);
      words.u32.set(positions, (room + positionsAt) >>> 2);
      kernels.ropeFrequencies(args.frequencies, pairs, theta, scaling);
      runtime.run(op, kernels.rope, descriptor, items.count, room + scratch, slab);
    },
  };
}
