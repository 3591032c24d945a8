/** rope: against float64 by its law, to the bit where bits must be equal, and what it does with odd values. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rope } from '../src/index.ts';
import type { Engine, RopeOptions, TensorRopeOptions } from '../src/index.ts';
import * as reference from '../src/reference.ts';
import { builds, engineOf } from './builds.ts';
import { ropeCases, ropeInput } from './cases.ts';
import { integers, normal } from './data.ts';
import { use } from './laws.ts';
import { expectSameBits, swapped } from './problems.ts';
import { ropeLaw } from './rope-law.ts';
import { launchRope } from '../src/launch/rope.ts';
import { Runtime } from '../src/runtime.ts';

interface Whole extends RopeOptions {
  readonly batch: number;
  readonly layout: 'bshd' | 'bhsd';
  readonly rotaryDim: number;
}

/** A random small call, its dimensions all stated. */
const calls: fc.Arbitrary<{ x: Float32Array; options: Whole }> = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    seq: fc.integer({ min: 1, max: 70 }),
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
    return { x: normal(options.batch * options.seq * options.heads * options.headDim, seed), options };
  });

/** Element (batch, token, head, 0). */
function start({ layout, seq, heads, headDim }: Whole, b: number, t: number, h: number): number {
  return headDim * (layout === 'bshd' ? (b * seq + t) * heads + h : (b * heads + h) * seq + t);
}

describe('the reference', () => {
  it('is a product of complex numbers', () => {
    const [re, im, angle] = [3, 4, 2 * 100 ** (-1 / 2)];
    const x = [9, re, 9, im];
    const y = reference.rope(Float64Array.from(x), { seq: 1, heads: 1, headDim: 4, theta: 100, offset: 2 });
    expect(y[1]).toBeCloseTo(5 * Math.cos(Math.atan2(im, re) + angle), 12);
    expect(y[3]).toBeCloseTo(5 * Math.sin(Math.atan2(im, re) + angle), 12);
  });
  it('pairs neighbours, or halves', () => {
    const options = { seq: 1, heads: 1, headDim: 5, rotaryDim: 4, offset: 1, theta: 1 };
    const [c, s] = [Math.cos(1), Math.sin(1)];
    const x = Float64Array.of(1, 0, 0, 0, 7);
    expect(reference.rope(x, options)).toEqual(Float64Array.of(c, 0, s, 0, 7));
    expect(reference.rope(x, { ...options, interleaved: true })).toEqual(Float64Array.of(c, s, 0, 0, 7));
  });
  it('writes where it is told, x itself too, in either precision', () => {
    const options = { seq: 2, heads: 1, headDim: 2 };
    const x = Float32Array.of(1, 0, 1, 0);
    const wanted = reference.rope(x, options);
    expect(reference.rope(x, { ...options, out: new Float64Array(4) })).toEqual(wanted);
    expect(reference.rope(x, { ...options, out: x })).toBe(x);
    expect(x).toEqual(Float32Array.from(wanted));
  });
});

