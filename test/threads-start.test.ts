/**
 * Workers that do not start, and machines that have none (docs/reliability.md, faults 52, 55, 56).
 *
 * @node it plays other machines on Node's process
 */
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createEngine, EnvironmentError, type EngineOptions } from '../src/index.ts';
import { runtimeOf } from '../src/engine.ts';
import { workerSource } from '../src/generated/worker.ts';
import { JOB } from '../src/threads/protocol.ts';
import { Pool } from '../src/threads/pool.ts';
import { normal } from './data.ts';
import { golden, matches, rejection, watch } from './nothing-lost.ts';
import { expectSameBits } from './problems.ts';

const os = process.getBuiltinModule('node:os');
const shape = { M: 240, N: 256, K: 320 };
const [a, b] = [normal(shape.M * shape.K, 1), normal(shape.K * shape.N, 2)];
const maxMemory = 2 ** 26;

const made: Worker[] = [];

/** A factory of workers with this program. */
function running(source: string): () => Worker {
  return () => {
    const worker = new Worker(source, { eval: true, execArgv: [] });
    made.push(worker);
    return worker;
  };
}

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  await Promise.all(made.splice(0).map((worker) => worker.terminate()));
});

/** The engine is refused; with 'auto' it is one of one thread, that says why. Nothing is left in either case. */
async function refused(
  options: EngineOptions,
  code: EnvironmentError['code'],
  words: string,
): Promise<EnvironmentError> {
  const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const error = await rejection(createEngine({ threads: 3, maxMemory, ...options }));
  matches(error, { class: EnvironmentError, code, op: 'createEngine' });
  expect(error.message).toContain(words);
  vi.spyOn(os, 'availableParallelism').mockReturnValue(3);
  const engine = await createEngine({ maxMemory, ...options });
  expect(engine.features.threads).toBe(1);
  expect(engine.features.reason).toContain('one thread: ');
  expect(engine.features.reason).toContain(words);
  expect(golden(engine)).toEqual((await watch(engine)).fresh);
  expectSameBits(await engine.matmulAsync(a, b, shape), engine.matmul(a, b, shape));
  engine.dispose();
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBeLessThanOrEqual(
    before,
  );
  return error as EnvironmentError;
}

describe('a worker that does not start: ERR_WORKER_START (fault 52)', () => {
  const cannot = 'a worker could not be started';

  it.each<[string, () => unknown, string]>([
    [
      'its factory throws',
      () => {
        throw new Error('mine');
      },
      'mine',
    ],
    ['its factory gives nothing', () => undefined, 'workerFactory gave no worker'],
    ['its factory gives something else', () => ({}), 'workerFactory gave no worker'],
    [
      'its factory gives a promise',
      () => Promise.resolve(running(workerSource)),
      'workerFactory gave no worker',
    ],
    ['it throws', running("throw new Error('not today')"), 'not today'],
    ['it exits', running('process.exit(9)'), 'it ended with code 9'],
    ['it has nothing to do', running(''), 'it ended with code 0'],
  ])('%s', async (_, factory, words) => {
    const workerFactory = vi.fn(factory);
    await refused({ workerFactory } as EngineOptions, 'ERR_WORKER_START', `${cannot} (`);
    const error = await rejection(createEngine({ threads: 2, workerFactory } as EngineOptions));
    expect(error.message).toContain(words);
    expect(error.hint).toBe('workerFactory is to make a Worker that runs heed/worker');
  });

  const silent = { on: () => undefined, postMessage: () => undefined, terminate: vi.fn() };

  it('it says nothing for ten seconds', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    let seconds = 0;
    // Each turn of the loop a second passes.
    const workerFactory = (): typeof silent => {
      const tick = (): void => {
        seconds++;
        vi.advanceTimersByTime(1000);
        if (vi.getTimerCount() > 0) setImmediate(tick);
      };
      setImmediate(tick);
      return silent;
    };
    await refused({ workerFactory }, 'ERR_WORKER_START', 'it has not begun within 10 s');
    expect(seconds).toBe(20);
    expect(silent.terminate).toHaveBeenCalledTimes(2);
  });
  it('one that has not begun when the engine is disposed of is given up', async () => {
    const given: (typeof silent | Worker)[] = [];
    const first = running(workerSource);
    const workerFactory = (): typeof silent | Worker => {
      given.push(given.length === 0 ? first() : { ...silent, terminate: vi.fn() });
      return given.at(-1)!;
    };
    const engine = await createEngine({ threads: 2, maxMemory, workerFactory });
    await (given[0] as Worker).terminate();
    await vi.waitFor(() => {
      expect(given).toHaveLength(2);
    }, 30_000);
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    engine.dispose();
    expect((given[1] as typeof silent).terminate.mock.calls).toHaveLength(1);
    expect(timers()).toBeLessThan(before);
  });
  it('a web worker that fails is still there, and made to end', async () => {
    const terminate = vi.fn();
    const preventDefault = vi.fn();
    const workerFactory = (): object => {
      const listeners = new Map<string, (event: object) => void>();
      return {
        addEventListener: (name: string, listener: (event: object) => void) => listeners.set(name, listener),
        postMessage: () => {
          setImmediate(() => {
            listeners.get('error')!({ message: 'refused by a policy', preventDefault });
          });
        },
        terminate,
      };
    };
    await refused({ workerFactory } as EngineOptions, 'ERR_WORKER_START', 'refused by a policy');
    expect(terminate).toHaveBeenCalledTimes(2);
    // The page's own console need not hear of what the caller is told.
    expect(preventDefault).toHaveBeenCalledTimes(2);
  });
  it('one of several: the others end', async () => {
    let count = 0;
    const workerFactory = (): Worker => running(count++ === 1 ? 'process.exit(9)' : workerSource)();
    const error = await rejection(createEngine({ threads: 4, maxMemory, workerFactory }));
    matches(error, { class: EnvironmentError, code: 'ERR_WORKER_START', op: 'createEngine' });
    const ended = (): void => {
      expect(made.map(({ threadId }) => threadId)).toEqual([-1, -1, -1]);
    };
    await vi.waitFor(ended, 30_000);
  });
  it('shared memory that cannot be reserved: half as much, and so on; none at all is ERR_MEMORY_RESERVE', async () => {
    const { Memory } = WebAssembly;
    let most = 2 ** 28 / 65536;
    vi.spyOn(WebAssembly, 'Memory').mockImplementation(function reserve(descriptor) {
      if (descriptor.shared && descriptor.maximum! > most) throw new RangeError('no address space');
      return new Memory(descriptor);
    });
    const engine = await createEngine({ threads: 2 });
    expect(engine.features).toMatchObject({ threads: 2 });
    expect(engine.memory.limit).toBe(2 ** 28);
    engine.dispose();
    most = 1;
    await refused({ maxMemory: undefined }, 'ERR_MEMORY_RESERVE', 'no address space');
  });
});

