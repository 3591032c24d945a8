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
import { cores, whyNoThreads } from '../src/threads/machine.ts';
import { Pool } from '../src/threads/pool.ts';
import { normal } from './data.ts';
import { hasOneThread, makesNone } from './no-engine.ts';
import { rejection, type Refusal } from './nothing-lost.ts';
import { expectSameBits } from './problems.ts';
import { refusal, sentence } from './refusals.ts';

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

const op = 'createEngine';

/** Three threads are refused; with 'auto' there is one, for this reason. */
async function refused(options: EngineOptions, refusal: Refusal, reason: string | RegExp): Promise<void> {
  await makesNone(() => createEngine({ threads: 3, maxMemory, ...options }), refusal);
  vi.spyOn(os, 'availableParallelism').mockReturnValue(3);
  await hasOneThread({ maxMemory, ...options }, reason);
}

/** The words of a worker that did not start. */
function notStarted(why: string): string {
  return `a worker could not be started (${why}) — workerFactory is to make a Worker that runs heed/worker`;
}

/** It is refused in them, and its engine has one thread for them. */
function refusedToStart(options: EngineOptions, why: string, more?: Pick<Refusal, 'cause'>): Promise<void> {
  const words = notStarted(why);
  return refused(options, { ...sentence(op, 'ERR_WORKER_START', words), ...more }, words);
}

/** There is no address space for shared memory. */
async function noSpace(options: EngineOptions): Promise<void> {
  const code = 'ERR_MEMORY_RESERVE';
  const words = 'no address space for one more shared memory beside the';
  const hint = 'share one engine instead of making many, and dispose of those that are done';
  const refusal: Refusal = {
    ...{ class: EnvironmentError, code, op },
    message(error) {
      const { instances } = error as EnvironmentError;
      return `${op}: ${words} ${instances} that this process has made — ${hint} [${code}]`;
    },
    ...{ instances: expect.any(Number) as number, cause: expect.any(RangeError) as RangeError },
  };
  const all = `^one thread: ${words} \\d+ that this process has made — ${hint}$`;
  await refused(options, refusal, new RegExp(all));
}

