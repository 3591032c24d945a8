/**
 * What sharing costs by itself: an empty job, run by heed's own pool with drivers that do nothing, beside a bare round trip between two
 * threads by Atomics.wait and notify; and what idle workers take of the processor. Bundled by itself, as it ships (bench/shipped.ts);
 * the other thread of the round trip runs this file too.
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { Program } from '../../src/threads/program.ts';
import { Pool } from '../../src/threads/pool.ts';
import { CONTROL_BYTES } from '../../src/threads/protocol.ts';
import { DRIVERS, type KernelExports } from '../../src/wasm/exports.ts';

const PAGE = 65536;
const PAGES = Math.ceil(CONTROL_BYTES / PAGE) + 1;

/** Words of the round trip: what is asked, what is answered. */
const [ASKED, ANSWERED] = [0, 16] as const;

interface Begin {
  readonly purpose: typeof PURPOSE;
  readonly words: Int32Array;
}

const PURPOSE = 'heed: round trip';

if (!isMainThread && (workerData as Partial<Begin> | null)?.purpose === PURPOSE) answer(workerData as Begin);

/** A pool of two threads, whose jobs are empty: an item for each thread. */
export class EmptyJobs {
  readonly #pool: Pool;
  readonly #program = new Program();

  private constructor(pool: Pool) {
    this.#pool = pool;
    this.#program.add(0, new Uint32Array(1), 0, 0, 2, 0, 0, false);
  }

  static async start(): Promise<EmptyJobs> {
    const module = new WebAssembly.Module(emptyKernels());
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports as KernelExports;
    return new EmptyJobs(
      await Pool.start({ ...{ module, memory, kernels }, control: 0, threads: 2, factory: undefined }),
    );
  }

  run(): void {
    const failure = this.#pool.run(this.#program);
    if (failure !== undefined) throw new Error(`an empty job failed: ${failure.why}`);
  }

  stop(): void {
    this.#pool.stop();
  }
}

/** Two threads, of which one waits for the other's answer. */
export class RoundTrip {
  readonly #words = new Int32Array(new SharedArrayBuffer(256));
  readonly #worker: Worker;

  /** @param script a bundle of this file */
  constructor(script: URL) {
    const begin: Begin = { purpose: PURPOSE, words: this.#words };
    this.#worker = new Worker(script, { workerData: begin, execArgv: [] });
    this.#worker.unref();
  }

  run(): void {
    const words = this.#words;
    const asked = Atomics.add(words, ASKED, 1) + 1;
    Atomics.notify(words, ASKED);
    for (;;) {
      const answered = Atomics.load(words, ANSWERED);
      if (answered === asked) return;
      Atomics.wait(words, ANSWERED, answered);
    }
  }

  stop(): void {
    void this.#worker.terminate();
  }
}

function answer({ words }: Begin): void {
  for (let seen = 0; ;) {
    Atomics.wait(words, ASKED, seen);
    seen = Atomics.load(words, ASKED);
    Atomics.store(words, ANSWERED, seen);
    Atomics.notify(words, ANSWERED);
  }
}

/** A module that has every driver, over a shared memory, and whose drivers return. */
export function emptyKernels(): Uint8Array<ArrayBuffer> {
  const text = (word: string): number[] => [word.length, ...Buffer.from(word)];
  const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content];
  const maximum = [0x80, 0x80, 0x04];
  const [i32, func, end] = [0x7f, 0x60, 0x0b];
  return Uint8Array.of(
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 1, func, 4, i32, i32, i32, i32, 0),
    ...section(2, 1, ...text('env'), ...text('memory'), 2, 3, 0, ...maximum),
    ...section(3, 1, 0),
    ...section(7, DRIVERS.length, ...DRIVERS.flatMap((name) => [...text(name), 0, 0])),
    ...section(10, 1, 2, 0, end),
  );
}
