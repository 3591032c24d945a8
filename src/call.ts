/**
 * The operands of one call, wherever they are. Plain arrays are staged: copied in (or fed in pieces), computed, copied out,
 * nothing left behind. Tensors are computed in place. A layer's intermediate results and a kernel's scratch are staged too, so that
 * a call takes all its memory at once, before anything is written.
 *
 *   const call = new Call(runtime, op, work);
 *   const a = call.input('a', x, M * K), c = call.output('out', out, M * N), room = call.room(bytes);
 *   call.compute(() => {               // addresses are known in here
 *     launch.run({ a: a.address, c: c.address }, room.address);
 *   });                                // c.result is the user's
 *
 * A call that is made `later` computes without its caller: its operands are copied in at once, to memory of its own, as other calls
 * may come before it is done. What it uses in place is held until then.
 */
import type { Block } from './block.ts';
import { bufferOf, byteOffsetOf, lengthOf, type Operand } from './checks/index.ts';
import { HeedTypeError, MemoryLimitError, StateError } from './errors.ts';
import { Feed, type Slot } from './feed.ts';
import { align } from './memory/allocator.ts';
import { copyFew, copyShared, FEW } from './memory/copy.ts';
import type { Signal } from './options/signal.ts';
import type { Runtime } from './runtime.ts';
import { tagOf, typedArray } from './words.ts';
import { Tensor, blockOf, blockViewed, type PackedMatrix, type Values } from './tensor.ts';

/** %TypedArray%.prototype.set, of which no array has one of its own. */
const setOf = Function.prototype.call.bind(typedArray.set) as (to: unknown, from: Float32Array) => void;

/** Memory of a result. */
export interface ResultSlot extends Slot {
  /** Known when the call has computed: what the caller passed as `out`, or a new array or tensor. */
  readonly result: Values;
}

/** Told of every tensor that a call makes: a scope. */
export type Keep = (made: Tensor) => void;

/** Arrays that are copied in: floats, or the bytes of a mask. */
type Numbers = Float32Array | Uint8Array;

/** A piece of a call's memory: what is copied into it before the work, and what comes out of it. */
class Piece implements Slot {
  readonly bytes: number;
  /** Of what is staged from its beginning, until there is room. */
  address = 0;
  /** An array whose first `bytes` are copied in. */
  from: Numbers | undefined = undefined;
  /** Whether that is so few numbers that they are copied one by one. */
  few = false;
  /** Where it lay on this engine's memory, which had to grow. */
  before = -1;
  /** The name of a result, which is copied into the array that was given, or a new one; or is made a tensor of this shape. */
  readonly arg: string | undefined;
  readonly shape: readonly number[] | undefined;
  result: Values | undefined;

  constructor(bytes: number, arg?: string, result?: Values, shape?: readonly number[]) {
    this.bytes = bytes;
    this.arg = arg;
    this.result = result;
    this.shape = shape;
  }
}

const NOWHERE: Slot = { address: 0 };

/** How a call is made that does not wait for its result. */
export interface Later {
  readonly signal: Signal | undefined;
}

export class Call {
  readonly #runtime: Runtime;
  readonly #op: string;
  readonly #keep: Keep | undefined;
  readonly #later: Later | undefined;
  /** Threads that compute it: what is launched for it must be for so many. */
  readonly threads: number;
  /** Nothing is left of these. */
  readonly #staged: Piece[] = [];
  #stagedBytes = 0;
  /** These outlive the call. */
  readonly #allocated: Piece[] = [];
  #allocatedBytes = 0;

  /** Where what is staged lies, of a later call. */
  #own = 0;
  /** Blocks that are used in place by one, or by several threads. */
  #used: Block[] | undefined = undefined;
  /** Puts back what the work has changed in place, should the call fail. */
  undo: (() => void) | undefined = undefined;

  /**
   * `work`: multiply-adds, about: whether that is worth sharing. ERR_DISPOSED, ERR_POISONED: again, as reading the options may have
   * run the user's code.
   */
  constructor(runtime: Runtime, op: string, work: number, later?: Later, keep?: Keep) {
    runtime.requireAlive(op);
    this.#runtime = runtime;
    this.#op = op;
    this.#keep = keep;
    this.#later = later;
    const { team } = runtime;
    if (team === undefined) this.threads = 1;
    else this.threads = later === undefined ? team.threadsFor(work) : team.threadsLater();
  }

  /**
   * An operand that is read: so many numbers, as the door has found. (Asked again, an array on a shared buffer that another
   * thread grows may be longer.)
   */
  input(arg: string, x: Values, count: number): Slot {
    if (x instanceof Tensor) return this.#inPlace(arg, x);
    const piece = this.#stage(new Piece(4 * count));
    piece.from = x;
    piece.few = piece.bytes <= FEW;
    return piece;
  }

  /** A matrix that is packed already. */
  packed(arg: string, x: PackedMatrix): Slot {
    return this.#inPlace(arg, x);
  }

