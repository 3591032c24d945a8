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
import { DESCRIPTOR_BYTES } from './descriptor.ts';
import { MAX_PAGES, PAGE, instantiate, type Compiled, type Instance } from './wasm/instantiate.ts';
import type { Build } from './wasm/inlined.ts';
import { tooLittle, tooMuch } from './memory/limit.ts';
import { Orphans } from './memory/orphans.ts';
import { NO_WORDS, wordsOf, type Words } from './memory/words.ts';
import { Recent } from './recent.ts';
import type { Team } from './threads/team.ts';
import { TileChoice, tileFor, TILES, type Tile } from './tile.ts';
import { driversOf, type Driver, type KernelExports } from './wasm/exports.ts';

/** Bytes of an engine's memory. */
export interface MemoryUse {
  /** In tensors and packed matrices that are alive. */
  readonly used: number;
  /** Taken from the system: what is used, static data, and staging that is kept for the next call. */
  readonly reserved: number;
  /** Most that may be taken. */
  readonly limit: number;
}

/** Kernels that are tested together, as bits. The weights' driver has no test of its own: with it, all of attention is asked. */
export const PREFILL = 1;
export const DECODING = 2;
export const WEIGHTS: number = 4 | PREFILL | DECODING;
export const MATMUL = 8;
export const ROPE = 16;
export const ALL: number = WEIGHTS | MATMUL | ROPE;

/** Bytes. */
const PANEL_OF_64 = 32 * 64;

export class Runtime {
  readonly build: Build;
  readonly fma: boolean;
  /** Whom it can share its work with, once there are any. */
  team: Team | undefined = undefined;
  /** Address of the one descriptor. A launch writes it, runs its items, and is done with it. */
  readonly descriptor: number;
  /** That of attention, of which a call has one launch: what it writes before there is room still stands when it runs. */
  readonly attentionDescriptor: number;
  /** Number of the launch whose shape stands there: theirs to give and to compare. */
  attentionShape = 0;
  /** Launches that may be used again: theirs to keep and to find. */
  readonly attentions: Recent<object> = new Recent<object>();
  readonly matmuls: Recent<object> = new Recent<object>();
  /** Kernels that are yet to be tested, and by whom: the default engine's alone. Of any other engine all have been. */
  untested = 0;
  prove: ((runtime: Runtime, op: string, kernels: number) => Runtime) | undefined;

  /** Undefined once disposed of: an engine that somebody still holds does not hold its memory. */
  #instance: Instance | undefined;
  readonly #allocator: Allocator;
  readonly #limit: number;
  readonly #orphans: Orphans;
  /** Whether the memory is shared with workers. Buffers of it do not go when it grows; there are more of them then. */
  readonly #shared: boolean;
  readonly #buffers = new WeakSet<ArrayBufferLike>();
  #words: Words;
  /** A tile, or the choice of one. */
  #tile: Tile | TileChoice;
  readonly #asked: Tile | 'auto';
  /** Made when it is asked for, dropped when this memory needs what it has. */
  #plain: Runtime | undefined;
  /** The system has refused a second memory. It is not asked again: V8 looks for garbage before it refuses, for 70 ms. */
  #alone = false;
  /** Whose limit is this one's, too. */
  readonly #beside: Runtime | undefined;
  #internal = 0;
  #staging = 0;
  #stagingBytes = 0;
  #end: 'disposed' | 'poisoned' | undefined;
  /** Why the system gave no more memory, the last time it was asked. */
  #refusal: unknown;

