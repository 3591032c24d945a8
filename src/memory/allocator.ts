/**
 * The host's allocator over one linear memory. All of memory above the module's static data belongs to it: tensors,
 * packed weights, staging. Kernels allocate nothing.
 *
 *   | static data | block | free | block | block | … up to `top` | not yet used … `limit` |
 *
 * First fit over a list of free blocks that is sorted by address and never holds two neighbours. Sizes are exact
 * Numbers, so nothing wraps at 2³².
 */
import { ALIGNMENT } from '../../common/abi.ts';

export class Allocator {
  /** End of the highest block. */
  #top: number;
  #inUse: number;
  readonly #limit: number;
  readonly #reserve: (end: number) => boolean;
  /** Free blocks below `top`, sorted, never adjacent: starts and ends at the same index. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #sizes = new Map<number, number>();

  /**
   * @param start   first byte that may be given out
   * @param limit   one past the last
   * @param reserve makes memory reach to `end`; false if it cannot
   */
  constructor(start: number, limit: number, reserve: (end: number) => boolean) {
    this.#top = align(start);
    this.#inUse = this.#top;
    this.#limit = limit;
    this.#reserve = reserve;
  }

  /** Bytes that are not free: below the first block, and in blocks. Beside them there is room up to the limit, in one piece or in several. */
  get inUse(): number {
    return this.#inUse;
  }

  /** A block of at least `bytes` bytes, aligned to a cache line, or undefined if there is no room. Not cleared. */
  allocate(bytes: number): number | undefined {
    const size = align(Math.max(bytes, 1));
    const i = this.#starts.findIndex((start, at) => (this.#ends[at] as number) - start >= size);
    if (i < 0) return this.#extend(size);
    const start = this.#starts[i] as number;
    if (start + size === this.#ends[i]) {
      this.#starts.splice(i, 1);
      this.#ends.splice(i, 1);
    } else {
      this.#starts[i] = start + size;
    }
    return this.#take(start, size);
  }

  /** Gives a block back. The address must come from `allocate`, once. */
  free(address: number): void {
    const size = this.#sizes.get(address);
    if (size === undefined) throw new Error(`no block at ${address}`);
    this.#sizes.delete(address);
    this.#inUse -= size;
    let [start, end] = [address, address + size];
    // Merge with the neighbours, then with the unused memory above.
    let i = this.#above(address);
    if (this.#starts[i] === end) {
      end = this.#ends[i] as number;
      this.#starts.splice(i, 1);
      this.#ends.splice(i, 1);
    }
    if (i > 0 && this.#ends[i - 1] === start) {
      i--;
      start = this.#starts[i] as number;
      this.#starts.splice(i, 1);
      this.#ends.splice(i, 1);
    }
    if (end === this.#top) {
      this.#top = start;
    } else {
      this.#starts.splice(i, 0, start);
      this.#ends.splice(i, 0, end);
    }
  }

  #extend(size: number): number | undefined {
    const start = this.#top;
    if (start + size > this.#limit || !this.#reserve(start + size)) return undefined;
    this.#top = start + size;
    return this.#take(start, size);
  }

  #take(address: number, size: number): number {
    this.#sizes.set(address, size);
    this.#inUse += size;
    return address;
  }

  /** Index of the first free block above an address: binary search. */
  #above(address: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] as number) < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The next multiple of the alignment, of an integer. Only the last bits are taken as 32-bit: exact beyond 2³² too. */
export function align(bytes: number): number {
  return bytes + (-bytes & (ALIGNMENT - 1));
}
