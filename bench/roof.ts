/**
 * The roof of this machine and JavaScript engine, per build: `peak`, the rate of register-only multiply-add loops, and
 * `read`, the rate at which wasm reads an array. Loops only (assembly/roof.ts); who samples them decides when, so that they
 * share the minute with what they are compared with.
 */
import { freemem } from 'node:os';
import type { Build } from '../test/builds.ts';
import { normal } from '../test/data.ts';
import { BROADCASTS, PEAK_FLOPS, roofBytes, type Chains, type RoofExports } from './roof-loops.ts';

/** Streams of the loops that `read` is the best of. */
export const STREAMS = [1, 4] as const;
export type Streams = (typeof STREAMS)[number];

const PAGE = 65536;

/** A stretch of the memory that roof loops read. */
export interface RoofArray {
  readonly at: number;
  readonly bytes: number;
  /** Whether another has it too. */
  readonly shared: boolean;
}

/**
 * The arrays that are read, one behind the other in one memory. Each loop reads its own, as each build of heed reads a matrix or a cache of
 * its own: what several lanes read stays in a last cache level while what one reads is pushed out of it between two samples. (A row
 * × 64 MB, packed, 260 MB of third level: two loops of one array read at 25 GB/s, of two at 18, the loop over a packed matrix of heed's that
 * nobody else reads at 17, and heed at 15 to 17. Alone, and so in caches that nobody disturbs, loops read at 28 and heed at 27.)
 */
export class RoofMemory {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: 0 });
  #next = 0;

  /**
   * A further array, where there is memory: it grows by at most half of what is free, so that the rest is left to who is measured. Else
   * what there is from the beginning, with those that have it already.
   */
  array(bytes: number): RoofArray {
    const at = this.#next;
    const end = at + Math.ceil(bytes / PAGE) * PAGE;
    if (end <= this.#length || this.#grow(end - this.#length)) {
      this.#next = end;
      return { at, bytes, shared: false };
    }
    this.#next = Math.max(at, this.#length);
    return { at: 0, bytes: Math.min(bytes, this.#length), shared: at > 0 };
  }

  /** The next array is the first again. */
  clear(): void {
    this.#next = 0;
  }

  /** Bytes that this process can still have, as far as the system tells. */
  free(): number {
    return freemem();
  }

  get #length(): number {
    return this.memory.buffer.byteLength;
  }

  #grow(missing: number): boolean {
    if (missing > this.free() / 2) return false;
    const has = this.#length;
    try {
      this.memory.grow(missing / PAGE);
    } catch {
      return false;
    }
    // Normal numbers, because subnormal ones are slow on some chips; and every page touched before it is timed.
    const floats = new Float32Array(this.memory.buffer, has, missing / 4);
    const seed = normal(PAGE / 4, 1);
    for (let at = 0; at < floats.length; at += seed.length) floats.set(seed, at);
    return true;
  }
}

/** The loops of one build. Each returns what it did: FLOPs or bytes. */
export class Roof {
  readonly build: Build;
  readonly memory: RoofMemory;
  readonly #loops: RoofExports;
  /** What the loops computed is added here, so that no engine may leave them out. */
  sink = 0;

  constructor(build: Build, memory: RoofMemory = new RoofMemory()) {
    this.build = build;
    this.memory = memory;
    memory.array(PAGE);
    memory.clear();
    const module = new WebAssembly.Module(roofBytes(build));
    const imports = { env: { memory: memory.memory } };
    this.#loops = new WebAssembly.Instance(module, imports).exports as RoofExports;
  }

  /** One sample of a loop of so many chains of four lanes. */
  peak(chains: Chains): number {
    const steps = Math.round(PEAK_FLOPS / (8 * chains));
    this.sink += this.#loops[`peak${chains}`](BROADCASTS, steps);
    return 8 * chains * steps;
  }

  /** Reads an array, rounded to whole steps of 256 bytes, once. */
  read({ at, bytes }: RoofArray, streams: Streams = 4): number {
    const whole = Math.max(256, Math.floor(bytes / 256) * 256);
    this.sink += this.#loops[`read${streams}`](at, whole);
    return whole;
  }
}
