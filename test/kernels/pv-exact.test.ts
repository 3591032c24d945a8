/** The weighted sum that skips masked keys: f32ScoreSeen and f32PvExact, against the formula and against the fast tiles. */
import { TILE_4X8, TILE_6X8 } from '../../common/abi.ts';
import { describe, expect, it } from 'vitest';
import { builds } from '../builds.ts';
import { integers, normal, uniform } from '../data.ts';
import { Arena, expectSame, expectWithin, gamma, type Block } from './harness.ts';
import { COLUMNS, spread } from './tiles.ts';

const KEYS = [0, 1, 2, 3, 4, 5, 8, 9, 95, 96];
const DIMS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 64];
const SEEN = 0xffffffff;

/** O[valueDim × 8] = O·factor + Vᵀ[valueDim × keys] · P[keys × 8] over the keys that `seen` tells. */
interface Operands {
  readonly keys: number;
  readonly valueDim: number;
  readonly v: Float32Array;
  readonly p: Float32Array;
  readonly seen: Uint32Array;
  readonly o: Float32Array;
  readonly factor: Float32Array;
}

type Make = (length: number, seed: number) => Float32Array;
const small: Make = (length, seed) => integers(length, seed, 9);

/** A share of the keys is masked, its p set to 0. */
function operands(keys: number, valueDim: number, make: Make, masked = 0): Operands {
  const seed = 100 * keys + valueDim;
  const next = uniform(seed);
  const seen = Uint32Array.from({ length: keys * COLUMNS }, () => (next() < masked ? 0 : SEEN));
  return {
    keys,
    valueDim,
    v: make(keys * valueDim, seed + 1),
    p: make(keys * COLUMNS, seed + 2).map((x, at) => (seen[at] === 0 ? 0 : x)),
    seen,
    o: make(valueDim * COLUMNS, seed + 3),
    factor: make(COLUMNS, seed + 4),
  };
}

