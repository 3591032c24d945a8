/**
 * Workers that fail in the middle of a job or between two (docs/reliability.md, faults 46–50, 53, 68): every call ends, each promise
 * settles, the next call is right. Those of which nothing is heard are in a test of their own.
 *
 * @node its workers tell of their end
 */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { Engine, WorkerError } from '../src/index.ts';
import { a, b, goesOn, make, shape } from './faulty-engines.ts';
import { FaultyWorkers, type Fault } from './faulty-workers.ts';
import { engineOf } from './builds.ts';
import {
  losesNothing,
  matches,
  refuses,
  rejection,
  rejects,
  watch,
  type Refusal,
  type Watch,
} from './nothing-lost.ts';
import { expectSameBits } from './problems.ts';
import { degraded, ended, poisoned, sentence, trapped } from './refusals.ts';

const op = 'matmulAsync';
const anyNumber = expect.any(Number) as number;

/**
 * What becomes of a call that a worker's end costs. Which worker it was, what with and why, it tells by messages, which a thread hears
 * between two turns of its event loop: not in the middle of a synchronous call.
 */
function exited(op: 'matmul' | 'matmulAsync'): Refusal {
  const heard = { worker: anyNumber, exitCode: anyNumber };
  return {
    ...{ ...sentence(op, 'ERR_WORKER_EXIT', 'a worker ended'), jobId: anyNumber },
    ...(op === 'matmul' ? {} : heard),
  };
}

/** And of one in which a worker throws what is no trap. */
function threw(op: 'matmul' | 'matmulAsync'): Refusal {
  const heard = { worker: anyNumber, cause: { name: 'TypeError', message: 'a fault' } };
  return {
    ...{ ...sentence(op, 'ERR_WORKER', 'a worker failed'), jobId: anyNumber },
    ...(op === 'matmul' ? {} : heard),
  };
}

describe.each([2, 4])('%i threads, a worker in the middle of a job', (threads) => {
  const rows: readonly [title: string, name: Fault, refusal: typeof exited, exitCode?: number][] = [
    ['throws (fault 46)', 'throw', threw],
    ['exits (fault 47)', 'exit', exited, 7],
    ['vanishes (fault 49)', 'vanish', exited, 7],
  ];
  for (const [title, name, refusal, exitCode] of rows) {
    it(`that in an asynchronous call ${title}`, async () => {
      const made = await make({ threads });
      const { engine, workers } = made;
      const watched = await watch(engine, a, b);
      const calls = name === 'throw' ? [0, 1, 5] : [0];
      for (const items of calls) {
        const { happened } = workers;
        workers.arm(name, items);
        const error = await rejects(() => engine.matmulAsync(a, b, shape), refusal(op), watched);
        expect(workers.happened).toBe(happened + 1);
        expect(error).toMatchObject(exitCode === undefined ? {} : { exitCode });
        expect((error as WorkerError).worker).toBeLessThan(threads);
      }
      await goesOn(made);
    });
  }
  for (const [title, name, refusal] of rows.filter(([, name]) => name !== 'vanish')) {
    it(`that in a synchronous call ${title}`, async () => {
      const made = await make({ threads });
      const { engine, workers } = made;
      const watched = await watch(engine, a, b);
      workers.arm(name, 1);
      refuses(() => engine.matmul(a, b, shape), refusal('matmul'), watched);
      expect(workers.happened).toBe(1);
      await goesOn(made);
    });
  }
});

it('a worker that throws where built-ins are frozen (fault 46)', async () => {
  const made = await make({ threads: 2 });
  const { engine, workers } = made;
  const name = Object.getOwnPropertyDescriptor(Error.prototype, 'name')!;
  workers.arm('throw', 0);
  try {
    // As Object.freeze leaves it: no error takes a name of its own by being assigned one.
    Object.defineProperty(Error.prototype, 'name', { ...name, writable: false });
    matches(await rejection(engine.matmulAsync(a, b, shape)), threw(op));
  } finally {
    Object.defineProperty(Error.prototype, 'name', name);
  }
  await goesOn(made);
});

describe('a kernel that traps in a worker: ERR_TRAP with the cause, the engine is poisoned (faults 46, 68)', () => {
  /** Nothing is lost, of what it was called with and of an engine beside it; its own memory is what it was, too. */
  async function beside(engine: Engine): Promise<{ readonly watched: Watch; readonly end: () => void }> {
    const { used } = engine.memory;
    const other = await engineOf('baseline');
    return {
      watched: await watch(other, a, b),
      end() {
        expect(engine.memory.used).toBe(used);
        engine.dispose();
        expect(engine.memory.used).toBe(0);
        other.dispose();
      },
    };
  }

  it('during an asynchronous call, and for those behind it', async () => {
    const { engine, workers } = await make({ threads: 3 });
    const { watched, end } = await beside(engine);
    const call = (): Promise<unknown> => engine.matmulAsync(a, b, shape);
    workers.arm('trap', 2);
    const first = call();
    // Its memory cannot be relied on any more.
    const behind = rejection(call());
    await rejects(() => first, { ...trapped(op), cause: { name: 'RuntimeError' } }, watched);
    matches(await behind, poisoned(op));
    await rejects(call, poisoned(op), watched);
    refuses(() => engine.matmul(a, b, shape), poisoned('matmul'), watched);
    end();
  });
  it('during a synchronous call', async () => {
    const { engine, workers } = await make();
    const { watched, end } = await beside(engine);
    workers.arm('trap', 1);
    refuses(() => engine.matmul(a, b, shape), trapped('matmul'), watched);
    refuses(() => engine.matmul(a, b, shape), poisoned('matmul'), watched);
    end();
  });
});

