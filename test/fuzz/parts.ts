/**
 * What a call of the fuzz is made of: its arrays side by side in one buffer, with a pattern of NaNs before, between and behind them,
 * and its tensors. What is written where nothing may be written shows.
 */
import type { Engine, Tensor } from '../../src/index.ts';
import { uniform } from '../data.ts';
import { firstDifference } from '../equal.ts';
import type { Dims as ProblemDims } from '../problems.ts';

/** Words of the buffer, and those of the pattern on either side of an array: more than a row of any tile. */
const WORDS = 8192;
const GUARD = 32;

/** A random small call: dimensions of what is computed, and a bit for each thing that may be there or not. */
export interface Dims extends Omit<ProblemDims, 'layout' | 'causal'> {
  readonly bits: number;
}

export class Parts {
  readonly dims: Dims & { readonly heads: number };
  readonly engine: Engine;
  /** What was made for the call, to be disposed of after it. */
  readonly made: { dispose(): void }[] = [];
  readonly #words = new Uint32Array(WORDS);
  readonly #next: () => number;
  #end = GUARD;
  #before = new Uint32Array(0);
  readonly #tensors = new Map<Tensor, Float32Array>();

  constructor(engine: Engine, dims: Dims) {
    this.engine = engine;
    this.dims = { ...dims, heads: dims.kvHeads * dims.group };
    this.#next = uniform(dims.seed);
    for (let i = 0; i < WORDS; i++) this.#words[i] = 0x7fc00000 | i;
  }

  /** Whether the thing of this number is there. */
  on(bit: number): boolean {
    return ((this.dims.bits >> bit) & 1) === 1;
  }

  /** Numbers of −1 … 1. */
  f32(...sizes: number[]): Float32Array {
    const x = new Float32Array(this.#words.buffer, ...this.#place(product(sizes)));
    for (let i = 0; i < x.length; i++) x[i] = 2 * this.#next() - 1;
    return x;
  }

  /** Bytes, zeros among them. */
  u8(...sizes: number[]): Uint8Array {
    const x = new Uint8Array(
      this.#words.buffer,
      this.#place(Math.ceil(product(sizes) / 4))[0],
      product(sizes),
    );
    for (let i = 0; i < x.length; i++) x[i] = Math.floor(3 * this.#next());
    return x;
  }

  i32(...values: number[]): Int32Array {
    const x = new Int32Array(this.#words.buffer, ...this.#place(values.length));
    x.set(values);
    return x;
  }

  /** An integer of 0 … most. */
  upTo(most: number): number {
    return Math.floor((most + 1) * this.#next());
  }

  tensor(...shape: number[]): Tensor {
    const tensor = this.engine.tensor(shape, this.f32(...shape));
    this.made.push(tensor);
    this.#tensors.set(tensor, tensor.data.slice());
    return tensor;
  }

  #place(words: number): [byteOffset: number, length: number] {
    const at = this.#end;
    this.#end += words + GUARD;
    if (this.#end > WORDS) throw new Error('the buffer of the fuzz is too small');
    return [4 * at, words];
  }

  /** All is made: from here on nothing may change but what a call is to write. */
  seal(): void {
    this.#before = this.#words.slice();
  }

  /** What has changed that is none of these; undefined: nothing. */
  changed(written: readonly unknown[]): string | undefined {
    for (const [tensor, before] of this.#tensors) {
      if (written.includes(tensor) || !isAlive(tensor)) continue;
      if (firstDifference(bitsOf(tensor.data), bitsOf(before)) >= 0) return 'a tensor was written';
    }
    const words = this.#words.slice();
    for (const each of written) {
      if (!ArrayBuffer.isView(each) || each.buffer !== this.#words.buffer) continue;
      const [from, to] = [each.byteOffset / 4, (each.byteOffset + each.byteLength) / 4];
      words.set(this.#before.subarray(from, to), from);
    }
    const at = firstDifference(words, this.#before);
    return at < 0 ? undefined : `word ${at} of ${this.#end} was written`;
  }
}

export function bitsOf(x: Float32Array): Uint32Array {
  return new Uint32Array(x.buffer, x.byteOffset, x.length);
}

export function isAlive(tensor: Tensor): boolean {
  try {
    return tensor.data.length >= 0;
  } catch {
    return false;
  }
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}
