/** What the mutator and the thread that judges say to each other. */
import type { Build } from '../../../src/wasm/inlined.ts';

export interface Start {
  readonly build: Build;
  readonly files: readonly string[];
}

/** A test, by its file and its place there, and how often it may go round loops. */
export interface Asked {
  readonly test: string;
  readonly rounds: number;
}

/** A module, and the tests that it must pass, or the files of which it must pass all. */
export interface Question {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly tests: readonly (Asked | string)[];
}

export type Answer =
  | { readonly kind: 'began'; readonly test: string }
  | {
      readonly kind: 'passed';
      readonly test: string;
      readonly ms: number;
      readonly touched: readonly number[];
      readonly rounds: number;
    }
  | {
      readonly kind: 'failed';
      readonly test: string;
      readonly name: string;
      readonly message: string;
    }
  | { readonly kind: 'done' };
