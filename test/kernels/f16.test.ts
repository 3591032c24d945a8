/**
 * Float16 and back: f16Widen on every pattern there is, f16Narrow where it decides (all float32 are in test/slow), both
 * against the definition in float64 (test/halves.ts); raw, which is 2⁻¹¹² of that; f16Check; and
 * f16Dot and f16Pv1x32, which unpack on the way.
 */
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { normal } from '../data.ts';
import { anyFloats, halfBits, halfValue, MOST, roundToHalf } from '../halves.ts';
import { Arena, expectSame, type Written } from './harness.ts';

const LENGTHS = [...Array.from({ length: 41 }, (_, n) => n), 64, 127, 128, 130];
const PATTERNS = Uint16Array.from({ length: 65536 }, (_, i) => i);
const FINITE = PATTERNS.filter((bits) => Number.isFinite(halfValue(bits)));

/** Room for halves, at any even address. */
interface Halves extends Written {
  readonly halves: Uint16Array;
}

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The float so many floats away from x, away from zero. */
function beside(x: number, steps: number): number {
  float[0] = x;
  word[0]! += steps;
  return float[0];
}

describe.each(builds)('float16, %s', (build) => {
  const arena = new Arena(build);
  const { kernels } = arena;

  /** `length` halves that begin at an odd pair of bytes or an even one, or end with the memory. */
  const halvesAt = (length: number, where: 0 | 1 | 'last'): Halves => {
    const words = Math.ceil((length + 1) / 2);
    const block = where === 'last' ? arena.placeLast(new Float32Array(words)) : arena.room(words);
    const address = where === 'last' ? block.address + 4 * words - 2 * length : block.address + 2 * where;
    const halves = new Uint16Array(block.words.buffer, address, length);
    return { address, halves, words: halves };
  };

  const narrow = (x: Float32Array, where: 0 | 1 | 'last' = 0, last = false): Uint16Array => {
    arena.clear();
    const from = last ? arena.placeLast(x) : arena.place(x);
    const to = halvesAt(x.length, where);
    arena.run([to], () => {
      kernels.f16Narrow(from.address, x.length, to.address);
    });
    return to.halves.slice();
  };

  /** Rows of n, with so many canaries between two rows. */
  const widen = (
    x: Uint16Array,
    n: number,
    gaps: readonly [from: number, to: number] = [0, 0],
    last?: 'from' | 'to',
    raw = false,
  ): Float32Array => {
    arena.clear();
    const rows = n === 0 ? 3 : x.length / n;
    const [ldf, ldt] = [n + gaps[0], n + gaps[1]];
    const from = halvesAt(Math.max(0, rows * ldf - gaps[0]), last === 'from' ? 'last' : 1);
    from.halves.fill(0x7c01);
    for (let row = 0; row < rows; row++) from.halves.set(x.subarray(row * n, row * n + n), row * ldf);
    const size = Math.max(0, rows * ldt - gaps[1]);
    const to = last === 'to' ? arena.placeLast(new Float32Array(size)) : arena.room(size);
    const written = Array.from({ length: rows }, (_, row) => {
      return { address: to.address + 4 * row * ldt, words: { byteLength: 4 * n } };
    });
    arena.run(written, () => {
      kernels.f16Widen(from.address, 2 * ldf, rows, n, to.address, 4 * ldt, raw);
    });
    const out = new Float32Array(x.length);
    for (let row = 0; row < rows; row++) out.set(to.floats.subarray(row * ldt, row * ldt + n), row * n);
    return out;
  };

  /** Narrowed by the kernel and by the definition, which must be one. */
  const expectNarrow = (x: Float32Array, what: string): void => {
    for (let start = 0; start < x.length; start += 8192) {
      const part = x.subarray(start, start + 8192);
      const halves = narrow(part);
      for (const [i, bits] of halves.entries()) {
        // Of NaN there is one, of either sign.
        const right = Number.isNaN(part[i])
          ? (bits & 0x7fff) === 0x7e00
          : bits === halfBits(roundToHalf(part[i]!));
        if (!right) expect.fail(`${what}: ${part[i]} gives ${bits.toString(16)}`);
      }
    }
  };

  it('the definition itself: every pattern is its own nearest, and neighbours are where they should be', () => {
    for (const bits of PATTERNS) {
      const value = halfValue(bits);
      if (!Number.isNaN(value)) expect(halfBits(roundToHalf(value))).toBe(bits);
    }
    expect([1, 2 ** -24, 2 ** -14, MOST, 1 / 3].map(roundToHalf)).toEqual([
      ...[1, 2 ** -24, 2 ** -14, MOST, 0.333251953125],
    ]);
    expect([65519.99, 65520, -65520, 2 ** -25, 1.5 * 2 ** -24, 2049, 2051].map(roundToHalf)).toEqual([
      ...[MOST, Infinity, -Infinity, 0, 2 ** -23, 2048, 2052],
    ]);
  });

  it('widens all 65,536 patterns exactly, and NaN stays NaN', () => {
    for (let start = 0; start < 65536; start += 8192) {
      const part = PATTERNS.subarray(start, start + 8192);
      for (const n of [8192, 1]) {
        if (n === 1 && start % 32768 !== 0) continue;
        expectSame(widen(part, n), Array.from(part, halfValue), `from ${start}, rows of ${n}`);
      }
    }
  });

  it('unpacks every finite pattern as 2⁻¹¹² of it, exactly, subnormals too', () => {
    for (let start = 0; start < FINITE.length; start += 8192) {
      const part = FINITE.subarray(start, start + 8192);
      const values = Array.from(part, (bits) => halfValue(bits) * 2 ** -112);
      expectSame(widen(part, part.length, [0, 0], undefined, true), values, `from ${start}`);
    }
  });

  it('narrows what it has widened to the same bits', () => {
    for (let start = 0; start < FINITE.length; start += 8192) {
      const part = FINITE.subarray(start, start + 8192);
      expect(narrow(widen(part, part.length))).toEqual(part);
    }
  });

  it('every tie goes to the even one, and the floats beside it to the nearer', () => {
    const ties: number[] = [];
    for (let bits = 0; bits < 0x7c00; bits++) {
      const [low, high] = [halfValue(bits), bits === 0x7bff ? 65536 : halfValue(bits + 1)];
      const tie = (low + high) / 2;
      expect(halfBits(roundToHalf(tie))).toBe(bits + (bits % 2));
      for (const x of [beside(tie, -1), tie, beside(tie, 1)]) ties.push(x, -x);
    }
    expectNarrow(Float32Array.from(ties), 'ties');
  });

  it('boundaries: the largest, what rounds to it, ∞, NaN, −0, subnormals', () => {
    const cases: readonly (readonly [x: number, bits: number])[] = [
      [0, 0],
      [-0, 0x8000],
      [MOST, 0x7bff],
      [beside(65520, -1), 0x7bff],
      [65520, 0x7c00],
      [3.4e38, 0x7c00],
      [Infinity, 0x7c00],
      [-Infinity, 0xfc00],
      [-65520, 0xfc00],
      [2 ** -14, 0x0400],
      [beside(2 ** -14, -1), 0x0400],
      [2 ** -24, 1],
      [-(2 ** -24), 0x8001],
      [2 ** -25, 0],
      [beside(2 ** -25, 1), 1],
      [2 ** -149, 0],
      [-(2 ** -149), 0x8000],
    ];
    for (const [x, bits] of cases) expect(narrow(Float32Array.of(x))[0], `${x}`).toBe(bits);
    // NaN of every kind: quiet, signalling, of either sign, whose payload lies only where float16 has no bits.
    const nans = new Float32Array(
      Uint32Array.of(0x7fc00000, 0x7f800001, 0xffc00000, 0xff801fff, 0x7fffffff).buffer,
    );
    for (const bits of narrow(nans)) expect(halfValue(bits)).toBeNaN();
  });

  it('what is left over of vectors is as what is in them', () => {
    const halves = Uint16Array.of(
      ...[0x7c00, 0xfc00, 0x7e00, 0x7c01, 0xfdff, 0x0001, 0x8001, 0x03ff, 0x0400, 0x7bff, 0x8000, 0x3c01],
    );
    expectSame(widen(halves, 1), Float32Array.from(halves, halfValue), 'widened');
    for (const x of [
      [Infinity, NaN, -Infinity],
      [MOST, beside(65520, -1), -MOST],
      // Ties: down to an even one, up to one, and what is beside.
      [1 + 2 ** -11, 1 + 3 * 2 ** -11, beside(1 + 2 ** -11, 1)],
      [-(1 + 2 ** -11), -(1 + 3 * 2 ** -11), beside(1 + 3 * 2 ** -11, -1)],
      [beside(2 ** -14, -1), 3 * 2 ** -25, 2 ** -25],
    ]) {
      expectNarrow(Float32Array.from(x), 'left over');
      expectNarrow(Float32Array.from([...x, ...x.slice(0, 1)]), 'four');
    }
  });

  it('a dense sweep: every exponent with every upper half of the mantissa, and any bits', () => {
    const sweep = Uint32Array.from({ length: 65536 }, (_, i) => i * 65536 + ((i * 40503) & 0xffff));
    expectNarrow(new Float32Array(sweep.buffer), 'sweep');
    expectNarrow(anyFloats(200_000, 1), 'any bits');
    expectNarrow(normal(100_000, 2), 'normal numbers');
  });

  it.each(LENGTHS)('%i at a time: nothing else is read or written', (n) => {
    const x = normal(n, n + 1);
    const expected = Uint16Array.from(x, (each) => halfBits(roundToHalf(each)));
    for (const where of [0, 1, 'last'] as const) expect(narrow(x, where), `to ${where}`).toEqual(expected);
    expect(narrow(x, 1, true), 'from the end').toEqual(expected);
    const halves = Uint16Array.from({ length: 3 * n }, (_, i) => (i * 7919) % 0x7c00);
    const values = Array.from(halves, halfValue);
    for (const gaps of [
      [0, 0],
      [1, 0],
      [3, 5],
    ] as const) {
      for (const last of [undefined, 'from', 'to'] as const) {
        expectSame(widen(halves, n, gaps, last), values, `gaps ${gaps.join()}, last ${last}`);
        const small = values.map((x) => x * 2 ** -112);
        expectSame(widen(halves, n, gaps, last, true), small, `unpacked, last ${last}`);
      }
    }
  });

  it('f16Check: one finite number that is too large, one that is none, wherever it is, and nothing else', () => {
    const check = (x: Float32Array, last: boolean): number => {
      arena.clear();
      const from = last ? arena.placeLast(x) : arena.place(x);
      let found = -1;
      arena.run([], () => (found = kernels.f16Check(from.address, x.length)));
      return found;
    };
    const fine = [0, -0, MOST, -MOST, 2 ** -149, beside(MOST, -1), 1];
    const most = (2 - 2 ** -23) * 2 ** 127;
    const large = [beside(MOST, 1), -beside(MOST, 1), most, -most, 65520];
    const nans = new Float32Array(Uint32Array.of(0xffffffff, 0x7f800001, 0xff800001).buffer);
    const special = [Infinity, -Infinity, NaN, ...nans];
    for (const n of [0, 1, 2, 3, 4, 5, 7, 8, 9, 64, 127]) {
      const x = Float32Array.from({ length: n }, (_, i) => fine[i % 7]!);
      for (const last of [false, true]) {
        expect(check(x, last), `${n} of what is fine`).toBe(0);
        for (let i = 0; i < n; i++) {
          for (const [found, list] of [
            [1, large],
            [2, special],
          ] as const) {
            const bad = x.slice();
            bad[i] = list[(i + n) % list.length]!;
            expect(check(bad, last), `${bad[i]} at ${i} of ${n}`).toBe(found);
            bad[(i * 5 + 1) % n] = [special, large][found - 1]![i % 5]!;
            if ((i * 5 + 1) % n !== i) expect(check(bad, last), `both in ${n}`).toBe(3);
          }
        }
      }
    }
  });

  describe('on the way', () => {
    const KEYS = [0, 1, 2, 3, 4, 5, 7, 8, 31, 95, 96];
    /** Rows of halves of any finite pattern, so many canaries between two; and the same as raw floats. */
    const rows = (
      n: number,
      keys: number,
      gap: number,
      last: boolean,
    ): { halves: Halves; raw: Float32Array } => {
      const halves = halvesAt(Math.max(0, keys * (n + gap) - gap), last ? 'last' : 1);
      halves.halves.fill(0x7c01);
      const raw = new Float32Array(n * keys);
      for (let at = 0; at < n * keys; at++) {
        const bits = FINITE[(at * 7919 + n) % FINITE.length]!;
        halves.halves[Math.floor(at / n) * (n + gap) + (at % n)] = bits;
        raw[at] = halfValue(bits) * 2 ** -112;
      }
      return { halves, raw };
    };

    it.each([8, 16, 24, 64, 128, 136])('f16Dot, k = %i: the bits of f32Dot on raw floats', (k) => {
      for (const keys of KEYS) {
        for (const last of ['a', 'b', undefined]) {
          arena.clear();
          const a = normal(k, k);
          const [x, out, same] = [
            last === 'a' ? arena.placeLast(a) : arena.place(a),
            arena.room(8 * keys),
            arena.room(8 * keys),
          ];
          const gap = keys % 3;
          const { halves, raw } = rows(k, keys, gap, last === 'b');
          const written = Array.from({ length: keys }, (_, j) => {
            return { address: out.address + 32 * j, words: { byteLength: 4 } };
          });
          arena.run(written, () => {
            kernels.f16Dot(x.address, halves.address, 2 * (k + gap), k, keys, out.address, 32);
          });
          const b = arena.place(raw);
          kernels.f32Dot(x.address, b.address, 4 * k, k, keys, same.address, 32);
          expectSame(out.words, same.words, `${keys} keys, last ${last}`);
        }
      }
    });

    it.each([32, 64, 96, 128, 1088])(
      'f16Pv1x32, valueDim %i: the bits of f32Pv1x32 on raw floats',
      (valueDim) => {
        // What the arena has room for.
        for (const keys of KEYS.filter((count) => count * valueDim <= 96 * 128)) {
          for (const last of ['v', 'p', 'o', undefined]) {
            arena.clear();
            const place = (name: string, x: Float32Array) =>
              name === last ? arena.placeLast(x) : arena.place(x);
            const before = normal(valueDim, 2);
            // Weights as they are: times 2¹¹².
            const weights = normal(8 * keys, 1).map((y) => y * 2 ** 112);
            const p = place('p', weights);
            const [out, same, factor] = [place('o', before), arena.place(before), arena.place([0.75])];
            const gap = keys % 3;
            const { halves, raw } = rows(valueDim, keys, gap, last === 'v');
            const ldv = 2 * (valueDim + gap);
            arena.run([out], () => {
              kernels.f16Pv1x32(halves.address, ldv, valueDim, p.address, keys, out.address, factor.address);
            });
            const v = arena.place(raw);
            kernels.f32Pv1x32(
              v.address,
              4 * valueDim,
              valueDim,
              p.address,
              keys,
              same.address,
              factor.address,
            );
            expectSame(out.words, same.words, `${keys} keys, last ${last}`);
          }
        }
      },
    );
  });

  it('refuse a negative number of elements or rows, and what is no whole number of vectors', () => {
    for (const call of [
      () => {
        kernels.f16Narrow(4096, -1, 8192);
      },
      () => kernels.f16Check(4096, -1),
      () => {
        kernels.f16Dot(4096, 4096, 16, 7, 1, 8192, 4);
      },
      () => {
        kernels.f16Dot(4096, 4096, 16, 8, -1, 8192, 4);
      },
      () => {
        kernels.f16Pv1x32(4096, 64, 31, 4096, 1, 8192, 4096);
      },
      () => {
        kernels.f16Pv1x32(4096, 64, 32, 4096, -1, 8192, 4096);
      },
      () => {
        kernels.f16Widen(4096, 2, -1, 1, 8192, 4, false);
      },
      () => {
        kernels.f16Widen(4096, 2, 1, -1, 8192, 4, true);
      },
    ]) {
      expect(call).toThrow('assertion');
    }
  });
});
