/**
 * Workers that fail in the middle of a job or between two (docs/reliability.md, faults 46–50, 53, 54, 67, 68): every call ends, each
 * promise settles, the next call is right. Every test leaves the engine's bits those of a fresh one.
 *
 * @node its workers tell of their end, and a vm ends a script that does not end
 */
import { once } from 'node:events';
import { createContext, runInContext } from 'node:vm';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { KernelTrapError, StateError, WorkerError, type Engine, type HeedError } from '../src/index.ts';
import type { EngineOptions } from '../src/index.ts';
import { layerOf, x } from './async-calls.ts';
import { normal } from './data.ts';
import { FaultyWorkers, type Fault } from './faulty-workers.ts';
import { Program } from '../src/threads/program.ts';
import { fault, matches, refuses, rejection, rejects, watch, type Refusal } from './nothing-lost.ts';
import { expectSameBits } from './problems.ts';

// Enough to be shared with workers that sleep, on the faster build too, and for several items.
const shape = { M: 240, N: 384, K: 320 };
const [a, b] = [normal(shape.M * shape.K, 1), normal(shape.K * shape.N, 2)];
const other = normal(a.length, 3);

const engines: Engine[] = [];

interface Made {
  readonly workers: FaultyWorkers;
  readonly engine: Engine;
  /** Bits of the product. */
  readonly expected: Float32Array;
}

async function make(options?: EngineOptions, workers: FaultyWorkers = new FaultyWorkers()): Promise<Made> {
  const engine = await workers.engine(options);
  engines.push(engine);
  return { workers, engine, expected: engine.matmul(a, b, shape) };
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const engine of engines.splice(0)) engine.dispose();
});

/** Both kinds of calls are right, and workers help. */
async function goesOn({ workers, engine, expected }: Made): Promise<void> {
  const before = workers.items;
  expectSameBits(await engine.matmulAsync(a, b, shape), expected);
  expect(workers.items).toBeGreaterThan(before);
  workers.workersFirst();
  const between = workers.items;
  expectSameBits(engine.matmul(a, b, shape), expected);
  expect(workers.items).toBeGreaterThan(between);
}

/** What becomes of a call during which a worker does this. */
const refusals: readonly [title: string, name: Fault, refusal: Omit<Refusal, 'op'>][] = [
  ['throws (fault 46)', 'throw', { class: WorkerError, code: 'ERR_WORKER' }],
  ['exits (fault 47)', 'exit', { class: WorkerError, code: 'ERR_WORKER_EXIT' }],
  ['vanishes (fault 49)', 'vanish', { class: WorkerError, code: 'ERR_WORKER_EXIT' }],
];

describe.each([2, 4])('%i threads, a worker in the middle of a job', (threads) => {
  for (const [title, name, refusal] of refusals) {
    it(`that in an asynchronous call ${title}`, async () => {
      const made = await make({ threads });
      const { engine, workers } = made;
      const watched = await watch(engine, a, b);
      for (const items of [0, 1, 5]) {
        const { happened } = workers;
        workers.arm(name, items);
        const call = (): Promise<unknown> => engine.matmulAsync(a, b, shape);
        const error = await rejects(call, { ...refusal, op: 'matmulAsync' }, watched);
        expect(workers.happened).toBe(happened + 1);
        expect(error).toMatchObject({
          worker: expect.any(Number) as number,
          jobId: expect.any(Number) as number,
        });
        if (name === 'throw') expect(error.cause).toMatchObject({ name: 'TypeError', message: 'a fault' });
        else expect(error).toMatchObject({ exitCode: 7 });
        // Two deaths in ten seconds are replaced, the third is not.
        if (name !== 'throw') break;
      }
      await goesOn(made);
    });
  }
  for (const [title, name, refusal] of refusals.filter(([, name]) => name !== 'vanish')) {
    it(`that in a synchronous call ${title}`, async () => {
      const made = await make({ threads });
      const { engine, workers } = made;
      const watched = await watch(engine, a, b);
      workers.arm(name, 1);
      refuses(() => engine.matmul(a, b, shape), { ...refusal, op: 'matmul' }, watched);
      expect(workers.happened).toBe(1);
      await goesOn(made);
    });
  }
});