describe('a worker that does not start: ERR_WORKER_START (fault 52)', () => {
  const silent = { on: () => undefined, postMessage: () => undefined };
  /** Throws a word, as a factory's own worker may. */
  const full = (): void => {
    AbortSignal.abort('no more').throwIfAborted();
  };

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
    ['its factory gives what hears nothing', () => ({ on: silent.on }), 'workerFactory gave no worker'],
    [
      'its factory gives what says nothing',
      () => ({ postMessage: silent.postMessage }),
      'workerFactory gave no worker',
    ],
    [
      'its factory gives a promise',
      () => Promise.resolve(running(workerSource)),
      'workerFactory gave no worker',
    ],
    ['it throws', running("throw new Error('not today')"), 'not today'],
    ['it exits', running('process.exit(9)'), 'it ended with code 9'],
    ['it has nothing to do', running(''), 'it ended with code 0'],
  ])('%s', async (_, factory, words) => {
    const options = { workerFactory: factory } as EngineOptions;
    await refusedToStart(options, words, { cause: { message: words } });
  });

  it('its factory gives one that takes no message, and throws what is no error', async () => {
    const workerFactory = (): object => ({ ...silent, postMessage: full });
    await refusedToStart({ workerFactory } as EngineOptions, 'no more');
  });
  it('none of our own can be made', async () => {
    vi.spyOn(process.getBuiltinModule('node:worker_threads'), 'Worker').mockImplementation(function refuse() {
      throw new Error('denied');
    });
    const hint =
      'a page whose policy refuses blob: needs a workerFactory, Node under --permission needs --allow-worker';
    const words = `a worker could not be started (denied) — ${hint}`;
    await refused({}, sentence(op, 'ERR_WORKER_START', words), words);
  });
  it('it says nothing for ten seconds', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    let [seconds, terminated] = [0, 0];
    // Each turn of the loop a second passes.
    const workerFactory = (): object => {
      const tick = (): void => {
        seconds++;
        vi.advanceTimersByTime(1000);
        if (vi.getTimerCount() > 0) setImmediate(tick);
      };
      setImmediate(tick);
      return { ...silent, terminate: () => terminated++ };
    };
    await refusedToStart({ workerFactory } as EngineOptions, 'it has not begun within 10 s');
    expect(seconds).toBe(20);
    expect(terminated).toBe(2);
  });
  it('one that has not begun when the engine is disposed of is given up', async () => {
    let [count, terminated] = [0, 0];
    const first = running(workerSource)();
    const second = { ...silent, terminate: () => terminated++ };
    const workerFactory = (): typeof second | Worker => (count++ === 0 ? first : second);
    const engine = await createEngine({ threads: 2, maxMemory, workerFactory });
    await first.terminate();
    await vi.waitFor(() => {
      expect(count).toBe(2);
    }, 30_000);
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    engine.dispose();
    expect(terminated).toBe(1);
    expect(timers()).toBeLessThan(before);
  });
  it('a web worker that fails is still there, and made to end', async () => {
    let [terminated, prevented] = [0, 0];
    const workerFactory = (): object => {
      const listeners = new Map<string, (event: object) => void>();
      return {
        addEventListener: (name: string, listener: (event: object) => void) => listeners.set(name, listener),
        postMessage: () => {
          setImmediate(() => {
            listeners.get('error')!({ message: 'refused by a policy', preventDefault: () => prevented++ });
          });
        },
        terminate: () => terminated++,
      };
    };
    await refusedToStart({ workerFactory } as EngineOptions, 'refused by a policy');
    expect(terminated).toBe(2);
    // The page's own console need not hear of what the caller is told.
    expect(prevented).toBe(2);
  });
  it('of this JavaScript engine’s own, as Node under --permission has none: the words say what is missing (fault 63)', async () => {
    const cause = Object.assign(new Error('Access to this API has been restricted'), {
      code: 'ERR_ACCESS_DENIED',
    });
    const denied = {
      Worker: function refuse() {
        throw cause;
      },
    };
    const builtin: (id: string) => object | undefined = process.getBuiltinModule.bind(process);
    vi.spyOn(process, 'getBuiltinModule').mockImplementation((id: string) => {
      return id === 'node:worker_threads' ? denied : builtin(id);
    });
    const words =
      `a worker could not be started (${cause.message}) — a page whose policy refuses blob: needs a workerFactory, ` +
      'Node under --permission needs --allow-worker';
    await refused({}, { ...sentence(op, 'ERR_WORKER_START', words), cause }, words);
  });
  it('one of several: the others end', async () => {
    let count = 0;
    const workerFactory = (): Worker => running(count++ === 1 ? 'process.exit(9)' : workerSource)();
    const refusal = sentence(op, 'ERR_WORKER_START', notStarted('it ended with code 9'));
    await makesNone(() => createEngine({ threads: 4, maxMemory, workerFactory }), refusal);
    expect(made).toHaveLength(3);
  });
  it('shared memory that cannot be reserved: half as much, and so on; none at all is ERR_MEMORY_RESERVE', async () => {
    const { Memory } = WebAssembly;
    let most = 2 ** 28 / 65536;
    const asked: number[] = [];
    vi.spyOn(WebAssembly, 'Memory').mockImplementation(function reserve(descriptor) {
      // Whether there is such memory at all is asked with a page.
      if (descriptor.shared && descriptor.maximum! > 1) asked.push(descriptor.maximum! * 65536);
      if (descriptor.shared && descriptor.maximum! > most) throw new RangeError('no address space');
      return new Memory(descriptor);
    });
    const engine = await createEngine({ threads: 2 });
    expect(engine.features).toMatchObject({ threads: 2 });
    expect(engine.memory.limit).toBe(2 ** 28);
    engine.dispose();
    expect(asked).toEqual([2 ** 30, 2 ** 29, 2 ** 28]);
    most = 0;
    asked.length = 0;
    await rejection(createEngine({ threads: 2, simd: 'baseline' }));
    expect(asked).toEqual([30, 29, 28, 27, 26, 25, 24].map((power) => 2 ** power));
    // Who says how much has all of it, or none.
    asked.length = 0;
    await rejection(createEngine({ threads: 2, simd: 'baseline', maxMemory }));
    expect(asked).toEqual([maxMemory]);
    await noSpace({ maxMemory: undefined });
  });
  it('what is refused for another reason is asked for once', async () => {
    const refuse = vi.spyOn(WebAssembly, 'Instance').mockImplementation(function refuse() {
      throw new WebAssembly.CompileError('no');
    });
    const error = await rejection(createEngine({ threads: 2, simd: 'baseline' }));
    expect(error.code).toBe('ERR_CSP');
    expect(refuse).toHaveBeenCalledTimes(1);
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
  const headers =
    'threads need shared memory, which a page has only with the headers ' +
    'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp';

  const none = (why: string): Promise<void> => {
    const words = `1 or 'auto' here, got 3 — ${why}`;
    return refused({}, refusal(op, 'threads', 'ERR_NO_THREADS', words), why);
  };

  it('a page that is not isolated', async () => {
    vi.stubGlobal('crossOriginIsolated', false);
    await none(headers);
    vi.unstubAllGlobals();
    vi.stubGlobal('SharedArrayBuffer', undefined);
    await none(headers);
    // One that is isolated, in a browser that has none all the same (WebKitGTK).
    vi.stubGlobal('crossOriginIsolated', true);
    await none('this JavaScript engine has no shared memory for WebAssembly');
  });
  it('but for those that a workerFactory makes, where there are none of its own', async () => {
    const workers = process.getBuiltinModule('node:worker_threads');
    const builtin: (id: string) => object | undefined = process.getBuiltinModule.bind(process);
    vi.spyOn(process, 'getBuiltinModule').mockImplementation((id: string) => {
      return id === 'node:worker_threads' ? undefined : builtin(id);
    });
    vi.stubGlobal('Worker', undefined);
    const workerFactory = (): Worker => new workers.Worker(workerSource, { eval: true, execArgv: [] });
    const engine = await createEngine({ threads: 2, maxMemory, workerFactory });
    expect(engine.features.threads).toBe(2);
    engine.dispose();
  });
  it('no workers, no shared memory', async () => {
    const builtin: (id: string) => object | undefined = process.getBuiltinModule.bind(process);
    vi.spyOn(process, 'getBuiltinModule').mockImplementation((id: string) => {
      return id === 'node:worker_threads' ? undefined : builtin(id);
    });
    await none('this JavaScript engine has no workers (Node has what heed needs from 20.16 on)');
    vi.restoreAllMocks();
    const { Memory } = WebAssembly;
    let why: Error = new TypeError('no');
    vi.spyOn(WebAssembly, 'Memory').mockImplementation(function refuse(descriptor) {
      if (descriptor.shared) throw why;
      return new Memory(descriptor);
    });
    await none('this JavaScript engine has no shared memory for WebAssembly');
    why = new RangeError('could not allocate memory');
    await noSpace({});
  });
});

