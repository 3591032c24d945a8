/**
 * What the fences (test/fences.ts) are swept over: all small shapes of attention, seqQ 0 … 17 × seqK 0 … 67 × headDim 1 … 40, on every
 * tile of a build; and calls of every operation, drawn.
 */
import fc from 'fast-check';
import { TILES_OF } from '../src/tile.ts';
import type { Build } from './builds.ts';
import { normal, uniform } from './data.ts';
import { attentionCall, cacheCall, matmulCall, mergeCall, ropeCall } from './fenced-calls.ts';
import { fence, Fenced, type FencedCall } from './fences.ts';
import { optioned } from './problems-options.ts';

const [QUERIES, KEYS, DIMS] = [18, 68, 40] as const;

/** How many there are. */
export const SHAPES: number = QUERIES * KEYS * DIMS;

/** Every `stride`-th shape, from a seeded one on; tells how many are done. */
export function* sweep(build: Build, stride = 1): Generator<number> {
  const fences = TILES_OF[build].map((tile) => new Fenced(build, tile));
  let done = 0;
  for (let i = Math.floor(uniform(stride)() * stride); i < SHAPES; i += stride) {
    const headDim = 1 + (i % DIMS);
    const seqK = Math.floor(i / DIMS) % KEYS;
    const seqQ = Math.floor(i / DIMS / KEYS);
    const call = attentionCall({ options: { seqQ, seqK, headDim } }, false);
    for (const fenced of fences) fence(fenced, call);
    yield ++done;
  }
}

interface Drawn {
  readonly name: string;
  /** So many calls. */
  readonly fence: (fences: (call: FencedCall) => void, runs: number) => void;
}

function draw<T>(name: string, cases: fc.Arbitrary<T>, callOf: (drawn: T) => FencedCall): Drawn {
  return {
    name,
    fence: (fences, numRuns) => {
      const property = fc.property(cases, (drawn) => {
        fences(callOf(drawn));
      });
      fc.assert(property, { numRuns });
    },
  };
}

const upTo = (max: number, min = 1): fc.Arbitrary<number> => fc.integer({ min, max });
const name = fc.constant('');
const layout = fc.constantFrom('bshd', 'bhsd');

const matmuls = fc
  .record({
    ...{
      batch: upTo(3),
      M: fc.oneof(fc.constant(1), upTo(30)),
      N: upTo(50),
      K: fc.oneof(upTo(40), upTo(530)),
    },
    ...{ transposeA: fc.boolean(), transposeB: fc.boolean(), biased: fc.boolean(), packed: fc.boolean() },
  })
  .map(({ biased, packed, ...options }) => ({
    ...{ name: '', packed },
    options: {
      ...options,
      batch: packed ? 1 : options.batch,
      ...(biased ? { bias: normal(options.N, 1) } : {}),
    },
  }));

const ropes = fc
  .record({
    ...{ batch: upTo(2), seq: upTo(20), heads: upTo(3), pairs: upTo(20), rest: upTo(5, 0) },
    ...{ interleaved: fc.boolean(), layout, offset: upTo(100, -100) },
  })
  .map(({ pairs, rest, ...options }) => ({
    name: '',
    options: { ...options, headDim: 2 * pairs + rest, rotaryDim: 2 * pairs },
  }));

const merges = fc.record({
  ...{ name, parts: upTo(5) },
  options: fc.record({ batch: upTo(2), seqQ: upTo(20), heads: upTo(3), valueDim: upTo(40), layout }),
});

const caches = fc
  .record({
    cache: fc.record({
      ...{ batch: upTo(2), kvHeads: upTo(2), headDim: upTo(40), valueDim: upTo(40), capacity: upTo(120, 20) },
      ...{ dtype: fc.constantFrom('f32', 'f16'), ring: fc.boolean() },
    }),
    ...{ group: upTo(3), seqQ: upTo(6), appends: fc.array(upTo(20), { minLength: 1, maxLength: 8 }) },
  })
  .map(({ group, ...drawn }) => {
    // No more than there is room for, unless it goes round.
    const { ring, capacity, kvHeads } = drawn.cache;
    let room = capacity;
    const appends = drawn.appends.filter((tokens) => ring || (room -= tokens) >= 0);
    return { ...drawn, heads: group * kvHeads, appends };
  });

/** Calls of every operation: options, layouts, groups, weights; transposed, packed and single rows; caches of both types. */
export const drawn: readonly Drawn[] = [
  draw('attention', optioned, (each) => attentionCall(each)),
  draw('matmul', matmuls, matmulCall),
  draw('rope', ropes, ropeCall),
  draw('merge', merges, mergeCall),
  draw('cache', caches, cacheCall),
];
