/**
 * Workers that say nothing, and calls that are ended from outside while workers are at them (docs/reliability.md, faults 49, 54, 67, 74):
 * no wait is without end, and memory that somebody may still write to is given to nobody.
 *
 * @node a vm ends a script that does not end
 */
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import type { HeedError } from '../src/index.ts';
import { Program } from '../src/threads/program.ts';
import { layerOf, x } from './async-calls.ts';
import { normal } from './data.ts';
import { a, b, interrupted, interruptedBy, make, shape } from './faulty-engines.ts';
import { losesNothing, matches, rejection, rejects, watch, type Refusal } from './nothing-lost.ts';
import { expectSameBits } from './problems.ts';
import { degraded, sentence } from './refusals.ts';

const other = normal(a.length, 3);

describe('a worker of which nothing is heard (faults 49, 67)', () => {
  const lost = (op: string): Refusal => {
    const jobId = expect.any(Number) as number;
    return { ...sentence(op, 'ERR_WORKER', 'a worker does not answer'), jobId };
  };

  it('in a synchronous call: two minutes, as they are waited through', async () => {
    const { engine, workers, expected } = await make();
    const watched = await watch(engine, a, b);
    workers.arm('vanish', 1);
    const wait = Atomics.wait.bind(Atomics);
    // The clock of the waits: each second passes at once, but for that in which the worker is let in.
    const spy = vi.spyOn(Atomics, 'wait').mockImplementation((...given) => {
      return given[3] === 1000 ? 'timed-out' : wait(...given);
    });
    await rejects(async () => Promise.resolve(engine.matmul(a, b, shape)), lost('matmul'), watched);
    expect(spy.mock.calls.filter((given) => given[3] === 1000)).toHaveLength(121);
    spy.mockRestore();
    expect(engine.features.threads).toBe(1);
    expectSameBits(engine.matmul(a, b, shape), expected);
  });
  it.each(['synchronous', 'asynchronous'])(
    'tensors that a call has in place are given to nobody then: %s',
    async (kind) => {
      const { engine, workers } = await make();
      const { M, N, K } = shape;
      const out = engine.tensor([M, N]);
      const operands = [engine.tensor([M, K], a), engine.tensor([K, N], b)] as const;
      const watched = await watch(engine, ...operands);
      workers.arm('vanish', 1);
      if (kind === 'synchronous') {
        const wait = Atomics.wait.bind(Atomics);
        vi.spyOn(Atomics, 'wait').mockImplementation((...given) => {
          return given[3] === 1000 ? 'timed-out' : wait(...given);
        });
        await rejects(
          async () => Promise.resolve(engine.matmul(...operands, { out })),
          lost('matmul'),
          watched,
        );
      } else {
        vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
        workers.arm('hang', 1);
        const call = rejects(() => engine.matmulAsync(...operands, { out }), lost('matmulAsync'), {
          ...watched,
          quarantine: true,
        });
        await workers.happens();
        vi.advanceTimersByTime(122_000);
        await call;
      }
      const { used } = engine.memory;
      for (const tensor of [out, ...operands]) tensor.dispose();
      expect(engine.memory.used).toBe(used);
    },
  );
  it('in an asynchronous call; those that wait behind it are told why they never began', async () => {
    const { engine, workers, expected } = await make();
    const watched = await watch(engine, a, b);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    workers.arm('hang', 1);
    const call = (): Promise<unknown> => engine.matmulAsync(a, b, shape);
    // It is made to end.
    const exit = once(workers.workers[0]!, 'exit');
    let behind: Promise<HeedError> | undefined;
    const first = (): Promise<unknown> => {
      const result = call();
      behind = rejection(call());
      return result;
    };
    const ends = rejects(first, lost('matmulAsync'), { ...watched, quarantine: true });
    await workers.happens();
    vi.advanceTimersByTime(122_000);
    await ends;
    matches(await behind!, degraded('matmulAsync'));
    vi.useRealTimers();
    expectSameBits(engine.matmul(a, b, shape), expected);
    await rejects(call, degraded('matmulAsync'), watched);
    await exit;
  });
  it('is not one that is slow in both parts of a pass', async () => {
    const { engine, workers } = await make({ threads: 2 });
    const layer = layerOf(engine);
    const cache = engine.kvCache({ kvHeads: 4, headDim: 12, capacity: 64, dtype: 'f16' });
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    /** Pauses, by how many items run before each. */
    const pass = async (...pauses: readonly [items: number, ms: number][]): Promise<void> => {
      const before = workers.happened;
      if (pauses.length > 0) workers.arm('pause', pauses[0]![0]);
      const result = layer.forwardAsync(x.subarray(0, 48), { seqQ: 1, cache });
      for (const [i, [, ms]] of pauses.entries()) {
        await workers.happens(before + i + 1);
        vi.advanceTimersByTime(ms);
        const next = pauses[i + 1];
        if (next) workers.arm('pause', next[0]);
        workers.release();
      }
      await result;
    };
    const { items } = workers;
    await pass();
    // The first item, and each of the others, one of which begins the second part.
    const others = workers.items - items - 1;
    for (let between = 0; between < others; between++) await pass([0, 100_000], [between, 30_000]);
    expect(engine.features.threads).toBe(2);
    layer.dispose();
  });
  it('is not a slow one, whose items end', async () => {
    const { engine, workers, expected } = await make();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    workers.arm('pause');
    const call = engine.matmulAsync(a, b, shape);
    for (let i = 1; i <= 3; i++) {
      await workers.happens(i);
      vi.advanceTimersByTime(100_000);
      if (i < 3) workers.arm('pause');
      workers.release();
    }
    expectSameBits(await call, expected);
  });
});