it('is not late because this thread was busy, and may say other things (fault 52)', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const chatty = `const { parentPort } = require('node:worker_threads');
    for (const each of [null, 'hello', 5, {}, [], undefined]) parentPort.postMessage(each);\n${workerSource}`;
  const workerFactory = (): Worker => {
    const worker = running(chatty)();
    setImmediate(() => vi.advanceTimersByTime(9000));
    return worker;
  };
  const engine = await createEngine({ threads: 2, maxMemory, workerFactory });
  expectSameBits(await engine.matmulAsync(a, b, shape), engine.matmul(a, b, shape));
  engine.dispose();
});

describe('where there can be no threads: ERR_NO_THREADS (fault 56)', () => {
  const headers = 'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp';
  const noShared = 'this JavaScript engine has no shared memory for WebAssembly';

  it('a page that is not isolated', async () => {
    vi.stubGlobal('crossOriginIsolated', false);
    const error = await refused({}, 'ERR_NO_THREADS', headers);
    expect(error).toMatchObject({ arg: 'threads', received: '3' });
    vi.unstubAllGlobals();
    vi.stubGlobal('SharedArrayBuffer', undefined);
    await refused({}, 'ERR_NO_THREADS', headers);
  });
  it('no workers, no shared memory', async () => {
    const builtin: (id: string) => object | undefined = process.getBuiltinModule.bind(process);
    vi.spyOn(process, 'getBuiltinModule').mockImplementation((id: string) => {
      return id === 'node:worker_threads' ? undefined : builtin(id);
    });
    await refused({}, 'ERR_NO_THREADS', 'this JavaScript engine has no workers');
    vi.restoreAllMocks();
    const { Memory } = WebAssembly;
    let refusal: Error = new TypeError('no');
    vi.spyOn(WebAssembly, 'Memory').mockImplementation(function refuse(descriptor) {
      if (descriptor.shared) throw refusal;
      return new Memory(descriptor);
    });
    await refused({}, 'ERR_NO_THREADS', noShared);
    refusal = new RangeError('could not allocate memory');
    await refused({}, 'ERR_MEMORY_RESERVE', 'no address space for one more shared memory');
  });
});

describe('threads (fault 55)', () => {
  it("'auto': the cores there are, at most eight", async () => {
    const cores = vi.spyOn(os, 'availableParallelism');
    for (const [there, threads, words] of [
      [1, 1, 'one thread: this machine has one core'],
      [2, 2, ''],
      [16, 8, ''],
    ] as const) {
      cores.mockReturnValue(there);
      const engine = await createEngine({ maxMemory, simd: 'baseline' });
      expect(engine.features.threads).toBe(threads);
      if (words === '') expect(engine.features.reason).not.toContain('thread');
      else expect(engine.features.reason).toContain(words);
      engine.dispose();
    }
  });
  it('1: no workers at all', async () => {
    const workerFactory = vi.fn(running(workerSource));
    const engine = await createEngine({ threads: 1, workerFactory });
    expectSameBits(await engine.matmulAsync(a, b, shape), engine.matmul(a, b, shape));
    expect(engine.features).toMatchObject({ threads: 1 });
    expect(workerFactory).not.toHaveBeenCalled();
    engine.dispose();
  });
});

it('the number of a job comes round after 2³¹ of them', async () => {
  const start = vi.spyOn(Pool, 'start');
  const engine = await createEngine({ threads: 2, maxMemory });
  const { memory, control } = start.mock.calls[0]![0];
  const words = new Int32Array(memory.buffer, control);
  words[JOB] = 2 ** 31 - 2;
  const expected = engine.matmul(a, b, shape);
  for (let i = 0; i < 4; i++) expectSameBits(await engine.matmulAsync(a, b, shape), expected);
  expect(words[JOB]).toBeLessThan(0);
  expect(runtimeOf('test', engine).team?.threads).toBe(2);
  engine.dispose();
});