it('a worker that throws where built-ins are frozen (fault 46)', async () => {
  const { engine, workers } = await make({ threads: 2 });
  const name = Object.getOwnPropertyDescriptor(Error.prototype, 'name')!;
  workers.arm('throw', 0);
  try {
    // As Object.freeze leaves it: no error takes a name of its own by being assigned one.
    Object.defineProperty(Error.prototype, 'name', { ...name, writable: false });
    const error = await rejection(engine.matmulAsync(a, b, shape));
    matches(error, { class: WorkerError, code: 'ERR_WORKER', op: 'matmulAsync' });
    expect(error.cause).toMatchObject({ name: 'TypeError', message: 'a fault' });
  } finally {
    Object.defineProperty(Error.prototype, 'name', name);
  }
});

it('a kernel that traps in a worker: ERR_TRAP with the cause, the engine is poisoned (faults 46, 68)', async () => {
  const { engine, workers } = await make({ threads: 3 });
  const used = engine.memory.used;
  workers.arm('trap', 2);
  const first = rejection(engine.matmulAsync(a, b, shape));
  // Its memory cannot be relied on any more.
  const behind = rejection(engine.matmulAsync(a, b, shape));
  const error = await first;
  matches(error, { class: KernelTrapError, code: 'ERR_TRAP', op: 'matmulAsync' });
  expect(error.cause).toMatchObject({ name: 'RuntimeError' });
  const poisoned = { class: StateError, code: 'ERR_POISONED' } as const;
  matches(await behind, { ...poisoned, op: 'matmulAsync' });
  matches(await rejection(engine.matmulAsync(a, b, shape)), { ...poisoned, op: 'matmulAsync' });
  matches(
    fault(() => engine.matmul(a, b, shape)),
    { ...poisoned, op: 'matmul' },
  );
  expect(engine.memory.used).toBe(used);
});

it('a kernel that traps in a worker during a synchronous call (faults 46, 68)', async () => {
  const { engine, workers } = await make();
  workers.arm('trap', 1);
  matches(
    fault(() => engine.matmul(a, b, shape)),
    { class: KernelTrapError, code: 'ERR_TRAP', op: 'matmul' },
  );
  matches(
    fault(() => engine.matmul(a, b, shape)),
    { class: StateError, code: 'ERR_POISONED', op: 'matmul' },
  );
});

it('a worker that runs out of memory: ERR_WORKER_OUT_OF_MEMORY (fault 48)', async () => {
  const small = new FaultyWorkers({
    resourceLimits: { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 },
  });
  const made = await make({}, small);
  const watched = await watch(made.engine, a, b);
  small.arm('out of memory', 1);
  const refusal = { class: WorkerError, code: 'ERR_WORKER_OUT_OF_MEMORY', op: 'matmulAsync' } as const;
  const error = await rejects(() => made.engine.matmulAsync(a, b, shape), refusal, watched);
  expect(error.cause).toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' });
  await goesOn(made);
});

it.each([2, 4])('one of %i threads that is killed in the middle of a job (fault 49)', async (threads) => {
  const made = await make({ threads });
  const { engine, workers } = made;
  workers.arm('pause', 1);
  const calls = [1, 2, 3].map(() => engine.matmulAsync(a, b, shape).catch((error: unknown) => error));
  await workers.happens();
  await workers.who.terminate();
  const [lost, ...others] = await Promise.all(calls);
  matches(lost as HeedError, { class: WorkerError, code: 'ERR_WORKER_EXIT', op: 'matmulAsync' });
  for (const each of others) expectSameBits(each as Float32Array, made.expected);
  await goesOn(made);
});

