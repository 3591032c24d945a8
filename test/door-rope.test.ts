/** The door of rope, and of rope and mergeAttention through an engine. What counts as a float array is in door-arrays. */
import { describe, expect, it } from 'vitest';
import { PLAIN } from '../src/checks/index.ts';
import { resolveRope } from '../src/options/rope.ts';
import * as reference from '../src/reference.ts';
import { builds, engineOf } from './builds.ts';
import { f32, normal } from './data.ts';
import { absent, table, type Row } from './door.ts';
import { fault, pattern, refusesEach, watch, type Refusal } from './nothing-lost.ts';
import { refusal } from './refusals.ts';

const dim = (min: number) => `an integer from ${min} to 4294967296`;
const layouts = "'bshd' or 'bhsd'";
const turns = 'one that makes no angle larger than 2147483648';
/** Of three. */
const first = 'an integer from -2147483648 to 2147483645';

describe('rope', () => {
  const good = { batch: 2, seq: 3, heads: 2, headDim: 8 };
  const x = f32(96);
  const resolve = (more: object, given: unknown = x) =>
    resolveRope('rope', PLAIN, given, { ...good, ...more });

  it('fills in the defaults', () => {
    const rest = { rotaryDim: 8, interleaved: false, theta: 10000, scaling: 1, layout: 'bshd' };
    const positions = new Int32Array(2);
    expect(resolve({})).toEqual({ tensors: false, out: undefined, ...rest, ...good, positions });
    const one = resolveRope('rope', PLAIN, f32(8), { seq: 1, heads: 1, headDim: 8 });
    expect(one).toMatchObject({ batch: 1, positions: new Int32Array(1) });
  });
  it('takes offsets and positions, and copies them', () => {
    expect(resolve({ offset: 5 }).positions).toEqual(Int32Array.of(5, 5));
    expect(resolve({ offset: [5, -2] }).positions).toEqual(Int32Array.of(5, -2));
    expect(resolve({ offset: Float64Array.of(2 ** 31 - 3, -(2 ** 31)) }).positions).toEqual(
      Int32Array.of(2 ** 31 - 3, -(2 ** 31)),
    );
    const positions = Int32Array.of(4, 4, 9, 0, -7, 2 ** 31 - 1);
    const problem = resolve({ positions });
    expect(problem.positions).toEqual(positions);
    expect(problem.positions).not.toBe(positions);
  });
  it('takes whatever turns', () => {
    for (const more of [
      { rotaryDim: 2 },
      { rotaryDim: 2, theta: Number.MIN_VALUE, scaling: 1e300 },
      { theta: Number.MAX_VALUE },
      { theta: 0.5, offset: 1e6 },
      { scaling: 0.001, offset: 1e6 },
      { scaling: Number.MAX_VALUE, offset: 2 ** 31 - 3 },
      { batch: 0, offset: [] },
      { seq: 0, offset: -(2 ** 31) },
      { seq: 0, offset: -(2 ** 31), scaling: 0.5 },
      { scaling: 1e-9 },
    ]) {
      const { batch, seq } = { ...good, ...more } as typeof good;
      expect(() => resolve(more, f32(batch * seq * 16))).not.toThrow();
    }
  });
  const fit = 'batch 2 × heads 2 × seq 3 × headDim 8';
  const even = 'an even integer from 2 to headDim';
  table(
    'rope',
    [
      [{ seq: undefined }, 'seq', 'ERR_ARG_TYPE', absent],
      [{ heads: undefined }, 'heads', 'ERR_ARG_TYPE', absent],
      [{ headDim: undefined }, 'headDim', 'ERR_ARG_TYPE', absent],
      [{ seq: '3' }, 'seq', 'ERR_ARG_TYPE', 'number, got string'],
      [{ heads: 0 }, 'heads', 'ERR_DIM', `${dim(1)}, got 0`],
      [{ headDim: 0 }, 'headDim', 'ERR_DIM', `${dim(1)}, got 0`],
      [{ batch: -1 }, 'batch', 'ERR_DIM', `${dim(0)}, got -1`],
      [{ seq: 1.5 }, 'seq', 'ERR_DIM', `${dim(0)}, got 1.5`],
      [{ seq: 2 ** 32 + 3 }, 'seq', 'ERR_DIM', `${dim(0)}, got 4294967299`],
      [
        { thetta: 1 },
        'thetta',
        'ERR_UNKNOWN_OPTION',
        'one of batch, seq, heads, headDim, layout, offset, positions, theta, rotaryDim, interleaved, scaling, out, ' +
          'got an unknown option — did you mean "theta"?',
      ],
      [{ layout: 'sbhd' }, 'layout', 'ERR_OPTION', `${layouts}, got 'sbhd'`],
      [{ layout: 1 }, 'layout', 'ERR_ARG_TYPE', `${layouts}, got number`],
      [{ interleaved: 1 }, 'interleaved', 'ERR_ARG_TYPE', 'boolean, got number'],
      ...['theta', 'scaling'].flatMap((name): Row[] => [
        ...[0, -0, -1, NaN, Infinity].map((n): Row => [
          { [name]: n },
          name,
          'ERR_RANGE',
          `a finite number above 0, got ${n}`,
        ]),
        [{ [name]: '1' }, name, 'ERR_ARG_TYPE', 'number, got string'],
        [{ [name]: null }, name, 'ERR_ARG_TYPE', 'number, got null'],
      ]),
      ...[0, 1, 3, 10, -2, 2.5, NaN, Infinity].map((n): Row => [
        { rotaryDim: n },
        'rotaryDim',
        'ERR_RANGE',
        `${even} 8, got ${n}`,
      ]),
      [{ rotaryDim: '4' }, 'rotaryDim', 'ERR_ARG_TYPE', 'number, got string'],
      [{ headDim: 7 }, 'rotaryDim', 'ERR_RANGE', `${even} 7, got 7 — its default is headDim`],
      [{ headDim: 1 }, 'rotaryDim', 'ERR_RANGE', `${even} 1, got 1 — its default is headDim`],
      ...[0.5, NaN, Infinity, 2 ** 31 - 2, -(2 ** 31) - 1].map((n): Row => [
        { offset: n },
        'offset',
        'ERR_RANGE',
        `${first}, got ${n}`,
      ]),
      [{ offset: '3' }, 'offset', 'ERR_ARG_TYPE', 'an integer, or [batch] of them, got string'],
      [{ offset: null }, 'offset', 'ERR_ARG_TYPE', 'an integer, or [batch] of them, got null'],
      [
        { offset: new DataView(new ArrayBuffer(8)) },
        'offset',
        'ERR_ARG_TYPE',
        'an integer, or [batch] of them, got DataView',
      ],
      [{ offset: [1] }, 'offset', 'ERR_SHAPE', 'length 2, got length 1'],
      [{ offset: [1, '2'] }, 'offset[1]', 'ERR_ARG_TYPE', `${first}, got string`],
      [{ offset: [1, 0.5] }, 'offset[1]', 'ERR_RANGE', `${first}, got a number that is none`],
      [{ offset: [0, -(2 ** 31) - 1] }, 'offset[1]', 'ERR_RANGE', `${first}, got a number that is none`],
      [{ offset: [2 ** 31, 0] }, 'offset[0]', 'ERR_RANGE', `${first}, got a number that is none`],
      [{ positions: [1, 2, 3, 4, 5, 6] }, 'positions', 'ERR_ARG_TYPE', 'Int32Array, got Array'],
      [{ positions: f32(6) }, 'positions', 'ERR_ARG_TYPE', 'Int32Array, got Float32Array'],
      [{ positions: null }, 'positions', 'ERR_ARG_TYPE', 'Int32Array, got null'],
      [
        { positions: new Int32Array(5) },
        'positions',
        'ERR_SHAPE',
        'Int32Array of length 6 (batch 2 × seq 3), got length 5',
      ],
      [
        { positions: new Int32Array(6), offset: 0 },
        'offset',
        'ERR_OPTION',
        'either offset or positions, got both',
      ],
      [{ out: f32(95) }, 'out', 'ERR_SHAPE', `Float32Array of length 96 (${fit}), got length 95`],
      [
        { out: new Float64Array(96) },
        'out',
        'ERR_ARG_TYPE',
        'Float32Array, got Float64Array — new Float32Array(x) makes one',
      ],
      [
        { seq: 4 },
        'x',
        'ERR_SHAPE',
        'Float32Array of length 128 (batch 2 × heads 2 × seq 4 × headDim 8), got length 96',
      ],
      [
        { batch: 2 ** 16, seq: 2 ** 16 },
        'x',
        'ERR_SIZE',
        'at most 4294967296 bytes, got batch 65536 × heads 2 × seq 65536 × headDim 8 × 4 bytes',
      ],
      [{ scaling: 1e-6, offset: 1e5 }, 'scaling', 'ERR_RANGE', `${turns}, got 0.000001`],
      // The first two positions can be turned, the third cannot.
      [{ scaling: 9e-10 }, 'scaling', 'ERR_RANGE', `${turns}, got 9e-10`],
      [{ scaling: 0.9, offset: -(2 ** 31) }, 'scaling', 'ERR_RANGE', `${turns}, got 0.9`],
      [{ theta: 1e-12, offset: 1e5 }, 'theta', 'ERR_RANGE', `${turns}, got 1e-12`],
      [
        { theta: 0.5, positions: new Int32Array(6).fill(-(2 ** 31)) },
        'theta',
        'ERR_RANGE',
        `${turns}, got 0.5`,
      ],
      [{ theta: Number.MIN_VALUE, scaling: 1e300 }, 'theta', 'ERR_RANGE', `${turns}, got 5e-324`],
    ],
    (more) => resolve(more as object),
  );
  it('the operand, in the words of attention', () => {
    expect(fault(() => resolve({}, new Float64Array(96))).message).toBe(
      'rope: "x" expected Float32Array, got Float64Array — new Float32Array(x) makes one [ERR_ARG_TYPE]',
    );
    expect(fault(() => resolveRope('rope', PLAIN, undefined, good)).message).toBe(
      'rope: "x" expected Float32Array, got undefined [ERR_ARG_TYPE]',
    );
    expect(fault(() => resolveRope('rope', PLAIN, x, null)).arg).toBe('options');
  });
  it('positions whose buffer is gone', () => {
    const positions = new Int32Array(6);
    structuredClone(positions.buffer, { transfer: [positions.buffer] });
    expect(fault(() => resolve({ positions })).message).toBe(
      'rope: "positions" expected Int32Array on a live buffer, got one whose buffer was transferred, or shrunk below it ' +
        '[ERR_DETACHED]',
    );
  });
  it('the reference checks the same, and writes nothing before it throws', () => {
    const out = f32(96);
    expect(fault(() => reference.rope(x, { ...good, out, theta: 0 }))).toMatchObject({
      op: 'rope',
      arg: 'theta',
    });
    expect(out.every((each) => each === 0.5)).toBe(true);
  });
  it('offsets are read before lengths: who reads them may change what x is', () => {
    const buffer = new ArrayBuffer(4 * 96);
    const offset = {
      length: 2,
      get 0(): number {
        structuredClone(buffer, { transfer: [buffer] });
        return 1;
      },
      1: 2,
    };
    expect(fault(() => resolve({ offset }, new Float32Array(buffer))).code).toBe('ERR_DETACHED');
  });
});

