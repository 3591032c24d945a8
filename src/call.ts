/**
 * The operands of one call, wherever they are. Plain arrays are staged: copied in, computed, copied out, nothing left
 * behind. Tensors are computed in place. A layer's intermediate results and a kernel's scratch are staged too, so that
 * a call takes all its memory at once, before anything is written.
 *
 *   const call = new Call(runtime, op);
 *   const a = call.input(x), c = call.output(out, [M, N], tensors), room = call.room(bytes);
 *   call.compute(() => {               // addresses are known in here
 *     launch.run({ a: a.address, c: c.address }, room.address);
 *   });                                // c.result is the user's
 */
import { bufferOf, byteOffsetOf, lengthOf, view } from './checks.ts';
import { StateError, typedArray } from './errors.ts';
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
  readonly #outputs: { readonly arg: string; readonly array: Float32Array }[] = [];
  readonly #copiesOut: (() => void)[] = [];
  readonly #tensors: (() => void)[] = [];
  readonly #keep: Keep | undefined;

  /** ERR_DISPOSED, ERR_POISONED: again, as reading the options may have run the user's code. */
  constructor(runtime: Runtime, op: string, keep?: Keep) {
    runtime.requireAlive(op);
    this.#runtime = runtime;
    this.#op = op;
    this.#keep = keep;
  }

  /** An operand that is read. */
  input(x: Values): Slot {
    if (x instanceof Tensor) return { address: addressOf(x) };
    const part = this.room(4 * lengthOf(x));
    this.copy(x, part);
    return part;
  }

  /** Fills a slot with an array before the work begins. */
  copy(x: Float32Array, to: Slot): void {
    // Once: a view of a shared buffer that another thread grows may become longer at any time.
    const size = lengthOf(x);
    // An array on this very memory: its address now, since growth detaches it.
    const own = this.#runtime.owns(bufferOf(x)) ? byteOffsetOf(x) : undefined;
    this.#copiesIn.push(() => {
      const from = own === undefined ? view(x, 0, size) : this.#runtime.floats(own, size);
      this.#runtime.words.f32.set(from, to.address / 4);
    });
  }

  /** An operand that is written: what was given, or a new tensor or array of that shape. */
  output(given: Values | undefined, shape: readonly number[], tensors: boolean, arg = 'out'): ResultSlot {
    const size = shape.reduce((a, b) => a * b, 1);
    if (given instanceof Tensor) return { address: addressOf(given), result: given };
    if (given === undefined && tensors) {
      const part = { bytes: 4 * size, address: 0, result: undefined as unknown as Tensor };
      this.#allocated.push(part);
      this.#tensors.push(() => {
        part.result = Tensor.make(this.#runtime, part.address, shape);
        this.#keep?.(part.result);
      });
      return part;
    }
    const array = given ?? new Float32Array(size);
    const part = { bytes: 4 * size, address: 0, result: array };
    this.#staged.push(part);
    this.#outputs.push({ arg, array });
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
      for (const copy of this.#copiesOut) copy();
    } catch (error) {
      for (const { address } of this.#allocated) if (address !== 0) this.#runtime.free(address);
      throw error;
    }
    for (const make of this.#tensors) make();
  }

  #take(): void {
    const bytesOf = (parts: readonly Part[]): number[] => parts.map(({ bytes }) => bytes);
    const own = this.#outputs.filter(({ array }) => this.#runtime.owns(bufferOf(array)));
    const addresses = this.#runtime.stage(this.#op, bytesOf(this.#staged), bytesOf(this.#allocated));
    for (const [i, part] of this.#staged.entries()) part.address = addresses[i] as number;
    for (const part of this.#allocated) part.address = this.#runtime.allocate(this.#op, part.bytes);
    const stale = own.find(({ array }) => !this.#runtime.owns(bufferOf(array)));
    if (stale !== undefined) throw this.#staleView(stale.arg);
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
