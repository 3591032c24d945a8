/**
 * Workers that fail when they are told to: Node's, whose kernels look at a word of shared memory before each item. With them an
 * engine whose own kernels look too, so that a test says who runs an item, and when.
 */
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { createEngine, type Engine, type EngineOptions } from '../src/index.ts';
import { workerSource } from '../src/generated/worker.ts';
import { Pool } from '../src/threads/pool.ts';
import { DRIVERS, type KernelExports } from '../src/wasm/exports.ts';

/** What happens to a worker that begins an item. */
const FAULTS = [
  'none',
  /** An error that is no trap. */
  'throw',
  /** An address beyond all memory. */
  'trap',
  'exit',
  /** An end of which nobody in the process hears while the caller waits. */
  'vanish',
  'out of memory',
  /** Neither goes on nor ends. */
  'hang',
  /** Waits until `release`. */
  'pause',
  /** Takes 500 ms longer. */
  'delay',
] as const;
export type Fault = (typeof FAULTS)[number];

/**
 * Words: the fault, items until it happens, faults so far, items that workers have run, how often those that wait were let go on, who
 * failed, and the fault of the item behind that.
 */
const [FAULT, COUNTDOWN, HAPPENED, ITEMS, GO, WHO, NEXT] = [0, 1, 2, 3, 4, 5, 6];

const PREFIX = `{
  const { workerData: words, threadId } = require('node:worker_threads');
  const { Instance } = WebAssembly;
  const happen = (fault, driver, go) => {
    if (fault === ${FAULTS.indexOf('throw')}) throw new TypeError('a fault');
    if (fault === ${FAULTS.indexOf('trap')}) driver(0xfffffff0, 0, 1, 0);
    if (fault === ${FAULTS.indexOf('vanish')}) process.removeAllListeners('exit');
    if (fault === ${FAULTS.indexOf('exit')} || fault === ${FAULTS.indexOf('vanish')}) process.exit(7);
    if (fault === ${FAULTS.indexOf('out of memory')}) for (const all = []; ; ) all.push(new Array(1e4).fill(all));
    if (fault === ${FAULTS.indexOf('hang')}) for (;;);
    if (fault === ${FAULTS.indexOf('pause')}) Atomics.wait(words, ${GO}, go);
    if (fault === ${FAULTS.indexOf('delay')}) Atomics.wait(words, ${GO}, go, 500);
  };
  WebAssembly.Instance = function (module, imports) {
    const kernels = { ...new Instance(module, imports).exports };
    for (const name of ${JSON.stringify(DRIVERS)}) {
      const driver = kernels[name];
      kernels[name] = (...given) => {
        if (Atomics.load(words, ${FAULT}) !== 0 && Atomics.sub(words, ${COUNTDOWN}, 1) === 1) {
          const next = Atomics.exchange(words, ${NEXT}, 0);
          const fault = Atomics.exchange(words, ${FAULT}, next);
          if (next !== 0) Atomics.store(words, ${COUNTDOWN}, 1);
          Atomics.store(words, ${WHO}, threadId);
          const go = Atomics.load(words, ${GO});
          Atomics.add(words, ${HAPPENED}, 1);
          Atomics.notify(words, ${HAPPENED});
          happen(fault, driver, go);
        }
        driver(...given);
        Atomics.add(words, ${ITEMS}, 1);
        Atomics.notify(words, ${ITEMS});
      };
    }
    return { exports: kernels };
  };
}
`;

/** Milliseconds in which a worker must have begun an item that the caller leaves to it: else the test fails by what it expects. */
const PATIENCE = 5000;

/** Until a word is another. A page's own thread may not wait, and looks again and again. */
function wait(words: Int32Array, word: number, before: number, patience: number): void {
  try {
    Atomics.wait(words, word, before, patience);
  } catch {
    const end = performance.now() + patience;
    while (Atomics.load(words, word) === before && performance.now() < end);
  }
}

const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

