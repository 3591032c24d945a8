/** Where a call's operands are, and arrays that are brought there piece by piece. */
import { view } from './checks/index.ts';
import type { Pieces } from './launch/gemm.ts';
import { copyFew, FEW } from './memory/copy.ts';
import type { Runtime } from './runtime.ts';

/** Memory of a call. */
export interface Slot {
  /** Known while the call computes. */
  readonly address: number;
}

/** An array that is read piece by piece, through room that one of them needs. */
export class Feed implements Slot, Pieces {
  readonly #runtime: Runtime;
  readonly #from: Float32Array;
  readonly #room: Slot;

  constructor(runtime: Runtime, from: Float32Array, room: Slot) {
    this.#runtime = runtime;
    this.#from = from;
    this.#room = room;
  }

  get address(): number {
    return this.#room.address;
  }

  /** Copies `bytes` of the array, from byte `start` on, to the room. */
  load(start: number, bytes: number): void {
    const { f32 } = this.#runtime.words;
    const at = this.address >>> 2;
    if (bytes <= FEW) copyFew(f32, at, this.#from, start >>> 2, bytes >>> 2);
    else f32.set(view(this.#from, start / 4, bytes / 4), at);
  }
}