it('a worker that runs out of memory: ERR_WORKER_OUT_OF_MEMORY (fault 48)', async () => {
  const small = new FaultyWorkers({
    resourceLimits: { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 },
  });
  const made = await make({}, small);
  const watched = await watch(made.engine, a, b);
  small.arm('out of memory', 1);
  const code = 'ERR_WORKER_OUT_OF_MEMORY';
  const refusal: Refusal = {
    ...sentence(op, code, 'a worker ran out of memory'),
    ...{ worker: 1, jobId: anyNumber, exitCode: 1, cause: { code } },
  };
  await rejects(() => made.engine.matmulAsync(a, b, shape), refusal, watched);
  await goesOn(made);
});

it.each([2, 4])('one of %i threads that is killed in the middle of a job (fault 49)', async (threads) => {
  const made = await make({ threads });
  const { engine, workers, expected } = made;
  const watched = await watch(engine, a, b);
  workers.arm('pause', 1);
  const killed = async (): Promise<unknown> => {
    const [lost, ...others] = [1, 2, 3].map(() => engine.matmulAsync(a, b, shape));
    const [, rest] = [lost!.catch(() => undefined), Promise.all(others)];
    await workers.happens();
    await workers.who.terminate();
    for (const each of await rest) expectSameBits(each, expected);
    return lost;
  };
  const error = await rejects(killed, { ...exited(op), exitCode: 1 }, watched);
  expect((error as WorkerError).worker).toBeLessThan(threads);
  await goesOn(made);
});

describe('a worker that ends between two jobs (fault 49)', () => {
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
    await losesNothing(
      async () => {
        void workers.workers[0]!.terminate();
        expectSameBits(engine.matmul(a, b, shape), expected);
        // Written down for one that is about to go, and has no claim.
        expectSameBits(await engine.matmulAsync(a, b, shape), expected);
      },
      await watch(engine, a, b),
    );
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
    const watched = await watch(engine, a, b);
    // The engine has the factory; what it makes is no worker any more.
    vi.spyOn(workers, 'source', 'get').mockReturnValue('process.exit(9)');
    await setTimeout(20);
    const call = (): Promise<Float32Array> => {
      void workers.workers[0]!.terminate();
      return engine.matmulAsync(a, b, shape);
    };
    if (threads > 2) expectSameBits(await call(), expected);
    else await rejects(call, { ...exited(op), worker: 1, exitCode: 1 }, watched);
    expect(engine.features.threads).toBe(threads === 2 ? 1 : threads);
    expectSameBits(engine.matmul(a, b, shape), expected);
  });
});

describe('a crash loop (fault 53)', () => {
  it('three deaths in ten seconds, and no worker is started any more: ERR_POOL_DEGRADED', async () => {
    const { engine, workers, expected } = await make({ simd: 'baseline', tile: '6x8' });
    const watched = await watch(engine, a, b);
    for (let deaths = 1; deaths <= 3; deaths++) {
      workers.arm('exit');
      const waiting = engine.matmulAsync(a, b, shape);
      const behind = engine.matmulAsync(a, b, shape);
      const end = deaths < 3 ? behind : rejection(behind);
      matches(await rejection(waiting), { ...exited(op), worker: 1, exitCode: 7 });
      if (deaths < 3) expectSameBits((await end) as Float32Array, expected);
      else matches((await end) as WorkerError, degraded(op));
    }
    expect(workers.workers).toHaveLength(3);
    expect(engine.features.threads).toBe(1);
    const none = 'tile 4x8: the baseline build has no 6x8';
    const lost = 'no more workers are started, as those before have died';
    expect(engine.features.reason.split('; ')).toEqual([none, expect.stringContaining(lost)]);
    await rejects(() => engine.matmulAsync(a, b, shape), degraded(op), watched);
    expectSameBits(engine.matmul(a, b, shape), expected);
  });
  it('three deaths over ten seconds are each replaced', async () => {
    const made = await make();
    // Whole, so that ten seconds are ten thousand and no less.
    let now = Math.ceil(performance.now());
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    for (let deaths = 1; deaths <= 4; deaths++) {
      now += 5000;
      const next = made.workers.made(deaths + 1);
      await made.workers.workers.at(-1)!.terminate();
      await next;
    }
    vi.restoreAllMocks();
    expect(made.engine.features).toMatchObject({ threads: 2 });
    await goesOn(made);
  });
});

describe('engine.dispose() (fault 50)', () => {
  it.each(['asleep', 'spinning'])('ends workers that are %s, and what waits for them', async (state) => {
    const { engine, workers } = await make({ threads: 4 });
    const other = await engineOf('baseline');
    const watched = await watch(other, a, b);
    const ends = workers.workers.map((worker) => once(worker, 'exit'));
    if (state === 'asleep') await setTimeout(20);
    else engine.matmul(a, b, shape);
    engine.dispose();
    engine.dispose();
    await Promise.all(ends);
    refuses(() => engine.matmul(a, b, shape), ended('matmul', 'engine'), watched);
    other.dispose();
  });
});
