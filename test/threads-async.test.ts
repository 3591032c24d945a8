/**
 * Asynchronous calls, on workers and on an engine of one thread (docs/reliability.md, faults 14, 28, 33, 40): the bits of
 * synchronous ones, whatever happens to operands and memory meanwhile.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MultiHeadAttention, type Engine, type KVCache, type Tensor } from '../src/index.ts';
import { runtimeOf } from '../src/engine.ts';
import { a, asked, b, k, layerOf, names, product, q, shape, v, x, type Calls } from './async-calls.ts';
import { normal } from './data.ts';
import { resizable } from './door.ts';
import { FaultyWorkers } from './faulty-workers.ts';
import {
  fault,
  losesNothing,
  matches,
  rejection,
  rejects,
  watch,
  type Refusal,
  type Watch,
} from './nothing-lost.ts';
import { expectSameBits } from './problems.ts';
import { lost, sentence, terminated } from './refusals.ts';

describe.each([1, 2, 5])('%i threads', (threads) => {
  const workers = new FaultyWorkers();
  let engine: Engine;
  let layer: MultiHeadAttention;
  let calls: Calls;
  let expected: Record<keyof Calls, Float32Array>;
  let watched: Watch;
  let used: number;

  beforeAll(async () => {
    ({ engine, layer, calls, expected } = asked(await workers.engine({ threads })));
    watched = await watch(engine, q, k, v, a, b, x);
    used = engine.memory.used;
  });
  afterEach(() => {
    expect(engine.memory.used).toBe(used);
  });
  afterAll(() => {
    engine.dispose();
  });

  it.each(names)('%s: the bits of the synchronous call, off the caller’s thread', async (name) => {
    const { items, own } = workers;
    expectSameBits(await calls[name](), expected[name]);
    const out = new Float32Array(expected[name].length);
    expect(await calls[name]({ out })).toBe(out);
    expectSameBits(out, expected[name]);
    if (threads > 1) expect(workers.items).toBeGreaterThan(items);
    expect(workers.own).toBe(own);
  });

  it('a cache of float16 is looked at when its keys have been computed: what it cannot hold, ∞ and NaN', async () => {
    const eye = Float32Array.of(1, 0, 0, 1);
    const small = new MultiHeadAttention({
      ...{ modelDim: 2, heads: 1, weights: { wq: eye, wk: eye, wv: eye, wo: eye }, engine },
    });
    const cache = engine.kvCache({ kvHeads: 1, headDim: 2, capacity: 4, dtype: 'f16' });
    const pass = (...tokens: number[]): Promise<Float32Array> =>
      small.forwardAsync(Float32Array.from(tokens), { seqQ: tokens.length / 2, cache });
    expect((await rejection(pass(1, 70000))).code).toBe('ERR_RANGE');
    expect(cache.length).toBe(0);
    const out = await pass(0.5, 1, NaN, 0, 0.5, 1);
    expect([...out].map(Number.isNaN)).toEqual([false, false, true, true, true, true]);
    expect(cache.length).toBe(3);
    cache.dispose();
    small.dispose();
  });

  it('inputs that are overwritten, detached or shrunk at once were copied (fault 14)', async () => {
    // Every third lies on a buffer that shrinks.
    const operands = [q, k, v, a, b, x].map((each, i) => {
      const copy = i % 3 === 2 ? new Float32Array(resizable(each.byteLength)) : new Float32Array(each.length);
      copy.set(each);
      return copy;
    });
    const [Q, K, V, A, B, X] = operands as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    await losesNothing(async () => {
      const results = [
        engine.attentionAsync(Q, K, V, shape),
        engine.matmulAsync(A, B, product),
        layer.forwardAsync(X, { seqQ: 60 }),
      ];
      for (const [i, each] of operands.entries()) {
        if (i % 3 === 0) each.fill(NaN);
        else if (i % 3 === 1) structuredClone(each.buffer, { transfer: [each.buffer] });
        else (each.buffer as ReturnType<typeof resizable>).resize(0);
      }
      for (const [i, name] of names.entries()) expectSameBits(await results[i]!, expected[name]);
    }, watched);
  });

  it('first come, first served; many at once give what they give one by one (fault 40)', async () => {
    const order: number[] = [];
    const call = async (_: unknown, i: number): Promise<Float32Array> => {
      const result = await calls[names[i % 3]!]();
      order.push(i);
      return result;
    };
    const results = await losesNothing(() => Promise.all(Array.from({ length: 60 }, call)), watched);
    for (const [i, result] of results.entries()) expectSameBits(result, expected[names[i % 3]!]);
    // A pass of the layer takes a turn more to come out than what is behind it.
    expect(order.filter((i) => i % 3 < 2)).toEqual(order.filter((i) => i % 3 < 2).sort((m, n) => m - n));
  });

  it('a pass whose cache looks at what it is to hold keeps its turn between its two parts', async () => {
    const cache = engine.kvCache({ kvHeads: 4, headDim: 12, capacity: 64, dtype: 'f16' });
    const order: string[] = [];
    const done = async (name: string, result: Promise<unknown>): Promise<void> => {
      await result;
      order.push(name);
    };
    const pass = done('pass', layer.forwardAsync(x.subarray(0, 480), { seqQ: 10, cache }));
    await Promise.all([pass, ...Array.from({ length: 5 }, () => done('product', calls.matmul()))]);
    expect(order[0]).toBe('pass');
    cache.dispose();
  });

  it('synchronous calls between and during them are right, and alone', async () => {
    const { own } = workers;
    const waiting = Array.from({ length: 12 }, (_, i) => calls[names[i % 3]!]());
    for (let i = 0; i < 4; i++) {
      expectSameBits(engine.attention(q, k, v, shape), expected.attention);
      expectSameBits(engine.matmul(a, b, product), expected.matmul);
      expectSameBits(layer.forward(x, { seqQ: 60 }), expected.forward);
    }
    for (const [i, each] of waiting.entries()) expectSameBits(await each, expected[names[i % 3]!]);
    expect(workers.own).toBe(own);
  });

  it('tensors that are disposed of during a call: their memory goes when it is done (fault 33)', async () => {
    const operands = (): Tensor[] => [
      engine.tensor([130, 90], a),
      engine.tensor([90, 70], b),
      engine.tensor([130, 70]),
    ];
    const size = (): number => engine.memory.used - used;
    await losesNothing(async () => {
      const [A, B, C] = operands() as [Tensor, Tensor, Tensor];
      const all = size();
      const result = engine.matmulAsync(A, B, { out: C });
      const during = size();
      A.dispose();
      B.dispose();
      expect(size()).toBe(during);
      expect(await result).toBe(C);
      expectSameBits(C.data, expected.matmul);
      expect(size()).toBeLessThan(all);
      C.dispose();
      expect(size()).toBe(0);
      // The same of a call that is aborted, and of one that another's abort does not touch.
      const [D, E, F] = operands() as [Tensor, Tensor, Tensor];
      const controller = new AbortController();
      const aborted = engine.matmulAsync(D, E, { out: F, signal: controller.signal });
      const other = engine.matmulAsync(D, E);
      for (const each of [D, E, F]) each.dispose();
      controller.abort();
      await expect(aborted).rejects.toBe(controller.signal.reason);
      const product = await other;
      expectSameBits(product.data, expected.matmul);
      product.dispose();
    }, watched);
  });

  it('a layer that is disposed of during a pass: the same, and where it does not come to that (fault 33)', async () => {
    for (const signal of [undefined, AbortSignal.abort()]) {
      await losesNothing(async () => {
        const other = layerOf(engine);
        const result = other.forwardAsync(x, { seqQ: 60, signal });
        other.dispose();
        if (signal === undefined) expectSameBits(await result, expected.forward);
        else await expect(result).rejects.toBe(signal.reason);
      }, watched);
    }
  });

  it.each(['f32', 'f16'] as const)('a cache is busy during a pass: %s', async (dtype) => {
    const make = (): KVCache => engine.kvCache({ kvHeads: 4, headDim: 12, capacity: 64, dtype });
    const [cache, other] = [make(), make()];
    const steps = (options: object): Promise<Float32Array> =>
      layer.forwardAsync(x.subarray(0, 48), { seqQ: 1, ...options });
    expectSameBits(
      await layer.forwardAsync(x.subarray(0, 480), { seqQ: 10, cache }),
      layer.forward(x.subarray(0, 480), { seqQ: 10, cache: other }),
    );
    const result = steps({ cache });
    const busy = (op: string): Refusal =>
      sentence(op, 'ERR_BUSY', 'this cache is used by an asynchronous call — await that call first');
    const token = x.subarray(0, 48);
    for (const [op, call] of [
      [
        'append',
        () => {
          cache.append(token, token);
        },
      ],
      ['attend', () => cache.attend(token, { heads: 4 })],
      [
        'truncate',
        () => {
          cache.truncate(0);
        },
      ],
      ['forward', () => layer.forward(token, { seqQ: 1, cache })],
    ] as const) {
      matches(fault(call), busy(op));
    }
    matches(await rejection(steps({ cache })), busy('forwardAsync'));
    expect(cache.length).toBe(10);
    expectSameBits(await result, layer.forward(token, { seqQ: 1, cache: other }));
    expect(cache.length).toBe(11);
    // One that is aborted leaves it as it was, and free.
    const controller = new AbortController();
    const aborted = steps({ cache, signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toBe(controller.signal.reason);
    expect(cache.length).toBe(11);
    expectSameBits(cache.attend(token, { heads: 4 }), other.attend(token, { heads: 4 }));
    const last = steps({ cache });
    cache.dispose();
    expectSameBits(await last, layer.forward(token, { seqQ: 1, cache: other }));
    other.dispose();
  });

  it.each(['f32', 'f16'] as const)(
    'an engine that ends during a pass on a full ring says so: %s',
    async (dtype) => {
      const others = new FaultyWorkers();
      const short = await others.engine({ threads });
      const ring = short.kvCache({ kvHeads: 4, headDim: 12, capacity: 8, ring: true, dtype });
      const own = layerOf(short);
      own.forward(x.subarray(0, 8 * 48), { seqQ: 8, cache: ring, window: [4, 0] });
      if (threads > 1) others.arm('hang');
      const later = own.forwardAsync(x.subarray(0, 48), { seqQ: 1, cache: ring, window: [4, 0] });
      // It has begun where there is a worker to be at it.
      if (threads > 1) await others.happens();
      short.dispose();
      matches(await rejection(later), terminated('forwardAsync'));
    },
  );

  it('a result whose array is detached meanwhile: ERR_DETACHED', async () => {
    for (const name of names) {
      const out = new Float32Array(expected[name].length);
      const gone = (): Promise<unknown> => {
        const result = calls[name]({ out });
        structuredClone(out.buffer, { transfer: [out.buffer] });
        return result;
      };
      await rejects(gone, lost(`${name}Async`, 'out'), watched);
      expectSameBits(await calls[name](), expected[name]);
    }
  });

  it('and so is the sum of a row, which a caller has given, too', async () => {
    const logSumExp = new Float32Array(2 * 4 * 70);
    const gone = (): Promise<unknown> => {
      const result = calls.attention({ logSumExp });
      structuredClone(logSumExp.buffer, { transfer: [logSumExp.buffer] });
      return result;
    };
    await rejects(gone, lost('attentionAsync', 'logSumExp'), watched);
  });

  it('packed sequences', async () => {
    const cuSeqlensQ = Int32Array.of(0, 3, 140);
    const packed = { ...{ heads: 4, kvHeads: 2, headDim: 24 }, cuSeqlensQ, cuSeqlensK: cuSeqlensQ };
    expectSameBits(await engine.attentionAsync(q, k, v, packed), engine.attention(q, k, v, packed));
  });

  it.each(['f32', 'f16'] as const)(
    'a ring that a pass has written over, and failed: it is as it was (%s)',
    async (dtype) => {
      // 190 tokens of 96 places: five more lie over the last two places and the first three. Of 94, too, for the first time.
      const ring = { batch: 2, kvHeads: 4, headDim: 12, capacity: 96, dtype, ring: true } as const;
      const cache = engine.kvCache(ring);
      const behind = engine.tensor([1 << 16]);
      const tokens = normal(2 * 95 * 48, 8);
      cache.append(tokens, tokens, { counts: [95, 50] });
      cache.append(tokens, tokens, { counts: [95, 44] });
      const query = normal(2 * 48, 9);
      const before = cache.attend(query, { heads: 4, window: [95, 0] });
      const out = new Float32Array(2 * 5 * 48);
      const given = { batch: 2, seqQ: 5, cache, window: [40, 0], out } as const;
      const gone = (): Promise<unknown> => {
        const pass = layer.forwardAsync(tokens.slice(0, 2 * 5 * 48), given);
        structuredClone(out.buffer, { transfer: [out.buffer] });
        // Is not the cache's: it is not put back.
        behind.data.fill(7);
        return pass;
      };
      await rejects(gone, lost('forwardAsync', 'out'), await watch(engine, cache, tokens));
      expect([...cache.lengths]).toEqual([190, 94]);
      expectSameBits(cache.attend(query, { heads: 4, window: [95, 0] }), before);
      expect(behind.data.every((x) => x === 7)).toBe(true);
      behind.dispose();
      cache.dispose();
    },
  );

  it('nothing to compute: batch 0, no queries, no keys, no rows', async () => {
    const none = new Float32Array(0);
    expect(await engine.attentionAsync(none, none, none, { ...shape, batch: 0 })).toEqual(none);
    expect(await engine.attentionAsync(none, k, v, { ...shape, seqQ: 0, seqK: 70 })).toEqual(none);
    expect(await engine.attentionAsync(q, none, none, { ...shape, seqK: 0 })).toEqual(
      new Float32Array(q.length),
    );
    expect(await engine.matmulAsync(none, b, { ...product, M: 0 })).toEqual(none);
    expect(await engine.matmulAsync(none, none, { ...product, K: 0 })).toEqual(new Float32Array(130 * 70));
    expect(await layer.forwardAsync(none, { seqQ: 0 })).toEqual(none);
    expect(engine.attention(none, none, none, { ...shape, batch: 0 })).toEqual(none);
    expect(engine.matmul(none, none, { ...product, K: 0 })).toEqual(new Float32Array(130 * 70));
  });

  it('memory that grows during a call: tensors stay where they are, and are known (faults 26, 28)', async () => {
    const grows = async (): Promise<void> => {
      const [A, B] = [engine.tensor([130, 90], a), engine.tensor([90, 70], b)];
      const [viewOfA, viewOfB] = [A.data, B.data];
      const { reserved } = engine.memory;
      const result = engine.matmulAsync(A, B);
      const large = engine.tensor([reserved / 4 + 2 ** 16]);
      expect(engine.memory.reserved).toBeGreaterThan(reserved);
      const product = await result;
      expectSameBits(product.data, expected.matmul);
      const runtime = runtimeOf('test', engine);
      expectSameBits(A.data, a);
      if (threads > 1) {
        // A view from before still shows the tensor, and is copied like any other array, or written.
        viewOfA[0] = 5;
        expect(A.data[0]).toBe(5);
        viewOfA[0] = a[0]!;
        expect(runtime.owns(viewOfA.buffer)).toBe(true);
        expectSameBits(engine.matmul(viewOfA, viewOfB, { M: 130, K: 90, N: 70 }), expected.matmul);
        expectSameBits(await engine.matmulAsync(viewOfA, viewOfB, { M: 130, K: 90, N: 70 }), expected.matmul);
        const out = product.data.fill(0);
        const more = engine.tensor([engine.memory.reserved / 4]);
        expect(engine.matmul(viewOfA, viewOfB, { M: 130, K: 90, N: 70, out })).toBe(out);
        expectSameBits(product.data, expected.matmul);
        more.dispose();
      } else expect(viewOfA).toHaveLength(0);
      for (const each of [A, B, large, product]) each.dispose();
    };
    await losesNothing(grows, watched);
  });
});
