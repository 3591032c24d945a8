/** KVCache: keys and values of the tokens so far, on an engine's memory, where attention reads them in place. */
import { Block, Owner } from './block.ts';
import { Call } from './call.ts';
import { HeedRangeError, HeedTypeError, StateError } from './errors.ts';
import { kindOf } from './words.ts';
import { launchAppend, SPECIAL, TOO_LARGE } from './launch/append.ts';
import { align } from './memory/allocator.ts';
import { attendTo } from './operations/attention.ts';
import { longest, resolveAppend, resolveAttend, resolveCache } from './options/cache.ts';
import type { AppendOptions, AttendOptions, CacheProblem, CacheState } from './options/cache.ts';
import * as check from './checks/index.ts';
import type { Runtime } from './runtime.ts';
import { EngineDoor, type SideInputs } from './tensor.ts';

/**
 * Keys and values of the tokens so far, so that a decoder computes each of them once. Made by `engine.kvCache`.
 *
 * Memory is taken once: batch · kvHeads · capacity · (headDim + valueDim) numbers of four bytes, or two with
 * `dtype: 'f16'`. What is appended is copied in place, bit by bit (rounded to nearest even with `'f16'`).
 *
 * @example
 * import { createEngine } from 'heed';
 *
 * const engine = await createEngine();
 * const cache = engine.kvCache({ kvHeads: 2, headDim: 4, capacity: 128 });
 * const token = new Float32Array(8).fill(0.5);        // [1 token, 2 heads, 4]
 * cache.append(token, token);
 * const q = new Float32Array(16).fill(1);             // 4 query heads, two for each key head
 * cache.attend(q, { heads: 4 });                      // 16 × 0.5: there is one token to see
 * cache.dispose();
 * engine.dispose();
 */
export class KVCache extends Owner {
  readonly #runtime: Runtime;
  readonly #problem: CacheProblem;
  readonly #lengths: number[];
  readonly #oldest: number[];
  #special = false;
  /** An asynchronous call reads and writes it. */
  #busy = false;
  /** Bytes of the keys; values lie behind them. */
  readonly #values: number;

  private constructor(block: Block, problem: CacheProblem, values: number) {
    super(block);
    this.#runtime = block.runtime;
    this.#problem = problem;
    this.#lengths = new Array<number>(problem.batch).fill(0);
    this.#oldest = new Array<number>(problem.batch).fill(0);
    this.#values = values;
  }

  /** @internal Users call `engine.kvCache`. */
  static make(runtime: Runtime, options: unknown): KVCache {
    const op = 'kvCache';
    runtime.requireAlive(op);
    const problem = resolveCache(op, options);
    const { batch, kvHeads, capacity, headDim, valueDim, dtype } = problem;
    const numbers = batch * kvHeads * capacity * (dtype === 'f16' ? 2 : 4);
    const call = new Call(runtime, op, 0);
    const values = align(numbers * headDim);
    const memory = call.block(values + numbers * valueDim);
    call.compute(() => undefined);
    return new KVCache(new Block(runtime, memory.address), problem, values);
  }

