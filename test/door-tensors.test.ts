/** The door with tensors and packed matrices, through a door of the test's own: shapes, mixing, states, overlap. */
import { describe, expect, it } from 'vitest';
import { StateError } from '../src/errors.ts';
import type { Door } from '../src/checks/index.ts';
import { resolveAttention } from '../src/options/attention.ts';
import { resolveMatmul, resolvePack } from '../src/options/matmul.ts';
import { fault } from './nothing-lost.ts';

class Tensor {
  readonly data: Float32Array;
  constructor(
    readonly shape: readonly number[],
    readonly state: 'live' | 'disposed' | 'foreign' = 'live',
  ) {
    this.data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  }
}

class Packed extends Tensor {}

const state = (op: string, arg: string, x: Tensor): void => {
  if (x.state === 'disposed')
    throw new StateError('ERR_DISPOSED', { op, arg, problem: `"${arg}" was disposed` });
  if (x.state === 'foreign') {
    throw new StateError('ERR_FOREIGN_TENSOR', { op, arg, problem: `"${arg}" is of another engine` });
  }
};

const door: Door = {
  floats: ['Float32Array'],
  shapeOf(op, arg, x) {
    if (!(x instanceof Tensor) || x instanceof Packed) return undefined;
    state(op, arg, x);
    return x.shape;
  },
  packedOf(op, arg, x) {
    if (!(x instanceof Packed)) return undefined;
    state(op, arg, x);
    const [K = 0, N = 0] = x.shape;
    return { K, N };
  },
};

const t = (...shape: number[]): Tensor => new Tensor(shape);
const f32 = (n: number): Float32Array => new Float32Array(n);

