/**
 * What is left where no engine comes to be, or not as it was asked for (docs/reliability.md, faults 24, 52, 56–63): nothing. Beside what
 * `nothing-lost.ts` asks for, of another engine, all workers that were begun have ended, all memories are collected, nobody listens to
 * the process, and the next engine is made and right.
 */
import { syncBuiltinESMExports } from 'node:module';
import threads, { type Worker } from 'node:worker_threads';
import { expect, vi } from 'vitest';
import { createEngine, type Engine, type EngineOptions, type HeedError } from '../src/index.ts';
import { collect } from './collect.ts';
import { goldenIs, keepers, rejects, watch, type Refusal } from './nothing-lost.ts';

interface Others {
  /** One that is there already, where none can be made meanwhile. It stays. */
  readonly beside?: Engine;
  /** Makes the next one. */
  readonly next?: () => Promise<Engine>;
}

const another = (): Promise<Engine> => createEngine({ threads: 1 });

/** An engine is refused as expected, and the next one is right. */
export async function makesNone(
  make: () => Promise<Engine>,
  refusal: Refusal,
  { beside, next = another }: Others = {},
): Promise<HeedError> {
  const engine = beside ?? (await another());
  const watched = await watch(engine);
  const { result, memories } = await endsAll(() =>
    rejects(make, { op: 'createEngine', ...refusal }, watched),
  );
  // An error whose stack nobody has read holds what its frames worked on.
  for (let error: unknown = result; error instanceof Error; { cause: error } = error)
    expect(error.stack).toBeDefined();
  // And so do mocks, of what they were called with.
  vi.clearAllMocks();
  const isGone = (): boolean => memories.every((memory) => memory.deref() === undefined);
  await collect(isGone);
  expect(isGone()).toBe(true);
  if (engine !== beside) engine.dispose();
  await isRight(await next());
  return result;
}

/** Where threads are not asked for by number an engine comes to be, of one thread, and says why. */
export async function hasOneThread(options: EngineOptions, reason: string | RegExp): Promise<void> {
  const left = keepers();
  await endsAll(async () => {
    const engine = await createEngine(options);
    expect(engine.features.threads).toBe(1);
    // Beside it there may be what is to be said of the build.
    const [why] = engine.features.reason.split('; ');
    expect(why).toEqual(typeof reason === 'string' ? `one thread: ${reason}` : expect.stringMatching(reason));
    const three = Float32Array.of(3);
    expect(await engine.matmulAsync(three, three, { M: 1, N: 1, K: 1 })).toEqual(Float32Array.of(9));
    await isRight(engine);
  });
  expect(left()).toEqual([]);
}

async function isRight(engine: Engine): Promise<void> {
  await goldenIs(engine);
  engine.dispose();
}

/** Does something, after which all workers that were made for it have ended, and nobody else listens to the process; with its memories. */
async function endsAll<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly memories: readonly WeakRef<WebAssembly.Memory>[] }> {
  const [workers, memories]: [Worker[], WeakRef<WebAssembly.Memory>[]] = [[], []];
  const { Worker } = threads;
  const { Memory } = WebAssembly;
  const listeners = listening();
  threads.Worker = new Proxy(Worker, {
    construct(target, given: ConstructorParameters<typeof Worker>) {
      const worker = new target(...given);
      workers.push(worker);
      return worker;
    },
  });
  WebAssembly.Memory = new Proxy(Memory, {
    construct(target, given: ConstructorParameters<typeof Memory>) {
      const memory = new target(...given);
      memories.push(new WeakRef(memory));
      return memory;
    },
  });
  syncBuiltinESMExports();
  let result: T;
  try {
    result = await work();
  } finally {
    threads.Worker = Worker;
    WebAssembly.Memory = Memory;
    syncBuiltinESMExports();
  }
  await vi.waitFor(() => {
    expect(workers.filter(({ threadId }) => threadId !== -1)).toEqual([]);
  }, 30_000);
  expect(listening()).toEqual(listeners);
  return { result, memories };
}

/** How many listen to what of the process. */
function listening(): ReadonlyMap<string | symbol, number> {
  return new Map(process.eventNames().map((name) => [name, process.listenerCount(name)]));
}