it('the cores of machines that tell of them otherwise, or of none', () => {
  const others = { getBuiltinModule: () => undefined };
  for (const [host, count] of [
    [{ process: undefined, navigator: { hardwareConcurrency: 3 } }, 3],
    [{ process: {}, navigator: { hardwareConcurrency: 64 } }, 8],
    [{ process: others, navigator: { hardwareConcurrency: 5 } }, 5],
    [{ process: { getBuiltinModule: () => ({}) }, navigator: {} }, 1],
    [{ process: undefined, navigator: undefined }, 1],
    [{ process: undefined, navigator: { hardwareConcurrency: 0 } }, 1],
  ] as const) {
    for (const [name, value] of Object.entries(host)) vi.stubGlobal(name, value);
    const found = cores();
    vi.unstubAllGlobals();
    expect(found).toBe(count);
  }
});
it('whether there are workers, where Node is none or an old one', () => {
  const PageWorker = (): undefined => undefined;
  for (const [host, why] of [
    [{ process: undefined, Worker: PageWorker }, ''],
    [{ process: {}, Worker: PageWorker }, ''],
    [{ process: { getBuiltinModule: () => undefined }, Worker: undefined }, 'has no workers'],
    [{ process: undefined, Worker: undefined }, 'has no workers'],
  ] as const) {
    for (const [name, value] of Object.entries(host)) vi.stubGlobal(name, value);
    const found = [false, true].map((hasFactory) => whyNoThreads(hasFactory));
    vi.unstubAllGlobals();
    expect(found[0]).toContain(why);
    expect(found[0] === '').toBe(why === '');
    expect(found[1]).toBe('');
  }
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
