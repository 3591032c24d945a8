/**
 * Calls that are like one before: they are spared resolving and a launch, and must be told from those that only look alike. What
 * was kept may never be seen in a result, and nothing of a caller's may be kept.
 */
import { describe, expect, it } from 'vitest';
import { PLAIN } from '../src/checks/index.ts';
import { HeedRangeError, HeedTypeError, MultiHeadAttention, StateError } from '../src/index.ts';
import type { Engine, Tensor } from '../src/index.ts';
import { resolveAttention, type AttentionProblem } from '../src/options/attention.ts';
import { resolveMatmul } from '../src/options/matmul.ts';
import * as reference from '../src/reference.ts';
import { builds, engineOf } from './builds.ts';
import { collect } from './collect.ts';
import { f32, normal } from './data.ts';
import { fault } from './nothing-lost.ts';

/** Numbers that no other test has, so that the first call is the first of its kind. */
const good = { seqQ: 3, seqK: 7, heads: 2, kvHeads: 1, headDim: 5 };
const [q, k, v] = [normal(30, 1), normal(35, 2), normal(35, 3)];

const resolve = (options: object, Q: unknown = q): AttentionProblem =>
  resolveAttention('attention', PLAIN, Q, k, v, options).problem;

describe('the problem of a call', () => {
  it('is that of the one before where numbers, words and lengths are the same', () => {
    const kept = { ...good, queryOffset: 3 };
    expect(resolveAttention('attention', PLAIN, q, k, v, kept).again).toBe(true);
    const first = resolve(good);
    expect(resolve({ ...good })).toBe(first);
    expect(resolveAttention('attention', PLAIN, q, k, v, good)).toEqual({
      problem: first,
      out: undefined,
      again: true,
    });
    const causal = resolve({ ...good, causal: true });
    expect(causal).toMatchObject({ after: 0 });
    expect(resolve(good)).toBe(first);
    expect(resolve({ ...good, causal: true })).toBe(causal);
  });
  it('is another where one of them differs', () => {
    const first = resolve({ ...good, scale: 0, queryOffset: 1 });
    for (const more of [
      { scale: -0 },
      { scale: 1 },
      { queryOffset: 2 },
      { softcap: 1 },
      { causal: true },
      { causal: false },
      { out: f32(30) },
      { scale: undefined },
    ]) {
      expect(resolve({ ...good, scale: 0, queryOffset: 1, ...more })).not.toBe(first);
    }
    expect(Object.is(resolve({ ...good, scale: -0 }).scale, -0)).toBe(true);
    expect(Object.is(resolve({ ...good, scale: 0 }).scale, 0)).toBe(true);
    expect(resolve({ scale: 0, queryOffset: 1, ...good })).toEqual({
      ...first,
      sequence: expect.any(Function) as unknown,
    });
  });
  it('of an empty operand is not kept, and pushes out no other', () => {
    const first = resolve({ ...good, scale: 3 });
    const product = resolveMatmul('matmul', PLAIN, f32(6), f32(8), { M: 3, N: 4, K: 2 }).problem;
    for (let i = 0; i < 8; i++) {
      const none = { ...good, seqQ: 0 };
      expect(resolveAttention('attention', PLAIN, f32(0), k, v, none).again).toBe(false);
      const keyless = { ...good, seqK: 0 };
      expect(resolveAttention('attention', PLAIN, q, f32(0), f32(0), keyless).again).toBe(false);
      for (const empty of [
        { M: 0, N: 4, K: 2 },
        { M: 3, N: 4, K: 0 },
        { M: 3, N: 0, K: 2 },
      ]) {
        const [a, b] = [f32(empty.M * empty.K), f32(empty.K * empty.N)];
        expect(resolveMatmul('matmul', PLAIN, a, b, empty).again).toBe(false);
      }
    }
    expect(resolve({ ...good, scale: 3 })).toBe(first);
    expect(resolveMatmul('matmul', PLAIN, f32(6), f32(8), { M: 3, N: 4, K: 2 }).problem).toBe(product);
  });
  it('is not kept with a list, an array or weights', () => {
    for (const more of [
      { mask: new Uint8Array(21).fill(1) },
      { bias: f32(21) },
      { alibi: f32(2) },
      { sinks: f32(2) },
      { logSumExp: f32(6) },
      { window: [1, 1] },
      { keyLengths: [7] },
      { queryOffset: [0] },
    ]) {
      const options = { ...good, ...more };
      expect(resolveAttention('attention', PLAIN, q, k, v, options).again).toBe(false);
      expect(resolve(options)).not.toBe(resolve(options));
    }
    expect(resolveAttention('attention', PLAIN, q, k, v, good, true).again).toBe(false);
    const first = resolve(good);
    expect(resolveAttention('attention', PLAIN, q, k, v, good, true).problem).not.toBe(first);
    const packed = { headDim: 5, heads: 2, kvHeads: 1, cuSeqlensQ: Int32Array.of(0, 3) };
    const cuSeqlensK = Int32Array.of(0, 7);
    expect(resolve({ ...packed, cuSeqlensK })).not.toBe(resolve({ ...packed, cuSeqlensK }));
  });
  it('has each `out` of its own', () => {
    const [one, other] = [f32(30), f32(30)];
    const first = resolveAttention('attention', PLAIN, q, k, v, { ...good, out: one });
    const second = resolveAttention('attention', PLAIN, q, k, v, { ...good, out: other });
    expect(second.problem).toBe(first.problem);
    expect([first.out?.value, second.out?.value]).toEqual([one, other]);
    expect(second.out?.value).toBe(other);
    expect(resolveAttention('attention', PLAIN, q, k, v, { ...good, out: undefined })).toEqual({
      problem: first.problem,
      out: undefined,
      again: true,
    });
  });
  it('asks each getter once, the second time too', () => {
    const asked: string[] = [];
    const options = {};
    for (const [name, value] of Object.entries(good)) {
      Object.defineProperty(options, name, { get: () => (asked.push(name), value), enumerable: true });
    }
    expect(resolve(options)).toBe(resolve(options));
    expect(asked).toEqual([...Object.keys(good), ...Object.keys(good)]);
  });
  it('is the same for the reference, which takes more kinds of arrays', () => {
    const wide = { ...good, out: new Float64Array(30) };
    const once = reference.attention(q, k, v, wide).slice();
    expect(reference.attention(q, k, v, wide)).toEqual(once);
    expect(reference.attention(Float64Array.from(q), k, v, good)).toEqual(once);
    expect(fault(() => resolve(wide))).toMatchObject({ code: 'ERR_ARG_TYPE', arg: 'out' });
  });
});

