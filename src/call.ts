/**
 * The operands of one call, wherever they are. Plain arrays are staged: copied in, computed, copied out, nothing left
 * behind. Tensors are computed in place. A layer's intermediate results and a kernel's scratch are staged too, so that
 * a call takes all its memory at once, before anything is written.
 *
 *   const call = new Call(runtime, op);
 *   const a = call.input('a', x), c = call.output('out', out, [M, N], tensors), room = call.room(bytes);
 *   call.compute(() => {               // addresses are known in here
 *     launch.run({ a: a.address, c: c.address }, room.address);
 *   });                                // c.result is the user's
 */
import { bufferOf, byteOffsetOf, lengthOf, type Operand } from './checks.ts';
import { MemoryLimitError, StateError } from './errors.ts';
import { tagOf, typedArray } from './words.ts';
import type { Words } from './descriptor.ts';
import type { Part, Runtime } from './runtime.ts';
import { Tensor, addressOf, type Values } from './tensor.ts';

/** %TypedArray%.prototype.set, of which no array has one of its own. */
const setOf = Function.prototype.call.bind(typedArray.set) as (to: unknown, from: Float32Array) => void;

/** Memory of a call. */
export interface Slot {
  /** Known while the call computes. */
  readonly address: number;
}

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
class Piece implements Part, Slot {
  readonly bytes: number;
  address = 0;
  /** An array whose first `bytes` are copied in, and where it lies on its buffer: growth detaches one on this engine's memory. */
  from: Numbers | undefined = undefined;
  offset = 0;
  /** Bytes of one of its elements. */
  size = 4;
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

export class Call {
  readonly #runtime: Runtime;
  readonly #op: string;
  /** Nothing is left of these. */
  readonly #staged: Piece[] = [];
  /** These outlive the call. */
  readonly #allocated: Piece[] = [];
  readonly #keep: Keep | undefined;

  /** ERR_DISPOSED, ERR_POISONED: again, as reading the options may have run the user's code. */
  constructor(runtime: Runtime, op: string, keep?: Keep) {
    runtime.requireAlive(op);
    this.#runtime = runtime;
    this.#op = op;
    this.#keep = keep;
  }

  /** An operand that is read: numbers, or the bytes of a mask. */
  input(arg: string, x: Values | Uint8Array): Slot {
    if (x instanceof Tensor) return { address: addressOf(this.#op, arg, x) };
    // Once: a view of a shared buffer that another thread grows may become longer at any time.
    const size = tagOf(x) === 'Uint8Array' ? 1 : 4;
    return fill(this.#stage(new Piece(lengthOf(x) * size)), x, size);
  }

  /** A side input that may be absent: its address is then 0. */
  side(given: Operand | undefined): Slot {
    return given ? this.input(given.arg, given.value as Values | Uint8Array) : NOWHERE;
  }

  /**
   * An operand that is written: what was given, or a new tensor or array of that shape. `from`: an array that it begins as,
   * copied straight to its place.
   */
  output(
    arg: string,
    given: Values | undefined,
    shape: readonly number[],
    tensors: boolean,
    from?: Float32Array,
  ): ResultSlot {
    if (given instanceof Tensor) return { address: addressOf(this.#op, arg, given), result: given };
    let bytes = 4;
    for (let axis = 0; axis < shape.length; axis++) bytes *= shape[axis]!;
    const piece =
      given === undefined && tensors
        ? this.#allocate(new Piece(bytes, arg, undefined, shape))
        : this.#stage(new Piece(bytes, arg, given));
    return (from ? fill(piece, from) : piece) as ResultSlot;
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
   * written then. Whatever is thrown, nothing stays allocated.
   */
  compute(work: () => void): void {
    const runtime = this.#runtime;
    const staged = this.#staged;
    const allocated = this.#allocated;
    try {
      const before = runtime.words;
      this.#take(before);
      for (let i = 0; i < staged.length; i++) this.#copyIn(staged[i]!, before);
      for (let i = 0; i < allocated.length; i++) this.#copyIn(allocated[i]!, before);
      work();
      for (let i = 0; i < staged.length; i++) this.#copyOut(staged[i]!);
    } catch (error) {
      for (const { address } of allocated) if (address !== 0) runtime.free(address);
      throw error;
    }
    for (let i = 0; i < allocated.length; i++) {
      const piece = allocated[i]!;
      if (piece.shape === undefined) continue;
      piece.result = Tensor.make(runtime, piece.address, piece.shape);
      this.#keep?.(piece.result);
    }
  }

  #stage(piece: Piece): Piece {
    this.#staged.push(piece);
    return piece;
  }

  #allocate(piece: Piece): Piece {
    this.#allocated.push(piece);
    return piece;
  }

  /** `before`: this engine's memory before the call. */
  #copyIn({ from, offset, size, bytes, address }: Piece, before: Words): void {
    if (from === undefined) return;
    const { words } = this.#runtime;
    if (words !== before && bufferOf(from) === before.u8.buffer) {
      words.u8.copyWithin(address, offset, offset + bytes);
    } else if (bytes <= FEW) {
      if (size === 4) copyFew(words.f32, address >>> 2, from, 0, bytes >>> 2);
      else copyFew(words.u8, address, from, 0, bytes);
    } else words.u8.set(new Uint8Array(bufferOf(from), offset, bytes), address);
  }

  #copyOut({ arg, result, bytes, address }: Piece): void {
    if (arg === undefined) return;
    const runtime = this.#runtime;
    if (bytes <= FEW) copyFew(result as Float32Array, 0, runtime.words.f32, address >>> 2, bytes >>> 2);
    else setOf(result, runtime.floats(address, bytes / 4));
  }

  #take(before: Words): void {
    const runtime = this.#runtime;
    const staged = this.#staged;
    const allocated = this.#allocated;
    runtime.stage(this.#op, staged, allocated);
    for (let i = 0; i < allocated.length; i++) {
      allocated[i]!.address = runtime.allocate(this.#op, allocated[i]!.bytes);
    }
    if (runtime.words !== before) this.#refuseStale(before.u8.buffer);
    for (let i = 0; i < staged.length; i++) {
      const piece = staged[i]!;
      if (piece.arg !== undefined) piece.result ??= this.#newArray(piece.bytes);
    }
  }

  /** ERR_STALE_VIEW for a result on what was the memory before it grew. */
  #refuseStale(memory: ArrayBufferLike): void {
    for (const { arg, result } of this.#staged) {
      if (arg !== undefined && result && bufferOf(result) === memory) throw this.#staleView(arg);
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

function fill(piece: Piece, from: Numbers, size = 4): Piece {
  piece.from = from;
  piece.offset = byteOffsetOf(from);
  piece.size = size;
  return piece;
}

/** Bytes up to which numbers are copied one by one: without views the smallest call takes 4 % less. */
const FEW = 256;

function copyFew(to: Numbers, at: number, from: Numbers, start: number, count: number): void {
  for (let i = 0; i < count; i++) to[at + i] = from[start + i]!;
}
