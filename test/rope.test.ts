/** rope: against float64 by its law, to the bit where bits must be equal, and what it does with odd values. */
import { describe, expect, it } from 'vitest';
import { rope } from '../src/index.ts';
import type { Engine } from '../src/index.ts';
import * as reference from '../src/reference.ts';
import { builds, engineOf } from './builds.ts';
import { ropeCases, ropeInput } from './cases.ts';
import { integers, normal } from './data.ts';
import { use } from './laws.ts';
import { expectSameBits } from './problems.ts';
import { ropeLaw } from './rope-law.ts';
import { launchRope } from '../src/launch/rope.ts';
import { Runtime } from '../src/runtime.ts';

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
    it('subnormal and huge elements', () => {
      const options = { seq: 3, heads: 1, headDim: 8, offset: 5 };
      for (const size of [2 ** -149, 2 ** -140, 2 ** -126, 2 ** 126]) {
        const x = normal(24, 3).map((each) => each * size);
        expect(use(engine.rope(x, options), ropeLaw(x, options))).toBeLessThanOrEqual(1);
      }
    });
  });

  it('as ever: on every engine, in every build', async () => {
    const results: Float32Array<ArrayBuffer>[] = [];
    for (const { options } of ropeCases) {
      const { batch = 1, seq, heads, headDim } = options;
      const y = engine.rope(integers(batch * seq * heads * headDim, 1, 1000), options);
      // −0 and 0 are equal, and which of them a product of 0 gives is of no concern.
      results.push(Float32Array.from(y, (each) => each + 0));
    }
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await new Blob(results).arrayBuffer()));
    expect(Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')).toBe(
      '297a2137e9b73c30ff8753384fff76acd3cbd05f29034f4b934f7431fdb61e39',
    );
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