describe('what only looks like the call before is refused as ever', () => {
  const attend = (a: unknown, b: unknown, c: unknown, options: object): unknown =>
    resolveAttention('attention', PLAIN, a, b, c, options);
  it('arrays', () => {
    const options = { ...good, out: f32(30) };
    attend(q, k, v, options);
    const gone = f32(30);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    for (const [call, Class, code, arg] of [
      [() => attend(f32(29), k, v, options), HeedRangeError, 'ERR_SHAPE', 'q'],
      [() => attend(q, f32(36), v, options), HeedRangeError, 'ERR_SHAPE', 'k'],
      [() => attend(q, k, f32(0), options), HeedRangeError, 'ERR_SHAPE', 'v'],
      [() => attend(gone, k, v, options), HeedTypeError, 'ERR_DETACHED', 'q'],
      [() => attend(q, new Float64Array(35), v, options), HeedTypeError, 'ERR_ARG_TYPE', 'k'],
      [() => attend(q, k, [...v], options), HeedTypeError, 'ERR_ARG_TYPE', 'v'],
      [() => attend(q, k, v, { ...good, out: f32(31) }), HeedRangeError, 'ERR_SHAPE', 'out'],
      [() => attend(q, k, v, { ...good, out: gone }), HeedTypeError, 'ERR_DETACHED', 'out'],
      [() => attend(q, k, v, { ...good, out: null }), HeedTypeError, 'ERR_ARG_TYPE', 'out'],
      [() => attend(q, k, v, { ...good, out: 3 }), HeedTypeError, 'ERR_ARG_TYPE', 'out'],
      [() => attend(q, k, v, { ...options, seqK: '7' }), HeedTypeError, 'ERR_ARG_TYPE', 'seqK'],
    ] as const) {
      const error = fault(call);
      expect(error).toBeInstanceOf(Class);
      expect(error).toMatchObject({ code, arg });
    }
  });
  it('an out of any other length, of a product', () => {
    const [options, a, b] = [{ batch: 6, M: 3, K: 2, N: 2 }, f32(36), f32(4)];
    const multiply = (n: number): unknown =>
      resolveMatmul('matmul', PLAIN, a, b, { ...options, out: f32(n) });
    multiply(36);
    for (let n = 0; n < 72; n++) {
      if (n !== 36) expect(fault(() => multiply(n))).toMatchObject({ code: 'ERR_SHAPE', arg: 'out' });
    }
  });
  it('a b that is one matrix for all, or one for each', () => {
    const options = { batch: 2, M: 3, K: 2, N: 4 };
    const multiply = (b: unknown): boolean => {
      return resolveMatmul('matmul', PLAIN, f32(12), b, options).problem.sharedB;
    };
    for (let turn = 0; turn < 3; turn++) expect([multiply(f32(8)), multiply(f32(16))]).toEqual([true, false]);
    expect(fault(() => multiply(f32(9)))).toMatchObject({ code: 'ERR_SHAPE', arg: 'b' });
  });
});