describe('attention', () => {
  const attend = (q: unknown, k: unknown, v: unknown, options?: unknown) =>
    resolveAttention('attention', door, q, k, v, options);
  const [q, k, v] = [t(2, 3, 6, 8), t(2, 5, 2, 8), t(2, 5, 2, 7)];
  const dims = { batch: 2, heads: 6, kvHeads: 2, seqQ: 3, seqK: 5, headDim: 8, valueDim: 7 };

  it('takes all dimensions from the tensors, in the layout', () => {
    expect(attend(q, k, v).problem).toMatchObject({ tensors: true, ...dims, layout: 'bshd' });
    const bhsd = { layout: 'bhsd', causal: true };
    const { problem } = attend(t(2, 6, 3, 8), t(2, 2, 5, 8), t(2, 2, 5, 7), bhsd);
    expect(problem).toMatchObject({
      tensors: true,
      ...dims,
      layout: 'bhsd',
      after: 0,
    });
  });
  it('stated dimensions must agree', () => {
    expect(() => attend(q, k, v, dims)).not.toThrow();
    const wrong: readonly [object, string, string][] = [
      [{ seqQ: 4 }, 'q', 'shape [2, 4, 6, 8] (batch × seqQ × heads × headDim), got shape [2, 3, 6, 8]'],
      [{ seqK: 4 }, 'k', 'shape [2, 4, 2, 8] (batch × seqK × kvHeads × headDim), got shape [2, 5, 2, 8]'],
      [
        { valueDim: 8 },
        'v',
        'shape [2, 5, 2, 8] (batch × seqK × kvHeads × valueDim), got shape [2, 5, 2, 7]',
      ],
      [{ batch: 1 }, 'q', 'shape [1, 3, 6, 8] (batch × seqQ × heads × headDim), got shape [2, 3, 6, 8]'],
    ];
    for (const [options, arg, words] of wrong) {
      expect(fault(() => attend(q, k, v, options)).message).toBe(
        `attention: "${arg}" expected ${words} [ERR_SHAPE]`,
      );
    }
  });
  it('each other must agree', () => {
    expect(fault(() => attend(q, t(2, 5, 2, 9), v))).toMatchObject({ code: 'ERR_SHAPE', arg: 'k' });
    expect(fault(() => attend(q, k, t(2, 4, 2, 7)))).toMatchObject({ code: 'ERR_SHAPE', arg: 'v' });
    expect(fault(() => attend(q, k, t(1, 5, 2, 7)))).toMatchObject({ code: 'ERR_SHAPE', arg: 'v' });
    expect(fault(() => attend(q, t(2, 5, 4, 8), t(2, 5, 4, 7)))).toMatchObject({ code: 'ERR_HEADS' });
    expect(fault(() => attend(t(2, 3, 6, 0), k, v))).toMatchObject({ code: 'ERR_DIM', arg: 'headDim' });
  });
  it('four dimensions', () => {
    for (const [arg, rank, ...[a, b, c]] of [
      ['q', 3, t(3, 6, 8), k, v],
      ['k', 3, q, t(5, 2, 8), v],
      ['v', 5, q, k, t(2, 5, 2, 7, 1)],
    ] as const) {
      expect(fault(() => attend(a, b, c)).message).toBe(
        `attention: "${arg}" expected a Tensor of 4 dimensions, got ${rank} [ERR_SHAPE]`,
      );
    }
  });
  it('of the same shapes are one call, of others another', () => {
    const before = attend(t(2, 3, 6, 8), k, v).problem;
    expect(attend(q, t(2, 5, 2, 8), v).problem).toBe(before);
    expect(attend(t(2, 4, 6, 8), k, v).problem).not.toBe(before);
    expect(attend(q, t(2, 4, 2, 8), t(2, 4, 2, 7)).problem).not.toBe(before);
    expect(attend(q, k, t(2, 5, 2, 6)).problem).not.toBe(before);
  });
  it('all tensors or all arrays', () => {
    expect(fault(() => attend(q, f32(160), v)).message).toBe(
      'attention: "k" expected Tensor, as "q" is, got Float32Array [ERR_ARG_TYPE]',
    );
    expect(fault(() => attend(q, k, undefined)).message).toBe(
      'attention: "v" expected Tensor, as "q" is, got undefined [ERR_ARG_TYPE]',
    );
    expect(fault(() => attend(f32(288), k, f32(1))).message).toBe(
      'attention: "k" expected Float32Array, as "q" is, got Tensor [ERR_ARG_TYPE]',
    );
    expect(fault(() => attend(q, k, v, { out: f32(252) })).arg).toBe('out');
  });
  it('out is a tensor of its shape; logSumExp may be either', () => {
    const out = t(2, 3, 6, 7);
    for (const logSumExp of [f32(36), t(2, 6, 3)]) {
      const { problem, out: given } = attend(q, k, v, { out, logSumExp });
      expect(given).toEqual({ arg: 'out', value: out, shape: [2, 3, 6, 7] });
      expect(problem.logSumExp?.value).toBe(logSumExp);
    }
    expect(() =>
      attend(f32(4), f32(4), f32(4), { seqQ: 2, headDim: 2, logSumExp: t(1, 1, 2) }),
    ).not.toThrow();
    expect(fault(() => attend(q, k, v, { out: t(2, 3, 7, 6) }))).toMatchObject({
      arg: 'out',
      code: 'ERR_SHAPE',
    });
    expect(fault(() => attend(q, k, v, { out: t(2, 3, 6, 7, 1) })).message).toBe(
      'attention: "out" expected shape [2, 3, 6, 7] (batch × seqQ × heads × valueDim), got shape [2, 3, 6, 7, 1] [ERR_SHAPE]',
    );
    expect(fault(() => attend(q, k, v, { logSumExp: t(36) }))).toMatchObject({
      arg: 'logSumExp',
      code: 'ERR_SHAPE',
    });
  });
  it('out shares no memory with logSumExp, whichever of them is a tensor', () => {
    const [one, three] = [t(2, 3, 4, 1), t(2, 4, 3)];
    const words =
      'attention: "out" expected memory of its own, got memory that "logSumExp" uses too [ERR_OVERLAP]';
    const arrays = { batch: 2, seqQ: 3, heads: 4, headDim: 1 };
    for (const call of [
      () => attend(f32(24), f32(24), f32(24), { ...arrays, out: three.data, logSumExp: three }),
      () => attend(t(2, 3, 4, 1), t(2, 3, 4, 1), t(2, 3, 4, 1), { out: one, logSumExp: one.data }),
    ]) {
      expect(fault(call).message).toBe(words);
    }
  });
  it('out may be no input', () => {
    // An empty one neither, though it shares no byte.
    for (const [i, name, batch] of [
      [0, 'q', 1],
      [1, 'k', 1],
      [2, 'v', 1],
      [0, 'q', 0],
    ] as const) {
      const same = t(batch, 3, 2, 4);
      const inputs = [0, 1, 2].map((at) => (at === i ? same : t(batch, 3, 2, 4)));
      expect(fault(() => attend(inputs[0], inputs[1], inputs[2], { out: same })).message).toBe(
        `attention: "out" expected memory of its own, got memory that "${name}" uses too [ERR_OVERLAP]`,
      );
    }
  });
  it('what the door throws passes through (faults 31, 34)', () => {
    const disposed = new Tensor([2, 5, 2, 8], 'disposed');
    const error = fault(() => attend(q, disposed, v));
    expect(error).toBeInstanceOf(StateError);
    expect(error.message).toBe('attention: "k" was disposed [ERR_DISPOSED]');
    const out = new Tensor([2, 3, 6, 7], 'foreign');
    expect(fault(() => attend(q, k, v, { out })).message).toBe(
      'attention: "out" is of another engine [ERR_FOREIGN_TENSOR]',
    );
  });
});

