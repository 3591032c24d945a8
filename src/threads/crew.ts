/**
 * The workers of a pool: starts them, hears of their ends, and replaces those that die, unless they die again and again. What they work
 * at is the pool's.
 */
import type { Failure } from './failure.ts';
import { begin, ways, type WorkerFactory, type WorkerLike } from './spawn.ts';
import type { Begin, Said } from './worker.ts';

/** What a worker says of its work. */
export type Report = Exclude<Said, { readonly heed: 'ready' }>;

/** Whose workers they are. */
export interface Owner {
  said(thread: number, report: Report): void;
  /** One has begun. */
  joined(): void;
  /** One has gone; another is started. */
  left(thread: number, failure: Failure): void;
  /** None is started in its place. */
  dwindled(failure: Failure): void;
}

/** Seconds for a worker to start, counted as they are lived through: a worker is not late because this thread was busy. */
const START = 10;

/** Deaths in so many milliseconds after which no worker is started any more. */
const CRASHES = 3;
const CRASH_TIME = 10_000;

export class Crew {
  /** No worker that dies is replaced any more. */
  degraded = false;
  readonly #begin: Omit<Begin, 'thread'>;
  readonly #owner: Owner;
  readonly #ways: readonly WorkerFactory[];
  /** The one that works here. */
  #way = 0;
  /** By thread; there is none for the caller's, which is 0. */
  readonly #workers: (WorkerLike | undefined)[];
  #stopped = false;
  /** Gives up those that have not begun yet. */
  readonly #starting = new Set<() => void>();
  /** When workers died. */
  #deaths: number[] = [];

  constructor(begin: Omit<Begin, 'thread'>, factory: WorkerFactory | undefined, owner: Owner) {
    this.#begin = begin;
    this.#owner = owner;
    this.#ways = ways(factory);
    this.#workers = new Array<WorkerLike | undefined>(begin.threads).fill(undefined);
  }

  /** Starts all. Rejects, with what the last of them said, where one cannot be started. */
  async start(): Promise<void> {
    // The first finds out how.
    await this.#start(1);
    await Promise.all(Array.from({ length: this.#begin.threads - 2 }, (_, i) => this.#start(i + 2)));
  }

  /** Whether there is one. */
  get helps(): boolean {
    return this.#workers.some((worker) => worker !== undefined);
  }

  stop(): void {
    this.#stopped = true;
    for (const [thread, worker] of this.#workers.entries()) {
      this.#workers[thread] = undefined;
      void worker?.terminate();
    }
    for (const giveUp of this.#starting) giveUp();
  }

  /** A worker of this number, ready. */
  async #start(thread: number): Promise<void> {
    for (;;) {
      const way = this.#ways[this.#way];
      if (way === undefined) throw new Error('there are no workers here');
      try {
        await this.#startBy(way, thread);
        return;
      } catch (error) {
        // Only the first worker looks for a way that works.
        if (this.#stopped || this.helps || this.#way + 1 >= this.#ways.length) throw error;
        this.#way++;
      }
    }
  }

  #startBy(way: WorkerFactory, thread: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = way();
      let ready = false;
      let gone = false;
      let waited = 0;
      const timer = setInterval(() => {
        if (++waited < START) return;
        end({ why: 'lost', worker: thread, cause: new Error(`it has not begun within ${START} s`) });
      }, 1000);
      const giveUp = (): void => {
        end({ why: 'stopped', worker: thread });
      };
      this.#starting.add(giveUp);
      const begun = (): void => {
        clearInterval(timer);
        this.#starting.delete(giveUp);
      };
      /** It is no more: whichever of its events comes first. */
      const end = (failure: Failure): void => {
        if (gone) return;
        gone = true;
        begun();
        if (ready) this.#died(thread, worker, failure);
        else {
          // It may have begun without having said so.
          this.#owner.left(thread, failure);
          reject(reasonOf(failure));
        }
        // A web worker that has failed is still there; what a factory has made need not have this.
        void (worker as Partial<WorkerLike>).terminate?.();
      };
      const said = (message: Said): void => {
        if (message.heed !== 'ready') this.#owner.said(thread, message);
        else if (!gone) {
          ready = true;
          begun();
          this.#join(thread, worker);
          resolve();
        }
      };
      let error: unknown;
      const ears = {
        said,
        failed(cause: unknown) {
          error = cause;
          // Node tells of the end next, and with what code; nobody else does.
          if (!('on' in worker)) end({ why: 'threw', worker: thread, cause });
        },
        exited(exitCode: number) {
          const why = codeOf(error) === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out of memory' : 'exited';
          end({ why, worker: thread, exitCode, cause: error });
        },
      };
      try {
        begin(worker, { ...this.#begin, thread }, ears);
      } catch (cause) {
        // What a factory has made need not be a worker.
        end({ why: 'threw', worker: thread, cause });
      }
    });
  }

  #join(thread: number, worker: WorkerLike): void {
    if (this.#stopped) {
      void worker.terminate();
      return;
    }
    this.#workers[thread] = worker;
    // An idle worker keeps no process: who waits for a job does.
    worker.unref?.();
    this.#owner.joined();
  }

  #died(thread: number, worker: WorkerLike, failure: Failure): void {
    if (this.#workers[thread] !== worker) return;
    this.#workers[thread] = undefined;
    this.#owner.left(thread, failure);
    const now = performance.now();
    this.#deaths = this.#deaths.filter((then) => now - then < CRASH_TIME);
    this.#replace(thread, failure);
  }

  /** Starts another. One that does not start is one more death, however long ago the others were: so this comes to an end. */
  #replace(thread: number, failure: Failure): void {
    this.#deaths.push(performance.now());
    if (this.#deaths.length >= CRASHES) this.degraded = true;
    if (this.degraded || this.#stopped) this.#owner.dwindled(failure);
    else
      this.#start(thread).catch(() => {
        this.#replace(thread, failure);
      });
  }
}

function reasonOf({ cause, exitCode }: Failure): Error {
  if (cause instanceof Error) return cause;
  return new Error(exitCode === undefined ? String(cause) : `it ended with code ${exitCode}`);
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}
