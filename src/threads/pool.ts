/**
 * An engine's workers, and who has them work: a synchronous job with the caller's help, asynchronous ones in turn without. Knows
 * nothing of attention. What goes wrong is told as a {@link Failure}; the engine makes an error of it.
 *
 * Whatever happens to a worker, each job ends once, and no wait is without end: see docs/threads.md.
 */
import { Crew, type Report } from './crew.ts';
import type { Failure, Why } from './failure.ts';
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
  JOB,
  LEFT,
  Member,
  NONE,
  OVER,
  PARKED,
  RUNNING,
  SPINNING,
  STATE,
  STEP,
  STEPS,
  STEP_WORDS,
  STOP,
  TELL,
  THREW,
  TICKET,
  TRAPPED,
  TURN,
  isOrphan,
  stateOf,
  stepAt,
} from './protocol.ts';
import type { WorkerFactory } from './spawn.ts';
import type { Said } from './worker.ts';

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

/**
 * Seconds, counted as they are waited through, in which no thread finishes anything, after which a worker is given up. An item takes
 * milliseconds; the largest that fits in memory (512 rows, four million keys) takes half a minute.
 */
const PATIENCE = 120;

interface Job {
  readonly program: Program;
  readonly settle: (failure: Failure | undefined) => void;
}

