/** What the benchmark measures and what it says of it: the words that the page and its worker share. */
import type { Features } from '../../src/index.ts';

export const WORKS = ['attention', 'matmul'] as const;
export type Work = (typeof WORKS)[number];

/** Who is timed. `threads` is the best build on all cores. */
export const CONTENDERS = ['plain', 'baseline', 'relaxed', 'threads'] as const;
export type ContenderName = (typeof CONTENDERS)[number];
export type Build = 'baseline' | 'relaxed';

/** Tokens of attention (12 heads of 64); rows, columns and depth of a matmul. */
export const SIZES = [32, 64, 128, 256, 512, 1024] as const;

export interface Result {
  /** Milliseconds of a call, the median. */
  readonly milliseconds: number;
  readonly gflops: number;
  /** Of the peak of its build on one core, which was sampled in turn with it; of one thread only. */
  readonly percent?: number;
  /** How much of its error bound the result used. Nothing that uses more than 1 is timed. */
  readonly errorOfBound: number;
}

export interface RowReport {
  readonly work: Work;
  readonly size: number;
  readonly flops: number;
  /** GFLOP/s of loops that do nothing but multiply and add in registers, on one core. */
  readonly peaks: Partial<Readonly<Record<Build, number>>>;
  readonly results: Partial<Readonly<Record<ContenderName, Result>>>;
}

export interface Report {
  readonly version: string;
  readonly date: string;
  readonly browser: string;
  readonly cores: number;
  readonly isolated: boolean;
  /** Of the engine on all cores: its reason says in words why it has no more threads. */
  readonly features: Features;
  readonly rows: readonly RowReport[];
  /** What was wrong, in words. */
  readonly problems: readonly string[];
}

/** What the page asks of the worker. */
export interface Order {
  readonly largest: number;
}

/** What the worker tells the page. */
export type Told =
  | { readonly kind: 'step'; readonly done: number; readonly text: string }
  | { readonly kind: 'row'; readonly row: RowReport }
  | { readonly kind: 'end'; readonly report: Report };
