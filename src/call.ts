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
import type { Runtime } from './runtime.ts';
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

interface Part {
  readonly bytes: number;
  address: number;
}

const NOWHERE: Slot = { address: 0 };

export class Call {
  readonly #runtime: Runtime;
  readonly #op: string;
  readonly #staged: Part[] = [];
  readonly #allocated: Part[] = [];
  readonly #copiesIn: (() => void)[] = [];
  readonly #outputs: ArrayPart[] = [];
  readonly #tensors: (() => void)[] = [];
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
    // An array on this very memory: its address now, since growth detaches it.
    const own = this.#runtime.owns(bufferOf(x)) ? byteOffsetOf(x) : undefined;
    this.#copiesIn.push(() => {
      const { u8 } = this.#runtime.words;
      if (own === undefined) u8.set(new Uint8Array(bufferOf(x), byteOffsetOf(x), bytes), to.address);
      else u8.copyWithin(to.address, own, own + bytes);
    });
  }

  /** An operand that is written: what was given, or a new tensor or array of that shape. */
  output(arg: string, given: Values | undefined, shape: readonly number[], tensors: boolean): ResultSlot {
    const size = shape.reduce((a, b) => a * b, 1);
    if (given instanceof Tensor) return { address: addressOf(this.#op, arg, given), result: given };
    if (given === undefined && tensors) {
      const part = { bytes: 4 * size, address: 0, result: undefined as unknown as Tensor };
      this.#allocated.push(part);
      this.#tensors.push(() => {
        part.result = Tensor.make(this.#runtime, part.address, shape);
        this.#keep?.(part.result);
      });
      return part;
    }
    // A new array is made when there is room for the call, not before.
    const part: ArrayPart = { arg, bytes: 4 * size, address: 0, result: given };
    this.#staged.push(part);
    this.#outputs.push(part);
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
    try {
      this.#take();
      for (const copy of this.#copiesIn) copy();
      work();
      for (const { result, address, bytes } of this.#outputs) {
        apply(set, result, [this.#runtime.floats(address, bytes / 4)]);
      }
    } catch (error) {
      for (const { address } of this.#allocated) if (address !== 0) this.#runtime.free(address);
      throw error;
    }
    for (const make of this.#tensors) make();
  }

  #take(): void {
    const bytesOf = (parts: readonly Part[]): number[] => parts.map(({ bytes }) => bytes);
    const own = this.#outputs.filter(({ result }) => result && this.#runtime.owns(bufferOf(result)));
    const addresses = this.#runtime.stage(this.#op, bytesOf(this.#staged), bytesOf(this.#allocated));
    for (const [i, part] of this.#staged.entries()) part.address = addresses[i] as number;
    for (const part of this.#allocated) part.address = this.#runtime.allocate(this.#op, part.bytes);
    const stale = own.find(({ result }) => result && !this.#runtime.owns(bufferOf(result)));
    if (stale !== undefined) throw this.#staleView(stale.arg);
    for (const part of this.#outputs) part.result ??= this.#newArray(part.bytes);
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
