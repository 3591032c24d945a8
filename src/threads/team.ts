/**
 * What an engine shares its work with: its pool of workers, where it has one. Decides which calls are worth it, has programs
 * written down and run, and makes errors of what went wrong.
 */
import { EnvironmentError, WorkerError } from '../errors.ts';
import type { Signal } from '../options/signal.ts';
import type { Build } from '../wasm/inlined.ts';
import type { Failure } from './failure.ts';
import { Pool, type Equipment } from './pool.ts';
import { Program } from './program.ts';

/**
 * Multiply-adds from which a call is worth sharing: with a worker that is awake, or is kept awake by calls that follow each other
 * closely; and with one that must be woken.
 *
 * Measured as time of two threads by time of one, with sharing forced (relaxed; 12 × 64, cubes, keys of 32/8 × 128; other programs on
 * both cores now and then). Awake: 1.5 at 2^18.6, 1.2 at 2^19.2, 1.0 at 2^20.2, 0.9 and 0.7 at 2^21, 0.75 at 2^22.6. Asleep, what matters
 * is how long the call takes, as a woken worker is 50 to 200 µs late, and what it has claimed then is waited for. Calls that take one
 * thread 0.8 ms: 1.13 to 1.27; 1.1 ms: 1.03 to 1.09; 1.5 ms: 0.66 to 0.71; 2 ms: 0.62 (256³ and 12 × 64, S = 112, where a
 * millisecond is 13 to 16 million multiply-adds in the baseline build, 18 to 22 in the relaxed).
 */
export const WORTH_AWAKE: number = 2 ** 21;
export const WORTH_ASLEEP: Readonly<Record<Build, number>> = {
  baseline: 1.15 * 2 ** 24,
  relaxed: 1.6 * 2 ** 24,
};

/** Milliseconds after which a worker that has nothing to do goes to sleep. Calls that follow each other faster than that keep it awake. */
export const CLOSE = 0.1;

/** Multiply-adds of one thread in a millisecond, at least. */
export const PER_MS = 1e7;

const orphans = new FinalizationRegistry<Pool>((pool) => {
  pool.stop();
});

/** Whose team it is: what it must do with memory when something went wrong. */
export interface Captain {
  readonly build: Build;
  /** A kernel has trapped. */
  trapped(op: string, details: object): Error;
  /** Somebody may still write to staging. */
  abandonStaging(): void;
  /** The engine has gone before a call was done. */
  terminated(op: string): Error;
}

export class Team {
  /** Where steps are written down, while they shall not be run at once. */
  program: Program | undefined = undefined;
  readonly #captain: Captain;
  readonly #pool: Pool;
  /** A call is written down or run by all threads. */
  #inside = false;
  /** Until when a call that begins is one of many. */
  #next = 0;
  /** The error after which a worker may still write to what its call had. */
  #abandoned: unknown;

  private constructor(captain: Captain, pool: Pool) {
    this.#captain = captain;
    this.#pool = pool;
  }

  /** Starts the workers. They go with whom they work for, should that be collected without having been disposed of. ERR_WORKER_START. */
  static async start(op: string, captain: Captain, equipment: Equipment): Promise<Team> {
    try {
      const pool = await Pool.start(equipment);
      orphans.register(captain, pool);
      return new Team(captain, pool);
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      const problem = `a worker could not be started (${words})`;
      const hint =
        equipment.factory === undefined
          ? 'a page whose policy refuses blob: needs a workerFactory, Node under --permission needs --allow-worker'
          : 'workerFactory is to make a Worker that runs heed/worker';
      throw new EnvironmentError('ERR_WORKER_START', { op, problem, hint, cause });
    }
  }

  stop(): void {
    this.#pool.stop();
  }

  /** Computing threads. */
  get threads(): number {
    const pool = this.#pool;
    return pool.degraded && !pool.helps ? 1 : pool.threads;
  }

  /** Why there are fewer threads than there were, in words; '' where there are not. */
  get loss(): string {
    return this.#pool.degraded ? 'no more workers are started, as those before have died' : '';
  }