  /** @internal The cache that was given. ERR_ARG_TYPE, ERR_FOREIGN_TENSOR, ERR_DISPOSED. */
  static of(runtime: Runtime, op: string, given: unknown): KVCache {
    if (!(given instanceof KVCache) || Owner.blockOf(given) === undefined) {
      const received = kindOf(given);
      throw new HeedTypeError('ERR_ARG_TYPE', { op, arg: 'cache', expected: 'KVCache', received });
    }
    given.addressesOf(op);
    if (given.#runtime === runtime) return given;
    const [expected, received] = ['a cache of this engine', 'one of another engine'];
    throw new StateError('ERR_FOREIGN_TENSOR', { op, arg: 'cache', expected, received });
  }

  /** @internal What a call works on; the lengths are copies. ERR_DISPOSED. */
  stateOf(): CacheState {
    const problem = this.#problem;
    return {
      batch: problem.batch,
      kvHeads: problem.kvHeads,
      headDim: problem.headDim,
      valueDim: problem.valueDim,
      capacity: problem.capacity,
      dtype: problem.dtype,
      ring: problem.ring,
      special: this.#special,
      lengths: this.#lengths.slice(),
      oldest: this.#oldest.slice(),
    };
  }

  /** @internal Where keys and values are. ERR_DISPOSED, ERR_BUSY. */
  addressesOf(op: string): { readonly keys: number; readonly values: number } {
    const keys = blockOf(this).address(op, 'cache', 'cache');
    if (this.#busy) {
      const problem = 'this cache is used by an asynchronous call';
      throw new StateError('ERR_BUSY', { op, problem, hint: 'await that call first' });
    }
    return { keys, values: keys + this.#values };
  }

  /** @internal For an asynchronous call, until that is done. */
  lock(): void {
    this.#busy = true;
  }

  /** @internal */
  unlock(): void {
    this.#busy = false;
  }

  /**
   * @internal Says that `counts` tokens are about to be written, in a ring over the oldest: those are lost from here on, whatever ends
   * the call. Gives what takes that back.
   */
  overwrite(counts: readonly number[]): () => void {
    const { capacity, ring } = this.#problem;
    const before = this.#oldest.slice();
    for (let b = 0; ring && b < counts.length; b++) {
      this.#oldest[b] = Math.max(this.#oldest[b]!, this.#lengths[b]! + counts[b]! - capacity);
    }
    return () => {
      for (const [b, oldest] of before.entries()) this.#oldest[b] = oldest;
    };
  }

  /** @internal Says that `counts` tokens more are there, and what was found among them. */
  commit(counts: readonly number[], found: number): void {
    if (found & SPECIAL) this.#special = true;
    for (let b = 0; b < counts.length; b++) this.#lengths[b]! += counts[b]!;
  }

  /** Tokens of the longest sequence. In a ring those that have fallen out count too: positions stay absolute. */
  get length(): number {
    return longest(this.#lengths);
  }

  /** Tokens of each sequence: a copy. */
  get lengths(): Int32Array {
    return Int32Array.from(this.#lengths);
  }

  /** Tokens that there is room for in each sequence; of a ring, rounded up to a multiple of 96. */
  get capacity(): number {
    return this.#problem.capacity;
  }

  /**
   * Copies the keys and values of n new tokens behind those that are there: all of it, or nothing and an error.
   *
   * @param k [batch, n, kvHeads, headDim], or in the other layout; n follows from its length
   * @param v [batch, n, kvHeads, valueDim], or in the other layout
   * @param options see {@link AppendOptions}
   * @throws HeedTypeError; HeedRangeError ERR_CACHE_FULL where a sequence has no room, ERR_RANGE for a finite number beyond
   *   65504 in a float16 cache, ERR_SHAPE; StateError ERR_DISPOSED
   */
  append(k: Float32Array, v: Float32Array, options?: AppendOptions): void {
    const op = 'append';
    const runtime = this.#runtime;
    this.addressesOf(op);
    const problem = resolveAppend(op, () => this.stateOf(), k, v, options);
    const { keys, values } = this.addressesOf(op);
    // Copying in is all there is to it: nothing to share.
    const call = new Call(runtime, op, 0);
    const state = this.stateOf();
    const tokens = state.batch * problem.tokens * state.kvHeads;
    const K = call.input('k', k, tokens * state.headDim);
    const V = call.input('v', v, tokens * state.valueDim);
    const launch = launchAppend(runtime, op, state, problem);
    const room = call.room(launch.bytes);
    call.compute(() => {
      const addresses = { k: K.address, v: V.address, keys, values };
      launch.check(addresses, room.address);
      const found = launch.found();
      if (found & TOO_LARGE) tooLarge(op);
      this.overwrite(problem.counts);
      launch.run(addresses, room.address);
      this.commit(problem.counts, found);
    });
  }

  /**
   * Forgets all but the first tokens of each sequence.
   *
   * @param n how many to keep: 0 … `length`
   * @throws HeedRangeError ERR_RANGE; StateError ERR_DISPOSED, ERR_BUSY
   */
  truncate(n: number): void {
    const op = 'truncate';
    this.addressesOf(op);
    check.integer(op, 'n', n, 0, this.length);
    for (const [b, length] of this.#lengths.entries()) {
      const kept = (this.#lengths[b] = Math.min(length, n));
      // Below that nothing is left to be lost: what is appended now is there.
      this.#oldest[b] = Math.min(this.#oldest[b]!, kept);
    }
  }

  /**
   * Attention of the last seqQ tokens to all that are in the cache up to each of them: causal by construction.
   *
   * @param q [batch, seqQ, heads, headDim], or in the other layout
   * @param options `heads`, and what differs from the defaults; see {@link AttendOptions}. The last dimension of mask and
   *   bias is `length`; a ring takes neither, and needs a window [before, 0] with before + seqQ <= capacity
   * @returns [batch, seqQ, heads, valueDim] in the layout; `options.out` if given, and then nothing is allocated
   * @throws HeedTypeError; HeedRangeError, ERR_CACHE_WINDOW where a ring has lost what a query sees; StateError ERR_DISPOSED
   */
  attend(q: Float32Array, options: Omit<AttendOptions, keyof SideInputs> & SideInputs): Float32Array {
    const op = 'attend';
    const runtime = this.#runtime;
    this.addressesOf(op);
    const resolved = resolveAttend(op, new EngineDoor(runtime), () => this.stateOf(), q, options);
    const { keys, values } = this.addressesOf(op);
    return attendTo(runtime, op, q, { keys, values }, resolved);
  }
}

function blockOf(cache: KVCache): Block {
  return Owner.blockOf(cache) as Block;
}

/** A number that float16 cannot hold: before anything is written. */
export function tooLarge(op: string): never {
  throw new HeedRangeError('ERR_RANGE', {
    op,
    arg: 'k, v',
    expected: 'numbers of at most ±65504 in a float16 cache',
    received: 'one beyond',
  });
}