export class Pool {
  /** Computing threads. */
  readonly threads: number;
  readonly #crew: Crew;
  readonly #member: Member;
  readonly #words: Int32Array;
  /** Whether this thread may wait: a page's may not. */
  readonly #mayWait: boolean;
  #job = 0;
  #running: Job | undefined;
  readonly #waiting: Job[] = [];
  #stopped = false;
  /** What a kernel threw in this job, here or there. */
  #thrown: unknown = undefined;
  #thrower: number | undefined;
  /** What became of a worker in this job. */
  #death: Failure | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  private constructor({ module, memory, control, kernels, threads, factory }: Equipment) {
    this.threads = threads;
    this.#member = new Member(memory, control, driversOf(kernels), 0, threads, {
      // Who has this thread work looks by himself: from in here the next job would begin, and this thread work at it.
      ended: () => undefined,
      threw: (error) => {
        this.#thrown = error;
        this.#thrower = 0;
      },
    });
    this.#words = this.#member.words;
    Atomics.store(this.#words, STATE, OVER);
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

  /** Whether an asynchronous job runs or waits: then a synchronous call is on its own. */
  get busy(): boolean {
    return this.#running !== undefined || this.#waiting.length > 0;
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
    this.#publish(program, 0);
    member.is(BUSY);
    member.open(0, words[stepAt(0) + CLAIMS]! - 1);
    const over = (): boolean => Atomics.load(words, STATE) === OVER;
    const patience = this.#patience();
    for (;;) {
      // Before the looks: an opening or the end after that makes the wait return.
      const turn = Atomics.load(words, TURN);
      member.work();
      if (over()) break;
      if (member.spin(over)) continue;
      if (isOrphan(words, this.threads)) this.#death = { why: 'exited' };
      else if (this.#waits(turn, over) && !patience()) this.#death = { why: 'lost' };
      if (this.#death !== undefined) {
        Atomics.store(words, STATE, OVER);
        break;
      }
    }
    member.is(NONE);
    // Their ends are not heard of yet: they have no part in the next job.
    if (this.#death !== undefined)
      for (let t = 1; t < this.threads; t++) Atomics.compareExchange(words, stateOf(t), GONE, NONE);
    const failure = this.#outcome(program);
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
    this.#member.is(NONE);
    Atomics.store(words, STATE, OVER);
  }

  /** Runs a program on the workers, after those that came before. */
  start(program: Program, signal: Signal | undefined): Promise<Failure | undefined> {
    if (signal?.aborted) return Promise.resolve({ why: 'aborted' });
    return new Promise((resolve) => {
      const abort = (): void => {
        this.#abort(job);
      };
      const job: Job = {
        program,
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
    const idle = Atomics.load(words, TICKET) === 0 && !over();
    const came = idle ? Atomics.wait(words, TURN, turn, 1000) : 'ok';
    member.is(BUSY);
    return came === 'timed-out';
  }

  /** No worker can be relied on. */
  #giveUp(): void {
    this.#crew.degraded = true;
    this.stop('degraded');
  }

  // ---- jobs ----

  #publish(program: Program, tell: number): void {
    const words = this.#words;
    this.#thrown = undefined;
    this.#thrower = undefined;
    this.#death = undefined;
    words.set(program.words.subarray(0, program.steps * STEP_WORDS), stepAt(0));
    // As the word has it: it comes back in messages, and after 2³¹ jobs it is negative.
    words[JOB]!++;
    this.#job = words[JOB]!;
    words[TELL] = tell;
    words[STEPS] = program.steps;
    Atomics.store(words, CANCEL, 0);
    Atomics.store(words, STATE, RUNNING);
  }

  #next(): void {
    if (this.#running !== undefined || this.#waiting.length === 0) return;
    if (!this.helps) {
      // One may be on its way.
      if (this.degraded || this.#stopped)
        for (const job of this.#waiting.splice(0)) job.settle({ why: 'degraded' });
      return;
    }
    const words = this.#words;
    const job = this.#waiting.shift()!;
    this.#running = job;
    this.#publish(job.program, 1);
    const patience = this.#patience();
    // It keeps the process, too, which idle workers do not.
    this.#watch = setInterval(() => {
      if (patience()) return;
      this.#death = { why: 'lost' };
      this.#settle(this.#outcome(job.program));
      this.#giveUp();
    }, 1000);
    this.#member.open(0, words[stepAt(0) + CLAIMS]!);
  }

  #said(thread: number, report: Report): void {
    if (report.heed === 'over') {
      // What was thrown may come later, as another worker tells of it.
      if (!this.#isUnheard()) this.#ended(report.job);
    } else if (report.job === this.#job) {
      this.#thrown = errorOf(report);
      this.#thrower = thread;
      if (Atomics.load(this.#words, STATE) === OVER) this.#ended(report.job);
    }
  }

  #abort(job: Job): void {
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
    if (Atomics.load(this.#words, STATE) === OVER) this.#ended(this.#job);
  }

  /** A job that wanted to be told is over. */
  #ended(job: number): void {
    const running = this.#running;
    if (running === undefined || job !== this.#job) return;
    this.#settle(this.#outcome(running.program));
    this.#next();
  }

  /** Whether something was thrown, and nobody has said what. */
  #isUnheard(): boolean {
    const why = Atomics.load(this.#words, CANCEL);
    return (why === TRAPPED || why === THREW) && this.#thrown === undefined;
  }

  #settle(failure: Failure | undefined): void {
    const job = this.#running;
    if (job === undefined) return;
    this.#running = undefined;
    clearInterval(this.#watch);
    job.settle(failure);
  }

  /** What became of a job, and of its descriptors. */
  #outcome(program: Program): Failure | undefined {
    const words = this.#words;
    const first = stepAt(0);
    program.words.set(words.subarray(first, first + program.steps * STEP_WORDS));
    const job = this.#job;
    const why = Atomics.load(words, CANCEL);
    const isLost = this.#death?.why === 'lost';
    if (why === ABORTED && !isLost) return { why: 'aborted', job };
    if (this.#death !== undefined) return { ...this.#death, job };
    if (why === 0) return undefined;
    return { why: why === TRAPPED ? 'trapped' : 'threw', job, worker: this.#thrower, cause: this.#thrown };
  }

  /** Told once a second: whether something has been finished in the last minutes. */
  #patience(): () => boolean {
    let seconds = 0;
    let before = NaN;
    return () => {
      const now = this.#words[STEP]! * 2 ** 32 + Atomics.load(this.#words, LEFT);
      seconds = now === before ? seconds + 1 : 0;
      before = now;
      return seconds < PATIENCE;
    };
  }

  /** A worker has gone. */
  #left(thread: number, failure: Failure): void {
    const did = Atomics.exchange(this.#words, stateOf(thread), NONE);
    if (this.#running === undefined) return;
    // Only who is busy may have a claim. Others may have been woken in vain, in place of one that sleeps on.
    if (did === BUSY || did === GONE) this.#lose(failure);
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
    if (Atomics.load(words, STATE) === OVER) {
      // All of it is done; its end is on the way, or died with who was to tell.
      this.#ended(job);
      return;
    }
    this.#death ??= failure;
    this.#cancel(DIED);
    const look = (): void => {
      if (this.#running === undefined || this.#job !== job) return;
      this.#member.work();
      if (Atomics.load(words, STATE) === OVER || isOrphan(words, this.threads)) {
        Atomics.store(words, STATE, OVER);
        this.#ended(job);
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

function mayWait(words: Int32Array): boolean {
  try {
    Atomics.wait(words, TURN, 0, 0);
    return true;
  } catch {
    return false;
  }
}

function errorOf({ name, message, stack }: Said & { readonly heed: 'threw' }): Error {
  return Object.assign(new Error(message), { name, stack });
}
