/** Random small attention problems for property tests, and how their bits are compared. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { AttentionOptions, AttentionShape } from '../src/index.ts';
import { normal } from './data.ts';
import { equal } from './equal.ts';

type Options = AttentionShape & AttentionOptions;

/** Dimensions of a random call. */
export interface Dims {
  readonly batch: number;
  readonly kvHeads: number;
  /** Query heads per key head. */
  readonly group: number;
  readonly seqQ: number;
  readonly seqK: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly layout: 'bshd' | 'bhsd';
  readonly causal: boolean;
  readonly seed: number;
}

/** A random small problem, its dimensions all stated. */
export const problems: fc.Arbitrary<Dims> = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  kvHeads: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 1, max: 3 }),
  seqQ: fc.integer({ min: 1, max: 70 }),
  seqK: fc.integer({ min: 1, max: 210 }),
  headDim: fc.integer({ min: 1, max: 40 }),
  valueDim: fc.integer({ min: 1, max: 40 }),
  layout: fc.constantFrom('bshd', 'bhsd'),
  causal: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1e6 }),
});

export interface Problem {
  readonly options: Options & {
    readonly batch: number;
    readonly heads: number;
    readonly kvHeads: number;
    readonly seqK: number;
    readonly valueDim: number;
  };
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
}

export function make({ group, seed, ...dims }: Dims & { readonly queryOffset?: number }): Problem {
  const options = { ...dims, heads: dims.kvHeads * group };
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim } = options;
  return {
    options,
    q: normal(batch * heads * seqQ * headDim, seed),
    k: normal(batch * kvHeads * seqK * headDim, seed + 1),
    v: normal(batch * kvHeads * seqK * valueDim, seed + 2),
  };
}

/** Index of the first element of (batch, head, token) in an array of that layout. */
export function at(
  layout: string | undefined,
  heads: number,
  seq: number,
  dim: number,
  b: number,
  h: number,
  i: number,
): number {
  return dim * (layout === 'bhsd' ? (b * heads + h) * seq + i : (b * seq + i) * heads + h);
}

/** The same numbers in the other order of heads and tokens. */
export function swapped(
  x: Float32Array,
  batch: number,
  heads: number,
  seq: number,
  dim: number,
  from: string | undefined,
): Float32Array {
  const to = from === 'bhsd' ? 'bshd' : 'bhsd';
  const y = new Float32Array(x.length);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < seq; i++) {
        const start = at(from, heads, seq, dim, b, h, i);
        y.set(x.subarray(start, start + dim), at(to, heads, seq, dim, b, h, i));
      }
    }
  }
  return y;
}

const bits = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer, x.byteOffset, x.length);

export function expectSameBits(a: Float32Array, b: Float32Array): void {
  // The expectation is there to say where.
  if (!equal(bits(a), bits(b))) expect(bits(a)).toEqual(bits(b));
}
