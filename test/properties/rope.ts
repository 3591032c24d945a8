/** What holds of rope, to the bit and inside its law (test/rope-law.ts). */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { RopeOptions, TensorRopeOptions } from '../../src/index.ts';
import { normal } from '../data.ts';
import { use } from '../laws.ts';
import { expectSameBits, shownAs, swapped } from '../problems.ts';
import { ropeLaw } from '../rope-law.ts';
import { holds, type Property } from './property.ts';

interface Whole extends RopeOptions {
  readonly batch: number;
  readonly layout: 'bshd' | 'bhsd';
  readonly rotaryDim: number;
}

/** A random small call, its dimensions all stated. */
const calls: fc.Arbitrary<{ x: Float32Array; options: Whole }> = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    // Around an item of 64 tokens now and then.
    seq: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 1, max: 12 }) },
      fc.integer({ min: 13, max: 70 }),
    ),
    heads: fc.integer({ min: 1, max: 4 }),
    pairs: fc.integer({ min: 1, max: 20 }),
    rest: fc.integer({ min: 0, max: 9 }),
    layout: fc.constantFrom('bshd' as const, 'bhsd' as const),
    interleaved: fc.boolean(),
    offset: fc.integer({ min: -(2 ** 20), max: 2 ** 20 }),
    theta: fc.constantFrom(10000, 5e5, 1, 0.5, 2),
    scaling: fc.constantFrom(1, 4, 0.25, 3),
    seed: fc.integer({ min: 1, max: 1e6 }),
  })
  .map(({ pairs, rest, seed, ...given }) => {
    const options: Whole = { ...given, headDim: 2 * pairs + rest, rotaryDim: 2 * pairs };
    const x = normal(options.batch * options.seq * options.heads * options.headDim, seed);
    return shownAs({ x, options }, options, seed);
  });

/** Element (batch, token, head, 0). */
function start({ layout, seq, heads, headDim }: Whole, b: number, t: number, h: number): number {
  return headDim * (layout === 'bshd' ? (b * seq + t) * heads + h : (b * heads + h) * seq + t);
}

const float64 = holds('rope: inside its law (P1)', calls, (engine, { x, options }) => {
  expect(use(engine.rope(x, options), ropeLaw(x, options))).toBeLessThanOrEqual(1);
});

const identity = holds('rope: position 0 is the identity', calls, (engine, { x, options }) => {
  const { batch, seq } = options;
  const positions = new Int32Array(batch * seq);
  expectSameBits(engine.rope(x, { ...options, offset: undefined, positions }), x);
});

const back = holds('rope: there and back again, inside the law', calls, (engine, { x, options }) => {
  const { batch, seq } = options;
  const there = Int32Array.from({ length: batch * seq }, (_, i) => (i * 7919) % 4001);
  const forth = { ...options, offset: undefined, positions: there };
  const back = { ...forth, positions: there.map((p) => -p) };
  const first = ropeLaw(x, forth).bounds;
  const y = engine.rope(x, forth);
  const second = ropeLaw(y, back).bounds;
  const z = engine.rope(y, back);
  const { rotaryDim, interleaved, headDim } = options;
  for (const [at, value] of z.entries()) {
    // What the other element of the pair was off by is turned into this one.
    const d = at % headDim;
    const half = rotaryDim / 2;
    const other =
      d >= rotaryDim ? at : interleaved ? (d % 2 ? at - 1 : at + 1) : d < half ? at + half : at - half;
    if (!(Math.abs(value - x[at]!) <= second[at]! + first[at]! + first[other]!)) {
      expect.fail(`[${at}] ${value}, was ${x[at]}`);
    }
  }
});

const distance = holds(
  'rope: q·k depends on the distance of their positions, inside the law',
  calls,
  (engine, { options }) => {
    const { heads, headDim } = options;
    const [q, k] = [normal(heads * headDim, 1), normal(heads * headDim, 2)];
    const at = (offset: number, y: Float32Array) => {
      const one = { ...options, batch: 1, seq: 1, offset };
      return { y: engine.rope(y, one), law: ropeLaw(y, one) };
    };
    const dot = (m: number, n: number) => {
      const [Q, K] = [at(m, q), at(n, k)];
      let [sum, bound] = [0, 0];
      for (let d = 0; d < headDim; d++) {
        const [a, b] = [Q.law.bounds[d]!, K.law.bounds[d]!];
        sum += Q.y[d]! * K.y[d]!;
        bound += Math.abs(Q.law.values[d]!) * b + Math.abs(K.law.values[d]!) * a + a * b;
      }
      return { sum, bound };
    };
    const [near, far] = [dot(3, 17), dot(1003, 1017)];
    // The sums are in float64: headDim roundings of products of at most 100.
    const sums = headDim * 200 * 2 ** -52;
    expect(Math.abs(near.sum - far.sum)).toBeLessThanOrEqual(near.bound + far.bound + sums);
  },
);