describe.each(builds)('masked weighted sum, %s', (build) => {
  const arena = new Arena(build);
  const { kernels } = arena;

  const run = ({ keys, valueDim, v, p, seen, o, factor }: Operands, gap: number, last?: string) => {
    arena.clear();
    const place = (name: string, data: Float32Array): Block =>
      name === last ? arena.placeLast(data) : arena.place(data);
    const values = place('v', spread(v, valueDim, gap));
    const weights = place('p', p);
    const mask = place('seen', new Float32Array(seen.length));
    mask.words.set(seen);
    const out = place('o', o);
    const f = place('factor', factor);
    arena.run([out], () => {
      const ldv = 4 * (valueDim + gap);
      kernels.f32PvExact(
        values.address,
        ldv,
        valueDim,
        weights.address,
        keys,
        mask.address,
        out.address,
        f.address,
      );
    });
    return out.floats.slice();
  };

  /** In the order of the contract: each key that is seen, ascending, then the rescale. */
  const inOrder = ({ keys, valueDim, v, p, seen, o, factor }: Operands) =>
    o.map((before, at) => {
      const [d, lane] = [Math.floor(at / COLUMNS), at % COLUMNS];
      let sum = 0;
      for (let key = 0; key < keys; key++) {
        const weight = key * COLUMNS + lane;
        if (seen[weight] !== 0) sum = arena.madd(v[key * valueDim + d]!, p[weight]!, sum);
      }
      return arena.madd(before, factor[lane]!, sum);
    });

  /** In float64; the bound counts a rounding a key, one where sum and output join, one of the output's rescale. */
  const exact = ({ keys, valueDim, v, p, seen, o, factor }: Operands) => {
    const truth = new Float64Array(o.length);
    const bound = new Float64Array(o.length);
    for (const at of o.keys()) {
      const [d, lane] = [Math.floor(at / COLUMNS), at % COLUMNS];
      truth[at] = o[at]! * factor[lane]!;
      bound[at] = gamma(2) * Math.abs(truth[at]);
      for (let key = 0; key < keys; key++) {
        const weight = key * COLUMNS + lane;
        if (seen[weight] === 0) continue;
        const product = v[key * valueDim + d]! * p[weight]!;
        truth[at] += product;
        bound[at] += gamma(keys + 1) * Math.abs(product);
      }
    }
    return { truth, bound };
  };

  it.each(KEYS)('f32ScoreSeen: %i keys', (keys) => {
    for (const last of [false, true]) {
      arena.clear();
      const next = uniform(keys);
      const values = [-Infinity, NaN, Infinity, 0, -(2 - 2 ** -23) * 2 ** 127, 1];
      const s = Float32Array.from({ length: keys * COLUMNS }, () => values[Math.floor(next() * 6)]!);
      const block = last ? arena.placeLast(s) : arena.place(s);
      const seen = arena.room(s.length);
      arena.run([seen], () => {
        kernels.f32ScoreSeen(block.address, keys, seen.address);
      });
      expectSame(
        seen.words,
        Array.from(s, (x) => (x === -Infinity ? 0 : SEEN)),
        'seen',
      );
    }
  });

  it.each(DIMS)('valueDim %i: exact on integers, in order and inside the law on floats', (valueDim) => {
    for (const keys of KEYS) {
      for (const masked of [0, 0.3, 1]) {
        for (const gap of [0, 3]) {
          const what = `${keys} keys, masked ${masked}, gap ${gap}`;
          const whole = operands(keys, valueDim, small, masked);
          expectSame(
            run(whole, gap),
            Float32Array.from(exact(whole).truth, (x) => x + 0),
            `${what}: integers`,
          );
          const real = operands(keys, valueDim, normal, masked);
          const actual = run(real, gap);
          const { truth, bound } = exact(real);
          expectWithin(actual, truth, bound, `${what}: against float64`);
          expectSame(actual, inOrder(real), `${what}: in order`);
        }
      }
    }
  });

  it('has the bits of the fast tiles where everything is finite', () => {
    for (const valueDim of DIMS) {
      for (const keys of KEYS) {
        // Masked keys too: their weight is 0, and 0 times a finite value adds nothing.
        for (const masked of [0, 0.3]) {
          const x = operands(keys, valueDim, normal, masked);
          const expected = run(x, 1);
          for (const tile of [TILE_4X8, TILE_6X8]) {
            arena.clear();
            const v = arena.place(spread(x.v, valueDim, 1));
            const p = arena.place(x.p);
            const o = arena.place(x.o);
            const factor = arena.place(x.factor);
            const ldv = 4 * (valueDim + 1);
            kernels.columnsAdd(
              v.address,
              ldv,
              valueDim,
              p.address,
              0,
              1,
              keys,
              o.address,
              0,
              32,
              factor.address,
              0,
              tile,
            );
            expectSame(
              o.floats,
              expected,
              `valueDim ${valueDim}, ${keys} keys, masked ${masked}, tile ${tile}`,
            );
          }
        }
      }
    }
  });

  it('does not see NaN and infinity of a masked key', () => {
    for (const special of [NaN, Infinity, -Infinity]) {
      for (const valueDim of [1, 4, 7]) {
        const x = operands(9, valueDim, normal, 0.5);
        const clean = run(x, 0);
        for (let key = 0; key < 9; key++) {
          const v = x.v.slice();
          v.fill(special, key * valueDim, (key + 1) * valueDim);
          const actual = run({ ...x, v }, 0);
          const sees = (at: number) => x.seen[key * COLUMNS + (at % COLUMNS)] !== 0;
          // Lanes that mask it keep their bits; lanes that see it are no longer finite.
          for (const [at, y] of actual.entries()) {
            if (sees(at)) expect(Number.isFinite(y)).toBe(false);
            else expect(y).toBe(clean[at]);
          }
          expectSame(actual, inOrder({ ...x, v }), `${special} at key ${key}`);
        }
      }
    }
  });

  it('keeps NaN of a weight and of a factor to its lane', () => {
    const x = operands(5, 3, normal);
    const clean = run(x, 0);
    for (let lane = 0; lane < COLUMNS; lane++) {
      const expected = clean.map((y, at) => (at % COLUMNS === lane ? NaN : y));
      const p = x.p.map((w, at) => (at === 2 * COLUMNS + lane ? NaN : w));
      expectSame(run({ ...x, p }, 0), expected, `weight of lane ${lane}`);
      const factor = x.factor.map((f, at) => (at === lane ? NaN : f));
      expectSame(run({ ...x, factor }, 0), expected, `factor of lane ${lane}`);
    }
  });

  it('reads nothing beyond its operands', () => {
    for (const [keys, valueDim] of [
      [1, 1],
      [3, 5],
      [4, 8],
    ] as const) {
      const x = operands(keys, valueDim, normal, 0.3);
      const expected = run(x, 0);
      for (const last of ['v', 'p', 'seen', 'o', 'factor']) expectSame(run(x, 2, last), expected, last);
    }
  });

  it('refuses a negative number of keys or of dimensions', () => {
    for (const call of [
      () => {
        kernels.f32ScoreSeen(4096, -1, 8192);
      },
      () => {
        kernels.f32PvExact(4096, 4, 1, 4096, -1, 4096, 8192, 4096);
      },
      () => {
        kernels.f32PvExact(4096, 4, -1, 4096, 1, 4096, 8192, 4096);
      },
    ]) {
      expect(call).toThrow('assertion');
    }
  });
});
