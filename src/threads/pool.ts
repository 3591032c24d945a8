/**
 * An engine's workers, and who has them work: a synchronous job with the caller's help, asynchronous ones in turn without. Knows
 * nothing of attention. What goes wrong is told as a {@link Failure}; the engine makes an error of it.
 *
 * Whatever happens to a worker, each job ends once, and no wait is without end: see docs/threads.md.
 */
import { Crew, type Report } from './crew.ts';
import type { Failure, Why } from './failure.ts';
import { Job, PATIENCE } from './job.ts';
import type { Program } from './program.ts';
import type { Signal } from '../options/signal.ts';
import { driversOf, type KernelExports } from '../wasm/exports.ts';
import {
  ABORTED,
  BUSY,
  CANCEL,
  CLAIMS,
  DIED,
  EPOCH,
  GONE,
  Member,
  NONE,
  OVER,
  PARKED,
  SPINNING,
  STATE,
  STOP,
  TICKET,
  TURN,
  isOrphan,
  isUnclaimed,
  stateOf,
  stepAt,
} from './protocol.ts';
import type { WorkerFactory } from './spawn.ts';
import { mayWait, waitForTurn } from './wait.ts';

/** What a pool is made of. */
export interface Equipment {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of a control block, zeros. */
  readonly control: number;
  readonly kernels: KernelExports;
  /** Computing threads: the caller and one worker less than that. */
  readonly threads: number;
  readonly factory: WorkerFactory | undefined;
}

/** A call that nobody waits for here: its program, and whom to tell. */
interface Errand {
  program: Program;
  /** What is left of it once that has run, and may throw. */
  more: (() => Program | undefined) | undefined;
  readonly settle: (failure: Failure | undefined) => void;
}

export class Pool {
  /** Computing threads. */
  readonly threads: number;
  readonly #crew: Crew;
  readonly #member: Member;
  readonly #job: Job;
  readonly #words: Int32Array;
  /** Whether this thread may wait: a page's may not. */
  readonly #mayWait: boolean;
  #running: Errand | undefined;
  readonly #waiting: Errand[] = [];
  #stopped = false;
  #watch: ReturnType<typeof setInterval> | undefined;

