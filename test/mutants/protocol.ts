/** What the mutator and the thread that judges say to each other. */
import type { Build } from '../../src/wasm/inlined.ts';

export interface Start {
  readonly build: Build;
  readonly files: readonly string[];
}

/** A module, and the tests that it must pass, by their places among all of the battery. */
export interface Question {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Empty: all of them, in order. */
  readonly tests: readonly string[];
  /** Go on behind a test that fails. */
  readonly onward: boolean;
}

export type Answer =
  | { readonly kind: 'began'; readonly test: string }
  | {
      readonly kind: 'passed';
      readonly test: string;
      readonly ms: number;
      readonly touched: readonly number[];
    }
  | { readonly kind: 'failed'; readonly test: string; readonly message: string }
  | { readonly kind: 'done' };
