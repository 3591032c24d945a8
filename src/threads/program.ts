/**
 * What a call runs, written down for several threads: steps, each a driver over items of a descriptor. One thread runs what it is
 * told at once instead (`Runtime.run`). A descriptor is copied, so that the next step may be written where it lay; its items and
 * its scratch are the step's own.
 */
import {
  CLAIMS,
  COUNT,
  DESCRIPTOR,
  DRIVER,
  GRAIN,
  MOST_STEPS,
  SCRATCH,
  SLAB,
  STEP_WORDS,
} from './protocol.ts';

/** Most claims of a step. More items are claimed several at once: a claim takes 0.05 µs, and there may be millions. */
const MOST_CLAIMS = 4096;

export class Program {
  /** The steps, as the control block has them. */
  readonly words: Int32Array = new Int32Array(MOST_STEPS * STEP_WORDS);
  steps = 0;

  /** A step of `count` items. `slab`: bytes from one thread's scratch to the next one's. `whole`: all items by one thread. Its index. */
  add(
    driver: number,
    memory: Uint32Array,
    descriptor: number,
    bytes: number,
    count: number,
    scratch: number,
    slab: number,
    whole: boolean,
  ): number {
    const { words } = this;
    if (this.steps === MOST_STEPS) throw new Error(`a program has at most ${MOST_STEPS} steps`);
    const step = this.steps++;
    const at = step * STEP_WORDS;
    const grain = whole ? count : Math.ceil(count / MOST_CLAIMS);
    words[at + DRIVER] = driver;
    words[at + COUNT] = count;
    words[at + GRAIN] = grain;
    words[at + CLAIMS] = Math.ceil(count / grain);
    words[at + SCRATCH] = scratch;
    words[at + SLAB] = slab;
    const from = descriptor >>> 2;
    for (let i = 0; i < bytes >>> 2; i++) words[at + DESCRIPTOR + i] = memory[from + i]!;
    return step;
  }

  /** A field of a step's descriptor, after it has run. */
  field(step: number, index: number): number {
    return this.words[step * STEP_WORDS + DESCRIPTOR + index]! >>> 0;
  }
}
