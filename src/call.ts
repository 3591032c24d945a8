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
import { MemoryLimitError, StateError, tagOf, typedArray } from './errors.ts';
import type { Part, Runtime } from './runtime.ts';
import { Tensor, addressOf, type Values } from './tensor.ts';

const { apply } = Reflect;
const { set } = typedArray;

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

/** A result that is copied out of staging: into the array that was given, or into a new one. */
interface ArrayPart extends Part {
  readonly arg: string;
  result: Float32Array | undefined;
}

/** A result that stays where it was computed. */
interface TensorPart extends Part {
  readonly shape: readonly number[];
  result: Tensor | undefined;
}

/** The first `bytes` of an array, copied in before the work. */
interface Copy {
  readonly from: object;
  readonly bytes: number;
  readonly to: Slot;
  /** Where it lies on this engine's memory, if it does: its address now, since growth detaches it. */
  readonly own: number | undefined;
}

const NOWHERE: Slot = { address: 0 };

export class Call {
  readonly #runtime: Runtime;
  readonly #op: string;
  readonly #staged: Part[] = [];
  readonly #allocated: Part[] = [];
  readonly #copies: Copy[] = [];
  readonly #arrays: ArrayPart[] = [];
  readonly #tensors: TensorPart[] = [];
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
    const bytes = lengthOf(x) * (tagOf(x) === 'Uint8Array' ? 1 : 4);
    const part = this.room(bytes);
    this.copy(x, bytes, part);
    return part;
  }

  /** A side input that may be absent: its address is then 0. */
  side(given: Operand | undefined): Slot {
    return given ? this.input(given.arg, given.value as Values | Uint8Array) : NOWHERE;
  }

  /** Fills a slot with the first `bytes` of an array before the work begins. */
  copy(x: object, bytes: number, to: Slot): void {
    const own = this.#runtime.owns(bufferOf(x)) ? byteOffsetOf(x) : undefined;
    this.#copies.push({ from: x, bytes, to, own });
  }

  /** An operand that is written: what was given, or a new tensor or array of that shape. */
  output(arg: string, given: Values | undefined, shape: readonly number[], tensors: boolean): ResultSlot {
    if (given instanceof Tensor) return { address: addressOf(this.#op, arg, given), result: given };
    let bytes = 4;
    for (const size of shape) bytes *= size;
    if (given === undefined && tensors) {
      const part: TensorPart = { bytes, address: 0, shape, result: undefined };
      this.#allocated.push(part);
      this.#tensors.push(part);
      return part as ResultSlot;
    }
    // A new array is made when there is room for the call, not before.
    const part: ArrayPart = { bytes, address: 0, arg, result: given };
    this.#staged.push(part);
    this.#arrays.push(part);
    return part as ResultSlot;
  }

  /** Bytes that only this call needs. */
  room(bytes: number): Slot {
    const part = { bytes, address: 0 };
    this.#staged.push(part);
    return part;
  }

  /** Bytes that outlive this call: who asked owns them. */
  block(bytes: number): Slot {
    const part = { bytes, address: 0 };
    this.#allocated.push(part);
    return part;
  }

  /**
   * Takes all memory, copies the inputs in, works, copies the results out. ERR_MEMORY_LIMIT, ERR_STALE_VIEW: nothing is
   * written then. Whatever is thrown, nothing stays allocated.
   */
  compute(work: () => void): void {
    const runtime = this.#runtime;
    try {
      this.#take();
      for (const copy of this.#copies) this.#copyIn(copy);
      work();
      for (const { result, address, bytes } of this.#arrays) {
        apply(set, result, [runtime.floats(address, bytes / 4)]);
      }
    } catch (error) {
      for (const { address } of this.#allocated) if (address !== 0) runtime.free(address);
      throw error;
    }
    for (const part of this.#tensors) {
      part.result = Tensor.make(runtime, part.address, part.shape);
      this.#keep?.(part.result);
    }
  }

  #copyIn({ from, bytes, to, own }: Copy): void {
    const { u8 } = this.#runtime.words;
    if (own === undefined) u8.set(new Uint8Array(bufferOf(from), byteOffsetOf(from), bytes), to.address);
    else u8.copyWithin(to.address, own, own + bytes);
  }

  #take(): void {
    const runtime = this.#runtime;
    const { buffer } = runtime;
    runtime.stage(this.#op, this.#staged, this.#allocated);
    for (const part of this.#allocated) part.address = runtime.allocate(this.#op, part.bytes);
    if (runtime.buffer !== buffer) this.#refuseStale(buffer);
    for (const part of this.#arrays) part.result ??= this.#newArray(part.bytes);
  }

  /** ERR_STALE_VIEW for a result on what was the memory before it grew. */
  #refuseStale(buffer: ArrayBufferLike): void {
    for (const { arg, result } of this.#arrays) {
      if (result && bufferOf(result) === buffer) throw this.#staleView(arg);
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