  private constructor({ module, memory, control, kernels, threads, factory }: Equipment) {
    this.threads = threads;
    this.#member = new Member(memory, control, driversOf(kernels), 0, threads, {
      // Who has this thread work looks by himself: from in here the next job would begin, and this thread work at it.
      ended: () => undefined,
      threw: (error) => {
        this.#job.threw(error, 0);
      },
    });
    this.#words = this.#member.words;
    this.#job = new Job(this.#words);
    this.#crew = new Crew({ module, memory, control, threads }, factory, {
      said: (thread, report) => {
        this.#said(thread, report);
      },
      joined: () => {
        this.#next();
      },
      left: (thread, failure) => {
        this.#left(thread, failure);
      },
      dwindled: (failure) => {
        this.#dwindled(failure);
      },
    });
    this.#mayWait = mayWait(this.#words);
  }

  /** Workers that run. Rejects, with what the last of them said, where one cannot be started. */
  static async start(equipment: Equipment): Promise<Pool> {
    const pool = new Pool(equipment);
    try {
      await pool.#crew.start();
      return pool;
    } catch (error) {
      pool.stop();
      throw error;
    }
  }

  /** Whether an asynchronous job runs: then a synchronous call is on its own. Others wait behind it, or for a worker. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Whether there is a worker. */
  get helps(): boolean {
    return this.#crew.helps;
  }

  /** Whether no worker that dies is replaced any more. */
  get degraded(): boolean {
    return this.#crew.degraded;
  }

  /** Whether one of them is awake: then little work is worth sharing. */
  get awake(): boolean {
    for (let t = 1; t < this.threads; t++) {
      const state = Atomics.load(this.#words, stateOf(t));
      if (state === BUSY || state === SPINNING) return true;
    }
    return false;
  }

  /** Wakes the workers: for a job that is about to come, or to have them look about. */
  wake(): void {
    Atomics.add(this.#words, EPOCH, 1);
    Atomics.notify(this.#words, EPOCH);
  }

  /** Runs a program on all threads, this one too, to its end. Not while an asynchronous job runs. */
  run(program: Program): Failure | undefined {
    // Behind this no stack can end but in a kernel: a claim would never be done.
    reserveStack(STACK);
    const words = this.#words;
    const member = this.#member;
    const job = this.#job;
    job.publish(program, false);
    member.open(0, words[stepAt(0) + CLAIMS]! - 1);
    const over = (): boolean => job.over;
    const patience = job.patience();
    for (;;) {
      // Before the looks: an opening or the end after that makes the wait return.
      const turn = Atomics.load(words, TURN);
      member.work();
      if (over()) break;
      if (member.spin(over)) continue;
      if (isOrphan(words, this.threads)) job.death = { why: 'exited' };
      else if (this.#waits(turn, over) && !patience()) job.death = { why: 'lost' };
      if (job.death !== undefined) {
        Atomics.store(words, STATE, OVER);
        break;
      }
    }
    this.#leaves();
    const failure = job.outcome(program);
    if (failure?.why === 'lost') this.#giveUp();
    return failure;
  }

  /** Ends a job whose `run` was ended from outside: nobody may work at it any more when memory is used again. */
  drain(): void {
    const words = this.#words;
    const quiet = (): boolean => {
      for (let t = 1; t < this.threads; t++) if (Atomics.load(words, stateOf(t)) === BUSY) return false;
      // Looked at last: a step is opened by one that is busy.
      return Atomics.load(words, TICKET) === 0;
    };
    Atomics.compareExchange(words, CANCEL, 0, ABORTED);
    const until = performance.now() + 1000 * PATIENCE;
    for (;;) {
      this.#member.work();
      if (quiet()) break;
      if (performance.now() > until) {
        this.#giveUp();
        break;
      }
      this.#member.spin(quiet);
    }
    this.#leaves();
  }

  /** This thread has no part in a job any more, nor have workers that have gone, whose ends are not heard of yet. */
  #leaves(): void {
    this.#member.is(NONE);
    for (let t = 1; t < this.threads; t++) Atomics.compareExchange(this.#words, stateOf(t), GONE, NONE);
  }

  /** Runs a program on the workers, and at once behind it what `more` gives, after those that came before. */
  start(
    program: Program,
    signal: Signal | undefined,
    more?: () => Program | undefined,
  ): Promise<Failure | undefined> {
    if (signal?.aborted) return Promise.resolve({ why: 'aborted' });
    return new Promise((resolve) => {
      const abort = (): void => {
        this.#abort(job);
      };
      const job: Errand = {
        program,
        more,
        settle(failure) {
          resolve(failure);
          signal?.removeEventListener('abort', abort);
        },
      };
      signal?.addEventListener('abort', abort);
      this.#waiting.push(job);
      this.#next();
    });
  }

  /** Ends the workers and all jobs. May be called twice. */
  stop(why: Why = 'stopped'): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const words = this.#words;
    // They are asked to go before they are made to: some engines hang where a thread that waits is ended.
    Atomics.store(words, CANCEL, ABORTED);
    Atomics.store(words, STOP, 1);
    this.wake();
    this.#crew.stop();
    this.#settle({ why });
    for (const job of this.#waiting.splice(0)) job.settle({ why });
  }

  /** Waits for a second at most, spinning where a thread must not wait. Whether nothing came. */
  #waits(turn: number, over: () => boolean): boolean {
    const words = this.#words;
    const member = this.#member;
    if (!this.#mayWait) {
      const until = performance.now() + 1000;
      while (performance.now() < until) if (member.spin(over)) return false;
      return true;
    }
    member.is(PARKED);
    const nothing = Atomics.load(words, TICKET) === 0 && !over() && waitForTurn(words, turn, 1000);
    member.is(NONE);
    return nothing;
  }

  /** No worker can be relied on. */
  #giveUp(): void {
    this.#crew.degraded = true;
    this.stop('degraded');
  }

  // ---- jobs ----

  #next(): void {
    if (this.#running !== undefined || this.#waiting.length === 0) return;
    if (!this.helps) {
      // One may be on its way.
      if (this.degraded || this.#stopped)
        for (const job of this.#waiting.splice(0)) job.settle({ why: 'degraded' });
      return;
    }
    const job = this.#waiting.shift()!;
    this.#running = job;
    this.#begin(job.program);
    const patience = this.#job.patience();
    // It keeps the process, too, which idle workers do not.
    this.#watch = setInterval(() => {
      if (patience()) return;
      this.#job.death = { why: 'lost' };
      this.#settle(this.#job.outcome(job.program));
      this.#giveUp();
    }, 1000);
  }

  /** Begins a program that this thread does not wait for. */
  #begin(program: Program): void {
    this.#job.publish(program, true);
    this.#member.open(0, this.#words[stepAt(0) + CLAIMS]!);
  }

  #said(thread: number, report: Report): void {
    if (report.heed === 'over') {
      // What was thrown may come later, as another worker tells of it.
      if (!this.#job.isUnheard) this.#ended(report.job);
    } else if (report.job === this.#job.number) {
      const { name, message, stack } = report;
      // Not assigned: where built-ins are frozen an own name cannot be made so.
      const fields = { name: { value: name }, stack: { value: stack } };
      this.#job.threw(Object.defineProperties(new Error(message), fields), thread);
      if (this.#job.over) this.#ended(report.job);
    }
  }

  #abort(job: Errand): void {
    const at = this.#waiting.indexOf(job);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      job.settle({ why: 'aborted' });
    } else if (job === this.#running) this.#cancel(ABORTED);
  }

  /** Ends the running job: what is claimed is done, the rest is claimed here and left. */
  #cancel(why: number): void {
    Atomics.compareExchange(this.#words, CANCEL, 0, why);
    this.#member.work();
    if (this.#job.over) this.#ended(this.#job.number);
  }

  /** A job that wanted to be told is over. */
  #ended(number: number): void {
    const running = this.#running;
    if (running === undefined || number !== this.#job.number) return;
    const failure = this.#job.outcome(running.program) ?? this.#goesOn(running);
    if (failure === 'it goes on') return;
    this.#settle(failure);
    this.#next();
  }

  /** Begins what is left of a job, if anything is. */
  #goesOn(running: Errand): Failure | 'it goes on' | undefined {
    if (running.more === undefined) return undefined;
    // Who comes in place of one that has gone takes it up; where nobody will, it is not begun.
    if (this.degraded && !this.helps) return { why: 'degraded' };
    try {
      const program = running.more();
      running.more = undefined;
      if (program === undefined) return undefined;
      running.program = program;
    } catch (cause) {
      return { why: 'threw', worker: 0, cause };
    }
    this.#begin(running.program);
    return 'it goes on';
  }

  #settle(failure: Failure | undefined): void {
    const job = this.#running;
    if (job === undefined) return;
    this.#running = undefined;
    clearInterval(this.#watch);
    job.settle(failure);
  }

  /** A worker has gone. */
  #left(thread: number, failure: Failure): void {
    const did = Atomics.exchange(this.#words, stateOf(thread), NONE);
    if (this.#running === undefined) return;
    // Only who is busy may have a claim. Others may have been woken in vain, in place of one that sleeps on.
    if ((did === BUSY || did === GONE) && !isUnclaimed(this.#words)) this.#lose(failure);
    else this.wake();
  }

  /** The same, and no other will come for it. */
  #dwindled(failure: Failure): void {
    if (this.#running !== undefined && !this.helps) this.#lose(failure);
    this.#next();
  }

  /** The running job may have lost a claim: it ends, when no worker has one any more. */
  #lose(failure: Failure): void {
    const words = this.#words;
    const job = this.#job;
    const { number } = job;
    if (job.over) {
      // All of it is done; its end is on the way, or died with who was to tell. What was thrown is on its way, too.
      if (!job.isUnheard) this.#ended(number);
      return;
    }
    job.death ??= failure;
    this.#cancel(DIED);
    const look = (): void => {
      if (this.#running === undefined || job.number !== number) return;
      this.#member.work();
      if (job.over || isOrphan(words, this.threads, true)) {
        Atomics.store(words, STATE, OVER);
        this.#ended(number);
      } else setTimeout(look, 1);
    };
    look();
  }
}

/** Frames of `reserveStack`, of about 100 bytes: more than a job needs outside of kernels. */
const STACK = 100;

/** Throws where the stack has no room for so many frames. */
function reserveStack(frames: number): number {
  return frames === 0 ? 0 : 1 + reserveStack(frames - 1);
}