  /** Whether a synchronous call of so many multiply-adds is worth sharing. None is while an asynchronous one runs. */
  isWorth(work: number): boolean {
    this.#cleanUp();
    const pool = this.#pool;
    if (work < WORTH_AWAKE || pool.busy || !pool.helps) return false;
    if (work >= WORTH_ASLEEP[this.#captain.build] || pool.awake) return true;
    const now = performance.now();
    const isNext = now < this.#next;
    this.#next = now + work / PER_MS + CLOSE;
    return isNext;
  }

  /** How many threads it has. */
  threadsFor(work: number): number {
    if (!this.isWorth(work)) return 1;
    // They wake while operands are copied.
    if (!this.#pool.awake) this.#pool.wake();
    return this.#pool.threads;
  }

  /** How many an asynchronous one must be made for. */
  threadsLater(): number {
    this.#cleanUp();
    return this.threads;
  }

  /** Writes down what `work` tells to run. */
  plan(work: () => void): Program {
    const program = new Program();
    this.program = program;
    try {
      work();
    } finally {
      this.program = undefined;
    }
    return program;
  }

  /** Runs what `work` tells to, on all threads. */
  share(op: string, work: () => void): void {
    this.#inside = true;
    try {
      const program = this.plan(work);
      if (program.steps > 0) this.#check(op, this.#pool.run(program), undefined);
    } finally {
      this.#inside = false;
    }
  }

  /**
   * What a call has left that was ended from outside, which no `finally` hears of: a script that had its time, Ctrl-C in a REPL.
   * Workers are in the middle of it.
   */
  #cleanUp(): void {
    this.program = undefined;
    if (!this.#inside) return;
    // This, too, may be ended from outside: then the next call waits for them.
    this.#pool.drain();
    this.#inside = false;
  }

  /**
   * Runs what `work` tells to, and then what `then` does, on the workers, after the calls before this one. Rejects with what went wrong, or
   * the signal's reason.
   */
  async leave(
    op: string,
    work: () => void,
    then: (() => void) | undefined,
    signal: Signal | undefined,
  ): Promise<void> {
    this.#cleanUp();
    const more = then && ((): Program | undefined => this.#planned(then));
    const first = this.#planned(work);
    const program = first ?? more?.();
    if (program === undefined) return;
    this.#check(op, await this.#pool.start(program, signal, first && more), signal);
  }

  /** A program of at least one step. */
  #planned(work: () => void): Program | undefined {
    const program = this.plan(work);
    return program.steps > 0 ? program : undefined;
  }

  /** Whether what a call had must be left alone. */
  abandoned(error: unknown): boolean {
    return error !== undefined && error === this.#abandoned;
  }

  #check(op: string, failure: Failure | undefined, signal: Signal | undefined): void {
    if (failure === undefined) return;
    const error = this.#errorOf(op, failure, signal);
    if (failure.why === 'lost') {
      this.#abandoned = error;
      this.#captain.abandonStaging();
    }
    throw error;
  }

  #errorOf(op: string, failure: Failure, signal: Signal | undefined): unknown {
    const { why, worker, job: jobId, exitCode, cause } = failure;
    const details = { op, worker, jobId, exitCode, cause };
    switch (why) {
      case 'aborted':
        return signal!.reason;
      case 'trapped':
        return this.#captain.trapped(op, details);
      case 'threw':
        // A stack that ended inside a kernel, on this thread.
        if (worker === 0) return cause;
        return new WorkerError('ERR_WORKER', { ...details, problem: 'a worker failed' });
      case 'lost':
        return new WorkerError('ERR_WORKER', { ...details, problem: 'a worker does not answer' });
      case 'exited':
        return new WorkerError('ERR_WORKER_EXIT', { ...details, problem: 'a worker ended' });
      case 'out of memory':
        return new WorkerError('ERR_WORKER_OUT_OF_MEMORY', {
          ...details,
          problem: 'a worker ran out of memory',
        });
      case 'stopped':
        return this.#captain.terminated(op);
      case 'degraded': {
        const problem = 'workers of this engine died again and again, and no more are started';
        const hint = 'synchronous calls go on, on one thread; dispose of this engine and create a new one';
        return new WorkerError('ERR_POOL_DEGRADED', { ...details, problem, hint });
      }
    }
  }
}
