/**
 * What an engine shares its work with: its pool of workers, where it has one. Decides which calls are worth it, has programs
 * written down and run, and makes errors of what went wrong.
 */
import { StateError, WorkerError } from './errors.ts';
import { Program } from './program.ts';
import type { Failure, Pool } from './threads/pool.ts';

/**
 * Multiply-adds from which a call is worth sharing: with a worker that is awake, and with one that must be woken, which takes the
 * caller 8 µs and the worker 100.
 */
const WORTH_AWAKE = 2 ** 19;
const WORTH_ASLEEP = 2 ** 22;

const orphans = new FinalizationRegistry<Pool>((pool) => {
  pool.stop();
});

/** Whose team it is: what it must do with memory when something went wrong. */
export interface Captain {
  /** A kernel has trapped. */
  trapped(op: string, details: object): Error;
  /** Somebody may still write to staging. */
  abandonStaging(): void;
}

export class Team {
  /** Where steps are written down, while they shall not be run at once. */
  program: Program | undefined = undefined;
  readonly #captain: Captain;
  #pool: Pool | undefined;
  /** A call is written down or run by all threads. */
  #inside = false;
  /** The program that was run last. */
  #ran: Program | undefined;
  /** The error after which a worker may still write to what its call had. */
  #abandoned: unknown;

  constructor(captain: Captain) {
    this.#captain = captain;
  }

  /** Has workers help from now on. They go with whom they work for, should that be collected without having been disposed of. */
  employ(pool: Pool): void {
    this.#pool = pool;
    orphans.register(this.#captain, pool);
  }

  stop(): void {
    this.#pool?.stop();
  }

  /** Computing threads. */
  get threads(): number {
    const pool = this.#pool;
    return pool === undefined || (pool.degraded && !pool.helps) ? 1 : pool.threads;
  }

  /** Why there are fewer threads than there were, in words; '' where there are not. */
  get loss(): string {
    const { degraded } = this.#pool ?? { degraded: false };
    return degraded ? 'no more workers are started, as those before have died' : '';
  }

  /** Whether there are workers, for asynchronous calls to leave the caller's thread. */
  get hasWorkers(): boolean {
    return this.#pool !== undefined;
  }

  /** How many threads a synchronous call of so many multiply-adds has. One while an asynchronous one runs. */
  threadsFor(work: number): number {
    this.#cleanUp();
    const pool = this.#pool;
    if (pool === undefined || work < WORTH_AWAKE || pool.busy || !pool.helps) return 1;
    return work >= WORTH_ASLEEP || pool.awake ? pool.threads : 1;
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
      if (program.steps > 0) this.#check(op, this.#pool!.run(program), undefined);
      this.#ran = program;
    } finally {
      this.#inside = false;
    }
  }

  /**
   * What a call has left that was ended from outside, which no `finally` hears of: a script that had its time, Ctrl-C in a REPL.
   * Workers are in the middle of it.
   */
  #cleanUp(): void {
    if (!this.#inside) return;
    this.#inside = false;
    this.program = undefined;
    this.#pool!.drain();
  }

  /** Runs a program on the workers, after those before it. Rejects with what went wrong, or the signal's reason. */
  async leave(op: string, program: Program, signal: AbortSignal | undefined): Promise<void> {
    this.#cleanUp();
    if (program.steps > 0) this.#check(op, await this.#pool!.start(program, signal), signal);
    this.#ran = program;
  }

  /** A field of the descriptor of a step of the last program, when it has run. */
  field(step: number, index: number): number {
    return this.#ran!.field(step, index);
  }

  /** Whether what a call had must be left alone. */
  abandoned(error: unknown): boolean {
    return error !== undefined && error === this.#abandoned;
  }

  #check(op: string, failure: Failure | undefined, signal: AbortSignal | undefined): void {
    if (failure === undefined) return;
    const error = this.#errorOf(op, failure, signal);
    if (failure.why === 'lost') {
      this.#abandoned = error;
      this.#captain.abandonStaging();
    }
    throw error;
  }

  #errorOf(op: string, failure: Failure, signal: AbortSignal | undefined): unknown {
    const { why, worker, job: jobId, exitCode, cause } = failure;
    const details = { op, worker, jobId, exitCode, cause };
    switch (why) {
      case 'aborted':
        return signal?.reason;
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
        return terminated(op);
      case 'degraded': {
        const problem = 'workers of this engine died again and again, and no more are started';
        const hint = 'synchronous calls go on, on one thread; dispose of this engine and create a new one';
        return new WorkerError('ERR_POOL_DEGRADED', { ...details, problem, hint });
      }
    }
  }
}

/** ERR_POOL_TERMINATED: the engine of an asynchronous call has gone. */
export function terminated(op: string): StateError {
  const problem = 'the engine was disposed of before this call was done';
  return new StateError('ERR_POOL_TERMINATED', { op, problem });
}