const pairings = holds(
  'rope: both pairings, elements put in the other order',
  calls,
  (engine, { x, options }) => {
    const { headDim, rotaryDim, interleaved } = options;
    const pairs = rotaryDim / 2;
    // Where element d of this pairing stands in the other.
    const place = (d: number): number => {
      if (d >= rotaryDim) return d;
      if (interleaved) return (d >> 1) + (d & 1) * pairs;
      return d < pairs ? 2 * d : 2 * (d - pairs) + 1;
    };
    const moved = (y: Float32Array): Float32Array => {
      const z = new Float32Array(y.length);
      for (const [at, value] of y.entries()) z[at - (at % headDim) + place(at % headDim)] = value;
      return z;
    };
    const other = engine.rope(moved(x), { ...options, interleaved: !interleaved });
    expectSameBits(other, moved(engine.rope(x, options)));
  },
);

const layouts = holds('rope: both layouts', calls, (engine, { x, options }) => {
  const { batch, heads, seq, headDim, layout } = options;
  const to = layout === 'bshd' ? 'bhsd' : 'bshd';
  const other = engine.rope(swapped(x, batch, heads, seq, headDim, layout), { ...options, layout: to });
  expectSameBits(swapped(other, batch, heads, seq, headDim, to), engine.rope(x, options));
});

const alone = holds(
  'rope: a token alone, whatever stands beside; an offset is so many positions (P7)',
  calls,
  (engine, { x, options }) => {
    const { batch, seq, heads, headDim } = options;
    const offset = Array.from({ length: batch }, (_, b) => (options.offset as number) + 5 * b);
    const positions = Int32Array.from({ length: batch * seq }, (_, i) => {
      return offset[Math.floor(i / seq)]! + (i % seq);
    });
    const together = engine.rope(x, { ...options, offset });
    expectSameBits(engine.rope(x, { ...options, offset: undefined, positions }), together);
    for (let b = 0; b < batch; b++) {
      for (const t of new Set([0, seq >> 1, seq - 1])) {
        const at = start(options, b, t, heads - 1);
        const one = { ...options, batch: 1, seq: 1, heads: 1, offset: offset[b]! + t };
        const alone = engine.rope(x.subarray(at, at + headDim), one);
        expectSameBits(alone, together.subarray(at, at + headDim));
      }
    }
  },
);

const places = holds(
  'rope: in place and elsewhere, arrays and tensors, aligned or not; inputs are left alone (P14)',
  calls,
  (engine, { x, options }) => {
    const { batch, seq, heads, headDim, ...rest } = options;
    const copy = x.slice();
    const wanted = engine.rope(x, options);
    expectSameBits(x, copy);
    const wide = new Float32Array(x.length + 9);
    wide.set(x, 1);
    engine.rope(wide.subarray(1, 1 + x.length), { ...options, out: wide.subarray(3, 3 + x.length) });
    expectSameBits(wide.slice(3, 3 + x.length), wanted);
    expect(engine.rope(copy, { ...options, out: copy })).toBe(copy);
    expectSameBits(copy, wanted);
    const scope = engine.scope();
    const X = scope.tensor(
      rest.layout === 'bshd' ? [batch, seq, heads, headDim] : [batch, heads, seq, headDim],
      x,
    );
    const Y = scope.rope(X, rest as TensorRopeOptions);
    expect(Y.shape).toEqual(X.shape);
    expectSameBits(Y.data, wanted);
    expectSameBits(X.data, x);
    const Z = scope.tensor(X.shape);
    expect(engine.rope(X, { ...(rest as TensorRopeOptions), out: Z })).toBe(Z);
    expect(engine.rope(X, { ...(rest as TensorRopeOptions), out: X })).toBe(X);
    expectSameBits(Z.data, wanted);
    expectSameBits(X.data, wanted);
    scope.dispose();
    expect(engine.memory.used).toBe(0);
  },
);

export const turns: readonly Property[] = [
  float64,
  identity,
  back,
  distance,
  pairings,
  layouts,
  alone,
  places,
];
