/** The loops that a roof is measured with (assembly/roof.ts), as they are built: a module a build. For Node and for pages. */
import type { Build } from '../test/builds.ts';
import { baseline } from './generated/baseline.ts';
import { relaxed } from './generated/relaxed.ts';

type Peak = (x: number, steps: number) => number;
type Read = (p: number, bytes: number) => number;

export interface RoofExports extends WebAssembly.Exports {
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

/** Multiply-adds of one sample, times two: about 0.15 ms. Long enough for the timer, short beside a row. */
export const PEAK_FLOPS = 8e6;

/** What `peak` takes its broadcasts from: any numbers will do. */
export const BROADCASTS = 0;

const modules: Readonly<Record<Build, string>> = { baseline, relaxed };

/** The loops of a build, as a module that imports a memory. */
export function roofBytes(build: Build): Uint8Array<ArrayBuffer> {
  const text = atob(modules[build]);
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