  /** Memory that outlives the call, and is used in place: it is not given to others before the call is done. */
  uses(block: Block): void {
    if (this.#later !== undefined || this.threads > 1) (this.#used ??= []).push(block);
  }

  /**
   * An operand that is read once: an array of so many numbers piece by piece, each of at most `bytes`. What lies in this memory stays
   * there. Only the caller can bring pieces, and only while it waits: else it is copied in as others are.
   */
  feed(arg: string, x: Values, count: number, bytes: number): Slot | Feed {
    if (this.threads > 1 || this.#later !== undefined) return this.input(arg, x, count);
    if (x instanceof Tensor) return this.#inPlace(arg, x);
    if (this.#runtime.owns(bufferOf(x))) return { address: byteOffsetOf(x) };
    return new Feed(this.#runtime, x, this.room(bytes));
  }

  /** A side input that may be absent: its address is then 0. Numbers, or the bytes of a mask. */
  side(given: Operand | undefined): Slot {
    if (given === undefined) return NOWHERE;
    const { arg, value } = given;
    if (tagOf(value) !== 'Uint8Array') return this.input(arg, value as Values, countOf(value as Values));
    const piece = this.#stage(new Piece(lengthOf(value)));
    piece.from = value as Uint8Array;
    return piece;
  }

  /**
   * An operand that is written, of so many numbers: what was given, or a new array, or a new tensor where that has a shape.
   * `from`: an array that it begins as, copied straight to its place.
   */
  output(
    arg: string,
    given: Values | undefined,
    count: number,
    shape?: readonly number[],
    from?: Float32Array,
  ): ResultSlot {
    if (given instanceof Tensor) return { ...this.#inPlace(arg, given), result: given };
    if (given !== undefined && this.#later !== undefined) {
      const viewed = blockViewed(given);
      if (viewed) this.uses(viewed);
    }
    const piece = new Piece(4 * count, arg, given, shape);
    piece.from = from;
    piece.few = piece.bytes <= FEW;
    if (given === undefined && shape !== undefined) this.#allocate(piece);
    else this.#stage(piece);
    return piece as ResultSlot;
  }

  /** Bytes that only this call needs. */
  room(bytes: number): Slot {
    return this.#stage(new Piece(bytes));
  }

  /** Bytes that outlive this call: who asked owns them. */
  block(bytes: number): Slot {
    return this.#allocate(new Piece(bytes));
  }

  /**
   * Takes all memory, copies the inputs in, works, copies the results out. ERR_MEMORY_LIMIT, ERR_STALE_VIEW: nothing is
   * written then. Whatever is thrown, nothing stays allocated. `then`: what follows from what the work has found.
   */
  compute(work: () => void, then?: () => void): void {
    try {
      this.#begin();
      this.#perform(work);
      if (then !== undefined) this.#perform(then);
      this.#copyResults();
    } catch (error) {
      this.#giveBack(error);
      throw error;
    }
    this.#makeTensors();
  }

  /** The same for a later call. Rejects as `compute` throws, with the signal's reason, with what became of the workers. */
  async computeLater(work: () => void, then?: () => void): Promise<void> {
    this.#hold();
    try {
      this.#begin();
      const { team } = this.#runtime;
      if (team !== undefined) {
        const second = (): void => {
          this.#requireAlive();
          then!();
        };
        await team.leave(this.#op, work, then && second, this.#later?.signal);
        this.#requireAlive();
      } else {
        await this.#turn();
        work();
        then?.();
      }
      this.#copyResults();
      this.#runtime.free(this.#own);
    } catch (error) {
      this.#giveBack(error);
      throw error;
    } finally {
      for (const block of this.#used ?? []) block.release();
    }
    this.#makeTensors();
  }

  #perform(work: () => void): void {
    if (this.threads === 1) work();
    else this.#runtime.team!.share(this.#op, work);
  }

  /** Another turn of the event loop, before a thread that has no workers computes. ERR_POOL_TERMINATED, the signal's reason. */
  async #turn(): Promise<void> {
    // A bare realm of Node's has no such thing.
    await new Promise<void>((resolve) => {
      if ('setTimeout' in globalThis) setTimeout(resolve, 0);
      else resolve();
    });
    this.#later?.signal?.throwIfAborted();
    this.#requireAlive();
  }

  /** ERR_POOL_TERMINATED; ERR_POISONED where a call before this one has trapped meanwhile. */
  #requireAlive(): void {
    if (this.#runtime.disposed) throw this.#runtime.terminated(this.#op);
    this.#runtime.requireAlive(this.#op);
  }

  #begin(): void {
    const staged = this.#staged;
    const allocated = this.#allocated;
    this.#take();
    for (let i = 0; i < staged.length; i++) this.#copyIn(staged[i]!);
    for (let i = 0; i < allocated.length; i++) this.#copyIn(allocated[i]!);
  }

  #copyResults(): void {
    const staged = this.#staged;
    for (let i = 0; i < staged.length; i++) this.#copyOut(staged[i]!);
  }

  #hold(): void {
    for (const block of this.#used ?? []) block.hold();
  }

  /** Frees what the call has taken. */
  #giveBack(error: unknown): void {
    if (this.#runtime.disposed) return;
    this.undo?.();
    // What somebody may still write to is never given to others.
    if (this.#runtime.team?.abandoned(error)) {
      this.#hold();
      return;
    }
    if (this.#own !== 0) this.#runtime.free(this.#own);
    for (const { address } of this.#allocated) if (address !== 0) this.#runtime.free(address);
  }

  #makeTensors(): void {
    const allocated = this.#allocated;
    for (let i = 0; i < allocated.length; i++) {
      const piece = allocated[i]!;
      if (piece.shape === undefined) continue;
      piece.result = Tensor.make(this.#runtime, piece.address, piece.shape);
      this.#keep?.(piece.result);
    }
  }

  #inPlace(arg: string, x: Tensor | PackedMatrix): Slot {
    const block = blockOf(x);
    const address = block.address(this.#op, arg, x instanceof Tensor ? 'tensor' : 'packed matrix');
    this.uses(block);
    return { address };
  }

  #stage(piece: Piece): Piece {
    piece.address = this.#stagedBytes;
    this.#stagedBytes += align(piece.bytes);
    this.#staged.push(piece);
    return piece;
  }

  #allocate(piece: Piece): Piece {
    this.#allocatedBytes += align(piece.bytes);
    this.#allocated.push(piece);
    return piece;
  }

  #copyIn({ from, few, before, bytes, address }: Piece): void {
    if (from === undefined) return;
    const { words, shared, buffer } = this.#runtime;
    if (before >= 0) words.u8.copyWithin(address, before, before + bytes);
    else if (few) copyFew(words.f32, address >>> 2, from as Float32Array, 0, bytes >>> 2);
    else if (shared) copyShared(buffer, address, bufferOf(from), byteOffsetOf(from), bytes, address);
    else words.u8.set(new Uint8Array(bufferOf(from), byteOffsetOf(from), bytes), address);
  }

  #copyOut({ arg, result, bytes, address }: Piece): void {
    if (arg === undefined) return;
    const runtime = this.#runtime;
    if (this.#later !== undefined && lengthOf(result) !== bytes / 4) throw this.#detached(arg);
    if (bytes <= FEW) copyFew(result as Float32Array, 0, runtime.words.f32, address >>> 2, bytes >>> 2);
    else if (runtime.shared)
      copyShared(bufferOf(result), byteOffsetOf(result), runtime.buffer, address, bytes, address);
    else setOf(result, runtime.floats(address, bytes / 4));
  }

  #take(): void {
    const runtime = this.#runtime;
    const staged = this.#staged;
    const allocated = this.#allocated;
    const isLater = this.#later !== undefined;
    if (isLater || allocated.length > 0 || this.#stagedBytes > runtime.staged) this.#grow();
    const base = isLater ? this.#own : runtime.staging;
    for (let i = 0; i < staged.length; i++) {
      const piece = staged[i]!;
      piece.address += base;
      if (piece.arg !== undefined) piece.result ??= this.#newArray(piece.bytes);
    }
  }

  /** Takes what is not there yet. Memory may grow, which detaches arrays that lie on it. */
  #grow(): void {
    const runtime = this.#runtime;
    const before = runtime.buffer;
    const pieces = [...this.#staged, ...this.#allocated];
    const onIt = pieces.filter(({ from }) => from !== undefined && bufferOf(from) === before);
    const offsets = onIt.map(({ from }) => byteOffsetOf(from));
    if (this.#later === undefined) runtime.stage(this.#op, this.#stagedBytes, this.#allocatedBytes);
    else this.#own = runtime.allocate(this.#op, this.#stagedBytes);
    for (const piece of this.#allocated) piece.address = runtime.allocate(this.#op, piece.bytes);
    if (runtime.shared || runtime.buffer === before) return;
    for (const [i, piece] of onIt.entries()) piece.before = offsets[i]!;
    for (const { arg, result } of this.#staged) {
      if (arg !== undefined && result && bufferOf(result) === before) throw this.#staleView(arg);
    }
  }

  /** ERR_MEMORY_LIMIT where JavaScript has no room for it. */
  #newArray(needed: number): Float32Array {
    try {
      return new Float32Array(needed / 4);
    } catch (cause) {
      const { limit, used: inUse } = this.#runtime.memory;
      const problem = `JavaScript has no room for a result of ${needed} bytes`;
      throw new MemoryLimitError('ERR_MEMORY_LIMIT', { op: this.#op, problem, needed, limit, inUse, cause });
    }
  }

  #detached(arg: string): HeedTypeError {
    const [expected, received] = [
      'Float32Array on a live buffer',
      'one that lost its buffer during the call',
    ];
    return new HeedTypeError('ERR_DETACHED', { op: this.#op, arg, expected, received });
  }

  #staleView(arg: string): StateError {
    return new StateError('ERR_STALE_VIEW', {
      op: this.#op,
      arg,
      expected: 'memory that stays where it is',
      received: "a view of this engine's memory, which this call had to grow",
      hint: 'take tensor.data again and repeat the call, or pass tensors',
    });
  }
}

/** Elements of an array or a tensor. */
function countOf(x: Values): number {
  return x instanceof Tensor ? x.size : lengthOf(x);
}
