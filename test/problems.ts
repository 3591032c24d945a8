/** Random attention problems for property tests, most of them small, and how their bits are compared. */
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

const int = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const layout = fc.constantFrom<'bshd' | 'bhsd'>('bshd', 'bhsd');
const common = { layout, causal: fc.boolean(), seed: int(1, 1e6) };

/** Dimensions of heads: all tails of 4, 8 and 16 lanes; one in ten is larger than two vectors of 8. */
const dim = fc.oneof({ weight: 6, arbitrary: int(1, 9) }, { weight: 3, arbitrary: int(10, 18) }, int(19, 40));

/**
 * Nine in ten are so small that a thousand of them take a second, and tails are what they consist of. A sixth of all has keys around one
 * block of 96 or two, one in ten rows around an item of 64 or several tiles, and about one in thirty both.
 */
const small: fc.Arbitrary<Dims> = fc.record({
  ...{ batch: int(1, 2), kvHeads: int(1, 3), group: int(1, 3) },
  seqQ: fc.oneof({ weight: 9, arbitrary: int(1, 13) }, fc.oneof(int(14, 40), int(63, 70))),
  seqK: fc.oneof(
    { weight: 7, arbitrary: int(1, 24) },
    { weight: 2, arbitrary: fc.constantFrom(95, 96, 97, 191, 192, 193) },
    int(25, 210),
  ),
  ...{ headDim: dim, valueDim: dim, ...common },
});

/** Few queries and keys around the end of a part, 1536, in the decoding family. */
const parts: fc.Arbitrary<Dims> = fc.record({
  ...{ batch: fc.constant(1), kvHeads: fc.constant(1), group: int(1, 3), seqQ: int(1, 4) },
  ...{ seqK: int(1534, 1538), headDim: int(1, 9), valueDim: int(1, 9), ...common },
});

/** A random problem, its dimensions all stated; one in fifty has several parts of keys. */
export const problems: fc.Arbitrary<Dims> = fc.oneof({ weight: 49, arbitrary: small }, parts);

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

/** In a counterexample, instead of thousands of numbers. */
export function shownAs<T extends object>(problem: T, ...made: readonly unknown[]): T {
  return Object.assign(problem, { [fc.toStringMethod]: () => made.map((each) => fc.stringify(each)).join() });
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