describe('a worker that ends between two jobs', () => {
  it('is replaced', async () => {
    const made = await make({ threads: 3 });
    const [first] = made.workers.workers;
    const next = made.workers.made(3);
    await first!.terminate();
    await next;
    expect(made.engine.features).toMatchObject({
      threads: 3,
      reason: expect.not.stringContaining('died') as string,
    });
    await goesOn(made);
  });
  it('is missed by no call, before its end is known and after', async () => {
    const { engine, workers, expected } = await make();
    void workers.workers[0]!.terminate();
    expectSameBits(engine.matmul(a, b, shape), expected);
    // Written down for one that is about to go, and has no claim.
    expectSameBits(await engine.matmulAsync(a, b, shape), expected);
    expect(workers.workers).toHaveLength(2);
  });
  it('before it begins is replaced by another', async () => {
    const made = await make();
    const starting = vi.spyOn(made.workers, 'source', 'get').mockReturnValueOnce('process.exit(9)');
    await made.workers.workers[0]!.terminate();
    await goesOn(made);
    expect(starting).toHaveBeenCalledTimes(2);
    expect(made.engine.features.threads).toBe(2);
  });
  it.each([2, 3])('and not replaced: %i threads', async (threads) => {
    const { engine, workers, expected } = await make({ threads });
    // The engine has the factory; what it makes is no worker any more.
    vi.spyOn(workers, 'source', 'get').mockReturnValue('process.exit(9)');
    await setTimeout(20);
    void workers.workers[0]!.terminate();
    const call = engine.matmulAsync(a, b, shape);
    if (threads > 2) expectSameBits(await call, expected);
    else matches(await rejection(call), { class: WorkerError, code: 'ERR_WORKER_EXIT', op: 'matmulAsync' });
    expect(engine.features.threads).toBe(threads === 2 ? 1 : threads);
    expectSameBits(engine.matmul(a, b, shape), expected);
  });
});

it('a crash loop: three deaths in ten seconds, and no worker is started any more (fault 53)', async () => {
  const { engine, workers, expected } = await make();
  for (let deaths = 1; deaths <= 3; deaths++) {
    workers.arm('exit');
    const waiting = engine.matmulAsync(a, b, shape);
    const behind = engine.matmulAsync(a, b, shape);
    matches(await rejection(waiting), { class: WorkerError, code: 'ERR_WORKER_EXIT', op: 'matmulAsync' });
    if (deaths < 3) expectSameBits(await behind, expected);
    else
      matches(await rejection(behind), { class: WorkerError, code: 'ERR_POOL_DEGRADED', op: 'matmulAsync' });
  }
  expect(workers.workers).toHaveLength(3);
  expect(engine.features.threads).toBe(1);
  expect(engine.features.reason).toContain('no more workers are started, as those before have died');
  const watched = await watch(engine, a, b);
  const refusal = { class: WorkerError, code: 'ERR_POOL_DEGRADED', op: 'matmulAsync' } as const;
  const error = await rejects(() => engine.matmulAsync(a, b, shape), refusal, watched);
  expect(error.hint).toContain('synchronous calls go on');
  expectSameBits(engine.matmul(a, b, shape), expected);
});

it('three deaths over more than ten seconds are each replaced (fault 53)', async () => {
  const made = await make();
  let now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  for (let deaths = 1; deaths <= 4; deaths++) {
    now += 5001;
    const next = made.workers.made(deaths + 1);
    await made.workers.workers.at(-1)!.terminate();
    await next;
  }
  vi.restoreAllMocks();
  expect(made.engine.features).toMatchObject({ threads: 2 });
  await goesOn(made);
});

