/**
 * The operands of one call, wherever they are. Plain arrays are staged: copied in, computed, copied out, nothing left
 * behind. Tensors are computed in place. A layer's intermediate results and a kernel's scratch are staged too, so that
 * a call takes all its memory at once, before anything is written.
 *
 *   const call = new Call(runtime, op);
 *   const a = call.input(x), c = call.output(out, [M, N], tensors), room = call.room(bytes);
 *   call.begin();                      // addresses are known from here on
 *   launch.run({ a: a.address, c: c.address }, room.address);
 *   call.finish();                     // c.result is the user's
 */
import { bufferOf, byteOffsetOf, lengthOf } from './checks.ts';
import { StateError, typedArray } from './errors.ts';
import type { Runtime } from './runtime.ts';
import { Tensor, addressOf, type Values } from './tensor.ts';

const { apply } = Reflect;
const { set } = typedArray as Float32Array;

/** Memory of a call. */
export interface Slot {
  /** Known between `begin` and `finish`. */
  readonly address: number;
}

/** Memory of a result. */
export interface ResultSlot extends Slot {
  /** Known after `finish`: what the caller passed as `out`, or a new array or tensor. */
  readonly result: Values;
}

/** Told of every tensor that a call makes: a scope. */
export type Keep = (made: Tensor) => void;

interface Part {
  readonly bytes: number;
  address: number;
}

export class Call {
  readonly #runtime: Runtime;
  readonly #op: string;
  readonly #staged: Part[] = [];
  readonly #allocated: Part[] = [];
  readonly #copiesIn: (() => void)[] = [];
  readonly #outputs: Float32Array[] = [];
  readonly #copiesOut: (() => void)[] = [];
  readonly #keep: Keep | undefined;

  constructor(runtime: Runtime, op: string, keep?: Keep) {
    this.#runtime = runtime;
    this.#op = op;
    this.#keep = keep;
  }

  /** An operand that is read. */
  input(x: Values): Slot {
    if (x instanceof Tensor) return { address: addressOf(x) };
    const size = lengthOf(x);
    const part = this.room(4 * size);
    // An array on this very memory: its address now, since growth detaches it.
    const own = this.#runtime.owns(bufferOf(x)) ? byteOffsetOf(x) : undefined;
    this.#copiesIn.push(() => {
      const from = own === undefined ? x : this.#runtime.floats(own, size);
      this.#runtime.words.f32.set(from, part.address / 4);
    });
    return part;
  }

  /** An operand that is written: what was given, or a new tensor or array of that shape. */
  output(given: Values | undefined, shape: readonly number[], tensors: boolean): ResultSlot {
    const size = shape.reduce((a, b) => a * b, 1);
    if (given instanceof Tensor) return { address: addressOf(given), result: given };
    if (given === undefined && tensors) {
      const part = { bytes: 4 * size, address: 0, result: undefined as unknown as Tensor };
      this.#allocated.push(part);
      this.#copiesOut.push(() => {
        part.result = Tensor.make(this.#runtime, part.address, shape);
        this.#keep?.(part.result);
      });
      return part;
    }
    const array = given ?? new Float32Array(size);
    const part = { bytes: 4 * size, address: 0, result: array };
    this.#staged.push(part);
    this.#outputs.push(array);
    this.#copiesOut.push(() => {
      apply(set, array, [this.#runtime.floats(part.address, size)]);
    });
    return part;
  }

  /** Bytes that only this call needs. */
  room(bytes: number): Slot {
    const part = { bytes, address: 0 };
    this.#staged.push(part);
    return part;
  }

  /** Takes all memory and copies the inputs in. ERR_MEMORY_LIMIT, ERR_STALE_VIEW: nothing is taken or written then. */
  begin(): void {
    const stale = this.#outputs.filter((array) => this.#runtime.owns(bufferOf(array)));
    try {
      const addresses = this.#runtime.stage(
        this.#op,
        this.#staged.map(({ bytes }) => bytes),
      );
      for (const [i, part] of this.#staged.entries()) part.address = addresses[i] as number;
      for (const part of this.#allocated) part.address = this.#runtime.allocate(this.#op, part.bytes);
      if (stale.some((array) => !this.#runtime.owns(bufferOf(array)))) throw this.#staleView();
    } catch (error) {
      for (const { address } of this.#allocated) if (address !== 0) this.#runtime.free(address);
      throw error;
    }
    for (const copy of this.#copiesIn) copy();
  }

  /** Copies the results out. */
  finish(): void {
    for (const copy of this.#copiesOut) copy();
  }

  #staleView(): StateError {
    return new StateError('ERR_STALE_VIEW', {
      op: this.#op,
      arg: 'out',
      expected: 'memory that stays where it is',
      received: "a view of this engine's memory, which this call had to grow",
      hint: 'take tensor.data again and repeat the call, or pass tensors',
    });
  }
}
