/**
 * Launches a cache's append: keys, then values.
 *
 *   room: | items |
 */
import { CHECK, COPY, NARROW } from '../../common/abi.ts';
import { APPEND_ARGS, APPEND_ITEM, writeAppendArgs, type AppendArgs } from '../descriptor.ts';
import { appendItems } from '../items.ts';
import type { AppendProblem, CacheState } from '../options/cache.ts';
import type { Runtime } from '../runtime.ts';

const FOUND = APPEND_ARGS.indexOf('found');

/** Of what the cache holds. */
export interface CacheAddresses {
  readonly keys: number;
  readonly values: number;
}

export interface AppendAddresses extends CacheAddresses {
  /** New tokens. */
  readonly k: number;
  readonly v: number;
}

export interface AppendLaunch {
  readonly bytes: number;
  /** Looks through the new tokens of a float16 cache. Writes nothing. */
  check(addresses: AppendAddresses, room: number): void;
  /** What that has found: bit 1, a finite number that is too large; bit 2, ∞ or NaN. */
  found(): number;
  run(addresses: AppendAddresses, room: number): void;
  /** Takes down what the new tokens of a ring will lie over, and gives what puts it back. */
  save(cache: CacheAddresses): () => void;
}

export function launchAppend(
  runtime: Runtime,
  op: string,
  cache: CacheState,
  { tokens, counts, layout }: AppendProblem,
): AppendLaunch {
  const { kvHeads, headDim, valueDim, capacity, ring, dtype, lengths } = cache;
  const items = appendItems(lengths, counts);
  const bytes = dtype === 'f16' ? 2 : 4;
  const bshd = layout === 'bshd';
  const args = (from: number, to: number, dim: number, mode: number, room: number): AppendArgs => ({
    from,
    to,
    items: room,
    heads: kvHeads,
    dim,
    fromBatch: 4 * tokens * kvHeads * dim,
    fromHead: 4 * (bshd ? dim : tokens * dim),
    fromToken: 4 * (bshd ? kvHeads * dim : dim),
    toBatch: bytes * kvHeads * capacity * dim,
    toHead: bytes * capacity * dim,
    toToken: bytes * dim,
    ring: ring ? capacity : 0,
    mode,
    found: 0,
  });
  /** What was found at once, or by a step of a program, when that has run. */
  let finds: (() => number)[] = [];
  const one = (each: AppendArgs): void => {
    const { words, descriptor, kernels } = runtime;
    if (items.count === 0) return;
    writeAppendArgs(words, descriptor, each);
    // One thread says what it has found: several would write over each other.
    const checks = each.mode === CHECK;
    const program = runtime.team?.program;
    const step = runtime.run(op, kernels.append, descriptor, items.count, 0, 0, undefined, checks);
    if (!checks) return;
    const seen = words.u32[(descriptor >>> 2) + FOUND]!;
    finds.push(() => (program === undefined ? seen : program.field(step, FOUND)));
  };
  /** Keys, then values. */
  const both = ({ k, v, keys, values }: AppendAddresses, mode: number, room: number): void => {
    items.write(runtime.words.u32, room >>> 2);
    one(args(k, keys, headDim, mode, room));
    one(args(v, values, valueDim, mode, room));
  };
  return {
    bytes: 4 * APPEND_ITEM.length * items.count,
    check(addresses, room) {
      finds = [];
      if (dtype === 'f16') both(addresses, CHECK, room);
    },
    found: () => finds.reduce((bits, find) => bits | find(), 0),
    run(addresses, room) {
      both(addresses, dtype === 'f16' ? NARROW : COPY, room);
    },
    save({ keys, values }) {
      const pieces: { readonly at: number; readonly held: Uint8Array }[] = [];
      const take = (address: number, token: number, end: number): void => {
        if (end > token)
          pieces.push({ at: address + token, held: runtime.words.u8.slice(address + token, address + end) });
      };
      for (const [row, count] of counts.entries()) {
        // A sequence that still fits loses nothing.
        if (!ring || lengths[row]! + count <= capacity) continue;
        const first = lengths[row]! % capacity;
        const end = Math.min(capacity, first + count);
        for (let head = row * kvHeads; head < (row + 1) * kvHeads; head++) {
          for (const [address, dim] of [
            [keys, headDim],
            [values, valueDim],
          ] as const) {
            const token = bytes * dim;
            const from = address + head * capacity * token;
            take(from, first * token, end * token);
            take(from, 0, (first + count - end) * token);
          }
        }
      }
      return () => {
        for (const { at, held } of pieces) runtime.words.u8.set(held, at);
      };
    },
  };
}

/** Bits of `check`. */
export const TOO_LARGE = 1;
export const SPECIAL = 2;