  /** `compiled`: another module than the package's own for plain memory. `beside`: one whose memory counts, too. */
  constructor(
    op: string,
    build: Build,
    maxMemory: number,
    tile: Tile | 'auto',
    compiled?: Compiled,
    beside?: Runtime,
  ) {
    this.#beside = beside;
    this.#limit = Math.min(Math.floor(maxMemory / PAGE), MAX_PAGES) * PAGE;
    if (this.#limit === 0) throw tooLittle(op, PAGE, maxMemory);
    this.#instance = instantiate(op, build, maxMemory, compiled);
    const { memory, kernels } = this.#instance;
    this.build = build;
    this.#shared = compiled?.shared === true;
    this.#words = wordsOf(memory);
    this.#buffers.add(memory.buffer);
    this.#allocator = new Allocator(kernels.heapBase(), this.#limit, (end) => this.#reserve(end));
    // 2⁻²⁴ where the product is not rounded before the sum, 0 where it is.
    this.fma = kernels.multiplyAdd(1 + 2 ** -12, 1 + 2 ** -12, -(1 + 2 ** -11)) !== 0;
    this.descriptor = this.allocate(op, DESCRIPTOR_BYTES);
    this.attentionDescriptor = this.allocate(op, DESCRIPTOR_BYTES);
    this.#asked = tile;
    this.#tile = tileFor(build, this.fma, tile, () => this.#product(op));
    this.#internal = this.#allocator.inUse;
    this.#orphans = new Orphans((address) => this.free(address));
  }

  /** The tile for a launch that is made now. */
  get tile(): Tile {
    const tile = this.#tile;
    if (!(tile instanceof TileChoice)) return tile;
    if (this.#end !== undefined) return tile.known;
    const { best } = tile;
    if (tile.decided) this.#tile = best;
    return best;
  }

  /** The same, which nothing is timed for. */
  get tileNow(): Tile {
    const tile = this.#tile;
    return tile instanceof TileChoice ? tile.known : tile;
  }

  get kernels(): KernelExports {
    return this.#live.kernels;
  }

  /** Linear memory as words, derived again after it grew. */
  get words(): Words {
    if (this.#words.f32.length === 0) this.#words = wordsOf(this.#live.memory);
    return this.#words;
  }

  get memory(): MemoryUse {
    const limit = this.#limit;
    if (this.#instance === undefined) return { used: 0, reserved: 0, limit };
    const used = this.#allocator.inUse - this.#internal;
    return { used, reserved: this.#bytes + this.#bytesBeside, limit };
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
    const hint = 'dispose of it and create a new one; for the plain functions releaseMemory() does both';
    throw new StateError('ERR_POISONED', { op, problem: 'a kernel of this engine has trapped', hint });
  }

  /**
   * Who runs these kernels: this runtime, or another that takes over should their test fail. To be asked when it is known what a
   * call runs, and before it takes memory, which a test uses too. ERR_WASM_INTEGRITY.
   */
  ready(op: string, kernels: number): Runtime {
    return (this.untested & kernels) === 0 ? this : this.prove!(this, op, kernels);
  }

  /**
   * Who runs calls of arrays that the caller computes alone: where memory is shared another one, on plain memory. V8 copies to and from
   * shared memory word by word: 128³, 0.2 MB in and out, takes 1.15 of the time there, 12 × 64 with S = 16 1.4.
   */
  get plain(): Runtime {
    if (!this.#shared || this.#alone || this.#end !== undefined) return this;
    if (this.#plain === undefined) {
      if (this.#bytes + PAGE > this.#limit) return this;
      try {
        this.#plain = new Runtime('createEngine', this.build, this.#limit, this.#asked, undefined, this);
      } catch (error) {
        this.#alone = !(error instanceof MemoryLimitError);
        return this;
      }
    }
    return this.#plain;
  }

  // ---- memory ----

  /** A block that lives until `free`. Not cleared. ERR_MEMORY_LIMIT. */
  allocate(op: string, bytes: number): number {
    const address = this.#allocator.allocate(bytes);
    if (address !== undefined) return address;
    throw this.#tooMuch(op, bytes);
  }

  /** Whether there was anything to free: of an engine that is disposed of there is not. */
  free(address: number): boolean {
    if (this.#instance === undefined) return false;
    this.#allocator.free(address);
    return true;
  }

  /** Frees the block at `address` should its owner be collected without having been disposed of. */
  watch(owner: object, address: number): void {
    this.#orphans.watch(owner, address);
  }

  unwatch(owner: object): void {
    this.#orphans.unwatch(owner);
  }

  /** Where staging begins, and how many bytes it has. */
  get staging(): number {
    return this.#staging;
  }

  get staged(): number {
    return this.#stagingBytes;
  }

  /**
   * Makes staging hold `bytes`. What it held before is gone. ERR_MEMORY_LIMIT, and before anything grows where there can be no
   * room for `blocks` bytes more, which the call will allocate, too.
   */
  stage(op: string, bytes: number, blocks: number): void {
    const more = Math.max(0, bytes - this.#stagingBytes) + blocks;
    if (this.#allocator.inUse + more > this.#limit) throw this.#tooMuch(op, more);
    if (bytes > this.#stagingBytes) this.#growStaging(op, bytes);
  }

  /** Whether a buffer is this memory: that of a tensor's `data`. */
  owns(buffer: ArrayBufferLike): boolean {
    return buffer === this.#words.f32.buffer || (this.#shared && this.#buffers.has(buffer));
  }

  /** Whether arrays that lie on this memory stay when it grows. */
  get shared(): boolean {
    return this.#shared;
  }

  /** The memory as it is: another buffer once it has grown. */
  get buffer(): ArrayBufferLike {
    return this.words.f32.buffer;
  }

  /** A live view of `length` floats. Gone when memory grows. */
  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.buffer, address, length);
  }

  /** Ends the workers and drops the memory. Everything on it is gone. */
  dispose(): void {
    this.#end = 'disposed';
    this.#plain?.dispose();
    this.team?.stop();
    this.#instance = undefined;
    this.#words = NO_WORDS;
  }

  // ---- kernels ----

  /**
   * Runs `count` items of the call in a descriptor, one call into wasm each: V8 never replaces a running frame, so one
   * long call would stay in the baseline compiler's code (341 ms for a first attention where 64 calls take 113).
   * A trap poisons. A caller's stack that ends in here does not: kernels keep no state that could be half changed.
   * `before` is told of each item before it is run.
   *
   * Where several threads shall run it, it is written down instead: `slab` is from one thread's scratch to the next one's, `whole`
   * says that one thread takes all items. Its number there is for `Program.field`.
   */
  run(
    op: string,
    driver: Driver,
    descriptor: number,
    count: number,
    scratch: number,
    slab = 0,
    before?: (item: number) => void,
    whole = false,
  ): number {
    const program = this.team?.program;
    if (program !== undefined) {
      const number = driversOf(this.kernels).indexOf(driver);
      const { u32 } = this.words;
      return program.add(number, u32, descriptor, DESCRIPTOR_BYTES, count, scratch, slab, whole);
    }
    try {
      for (let i = 0; i < count; i++) {
        before?.(i);
        driver(descriptor, i, i + 1, scratch);
      }
    } catch (cause) {
      throw this.#thrown(op, cause);
    }
    return -1;
  }

  /** A control block for workers: zeros. */
  controlBlock(op: string, bytes: number): { readonly memory: WebAssembly.Memory; readonly control: number } {
    const control = this.allocate(op, bytes);
    this.#internal = this.#allocator.inUse;
    this.words.u8.fill(0, control, control + bytes);
    return { memory: this.#live.memory, control };
  }

  /** ERR_POOL_TERMINATED. */
  terminated(op: string): StateError {
    const problem = 'the engine was disposed of before this call was done';
    return new StateError('ERR_POOL_TERMINATED', { op, problem });
  }

  /** Leaves staging to whoever may still write to it; the next call takes more. */
  abandonStaging(): void {
    this.#staging = 0;
    this.#stagingBytes = 0;
  }

  /** What a kernel threw: a trap; or what is the caller's, as a stack that is full. */
  #thrown(op: string | undefined, cause: unknown): unknown {
    return cause instanceof WebAssembly.RuntimeError ? this.trapped(op, { cause }) : cause;
  }

  /** A kernel has trapped: nothing of this memory can be relied on. */
  trapped(op: string | undefined, details: object): KernelTrapError {
    this.#end ??= 'poisoned';
    return new KernelTrapError('ERR_TRAP', { op, problem: 'a kernel trapped', ...details });
  }

  /** What tiles are timed by: [12 × 64] · [64 × 48], zeros by zeros, all rows of A one row and all panels one. */
  #product(op: string): (tile: Tile) => void {
    const at = this.allocate(op, PANEL_OF_64 + 4 * 12 * 48);
    return (tile) => {
      const { rowsAdd } = this.kernels;
      try {
        for (let i = 0; i < 8; i++)
          rowsAdd(at, 0, 12, at, 0, 6, 64, at + PANEL_OF_64, 32, 192, at, 0, TILES[tile]);
      } catch (cause) {
        throw this.#thrown(undefined, cause);
      }
    };
  }

  #growStaging(op: string, total: number): void {
    if (this.#stagingBytes > 0) this.#allocator.free(this.#staging);
    this.#internal -= this.#stagingBytes;
    this.#stagingBytes = 0;
    this.#staging = this.allocate(op, total);
    this.#stagingBytes = align(total);
    this.#internal += this.#stagingBytes;
  }

  /** Bytes taken from the system. */
  get #bytes(): number {
    return this.#instance === undefined ? 0 : this.#instance.memory.buffer.byteLength;
  }

  get #bytesBeside(): number {
    return this.#plain === undefined ? 0 : this.#plain.#bytes;
  }

  get #live(): Instance {
    return this.#instance as Instance;
  }

  #reserve(end: number): boolean {
    const { memory } = this.#live;
    const pages = Math.ceil((end - memory.buffer.byteLength) / PAGE);
    if (pages <= 0) return true;
    const total = memory.buffer.byteLength + pages * PAGE;
    if (this.#beside !== undefined && total + this.#beside.#bytes > this.#limit) return false;
    if (total + this.#bytesBeside > this.#limit) {
      // All that it holds is what it keeps for the next call.
      this.#plain?.dispose();
      this.#plain = undefined;
    }
    try {
      memory.grow(pages);
      // Buffers of shared memory stay as long as they were.
      if (this.#shared) {
        this.#words = wordsOf(memory);
        this.#buffers.add(memory.buffer);
      }
      return true;
    } catch (error) {
      this.#refusal = error;
      return false;
    }
  }

  #tooMuch(op: string, needed: number): MemoryLimitError {
    const cause = this.#refusal;
    this.#refusal = undefined;
    return tooMuch(op, needed, this.#allocator.inUse, this.#limit, cause);
  }
}
