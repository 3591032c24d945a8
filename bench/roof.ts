/**
 * The roof of this machine and JavaScript engine, per build: `peak`, the rate of register-only multiply-add loops, and
 * `read`, the rate at which wasm reads an array. Loops only (assembly/roof.ts); who samples them decides when, so that they
 * share the minute with what they are compared with.
 */
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

/** Bytes of an array that no cache holds. */
export const LARGE: number = 64 * 2 ** 20;

/** Multiply-adds of one sample, times two: about 0.15 ms. Long enough for the timer, short beside a row. */
const PEAK_FLOPS = 8e6;

const PAGE = 65536;

/** Where the array begins: the loops have no data of their own. */
const ARRAY = 0;

const modules: Readonly<Record<Build, string>> = { baseline, relaxed };

/** The loops of one build. Each returns what it did: FLOPs or bytes. */
export class Roof {
  readonly build: Build;
  readonly #loops: RoofExports;
  /** What the loops computed is added here, so that no engine may leave them out. */
  sink = 0;

  constructor(build: Build) {
    this.build = build;
    const memory = new WebAssembly.Memory({ initial: LARGE / PAGE });
    const module = new WebAssembly.Module(Buffer.from(modules[build], 'base64'));
    this.#loops = new WebAssembly.Instance(module, { env: { memory } }).exports as RoofExports;
    // Normal numbers, because subnormal ones are slow on some chips; and every page touched before it is timed.
    const floats = new Float32Array(memory.buffer, ARRAY, LARGE / 4);
    const seed = normal(PAGE / 4, 1);
    for (let at = 0; at < floats.length; at += seed.length) floats.set(seed, at);
  }

  /** One sample of a loop of so many chains of four lanes. */
  peak(chains: Chains): number {
    const steps = Math.round(PEAK_FLOPS / (8 * chains));
    this.sink += this.#loops[`peak${chains}`](ARRAY, steps);
    return 8 * chains * steps;
  }

  /** Reads `bytes`, rounded to whole steps of 256, once. At most {@link LARGE}. */
  read(bytes: number, streams: Streams = 4): number {
    const whole = Math.min(LARGE, Math.max(256, Math.round(bytes / 256) * 256));
    this.sink += this.#loops[`read${streams}`](ARRAY, whole);
    return whole;
  }
}
