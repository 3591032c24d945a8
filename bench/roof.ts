/**
 * The roof of this machine and JavaScript engine, per build: `peak`, the rate of register-only multiply-add loops, and
 * `read`, the rate at which wasm reads an array. Loops only (assembly/roof.ts); who samples them decides when, so that they
 * share the minute with what they are compared with.
 */
import { freemem } from 'node:os';
import type { Build } from '../test/builds.ts';
import { normal } from '../test/data.ts';
import { baseline } from './generated/baseline.ts';
import { relaxed } from './generated/relaxed.ts';

type Peak = (x: number, steps: number) => number;
type Read = (p: number, bytes: number) => number;

interface RoofExports extends WebAssembly.Exports {
  readonly peak8: Peak;
  readonly peak9: Peak;
  readonly peak10: Peak;
  readonly peak12: Peak;
  readonly read1: Read;
  readonly read4: Read;
}

/** Chains of the loops that `peak` is the best of. Which one wins depends on the chip and on the code V8 makes. */
export const CHAINS = [8, 9, 10, 12] as const;
export type Chains = (typeof CHAINS)[number];

/** Streams of the loops that `read` is the best of. */
export const STREAMS = [1, 4] as const;
export type Streams = (typeof STREAMS)[number];

/** Multiply-adds of one sample, times two: about 0.15 ms. Long enough for the timer, short beside a row. */
const PEAK_FLOPS = 8e6;

const PAGE = 65536;

/** Where the array begins: the loops have no data of their own. */
const ARRAY = 0;

const modules: Readonly<Record<Build, string>> = { baseline, relaxed };

/** The array that is read, one for all builds. Rows that need a longer one make it grow. */
export class RoofArray {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: 0 });

  /**
   * Makes it this long where there is memory: at most half of what is free, so that the rest is left to who is measured.
   *
   * @returns the bytes that there are of it then, this many at most
   */
  room(bytes: number): number {
    const has = this.memory.buffer.byteLength;
    const missing = Math.ceil((bytes - has) / PAGE) * PAGE;
    if (missing > 0 && missing <= this.free() / 2 && this.#grow(missing)) {
      // Normal numbers, because subnormal ones are slow on some chips; and every page touched before it is timed.
      const floats = new Float32Array(this.memory.buffer, has, missing / 4);
      const seed = normal(PAGE / 4, 1);
      for (let at = 0; at < floats.length; at += seed.length) floats.set(seed, at);
    }
    return Math.min(bytes, this.memory.buffer.byteLength);
  }

  /** Bytes that this process can still have, as far as the system tells. */
  free(): number {
    return freemem();
  }

  #grow(bytes: number): boolean {
    try {
      this.memory.grow(bytes / PAGE);
      return true;
    } catch {
      return false;
    }
  }
}

/** The loops of one build. Each returns what it did: FLOPs or bytes. */
export class Roof {
  readonly build: Build;
  readonly array: RoofArray;
  readonly #loops: RoofExports;
  /** What the loops computed is added here, so that no engine may leave them out. */
  sink = 0;

  constructor(build: Build, array: RoofArray = new RoofArray()) {
    this.build = build;
    this.array = array;
    array.room(PAGE);
    const module = new WebAssembly.Module(Buffer.from(modules[build], 'base64'));
    const imports = { env: { memory: array.memory } };
    this.#loops = new WebAssembly.Instance(module, imports).exports as RoofExports;
  }

  /** One sample of a loop of so many chains of four lanes. */
  peak(chains: Chains): number {
    const steps = Math.round(PEAK_FLOPS / (8 * chains));
    this.sink += this.#loops[`peak${chains}`](ARRAY, steps);
    return 8 * chains * steps;
  }

  /** Reads `bytes`, rounded to whole steps of 256, once; or as many as the array has. */
  read(bytes: number, streams: Streams = 4): number {
    const whole = Math.min(this.array.memory.buffer.byteLength, Math.max(256, Math.round(bytes / 256) * 256));
    this.sink += this.#loops[`read${streams}`](ARRAY, whole);
    return whole;
  }
}