describe('a worker of which nothing is heard (faults 49, 67)', () => {
  const refusal = { class: WorkerError, code: 'ERR_WORKER' } as const;
  const problem = 'a worker does not answer';

  it('in a synchronous call: two minutes, as they are waited through', async () => {
    const { engine, workers, expected } = await make();
    const watched = await watch(engine, a, b);
    workers.arm('vanish', 1);
    const wait = Atomics.wait.bind(Atomics);
    // The clock of the waits: each second passes at once, but for that in which the worker is let in.
    const spy = vi.spyOn(Atomics, 'wait').mockImplementation((...given) => {
      return given[3] === 1000 ? 'timed-out' : wait(...given);
    });
    const error = fault(() => engine.matmul(a, b, shape));
    expect(spy.mock.calls.filter((given) => given[3] === 1000)).toHaveLength(121);
    spy.mockRestore();
    matches(error, { ...refusal, op: 'matmul', message: `matmul: ${problem} [ERR_WORKER]` });
    expect(engine.features.threads).toBe(1);
    expectSameBits(engine.matmul(a, b, shape), expected);
    refuses(() => engine.tensor([-1]), { class: RangeError, code: 'ERR_DIM' }, watched);
  });
  it.each(['synchronous', 'asynchronous'])(
    'tensors that a call has in place are given to nobody then: %s',
    async (kind) => {
      const { engine, workers } = await make();
      const { M, N, K } = shape;
      const out = engine.tensor([M, N]);
      const operands = [engine.tensor([M, K], a), engine.tensor([K, N], b)] as const;
      workers.arm('vanish', 1);
      if (kind === 'synchronous') {
        const wait = Atomics.wait.bind(Atomics);
        vi.spyOn(Atomics, 'wait').mockImplementation((...given) => {
          return given[3] === 1000 ? 'timed-out' : wait(...given);
        });
        matches(
          fault(() => engine.matmul(...operands, { out })),
          refusal,
        );
      } else {
        vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
        workers.arm('hang', 1);
        const call = rejection(engine.matmulAsync(...operands, { out }));
        await workers.happens();
        vi.advanceTimersByTime(122_000);
        matches(await call, refusal);
      }
      const { used } = engine.memory;
      for (const tensor of [out, ...operands]) tensor.dispose();
      expect(engine.memory.used).toBe(used);
    },
  );
  it('in an asynchronous call; those that wait behind it are told why they never began', async () => {
    const { engine, workers, expected } = await make();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    workers.arm('hang', 1);
    const [first, second] = [1, 2].map(() => rejection(engine.matmulAsync(a, b, shape)));
    await workers.happens();
    vi.advanceTimersByTime(122_000);
    matches(await first!, { ...refusal, op: 'matmulAsync', message: `matmulAsync: ${problem} [ERR_WORKER]` });
    matches(await second!, { class: WorkerError, code: 'ERR_POOL_DEGRADED', op: 'matmulAsync' });
    expectSameBits(engine.matmul(a, b, shape), expected);
    // It is made to end.
    await once(workers.workers[0]!, 'exit');
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

describe('engine.dispose() (faults 50, 51)', () => {
  it.each(['asleep', 'spinning'])('ends workers that are %s', async (state) => {
    const { engine, workers } = await make({ threads: 4 });
    const ends = workers.workers.map((worker) => once(worker, 'exit'));
    if (state === 'asleep') await setTimeout(20);
    else engine.matmul(a, b, shape);
    engine.dispose();
    await Promise.all(ends);
  });
});

describe('a synchronous call that is ended from outside, as by the time of a script or Ctrl-C in a REPL', () => {
  const interrupted = (call: () => unknown): void => {
    expect(() => {
      runInContext('call()', createContext({ call }), { timeout: 150 });
    }).toThrow('timed out');
  };
  it.each(['synchronous', 'asynchronous'])(
    'leaves nobody at work on memory when a %s one follows',
    async (kind) => {
      const { engine, workers, expected } = await make();
      workers.arm('delay', 1);
      interrupted(() => engine.matmul(other, b, shape));
      expect(workers.happened).toBe(1);
      const { items } = workers;
      const next = kind === 'synchronous' ? engine.matmul(a, b, shape) : engine.matmulAsync(a, b, shape);
      // The item that took so long is done, before anything else was begun.
      expect(workers.items).toBeGreaterThan(items);
      expectSameBits(await next, expected);
      for (let i = 0; i < 20; i++) expectSameBits(engine.matmul(a, b, shape), expected);
    },
  );
  it('and memory that it had is given to an asynchronous one only then', async () => {
    const { engine, workers, expected } = await make();
    const { M, N, K } = shape;
    const out = engine.tensor([M, N]);
    const operands = [engine.tensor([M, K], other), engine.tensor([K, N], b)] as const;
    workers.arm('delay', 1);
    interrupted(() => engine.matmul(...operands, { out }));
    // What is copied next lies where the item that takes so long will write.
    for (const tensor of [out, ...operands]) tensor.dispose();
    expectSameBits(await engine.matmulAsync(a, b, shape), expected);
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
    workers.arm('hang', 1);
    interrupted(() => engine.matmul(a, b, shape));
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
  const workers = new FaultyWorkers();
  const engine = await workers.engine();
  engines.push(engine);
  const tried = vi.mocked(Atomics.wait).mock.calls.length;
  let result: Float32Array | undefined;
  for (let i = 0; i < 1000 && workers.happened === 0; i++) {
    workers.slow();
    result = engine.matmul(a, b, shape);
  }
  expect(workers.happened).toBeGreaterThan(0);
  expect(vi.mocked(Atomics.wait).mock.calls).toHaveLength(tried);
  vi.restoreAllMocks();
  expectSameBits(result!, engine.matmul(a, b, shape));
});
