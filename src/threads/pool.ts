/**
 * An engine's workers, and who has them work: a synchronous job with the caller's help, asynchronous ones in turn without. Knows
 * nothing of attention. What goes wrong is told as a {@link Failure}; the engine makes an error of it.
 *
 * Whatever happens to a worker, each job ends once, and no wait is without end: see docs/threads.md.
 */
import type { Program } from '../program.ts';
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
  stateOf,
  stepAt,
} from './protocol.ts';
import { begin, ways, type WorkerFactory, type WorkerLike } from './spawn.ts';
import type { Begin, Said } from './worker.ts';

/** Why a job did not come to its end. */
export type Why =
  | 'trapped'
  | 'threw'
  | 'exited'
  | 'out of memory'
  /** A worker says nothing and does nothing: it may still write to memory. */
  | 'lost'
  | 'aborted'
  | 'stopped'
  /** No worker is left. */
  | 'degraded';

export interface Failure {
  readonly why: Why;
  readonly worker?: number | undefined;
  readonly job?: number | undefined;
  readonly exitCode?: number | undefined;
  readonly cause?: unknown;
}

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

/** Seconds for a worker to start, counted as they are lived through: a worker is not late because this thread was busy. */
const START = 10;

/** Deaths in so many milliseconds after which no worker is started any more. */
const CRASHES = 3;
const CRASH_TIME = 10_000;

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
  /** No worker that dies is replaced any more. */
  degraded = false;
  readonly #begin: Omit<Begin, 'thread'>;
  readonly #member: Member;
  readonly #words: Int32Array;
  /** By thread; the caller is 0. */
  readonly #workers: (WorkerLike | undefined)[];
  readonly #ways: readonly WorkerFactory[];
  /** Whether this thread may wait: a page's may not. */
  readonly #mayWait: boolean;
  #way = 0;
  #job = 0;
  #running: Job | undefined;
  readonly #waiting: Job[] = [];
  #stopped = false;
  #deaths: number[] = [];
  /** What a kernel threw in this job, here or there. */
  #thrown: unknown = undefined;
  #thrower: number | undefined;
  /** What became of a worker in this job. */
  #death: Failure | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  private constructor({ module, memory, control, kernels, threads, factory }: Equipment) {
    this.threads = threads;
    this.#begin = { module, memory, control, threads };
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
    this.#workers = new Array<WorkerLike | undefined>(threads).fill(undefined);
    this.#ways = ways(factory);
    this.#mayWait = mayWait(this.#words);
  }

  /** Workers that run. Rejects, with what the last of them said, where one cannot be started. */
  static async start(equipment: Equipment): Promise<Pool> {
    const pool = new Pool(equipment);
    try {
      // The first finds out how.
      await pool.#start(1);
      await Promise.all(Array.from({ length: equipment.threads - 2 }, (_, i) => pool.#start(i + 2)));
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
    return this.#workers.some((worker) => worker !== undefined);
  }

  /** Whether one of them is awake: then little work is worth sharing. */
  get awake(): boolean {
    for (let t = 1; t < this.threads; t++) {
      const state = Atomics.load(this.#words, stateOf(t));
      if (state === BUSY || state === SPINNING) return true;
    }
    return false;
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
      if (this.#isOrphan()) this.#death = { why: 'exited' };
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
  start(program: Program, signal: AbortSignal | undefined): Promise<Failure | undefined> {
    if (signal?.aborted) return Promise.resolve({ why: 'aborted' });
    return new Promise((resolve) => {
      const abort = (): void => {
        this.#abort(job);
      };
      const job: Job = {
        program,
        settle(failure) {
          signal?.removeEventListener('abort', abort);
          resolve(failure);
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
    this.#wake();
    for (const [thread, worker] of this.#workers.entries()) {
      this.#workers[thread] = undefined;
      void worker?.terminate();
    }
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

  #wake(): void {
    Atomics.add(this.#words, EPOCH, 1);
    Atomics.notify(this.#words, EPOCH);
  }

  /** No worker can be relied on. */
  #giveUp(): void {
    this.degraded = true;
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
    this.#hold();
    this.#publish(job.program, 1);
    const patience = this.#patience();
    this.#watch = setInterval(() => {
      if (patience()) return;
      this.#death = { why: 'lost' };
      this.#settle(this.#outcome(job.program));
      this.#giveUp();
    }, 1000);
    this.#member.open(0, words[stepAt(0) + CLAIMS]!);
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
    this.#release();
    job.settle(failure);
  }

  /** What became of a job, and of its descriptors. */
  #outcome(program: Program): Failure | undefined {
    const words = this.#words;
    const first = stepAt(0);
    program.words.set(words.subarray(first, first + program.steps * STEP_WORDS));
    const job = this.#job;
    if (this.#death !== undefined) return { ...this.#death, job };
    const why = Atomics.load(words, CANCEL);
    if (why === 0) return undefined;
    if (why === ABORTED) return { why: 'aborted', job };
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

  /**
   * Whether what is left was claimed by a worker that has gone: nothing is there to be claimed, and no thread that lives has a claim.
   * With no ticket left none is made until a step opens, so the looks of one round are as good as one.
   */
  #isOrphan(): boolean {
    const words = this.#words;
    const step = words[STEP];
    const left = Atomics.load(words, LEFT);
    if (Atomics.load(words, TICKET) !== 0) return false;
    let gone = false;
    for (let t = 1; t < this.threads; t++) {
      const state = Atomics.load(words, stateOf(t));
      if (state === BUSY) return false;
      gone ||= state === GONE || state === NONE;
    }
    if (Atomics.load(words, STATE) === OVER) return false;
    return gone && step === words[STEP] && left === Atomics.load(words, LEFT);
  }

  // ---- workers ----

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
      /** It is no more: whichever of its events comes first. */
      const end = (failure: Failure): void => {
        if (gone) return;
        gone = true;
        clearInterval(timer);
        if (ready) this.#died(thread, worker, failure);
        else reject(reasonOf(failure));
        // A web worker that has failed is still there.
        void worker.terminate();
      };
      const said = (message: Said): void => {
        if (message.heed === 'over') {
          // What was thrown may come later, as another worker tells of it.
          if (!this.#isUnheard()) this.#ended(message.job);
        } else if (message.heed === 'threw') {
          if (message.job !== this.#job) return;
          this.#thrown = errorOf(message);
          this.#thrower = thread;
          if (Atomics.load(this.#words, STATE) === OVER) this.#ended(message.job);
        } else if (!gone) {
          ready = true;
          clearInterval(timer);
          if (this.#stopped) void worker.terminate();
          else {
            this.#workers[thread] = worker;
            if (this.#running === undefined) worker.unref?.();
            this.#next();
          }
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

  #died(thread: number, worker: WorkerLike, failure: Failure): void {
    if (this.#workers[thread] !== worker) return;
    this.#workers[thread] = undefined;
    const words = this.#words;
    const did = Atomics.exchange(words, stateOf(thread), NONE);
    if (this.#running !== undefined) {
      // Only who is busy may have a claim. Others may have been woken in vain, in place of one that sleeps on.
      if (did === BUSY || did === GONE) this.#lose(failure);
      else this.#wake();
    }
    const now = performance.now();
    this.#deaths = this.#deaths.filter((then) => now - then < CRASH_TIME);
    this.#replace(thread, failure);
  }

  /** Starts another worker. One that does not start is one more death, however long ago the others were: so this comes to an end. */
  #replace(thread: number, failure: Failure): void {
    this.#deaths.push(performance.now());
    if (this.#deaths.length >= CRASHES) this.degraded = true;
    if (!this.degraded && !this.#stopped) {
      this.#start(thread).catch(() => {
        this.#replace(thread, failure);
      });
      return;
    }
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
      if (Atomics.load(words, STATE) === OVER || this.#isOrphan()) {
        Atomics.store(words, STATE, OVER);
        this.#ended(job);
      } else setTimeout(look, 1);
    };
    look();
  }

  /** While a job runs that somebody waits for the process stays; idle workers do not keep it. */
  #hold(): void {
    for (const worker of this.#workers) worker?.ref?.();
  }

  #release(): void {
    for (const worker of this.#workers) worker?.unref?.();
  }
}

/** Bytes of stack, about, that a job may need outside of kernels; a frame of `reserveStack` has 100. */
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

function reasonOf({ cause, exitCode }: Failure): Error {
  if (cause instanceof Error) return cause;
  return new Error(exitCode === undefined ? String(cause) : `it ended with code ${exitCode}`);
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}