describe('matmul', () => {
  const multiply = (a: unknown, b: unknown, options?: unknown) =>
    resolveMatmul('matmul', door, a, b, options);

  it('takes its dimensions from the tensors', () => {
    const flat = {
      tensors: true,
      batch: 1,
      M: 2,
      K: 3,
      N: 4,
      sharedB: true,
      packed: false,
      outShape: [2, 4],
    };
    expect(multiply(t(2, 3), t(3, 4)).problem).toMatchObject(flat);
    expect(multiply(t(3, 2), t(4, 3), { transposeA: true, transposeB: true }).problem).toMatchObject(flat);
    const batched = { ...flat, batch: 5, outShape: [5, 2, 4] };
    expect(multiply(t(5, 2, 3), t(3, 4)).problem).toMatchObject(batched);
    expect(multiply(t(5, 2, 3), t(5, 3, 4)).problem).toMatchObject({ ...batched, sharedB: false });
    expect(multiply(t(5, 3, 2), t(3, 4), { transposeA: true }).problem).toMatchObject(batched);
    expect(multiply(t(5, 2, 3), t(5, 4, 3), { transposeB: true }).problem).toMatchObject({
      ...batched,
      sharedB: false,
    });
    expect(multiply(t(2, 3), t(1, 3, 4)).problem).toMatchObject({
      ...flat,
      sharedB: false,
      outShape: [1, 2, 4],
    });
  });
  it('refuses what does not fit', () => {
    expect(fault(() => multiply(t(2, 3), t(4, 4))).message).toBe(
      'matmul: "b" expected shape [3, 4] (K × N), got shape [4, 4] [ERR_SHAPE]',
    );
    expect(fault(() => multiply(t(2, 3), t(5, 3, 4))).message).toBe(
      'matmul: "a" expected shape [5, 2, 3] (batch × M × K), got shape [2, 3] [ERR_SHAPE]',
    );
    expect(fault(() => multiply(t(5, 2, 3), t(1, 3, 4)))).toMatchObject({ arg: 'b', code: 'ERR_SHAPE' });
    expect(fault(() => multiply(t(2, 3), t(3, 4), { N: 5 }))).toMatchObject({ arg: 'b', code: 'ERR_SHAPE' });
    expect(fault(() => multiply(t(6), t(3, 4))).message).toBe(
      'matmul: "a" expected a Tensor of 2 or 3 dimensions, got 1 [ERR_SHAPE]',
    );
    expect(fault(() => multiply(t(2, 3), t(1, 1, 3, 4))).message).toBe(
      'matmul: "b" expected a Tensor of 2 or 3 dimensions, got 4 [ERR_SHAPE]',
    );
    expect(fault(() => multiply(t(2, 3), f32(12)))).toMatchObject({ arg: 'b', code: 'ERR_ARG_TYPE' });
    expect(fault(() => multiply(t(2, 3), t(3, 4), { out: t(1, 2, 4) }))).toMatchObject({ arg: 'out' });
  });
  it('bias may be either, out may be no input', () => {
    for (const bias of [f32(4), t(4)])
      expect(multiply(t(2, 3), t(3, 4), { bias }).problem.bias?.value).toBe(bias);
    const same = t(3, 3);
    expect(fault(() => multiply(same, t(3, 3), { out: same })).code).toBe('ERR_OVERLAP');
    expect(fault(() => multiply(t(3, 3), same, { out: same })).code).toBe('ERR_OVERLAP');
    expect(() => multiply(same, same, { out: t(3, 3) })).not.toThrow();
  });
  it('a packed matrix states K and N', () => {
    const packed = new Packed([3, 4]);
    const options = { batch: 2, M: 2 };
    expect(multiply(f32(12), packed, options).problem).toMatchObject({
      tensors: false,
      packed: true,
      sharedB: true,
      K: 3,
      N: 4,
      outShape: [2, 2, 4],
    });
    expect(multiply(t(2, 3), packed).problem).toMatchObject({
      tensors: true,
      packed: true,
      M: 2,
      outShape: [2, 4],
    });
    expect(() => multiply(f32(12), packed, { ...options, K: 3, N: 4, transposeB: false })).not.toThrow();
    for (const wrong of [{ K: 4 }, { N: 3 }]) {
      expect(fault(() => multiply(f32(12), packed, { ...options, ...wrong, M: 1, batch: 3 })).code).toBe(
        'ERR_SHAPE',
      );
    }
    expect(fault(() => multiply(f32(6), packed, { M: 2, N: 5 })).message).toBe(
      'matmul: "b" expected shape [3, 5] (K × N), got shape [3, 4] [ERR_SHAPE]',
    );
    expect(fault(() => multiply(t(2, 5), packed))).toMatchObject({ arg: 'b', code: 'ERR_SHAPE' });
    expect(fault(() => multiply(f32(12), packed, { ...options, transposeB: true })).message).toBe(
      'matmul: "transposeB" expected false with a packed matrix, got true — transpose it when packing [ERR_OPTION]',
    );
    expect(fault(() => multiply(f32(12), new Packed([3, 4], 'foreign'), options)).code).toBe(
      'ERR_FOREIGN_TENSOR',
    );
    // Of a call like one before, and of another.
    for (const M of [2, 11]) {
      const disposed = new Packed([3, 4], 'disposed');
      expect(fault(() => multiply(f32(6 * M), disposed, { batch: 2, M })).message).toBe(
        'matmul: "b" was disposed [ERR_DISPOSED]',
      );
    }
  });
  it('of the same shapes is one call, of others another', () => {
    const before = multiply(t(4, 2, 3), t(4, 3, 5)).problem;
    expect(multiply(t(4, 2, 3), t(4, 3, 5)).problem).toBe(before);
    expect(multiply(t(4, 2, 3), t(3, 5)).problem).not.toBe(before);
    expect(multiply(t(4, 2, 3), t(4, 3, 6)).problem).not.toBe(before);
  });
  it('a packed matrix of the same N and another K, or none in its place, is no call like the one before', () => {
    const options = { M: 5, N: 7 };
    const before = multiply(f32(15), new Packed([3, 7]), options).problem;
    expect(multiply(f32(15), new Packed([3, 7]), options).problem).toBe(before);
    expect(fault(() => multiply(f32(15), new Packed([4, 7]), options)).message).toBe(
      'matmul: "a" expected Float32Array of length 20 (batch 1 × M 5 × K 4), got length 15 [ERR_SHAPE]',
    );
    expect(fault(() => multiply(f32(15), f32(21), options))).toMatchObject({
      code: 'ERR_ARG_TYPE',
      arg: 'K',
    });
  });
});

it('packMatrix takes a tensor of two dimensions', () => {
  expect(resolvePack('packMatrix', door, t(3, 4), undefined)).toMatchObject({ tensors: true, K: 3, N: 4 });
  expect(resolvePack('packMatrix', door, t(4, 3), { transposeB: true })).toMatchObject({ K: 3, N: 4 });
  expect(fault(() => resolvePack('packMatrix', door, t(1, 3, 4), {})).message).toBe(
    'packMatrix: "b" expected a Tensor of 2 dimensions, got 3 [ERR_SHAPE]',
  );
  expect(fault(() => resolvePack('packMatrix', door, t(3, 4), { K: 4 })).arg).toBe('b');
});