describe('a synchronous call that is ended from outside, as by the time of a script or Ctrl-C in a REPL (fault 74)', () => {
  it.each(['synchronous', 'asynchronous'])(
    'leaves nobody at work on memory when a %s one follows',
    async (kind) => {
      const { engine, workers, expected } = await make();
      const ends = async (): Promise<void> => {
        interruptedBy(workers, 'delay', () => engine.matmul(other, b, shape));
        const { items } = workers;
        const next = kind === 'synchronous' ? engine.matmul(a, b, shape) : engine.matmulAsync(a, b, shape);
        // The item that took so long is done, before anything else was begun.
        expect(workers.items).toBeGreaterThan(items);
        expectSameBits(await next, expected);
      };
      await losesNothing(ends, await watch(engine, a, b, other));
      for (let i = 0; i < 20; i++) expectSameBits(engine.matmul(a, b, shape), expected);
    },
  );
  it('and memory that it had is given to an asynchronous one only then', async () => {
    const { engine, workers, expected } = await make();
    const { M, N, K } = shape;
    const out = engine.tensor([M, N]);
    const operands = [engine.tensor([M, K], other), engine.tensor([K, N], b)] as const;
    interruptedBy(workers, 'delay', () => engine.matmul(...operands, { out }));
    // What is copied next lies where the item that takes so long will write.
    for (const tensor of [out, ...operands]) tensor.dispose();
    expectSameBits(await engine.matmulAsync(a, b, shape), expected);
  });
  it('and so does the next call, where that one is ended, too, while it waits for them', async () => {
    const { engine, workers, expected } = await make();
    interruptedBy(workers, 'delay', () => engine.matmul(other, b, shape));
    interrupted(() => engine.matmul(other, b, shape));
    const { items } = workers;
    const next = engine.matmulAsync(a, b, shape);
    expect(workers.items).toBeGreaterThan(items);
    expectSameBits(await next, expected);
  });
  it('while it writes down what shall be run: the next is run', async () => {
    const { engine, expected } = await make();
    vi.spyOn(Program.prototype, 'add').mockImplementationOnce(() => {
      for (;;);
    });
    interrupted(() => engine.matmulAsync(a, b, shape));
    const one = Float32Array.of(3);
    expect(engine.matmul(one, one, { M: 1, N: 1, K: 1 })).toEqual(Float32Array.of(9));
    expectSameBits(engine.matmul(a, b, shape), expected);
  });
  it('and nobody is waited for longer than two minutes', async () => {
    const { engine, workers, expected } = await make();
    interruptedBy(workers, 'hang', () => engine.matmul(a, b, shape));
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 50));
    expectSameBits(engine.matmul(a, b, shape), expected);
    vi.restoreAllMocks();
    expect(engine.features.threads).toBe(1);
  });
});

it('where a thread may not wait the caller spins (fault 54)', async () => {
  vi.spyOn(Atomics, 'wait').mockImplementation(() => {
    throw new TypeError('Atomics.wait cannot be called in this context');
  });
  const { engine, workers, expected } = await make();
  const watched = await watch(engine, a, b);
  const tried = vi.mocked(Atomics.wait).mock.calls.length;
  const result = await losesNothing(() => {
    let last: Float32Array;
    do {
      workers.slow();
      last = engine.matmul(a, b, shape);
    } while (workers.happened === 0);
    return last;
  }, watched);
  expect(vi.mocked(Atomics.wait).mock.calls).toHaveLength(tried);
  vi.restoreAllMocks();
  expectSameBits(result, expected);
});