describe.each(builds)('rope, %s', async (build) => {
  const engine: Engine = await engineOf(build);
  const holds = (property: (x: Float32Array, options: Whole) => void, numRuns = 40): void => {
    fc.assert(
      fc.property(calls, ({ x, options }) => {
        property(x, options);
      }),
      { numRuns },
    );
  };

  describe('inside its law', () => {
    it.each(ropeCases.map((each) => [each.name, each] as const))('%s', (_, each) => {
      const x = ropeInput(each);
      const law = ropeLaw(x, each.options);
      expect(use(engine.rope(x, each.options), law)).toBeLessThanOrEqual(1);
      // And the rounded truth is, so that it can be met; a turn the other way is not.
      expect(use(Float32Array.from(reference.rope(x, each.options)), law)).toBeLessThanOrEqual(1);
      const wrong = reference.rope(x, { ...each.options, scaling: (each.options.scaling ?? 1) * 1.001 });
      expect(use(wrong, law)).toBeGreaterThan(1);
    });
    it('random calls', () => {
      holds((x, options) => {
        expect(use(engine.rope(x, options), ropeLaw(x, options))).toBeLessThanOrEqual(1);
      }, 100);
    });
    it('subnormal and huge elements', () => {
      const options = { seq: 3, heads: 1, headDim: 8, offset: 5 };
      for (const size of [2 ** -149, 2 ** -140, 2 ** -126, 2 ** 126]) {
        const x = normal(24, 3).map((each) => each * size);
        expect(use(engine.rope(x, options), ropeLaw(x, options))).toBeLessThanOrEqual(1);
      }
    });
  });

  it('position 0 is the identity', () => {
    holds((x, options) => {
      const { batch, seq } = options;
      const positions = new Int32Array(batch * seq);
      expectSameBits(engine.rope(x, { ...options, offset: undefined, positions }), x);
    });
  });

  it('there and back again, inside the law', () => {
    holds((x, options) => {
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
  });

  it('q·k depends on the distance of their positions, inside the law', () => {
    holds((x, options) => {
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
    });
  });

  describe('to the bit', () => {
    it('both pairings, elements put in the other order', () => {
      holds((x, options) => {
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
      });
    });
    it('both layouts', () => {
      holds((x, options) => {
        const { batch, heads, seq, headDim, layout } = options;
        const to = layout === 'bshd' ? 'bhsd' : 'bshd';
        const other = engine.rope(swapped(x, batch, heads, seq, headDim, layout), { ...options, layout: to });
        expectSameBits(swapped(other, batch, heads, seq, headDim, to), engine.rope(x, options));
      });
    });
    it('a token alone: whatever the batch, its sequence and its other heads; an offset is so many positions', () => {
      holds((x, options) => {
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
      });
    });
    it('in place and elsewhere, arrays and tensors, aligned or not; inputs are left alone', () => {
      holds((x, options) => {
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
      }, 30);
    });
    it('as ever: on every engine, in every build', async () => {
      const results: Float32Array<ArrayBuffer>[] = [];
      for (const { options } of ropeCases) {
        const { batch = 1, seq, heads, headDim } = options;
        const y = engine.rope(integers(batch * seq * heads * headDim, 1, 1000), options);
        // −0 and 0 are equal, and which of them a product of 0 gives is of no concern.
        results.push(Float32Array.from(y, (each) => each + 0));
      }
      const hash = new Uint8Array(
        await crypto.subtle.digest('SHA-256', await new Blob(results).arrayBuffer()),
      );
      expect(Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')).toBe(
        '297a2137e9b73c30ff8753384fff76acd3cbd05f29034f4b934f7431fdb61e39',
      );
    });
  });

  it('launched at any strides: the heads of wider rows, in place or into others, from where a cache ends', () => {
    const runtime = new Runtime('test', build, 2 ** 20, 'auto');
    const allocate = (bytes: number): number => runtime.allocate('test', bytes);
    for (const [interleaved, inPlace] of [
      [false, true],
      [false, false],
      [true, true],
      [true, false],
    ] as const) {
      const [batch, seq, heads, headDim, rotaryDim] = [2, 3, 2, 12, 10];
      const shape = { batch, seq, heads, headDim, rotaryDim, interleaved };
      const positions = Int32Array.of(900, -4);
      const problem = { ...shape, theta: 10000, scaling: 1, positions };
      // Rows of 31 floats, of which the heads are those from 4 on; a head's next one is 13 floats further.
      const strides = { batch: 4 * 31 * seq, token: 4 * 31, head: 4 * 13 };
      const other = inPlace ? strides : { batch: 4 * 24, token: 4 * 60, head: 4 * 200 };
      const wide = normal(31 * seq * batch, 5);
      const at = (s: typeof strides, b: number, t: number, h: number): number => {
        return (b * s.batch + t * s.token + h * s.head) / 4;
      };
      const x = allocate(4 * wide.length);
      const out = inPlace ? x : allocate(4 * 800);
      const launch = launchRope(runtime, 'test', problem, strides, other);
      const room = allocate(launch.bytes);
      const [X, O] = [runtime.floats(x, wide.length), runtime.floats(out, inPlace ? wide.length : 800)];
      if (!inPlace) O.fill(0.5);
      X.set(wide);
      const before = O.slice();
      const from = inPlace ? 16 : 0;
      launch.run({ x: x + 16, out: out + from }, room);
      for (let b = 0; b < batch; b++) {
        for (let t = 0; t < seq; t++) {
          for (let h = 0; h < heads; h++) {
            const [p, q] = [4 + at(strides, b, t, h), from / 4 + at(other, b, t, h)];
            const one = { ...shape, batch: 1, seq: 1, heads: 1, offset: positions[b]! + t };
            const wanted = engine.rope(wide.subarray(p, p + headDim), one);
            expectSameBits(O.slice(q, q + headDim), wanted);
            before.set(wanted, q);
          }
        }
      }
      // And nothing else was written.
      expectSameBits(O, before);
    }
  });

  it('keeps NaN and infinities to their pairs', () => {
    const options = { seq: 4, heads: 2, headDim: 14, rotaryDim: 10, offset: 3 };
    const x = normal(4 * 2 * 14, 1);
    const clean = engine.rope(x, options);
    for (const special of [NaN, Infinity, -Infinity]) {
      for (const d of [0, 3, 4, 7, 9, 12]) {
        const at = 5 * 14 + d;
        const y = engine.rope(x.with(at, special), options);
        const other = d >= 10 ? at : d < 5 ? at + 5 : at - 5;
        for (const [i, value] of y.entries()) {
          if (i === at || i === other) expect(Number.isFinite(value)).toBe(false);
          else expect(value).toBe(clean[i]);
        }
      }
    }
  });

  it('nothing in, nothing out', () => {
    const none = new Float32Array(0);
    for (const [batch, seq] of [
      [0, 3],
      [2, 0],
      [0, 0],
    ] as const) {
      const options = { batch, seq, heads: 2, headDim: 4 };
      expect(engine.rope(none, options)).toHaveLength(0);
      expect(engine.rope(none, { ...options, positions: new Int32Array(batch * seq) })).toHaveLength(0);
      expect(engine.rope(none, { ...options, offset: new Int32Array(batch) })).toHaveLength(0);
      expect(reference.rope(none, options)).toHaveLength(0);
    }
  });
});

it('the plain function', () => {
  const x = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0);
  const y = rope(x, { seq: 2, heads: 1, headDim: 4 });
  expect(y.map((each) => Math.round(each * 1e4) / 1e4)).toEqual(
    Float32Array.of(1, 0, 0, 0, 0.5403, 0, 0.8415, 0),
  );
});