export class FaultyWorkers {
  /** All that were made, dead or alive. */
  readonly workers: Worker[] = [];
  /** Items that the caller's thread has run. */
  own = 0;
  /** Whether it never comes to one. */
  stuck = false;
  readonly #words = new Int32Array(new SharedArrayBuffer(64));
  readonly #options: WorkerOptions;
  /** The word whose change the caller's thread waits for before it runs an item. */
  #waits: { readonly word: number; readonly before: number; readonly patience: number } | undefined;

  constructor(options: WorkerOptions = {}) {
    this.#options = options;
  }

  /** An engine with these workers. */
  async engine(options: EngineOptions = {}): Promise<Engine> {
    const start = Reflect.get(Pool, 'start');
    Pool.start = (equipment) => {
      return start.call(Pool, { ...equipment, kernels: this.#watched(equipment.kernels) });
    };
    try {
      const { make: workerFactory } = this;
      return await createEngine({ threads: 2, maxMemory: 2 ** 26, workerFactory, ...options });
    } finally {
      Pool.start = start;
    }
  }

  /** What they run. */
  get source(): string {
    return PREFIX + workerSource;
  }

  /** A `workerFactory`. */
  readonly make = (): Worker => {
    const options = { eval: true, workerData: this.#words, execArgv: [], stderr: true, ...this.#options };
    const worker = new Worker(this.source, options);
    this.workers.push(worker);
    return worker;
  };

  /**
   * Has it happen to the worker that begins an item when workers have begun so many, and `next` to the one that begins another. The
   * caller's thread lets them be first.
   */
  arm(fault: Fault, items = 0, next: Fault = 'none'): void {
    const words = this.#words;
    Atomics.store(words, NEXT, FAULTS.indexOf(next));
    Atomics.store(words, COUNTDOWN, items + 1);
    Atomics.store(words, FAULT, FAULTS.indexOf(fault));
    this.#waits = { word: HAPPENED, before: this.happened, patience: PATIENCE };
  }

  /** The next item of a worker takes longer, and nobody waits for it to begin. */
  slow(): void {
    this.arm('delay');
    this.#waits = undefined;
  }

  /** The caller's thread runs an item only when workers have run one, or had so many milliseconds for it. */
  workersFirst(patience: number = PATIENCE): void {
    this.#waits = { word: ITEMS, before: this.items, patience };
  }

  disarm(): void {
    Atomics.store(this.#words, NEXT, 0);
    Atomics.store(this.#words, FAULT, 0);
    this.#waits = undefined;
  }

  release(): void {
    Atomics.add(this.#words, GO, 1);
    Atomics.notify(this.#words, GO);
  }

  /** Faults that have happened. */
  get happened(): number {
    return Atomics.load(this.#words, HAPPENED);
  }

  /** The worker to which it happened last. */
  get who(): Worker {
    return this.workers.find(({ threadId }) => threadId === this.#words[WHO])!;
  }

  /** Items that workers have run. */
  get items(): number {
    return Atomics.load(this.#words, ITEMS);
  }

  /** Until so many faults have happened. */
  async happens(count = 1): Promise<void> {
    while (this.happened < count) await aWhile();
  }

  /** Until so many workers have been made, and the last of them is there. */
  async made(count: number): Promise<void> {
    while (this.workers.length < count) await aWhile();
    await new Promise((resolve) => this.workers[count - 1]!.once('message', resolve));
  }

  #watched(kernels: KernelExports): KernelExports {
    const words = this.#words;
    const watched: Record<string, unknown> = { ...kernels };
    for (const name of DRIVERS) {
      watched[name] = (args: number, begin: number, end: number, scratch: number) => {
        const waits = this.#waits;
        this.#waits = undefined;
        while (this.stuck);
        if (waits) wait(words, waits.word, waits.before, waits.patience);
        this.own++;
        kernels[name](args, begin, end, scratch);
      };
    }
    return watched as KernelExports;
  }
}