/** More kinds of calls than are kept, by both drivers. */
const kinds = [1, 2, 3, 4, 5, 6, 9, 17, 33, 100].flatMap((seqQ) =>
  [false, true].map((causal) => ({ seqQ, heads: 2, headDim: 1 + (seqQ % 7), causal })),
);

describe.each(builds)('%s', (build) => {
  const alone = async (call: (engine: Engine) => Float32Array): Promise<Float32Array> => {
    const engine = await engineOf(build);
    const result = call(engine);
    engine.dispose();
    return result;
  };

  it('calls of many kinds by turns, on two engines, are what each is alone', async () => {
    const wanted = new Map<object, Float32Array>();
    const attend = (engine: Engine, options: (typeof kinds)[number]): Float32Array => {
      const x = normal(2 * options.seqQ * options.headDim, options.seqQ);
      return engine.attention(x, x, x, { ...options });
    };
    for (const each of kinds) wanted.set(each, await alone((engine) => attend(engine, each)));
    const engines = [await engineOf(build), await engineOf(build)];
    for (const [i, j] of [0, 0, 1, 1, 2, 7, 2, 12, 13, 12].entries()) {
      const pair = [kinds[j]!, kinds[(j + i) % kinds.length]!];
      const few = [...(i % 3 === 0 ? kinds : []), ...pair, ...pair];
      for (const each of few) {
        for (const engine of engines) expect(attend(engine, each)).toEqual(wanted.get(each));
      }
    }
    for (const engine of engines) engine.dispose();
  });

  it('a call between two alike, of any operation, leaves the second as the first', async () => {
    const engine = await engineOf(build);
    const options = { seqQ: 6, heads: 2, headDim: 3 };
    const [x, y] = [normal(36, 5), normal(36, 6)];
    const product = { M: 6, N: 6, K: 6 };
    const first = engine.attention(x, x, y, options);
    const c = engine.matmul(x, y, product);
    const cache = engine.kvCache({ kvHeads: 2, headDim: 3, capacity: 8 });
    cache.append(x, y);
    const weights = { wq: x, wk: y, wv: x, wo: y };
    const layer = new MultiHeadAttention({ modelDim: 6, heads: 2, weights, engine });
    const large = normal(4096 * 6, 7);
    for (const between of [
      () => cache.attend(x.subarray(0, 6), { heads: 2 }),
      () => layer.forward(x, { seqQ: 6 }),
      () => engine.attention(x, x, y, { ...options, bias: y }),
      () => engine.attentionWeights(x, x, y, options),
      () => engine.attention(x, x, y, { headDim: 3, heads: 2, cuSeqlensQ: Int32Array.of(0, 2, 6) }),
      () => engine.matmul(x, y, { ...product, bias: y.subarray(0, 6) }),
      () => engine.matmul(x, y, { ...product, transposeB: true }),
      () => engine.rope(x, { seq: 6, heads: 3, headDim: 2 }),
      () => fault(() => engine.attention(x, x, y, { ...options, seqQ: 5 })),
      // The memory grows, and staging moves.
      () => engine.attention(large, large, large, { seqQ: 4096, heads: 2, headDim: 3 }),
    ]) {
      between();
      expect(engine.attention(x, x, y, options)).toEqual(first);
      expect(engine.matmul(x, y, product)).toEqual(c);
    }
    engine.dispose();
  });

  it('tensors of the same shapes', async () => {
    const [engine, foreign] = [await engineOf(build), await engineOf(build)];
    const made = (seed: number): Tensor => engine.tensor([1, 3, 2, 4], normal(24, seed));
    const [a, b, c, out] = [made(1), made(2), made(3), made(4)];
    const first = engine.attention(a, b, c, { out }).data.slice();
    out.data.fill(0);
    expect(engine.attention(a, b, c, { out })).toBe(out);
    expect(out.data).toEqual(first);
    const new1 = engine.attention(a, b, c);
    const new2 = engine.attention(a, b, c);
    expect([new1.shape, new2.shape]).toEqual([out.shape, out.shape]);
    expect(new1).not.toBe(new2);
    expect(new2.data).toEqual(first);
    const plain = { seqQ: 3, heads: 2, headDim: 4, out: f32(24) };
    expect(engine.attention(a.data, b.data, c.data, plain)).toEqual(first);
    const refused = (Class: new (...all: never[]) => Error, code: string, call: () => unknown): void => {
      const error = fault(call);
      expect(error).toBeInstanceOf(Class);
      expect(error.code).toBe(code);
    };
    const two = engine.tensor([1, 3, 2, 2]);
    for (const operand of [a, b, c]) {
      refused(HeedRangeError, 'ERR_OVERLAP', () => engine.attention(a, b, c, { out: operand }));
    }
    for (const shape of [
      [2, 4, 3, 1],
      [1, 3, 8],
      [1, 3, 2, 4, 1],
    ]) {
      refused(HeedRangeError, 'ERR_SHAPE', () => engine.attention(a, b, c, { out: engine.tensor(shape) }));
    }
    refused(HeedTypeError, 'ERR_ARG_TYPE', () => engine.attention(a, b, c, { out: f32(24) as never }));
    refused(HeedRangeError, 'ERR_SHAPE', () => engine.attention(a, two, c, { out }));
    refused(HeedRangeError, 'ERR_SHAPE', () => engine.attention(a, b, c, { out: two }));
    refused(StateError, 'ERR_FOREIGN_TENSOR', () => engine.attention(a, foreign.tensor([1, 3, 2, 4]), c));
    refused(StateError, 'ERR_FOREIGN_TENSOR', () => foreign.attention(a, b, c));
    const gone = engine.tensor([1, 3, 2, 4]);
    gone.dispose();
    const disposed = (op: string, arg: string): string =>
      `${op}: "${arg}" expected a live tensor, got one that has been disposed of [ERR_DISPOSED]`;
    for (const [arg, call] of [
      ['q', () => engine.attention(gone, b, c, { out })],
      ['k', () => engine.attention(a, gone, c, { out })],
      ['v', () => engine.attention(a, b, gone, { out })],
      ['out', () => engine.attention(a, b, c, { out: gone })],
    ] as const) {
      expect(fault(call).message).toBe(disposed('attention', arg));
    }
    c.dispose();
    refused(StateError, 'ERR_DISPOSED', () => engine.attention(a, b, c, { out }));

    // Whole numbers, so that each order of addition is exact.
    const w = Float32Array.from({ length: 24 }, (_, i) => i);
    const x = engine.tensor([1, 4], w.subarray(1, 5));
    const panels = [
      engine.packMatrix(w.subarray(0, 20), { K: 4, N: 5 }),
      engine.packMatrix(w, { K: 4, N: 6 }),
    ];
    const products = panels.map(({ N }) =>
      Float32Array.from(reference.matmul(x.data, w.subarray(0, 4 * N), { M: 1, K: 4, N })),
    );
    for (let turn = 0; turn < 2; turn++) {
      expect(panels.map((each) => engine.matmul(x, each).data)).toEqual(products);
      expect(panels.map((each) => engine.matmul(x.data, each, { M: 1 }))).toEqual(products);
    }
    const deeper = engine.packMatrix(w.subarray(0, 20), { K: 5, N: 4 });
    refused(HeedRangeError, 'ERR_SHAPE', () => engine.matmul(x, deeper));
    panels[0]!.dispose();
    expect(fault(() => engine.matmul(x, panels[0]!)).message).toBe(
      'matmul: "b" expected a live packed matrix, got one that has been disposed of [ERR_DISPOSED]',
    );
    const square = engine.tensor([4, 4], w.subarray(0, 16));
    const none = engine.tensor([4, 4]);
    none.dispose();
    for (let turn = 0; turn < 2; turn++) engine.matmul(square, square);
    expect(fault(() => engine.matmul(none, square)).message).toBe(disposed('matmul', 'a'));
    expect(fault(() => engine.matmul(square, none)).message).toBe(disposed('matmul', 'b'));
    engine.dispose();
    refused(StateError, 'ERR_DISPOSED', () => engine.matmul(x, panels[1]!));
    foreign.dispose();
  });

  const sizeOf = (shape: readonly number[]): number => shape.reduce((n, each) => n * each, 1);

  it('results of tensors have the dimensions of their order, the second time too', async () => {
    const engine = await engineOf(build);
    for (const [options, query, key, result] of [
      [{}, [2, 3, 4, 5], [2, 7, 2, 5], [2, 3, 4, 5]],
      [{ layout: 'bhsd' }, [2, 4, 3, 5], [2, 2, 7, 5], [2, 4, 3, 5]],
      [
        { cuSeqlensQ: Int32Array.of(0, 1, 3), cuSeqlensK: Int32Array.of(0, 4, 7) },
        [3, 4, 5],
        [7, 2, 5],
        [3, 4, 5],
      ],
    ] as const) {
      const Q = engine.tensor(query, normal(sizeOf(query), 1));
      const K = engine.tensor(key, normal(sizeOf(key), 2));
      const first = engine.attention(Q, K, K, options);
      const out = engine.tensor(result);
      for (let turn = 0; turn < 2; turn++) {
        const again = engine.attention(Q, K, K, options);
        expect(again.shape).toEqual(result);
        expect(again.data).toEqual(first.data);
        expect(engine.attention(Q, K, K, { ...options, out }).data).toEqual(first.data);
      }
    }
    engine.dispose();
  });

  it('tensors of other sizes in every dimension, and of one dimension more, are others', async () => {
    const engine = await engineOf(build);
    const of = (...shape: number[]): Tensor => engine.tensor(shape, normal(sizeOf(shape), shape.length));
    expect(engine.matmul(of(2, 3), of(3, 4)).shape).toEqual([2, 4]);
    expect(engine.matmul(of(5, 6), of(6, 7)).shape).toEqual([5, 7]);
    const batches = fault(() => engine.matmul(of(2, 3, 4), of(3, 4, 5)));
    expect(batches.code).toBe('ERR_SHAPE');
    engine.dispose();
  });

  it('and so have weights and sums, what is turned and what is merged', async () => {
    const engine = await engineOf(build);
    for (const layout of ['bshd', 'bhsd'] as const) {
      const of = (seq: number, heads: number): Tensor =>
        engine.tensor(layout === 'bshd' ? [2, seq, heads, 6] : [2, heads, seq, 6]);
      const [Q, K] = [of(3, 4), of(7, 2)];
      const { out, weights, logSumExp } = engine.attentionWeights(Q, K, K, { layout });
      expect([out, weights, logSumExp].map(({ shape }) => shape)).toEqual([Q.shape, [2, 4, 3, 7], [2, 4, 3]]);
      expect(engine.rope(Q, { layout }).shape).toEqual(Q.shape);
      const merged = engine.mergeAttention([{ out, logSumExp }], { layout });
      expect([merged.out.shape, merged.logSumExp.shape]).toEqual([Q.shape, [2, 4, 3]]);
    }
    engine.dispose();
  });

  it('no array of a call is held', async () => {
    const engine = await engineOf(build);
    const held: WeakRef<object>[] = [];
    const call = (): void => {
      const given = Array.from({ length: 9 }, () => f32(24));
      const [a, b, c, out] = given as [Float32Array, Float32Array, Float32Array, Float32Array];
      const options = { seqQ: 6, heads: 2, headDim: 2, out };
      const [mask, bias] = [new Uint8Array(36), f32(36)];
      for (let turn = 0; turn < 2; turn++) engine.attention(a, b, c, options);
      const first = given[7]!;
      for (let turn = 0; turn < 2; turn++) {
        engine.attention(a, b, c, { out: first, seqQ: 6, heads: 2, headDim: 2, causal: true });
      }
      engine.attention(a, b, c, { ...options, mask, bias, logSumExp: f32(12) });
      engine.matmul(a, b, {
        M: 4,
        K: 6,
        N: 4,
        out: given[4]!.subarray(0, 16),
        bias: given[5]!.subarray(0, 4),
      });
      engine.matmul(a, b, { M: 4, K: 6, N: 4, out: given[6]!.subarray(0, 16) });
      for (const each of [...given, options, mask, bias]) held.push(new WeakRef(each));
    };
    call();
    await collect(() => held.every((each) => each.deref() === undefined));
    expect(held.filter((each) => each.deref() !== undefined)).toHaveLength(0);
    engine.dispose();
  });
});