describe.each(builds)('through an engine, %s: nothing is lost', (build) => {
  type Untyped = (...given: unknown[]) => unknown;
  it('arrays: turns that are no numbers', async () => {
    const engine = await engineOf(build);
    const [x, out] = [normal(24, 1), pattern(24)];
    const options = { seq: 3, heads: 2, headDim: 4, out };
    const watched = await watch(engine, x, out);
    const faults = [
      [{ theta: 0 }, 'theta', 'a finite number above 0, got 0'],
      [{ rotaryDim: 3 }, 'rotaryDim', 'an even integer from 2 to headDim 4, got 3'],
      [{ scaling: 1e-300, offset: 1 }, 'scaling', `${turns}, got 1e-300`],
      [{ offset: 0.5 }, 'offset', `${first}, got 0.5`],
    ] as const;
    await refusesEach(
      faults.map(([more, arg, words]) => ({
        call: () => engine.rope(x, { ...options, ...more }),
        refusal: refusal('rope', arg, 'ERR_RANGE', words),
      })),
      watched,
    );
    engine.dispose();
  });

  it('tensors of other shapes, or in an array’s place', async () => {
    const engine = await engineOf(build);
    const [x, y] = [engine.tensor([1, 3, 2, 4], normal(24, 1)), engine.tensor([1, 2, 3, 4], pattern(24))];
    const [flat, sum] = [engine.tensor([6, 4]), engine.tensor([1, 2, 3])];
    const watched = await watch(engine, x, y, flat, sum);
    const rope = engine.rope.bind(engine) as Untyped;
    const merge = engine.mergeAttention.bind(engine) as Untyped;
    const part = { out: x, logSumExp: sum };
    const bshd = 'shape [1, 3, 2, 4] (batch × seq × heads × headDim), got shape [1, 2, 3, 4]';
    const parts = 'shape [1, 3, 2, 4] (batch × seqQ × heads × valueDim), got shape [1, 2, 3, 4]';
    const shape = (op: string, arg: string, words: string): Refusal => refusal(op, arg, 'ERR_SHAPE', words);
    const kind = (op: string, arg: string, words: string): Refusal => refusal(op, arg, 'ERR_ARG_TYPE', words);
    await refusesEach(
      [
        { call: () => engine.rope(x, { out: y }), refusal: shape('rope', 'out', bshd) },
        {
          call: () => engine.rope(x, { layout: 'bhsd', seq: 3 }),
          refusal: shape(
            'rope',
            'x',
            'shape [1, 3, 3, 4] (batch × heads × seq × headDim), got shape [1, 3, 2, 4]',
          ),
        },
        { call: () => engine.rope(flat), refusal: shape('rope', 'x', 'a Tensor of 4 dimensions, got 2') },
        {
          call: () => engine.mergeAttention([part, { ...part, out: flat }]),
          refusal: shape('mergeAttention', 'parts[1].out', 'a Tensor of 4 dimensions, got 2'),
        },
        {
          call: () => rope(pattern(24), { seq: 3, heads: 2, headDim: 4, out: x }),
          refusal: kind('rope', 'out', 'Float32Array, as "x" is, got Tensor'),
        },
        {
          call: () => merge([part, { out: pattern(24), logSumExp: pattern(6) }]),
          refusal: kind('mergeAttention', 'parts[1].out', 'Tensor, as "parts[0].out" is, got Float32Array'),
        },
        {
          call: () => merge([{ ...part, logSumExp: pattern(6) }]),
          refusal: kind(
            'mergeAttention',
            'parts[0].logSumExp',
            'Tensor, as "parts[0].out" is, got Float32Array',
          ),
        },
        {
          call: () => engine.mergeAttention([part, { ...part, out: y }]),
          refusal: shape('mergeAttention', 'parts[1].out', parts),
        },
      ],
      watched,
    );
    engine.dispose();
  });

  it('positions on the engine’s memory, under out', async () => {
    const engine = await engineOf(build);
    const x = engine.tensor([1, 2, 1, 4], normal(8, 1));
    const wanted = engine.rope(x.data.slice(), {
      seq: 2,
      heads: 1,
      headDim: 4,
      positions: Int32Array.of(3, 1),
    });
    const out = engine.tensor([1, 2, 1, 4]);
    const positions = new Int32Array(out.data.buffer, out.data.byteOffset, 2);
    positions.set([3, 1]);
    engine.rope(x, { out, positions });
    expect(out.data).toEqual(wanted);
    engine.dispose();
  });
});
