/**
 * Calls that are not worth sharing, on engines with threads: the caller computes them alone, those of arrays on memory that is not
 * shared, to and from which copies are faster.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createEngine, MultiHeadAttention, type Engine, type Tensor } from '../src/index.ts';
import { runtimeOf } from '../src/engine.ts';
import type { Failure } from '../src/threads/failure.ts';
import { Pool } from '../src/threads/pool.ts';
import { CLOSE, PER_MS, WORTH_ASLEEP, WORTH_AWAKE } from '../src/threads/team.ts';
import { builds } from './builds.ts';
import { f32, normal } from './data.ts';
import { fault, golden, matches, rejection } from './nothing-lost.ts';
import { expectSameBits } from './problems.ts';
import { degraded, ended, sentence, terminated } from './refusals.ts';

const shape = { seqQ: 5, heads: 2, headDim: 4 };
const [q, k, v] = [normal(40, 1), normal(40, 2), normal(40, 3)];

let engine: Engine;

afterEach(() => {
  vi.restoreAllMocks();
  engine.dispose();
});

describe.each(builds)('%s', (build) => {
  const make = async (): Promise<Engine> => (engine = await createEngine({ threads: 2, simd: build }));

  it('all calls give the bits of one thread, and no worker is asked', async () => {
    const one = await createEngine({ threads: 1, simd: build });
    const run = vi.spyOn(Pool.prototype, 'run');
    expect(golden(await make())).toEqual(golden(one));
    expect(run).not.toHaveBeenCalled();
    one.dispose();
  });
  it('a call is worth sharing where workers are awake, where it is large, or where it follows another closely', async () => {
    const { team } = runtimeOf('test', await make());
    if (team === undefined) throw new Error('an engine of two has a team');
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const awake = vi.spyOn(Pool.prototype, 'awake', 'get').mockReturnValue(true);
    const wake = vi.spyOn(Pool.prototype, 'wake');
    expect([team.isWorth(WORTH_AWAKE - 1), team.isWorth(WORTH_AWAKE)]).toEqual([false, true]);
    expect(team.threadsFor(WORTH_AWAKE - 1)).toBe(1);
    expect(team.threadsFor(WORTH_AWAKE)).toBe(2);
    expect(wake).not.toHaveBeenCalled();
    awake.mockReturnValue(false);
    const large = WORTH_ASLEEP[build];
    expect([team.isWorth(large - 1), team.isWorth(large)]).toEqual([false, true]);
    // Workers wake while operands are copied.
    expect(team.threadsFor(large)).toBe(2);
    expect(wake).toHaveBeenCalledTimes(1);
    // Each call that is large enough says until when the next is one of many: its own time, and a little more.
    now = 1000;
    const close = WORTH_AWAKE / PER_MS + CLOSE;
    expect(team.isWorth(WORTH_AWAKE)).toBe(false);
    now += 0.9 * close;
    expect(team.isWorth(WORTH_AWAKE - 1)).toBe(false);
    expect(team.isWorth(WORTH_AWAKE)).toBe(true);
    now += 0.9 * close;
    expect(team.isWorth(WORTH_AWAKE)).toBe(true);
    now += close;
    expect(team.isWorth(WORTH_AWAKE)).toBe(false);
    now += 0.9 * close;
    for (const state of ['busy', 'helps'] as const) {
      const spy = vi.spyOn(Pool.prototype, state, 'get').mockReturnValue(state === 'busy');
      expect(team.isWorth(large)).toBe(false);
      expect(team.threadsFor(large)).toBe(1);
      spy.mockRestore();
    }
    expect(team.isWorth(large)).toBe(true);
  });
  it('what a call is worth: its multiply-adds, four for each number of b, k or v, eight for one that turns', async () => {
    const isWorth = vi.spyOn(runtimeOf('test', await make()).team!, 'isWorth');
    const tensor = (...shape: number[]): Tensor => engine.tensor(shape);
    const product = { batch: 2, M: 3, N: 5, K: 7 };
    const heads = { batch: 2, seqQ: 3, seqK: 4, heads: 6, kvHeads: 2, headDim: 5, valueDim: 7 };
    const packed = { cuSeqlensQ: Int32Array.of(0, 3), cuSeqlensK: Int32Array.of(0, 4), heads: 2, headDim: 5 };
    const [part, parts] = [tensor(2, 3, 5, 7), { batch: 2, seqQ: 3, heads: 5, valueDim: 7 }];
    const sum = tensor(2, 5, 3);
    const weights = { wq: f32(64), wk: f32(32), wv: f32(32), wo: f32(64) };
    const layer = new MultiHeadAttention({ modelDim: 8, heads: 2, kvHeads: 1, weights, engine });
    const cache = engine.kvCache({ batch: 2, kvHeads: 1, headDim: 4, capacity: 8 });
    cache.append(f32(2 * 4 * 4), f32(2 * 4 * 4));
    const calls: readonly [worth: number, call: () => unknown][] = [
      [(2 * 3 + 4) * 5 * 7, () => engine.matmul(f32(42), f32(35), product)],
      [(2 * 3 + 4 * 2) * 5 * 7, () => engine.matmul(f32(42), f32(70), product)],
      [(2 * 3 + 4) * 5 * 7, () => engine.matmul(tensor(2, 3, 7), tensor(7, 5))],
      [(4 + 4) * 5 * 7, () => engine.packMatrix(f32(35), { K: 7, N: 5 })],
      [(6 * 6 * 4 + 4 * 2 * 2 * 4) * 12, () => engine.attention(f32(180), f32(80), f32(112), heads)],
      [
        (6 * 6 * 4 + 4 * 2 * 2 * 4) * 12,
        () => engine.attention(tensor(2, 3, 6, 5), tensor(2, 4, 2, 5), tensor(2, 4, 2, 7)),
      ],
      [(3 * 2 * 4 + 4 * 2 * 4) * 10, () => engine.attention(f32(30), f32(40), f32(40), packed)],
      [(2 * 2 * 4 + 4 * 2 * 4) * 8, () => cache.attend(f32(16), { heads: 2 })],
      [8 * 2 * 3 * 5 * 4, () => engine.rope(f32(120), { batch: 2, seq: 3, heads: 5, headDim: 4 })],
      [8 * 2 * 3 * 5 * 4, () => engine.rope(tensor(2, 3, 5, 4))],
      [
        4 * 2 * 2 * 3 * 5 * 7,
        () => engine.mergeAttention(Array(2).fill({ out: f32(210), logSumExp: f32(30) }), parts),
      ],
      [4 * 210, () => engine.mergeAttention([{ out: part, logSumExp: sum }])],
      // Q and O of 8 × 8, K and V of 8 × 4.
      [
        2 * 2 * 3 * (8 * 8 + 8 * 4) + (6 * 2 * 3 + 4 * 2 * 3) * 8,
        () => layer.forward(f32(48), { batch: 2, seqQ: 3 }),
      ],
      [
        2 * 2 * (8 * 8 + 8 * 4) + (2 * 2 * 5 + 4 * 2 * 5) * 8,
        () => layer.forward(f32(16), { batch: 2, seqQ: 1, cache }),
      ],
    ];
    for (const [worth, call] of calls) {
      isWorth.mockClear();
      call();
      // To make a tensor is worth nothing.
      expect(
        isWorth.mock.calls.flat().filter((x) => x !== 0),
        String(call),
      ).toEqual([worth]);
    }
  });
  it('a call of one thread and then the same of two: each has scratch for its own', async () => {
    const { team } = runtimeOf('test', await make());
    const threads = vi.spyOn(team!, 'threadsFor');
    const x = engine.tensor([1, 64, 2, 24], normal(64 * 48, 4));
    const a = engine.tensor([130, 24], normal(130 * 24, 5));
    const calls = {
      attention: () => engine.attention(x, x, x).data.slice(),
      matmul: () => engine.matmul(a, a, { transposeA: true }).data.slice(),
    };
    for (const call of Object.values(calls)) {
      const staged = [1, 2].map((each) => {
        threads.mockReturnValue(each);
        const runtime = runtimeOf('test', engine);
        const room = vi.spyOn(runtime, 'stage');
        const first = call();
        return { first, bytes: room.mock.calls.at(-1)![1] };
      });
      expect(staged[1]!.bytes).toBeGreaterThan(staged[0]!.bytes);
      expectSameBits(staged[1]!.first, staged[0]!.first);
    }
  });
  it('what became of a job is told in words, with who and why', async () => {
    await make();
    const x = Float32Array.of(3);
    const start = vi.spyOn(Pool.prototype, 'start');
    const told = (failure: Failure) => {
      start.mockResolvedValueOnce(failure);
      return rejection(engine.matmulAsync(x, x, { M: 1, N: 1, K: 1 }));
    };
    const cause = new Error('a fault');
    const op = 'matmulAsync';
    for (const [why, refusal] of [
      ['threw', sentence(op, 'ERR_WORKER', 'a worker failed')],
      ['exited', sentence(op, 'ERR_WORKER_EXIT', 'a worker ended')],
      ['out of memory', sentence(op, 'ERR_WORKER_OUT_OF_MEMORY', 'a worker ran out of memory')],
      ['degraded', degraded(op)],
    ] as const) {
      const error = await told({ why, worker: 1, job: 5, exitCode: 7, cause });
      matches(error, { ...refusal, worker: 1, jobId: 5, exitCode: 7, cause });
    }
    // A stack that ended on this thread is the caller's own.
    await expect(told({ why: 'threw', worker: 0, cause })).rejects.toBe(cause);
    matches(await told({ why: 'stopped' }), terminated(op));
    expect(await engine.matmulAsync(x, x, { M: 1, N: 1, K: 1 })).toEqual(Float32Array.of(9));
  });
  it('arrays go to plain memory, tensors stay where they are', async () => {
    const runtime = runtimeOf('test', await make());
    const { plain } = runtime;
    expect(plain).not.toBe(runtime);
    expect(plain.shared).toBe(false);
    expect(runtime.plain).toBe(plain);
    const [shared, unshared] = [vi.spyOn(runtime, 'run'), vi.spyOn(plain, 'run')];
    const expected = engine.attention(q, k, v, shape);
    expect([shared.mock.calls.length, unshared.mock.calls.length]).toEqual([0, 1]);
    const [Q, K, V] = [q, k, v].map((x) => engine.tensor([1, 5, 2, 4], x)) as [never, never, never];
    expectSameBits((engine.attention(Q, K, V) as unknown as { data: Float32Array }).data, expected);
    expect([shared.mock.calls.length, unshared.mock.calls.length]).toEqual([1, 1]);
  });
  it('each operation of arrays, and none that has a tensor', async () => {
    const runtime = runtimeOf('test', await make());
    const [shared, unshared] = [vi.spyOn(runtime, 'run'), vi.spyOn(runtime.plain, 'run')];
    const x = engine.tensor([1, 5, 2, 4], q);
    const [sum, bias] = [engine.tensor([1, 2, 5]), engine.tensor([4])];
    const matrix = engine.packMatrix(q.subarray(0, 16), { K: 4, N: 4 });
    const product = { M: 4, N: 4, K: 4 };
    const [a, b] = [q.subarray(0, 16), k.subarray(0, 16)];
    const arrays = [
      () => engine.matmul(a, b, { ...product, bias: bias.data.slice() }),
      () => engine.rope(q, { seq: 5, heads: 2, headDim: 4 }),
      () => engine.mergeAttention([{ out: q, logSumExp: f32(10) }], { seqQ: 5, heads: 2, valueDim: 4 }),
    ];
    const tensors = [
      () => engine.matmul(a, b, { ...product, bias }),
      () => engine.matmul(a, matrix, { M: 4 }),
      () => engine.rope(x),
      () => engine.mergeAttention([{ out: x, logSumExp: sum }]),
    ];
    for (const [calls, place, other] of [
      [arrays, unshared, shared],
      [tensors, shared, unshared],
    ] as const) {
      for (const call of calls) {
        place.mockClear();
        other.mockClear();
        call();
        expect(place, String(call)).toHaveBeenCalled();
        expect(other, String(call)).not.toHaveBeenCalled();
      }
    }
  });
  it('what is thrown there is not tried again, but for a memory that is full', async () => {
    const runtime = runtimeOf('test', await make());
    const [shared, unshared] = [vi.spyOn(runtime, 'run'), vi.spyOn(runtime.plain, 'run')];
    const mine = new RangeError('a stack that is full');
    unshared.mockImplementation(() => {
      throw mine;
    });
    expect(() => engine.attention(q, k, v, shape)).toThrow(mine);
    expect(shared).not.toHaveBeenCalled();
  });
  it('a matrix that two pack is copied as a whole', async () => {
    const { team } = runtimeOf('test', await make());
    vi.spyOn(team!, 'threadsFor').mockReturnValue(2);
    const [a, b] = [normal(7 * 100, 1), normal(100 * 90, 2)];
    const expected = engine.matmul(a, b, { M: 7, N: 90, K: 100 });
    expectSameBits(engine.matmul(a, engine.packMatrix(b, { K: 100, N: 90 }), { M: 7 }), expected);
  });
  it('an asynchronous call computes no weights, which nobody has asked for', async () => {
    engine = await createEngine({ threads: 1, simd: build });
    const run = vi.spyOn(runtimeOf('test', engine), 'run');
    await engine.attentionAsync(q, k, v, shape);
    expect(run).toHaveBeenCalledTimes(1);
  });
  it('a side input that is a tensor keeps a call on shared memory', async () => {
    const runtime = runtimeOf('test', await make());
    const shared = vi.spyOn(runtime, 'run');
    const slopes = Float32Array.of(0.5, 0.25);
    const sloped = engine.attention(q, k, v, { ...shape, alibi: engine.tensor([2], slopes) });
    expect(shared).toHaveBeenCalled();
    expectSameBits(sloped, engine.attention(q, k, v, { ...shape, alibi: slopes }));
  });
  it('operands and results may lie on the shared memory', async () => {
    await make();
    const expected = engine.attention(q, k, v, shape);
    const x = engine.tensor([40], q);
    const out = engine.tensor([40]).data;
    expect(engine.attention(x.data, k, v, { ...shape, out })).toBe(out);
    expectSameBits(out.slice(), expected);
  });
  it('has no more memory than its engine may take, with what it keeps for the next call', async () => {
    const MIB = 2 ** 20;
    engine = await createEngine({ threads: 2, simd: build, maxMemory: 2 * MIB });
    const runtime = runtimeOf('test', engine);
    const within = (): void => {
      expect(engine.memory.reserved).toBeLessThanOrEqual(2 * MIB);
    };
    // A small call of 0.75 MiB: plain memory has them, then a tensor needs them.
    const large = { M: 65536, N: 1, K: 1 };
    const [a, b] = [normal(large.M, 4), normal(1, 5)];
    const expected = engine.matmul(a, b, large);
    within();
    const before = runtime.plain;
    expect(before.memory.reserved).toBeGreaterThan(MIB / 2);
    const x = engine.tensor([MIB / 4 + MIB / 8]);
    within();
    expect(before.disposed).toBe(true);
    expect(engine.attention(q, k, v, shape)).toHaveLength(q.length);
    within();
    // And where there is no room beside the tensor: on the shared memory, whose own staging there is.
    x.dispose();
    const half = engine.tensor([MIB / 4 - 16384]);
    expectSameBits(engine.matmul(a, b, large), expected);
    within();
    half.dispose();
    engine.dispose();
    engine = await createEngine({ threads: 2, simd: build, maxMemory: 65536 });
    expect(engine.attention(q, k, v, shape)).toHaveLength(q.length);
    expect(engine.memory).toMatchObject({ reserved: 65536, limit: 65536 });
  });
  it('is asked for once where the system has no room for a second memory', async () => {
    await make();
    const { Memory } = WebAssembly;
    const asked = vi.spyOn(WebAssembly, 'Memory').mockImplementation(function refuse(descriptor) {
      if (!descriptor.shared) throw new RangeError('could not allocate memory');
      return new Memory(descriptor);
    });
    const one = await createEngine({ threads: 2, simd: build });
    const before = asked.mock.calls.length;
    for (let i = 0; i < 3; i++) expect(one.attention(q, k, v, shape)).toHaveLength(q.length);
    expect(asked.mock.calls.length).toBe(before + 1);
    vi.restoreAllMocks();
    expectSameBits(one.attention(q, k, v, shape), engine.attention(q, k, v, shape));
    one.dispose();
  });
  it('ends with its engine', async () => {
    const { plain } = runtimeOf('test', await make());
    const { reserved } = engine.memory;
    engine.attention(q, k, v, shape);
    expect(engine.memory.reserved).toBeGreaterThanOrEqual(reserved);
    engine.dispose();
    expect(plain.disposed).toBe(true);
    matches(
      fault(() => engine.attention(q, k, v, shape)),
      ended('attention', 'engine'),
    );
  });
  it('an out that is a view of a tensor is held by an asynchronous call (fault 33)', async () => {
    await make();
    const x = engine.tensor([40]);
    const before = engine.memory.used;
    const out = x.data;
    const later = engine.attentionAsync(q, k, v, { ...shape, out });
    x.dispose();
    expect(engine.memory.used).toBeGreaterThanOrEqual(before);
    expectSameBits((await later).slice(), engine.attention(q, k, v, shape));
    expect(engine.memory.used).toBeLessThan(before);
  });
});
