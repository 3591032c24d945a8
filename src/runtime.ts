/**
 * One instance of the kernels and the memory it works on: what an engine owns. Below this file nobody knows of options
 * or tensors, above it nobody knows of pages.
 *
 *   | static data | descriptor | staging | tensors, packed weights … |
 *
 * Staging is one block that plain calls share: operands in, results out, items and scratch. It grows to the largest
 * call and stays, because the first touch of a fresh page costs more than a kernel that runs over it.
 */
import { align, Allocator } from './memory/allocator.ts';
import { KernelTrapError, MemoryLimitError, StateError } from './errors.ts';
import { DESCRIPTOR_BYTES, type Words } from './descriptor.ts';
import { PAGE, instantiate, type Build, type Instance } from './wasm/instantiate.ts';
import type { Driver, KernelExports } from './wasm/exports.ts';

/** Rows of the widest register tile, by the word that the public option takes. */
export const TILES = { '4x8': 4, '6x8': 6 } as const;
export type Tile = keyof typeof TILES;

/** Bytes of an engine's memory. */
export interface MemoryUse {
  /** In tensors and packed matrices that are alive. */
  readonly used: number;
  /** Taken from the system: what is used, static data, and staging that is kept for the next call. */
  readonly reserved: number;
  /** Most that may be taken. */
  readonly limit: number;
}

export class Runtime {
  readonly build: Build;
  readonly fma: boolean;
  readonly tile: Tile;
  readonly kernels: KernelExports;
  /** Address of the one descriptor. A call writes it, runs its items, and is done with it. */
  readonly descriptor: number;

  readonly #memory: WebAssembly.Memory;
  readonly #allocator: Allocator;
  readonly #limit: number;
  readonly #orphans: FinalizationRegistry<number>;
  #words: Words;
  #internal = 0;
  #staging = 0;
  #stagingBytes = 0;
  #end: 'disposed' | 'poisoned' | undefined;

  constructor(op: string, build: Build, maxMemory: number, tile: Tile | 'auto') {
    const { memory, kernels }: Instance = instantiate(op, build, maxMemory);
    this.build = build;
    this.kernels = kernels;
    this.#memory = memory;
    this.#words = wordsOf(memory);
    this.#limit = Math.floor(maxMemory / PAGE) * PAGE;
    this.#allocator = new Allocator(kernels.heapBase(), this.#limit, (end) => this.#reserve(end));
    // 2⁻²⁴ where the product is not rounded before the sum, 0 where it is.
    this.fma = kernels.multiplyAdd(1 + 2 ** -12, 1 + 2 ** -12, -(1 + 2 ** -11)) !== 0;
    // Without FMA the six-row tile spills; the baseline build does not have it.
    const six = build === 'relaxed' && (tile === '6x8' || (tile === 'auto' && this.fma));
    this.tile = six ? '6x8' : '4x8';
    this.descriptor = this.allocate(op, DESCRIPTOR_BYTES);
    this.#internal = this.#allocator.inUse;
    this.#orphans = new FinalizationRegistry((address) => {
      this.#adopt(address);
    });
  }

  /** Linear memory as words, derived again after it grew. */
  get words(): Words {
    if (this.#words.f32.length === 0) this.#words = wordsOf(this.#memory);
    return this.#words;
  }

  get memory(): MemoryUse {
    const used = this.#end === undefined ? this.#allocator.inUse - this.#internal : 0;
    return { used, reserved: this.#memory.buffer.byteLength, limit: this.#limit };
  }

  get disposed(): boolean {
    return this.#end === 'disposed';
  }

  /** ERR_DISPOSED, ERR_POISONED. */
  requireAlive(op: string): void {
    if (this.#end === undefined) return;
    if (this.#end === 'disposed') {
      throw new StateError('ERR_DISPOSED', { op, problem: 'this engine has been disposed of' });
    }
    const hint = 'dispose of it and create a new one';
    throw new StateError('ERR_POISONED', { op, problem: 'a kernel of this engine has trapped', hint });
  }

  // ---- memory ----

  /** A block that lives until `free`. Not cleared. ERR_MEMORY_LIMIT. */
  allocate(op: string, bytes: number): number {
    const address = this.#allocator.allocate(bytes);
    if (address !== undefined) return address;
    throw this.#tooMuch(op, bytes);
  }

  free(address: number): void {
    if (this.#end !== 'disposed') this.#allocator.free(address);
  }

  /** Frees the block at `address` should its owner be collected without having been disposed of. */
  watch(owner: object, address: number): void {
    this.#orphans.register(owner, address, owner);
  }

  unwatch(owner: object): void {
    this.#orphans.unregister(owner);
  }

  /** Makes room for the parts of one call and gives their addresses. What they held before is gone. ERR_MEMORY_LIMIT. */
  stage(op: string, bytes: readonly number[]): number[] {
    const total = bytes.reduce((sum, each) => sum + align(each), 0);
    if (total > this.#stagingBytes) this.#growStaging(op, total);
    let next = this.#staging;
    return bytes.map((each) => (next += align(each)) - align(each));
  }

  /** Whether a buffer is this memory: that of a tensor's `data`. */
  owns(buffer: ArrayBufferLike): boolean {
    return buffer === this.#memory.buffer;
  }

  /** A live view of `length` floats. Gone when memory grows. */
  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, address, length);
  }

  /** Drops the memory. Everything on it is gone. */
  dispose(): void {
    this.#end = 'disposed';
  }

  // ---- kernels ----

  /**
   * Runs `count` items of the call in the descriptor, one call into wasm each: V8 never replaces a running frame, so one
   * long call would stay in the baseline compiler's code (341 ms for a first attention where 64 calls take 113).
   */
  run(op: string, driver: Driver, count: number, scratch: number): void {
    try {
      for (let i = 0; i < count; i++) driver(this.descriptor, i, i + 1, scratch);
    } catch (cause) {
      this.#end = 'poisoned';
      throw new KernelTrapError('ERR_TRAP', { op, problem: 'a kernel trapped', cause });
    }
  }

  #growStaging(op: string, total: number): void {
    if (this.#stagingBytes > 0) this.#allocator.free(this.#staging);
    this.#internal -= this.#stagingBytes;
    this.#stagingBytes = 0;
    this.#staging = this.allocate(op, total);
    this.#stagingBytes = align(total);
    this.#internal += this.#stagingBytes;
  }

  #reserve(end: number): boolean {
    const missing = end - this.#memory.buffer.byteLength;
    if (missing <= 0) return true;
    try {
      this.#memory.grow(Math.ceil(missing / PAGE));
      return true;
    } catch {
      return false;
    }
  }

  #tooMuch(op: string, needed: number): MemoryLimitError {
    const inUse = this.#allocator.inUse;
    const limit = this.#limit;
    const problem = `needs ${needed} bytes more, where ${inUse} of ${limit} are in use`;
    const hint = 'split the batch or the queries into several calls, or raise maxMemory';
    return new MemoryLimitError('ERR_MEMORY_LIMIT', { op, problem, hint, needed, limit, inUse });
  }

  #adopt(address: number): void {
    if (this.#end === 'disposed') return;
    this.#allocator.free(address);
    warnOnce();
  }
}

function wordsOf({ buffer }: WebAssembly.Memory): Words {
  return { u32: new Uint32Array(buffer), f32: new Float32Array(buffer) };
}

let warned = false;

function warnOnce(): void {
  if (warned) return;
  warned = true;
  console.warn('heed: a tensor or packed matrix was collected without dispose(); its memory was freed late');
}
