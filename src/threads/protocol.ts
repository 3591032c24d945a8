/**
 * How threads share a job, which is a program of steps; a step is a driver over the items of a descriptor. Everything is in a
 * control block of the shared memory, and every thread, the caller too, runs the code of this file.
 *
 *   ticket   claims that are left of the open step         a thread takes one by compare-exchange, t → t − 1
 *   left     claims of it that are not done                whoever takes it to 0 opens the next step, or ends the job
 *
 * A claim holds the job open: its step cannot end before the claim is counted as done, so all that a thread reads between the two
 * is of the job that it claimed from, however long it slept before. Nothing is read before but the ticket, and a ticket that
 * happens to be the same in a later job is as good as the one that was seen. So no generation is needed; docs/threads.md has the
 * argument in full, and the order of memory.
 */
import type { Driver } from '../wasm/exports.ts';

// ---- the control block, in words. What several threads write has a cache line of its own. ----

/** Claims that are left of the open step. */
export const TICKET = 0;
/** Claims of it that are not done. */
export const LEFT = 16;
/** Counts openings: what parked workers wait on. */
export const EPOCH = 32;
/** The same for the caller, who waits for openings and for the end. */
export const TURN = 48;
/** RUNNING or OVER. */
export const STATE = 64;
/** Why the job shall end before its time; 0: it shall not. */
export const CANCEL = 65;
/** Number of the job: what a message from a worker is about. */
export const JOB = 66;
/** Whether the caller wants a message at the end, as it does not wait. */
export const TELL = 67;
/** Index of the open step, and how many there are. */
export const STEP = 68;
export const STEPS = 69;
/** Workers shall go. */
export const STOP = 70;
/** What each thread does: a line each, the caller's first. */
const THREAD = 80;

export const RUNNING = 1;
export const OVER = 2;

/** Reasons to cancel. */
export const ABORTED = 1;
export const TRAPPED = 2;
export const THREW = 3;
export const DIED = 4;

/** What a thread does. NONE: it has not begun, or has gone. */
export const NONE = 0;
export const BUSY = 1;
export const SPINNING = 2;
export const PARKED = 3;
/** It has gone while it was busy, and says so itself. */
export const GONE = 4;

/** Most threads. */
export const MOST_THREADS = 64;

/** Word of a thread's state. */
export function stateOf(thread: number): number {
  return THREAD + 16 * thread;
}

const PROGRAM = THREAD + 16 * MOST_THREADS;

/** Most steps of a program: a layer has eleven. */
export const MOST_STEPS = 16;

/** Words of a step. */
export const STEP_WORDS = 64;
/** In it: index of the driver, items, items of one claim, claims, scratch of the first thread, bytes to the next one's. */
export const DRIVER = 0;
export const COUNT = 1;
export const GRAIN = 2;
export const CLAIMS = 3;
export const SCRATCH = 4;
export const SLAB = 5;
/** Then its descriptor. */
export const DESCRIPTOR = 8;

/** Bytes of a control block. */
export const CONTROL_BYTES: number = 4 * (PROGRAM + MOST_STEPS * STEP_WORDS);

/** Word of a step. */
export function stepAt(step: number): number {
  return PROGRAM + STEP_WORDS * step;
}

/** Milliseconds that a thread spins before it waits: a parked one takes 50 to 100 µs to wake. */
const SPIN = 0.1;

/** Loads between two looks at the clock, which takes 30 ns; and looks, as a page's clock may stand still for 100 ms. */
const LOADS = 64;
const LOOKS = 4096;

/**
 * Whether what is left of a job was claimed by a worker that has gone: nothing is there to be claimed, and no thread that lives has a
 * claim. With no ticket left none is made until a step opens, so the looks of one round are as good as one. To be asked by the
 * caller, who has no claim then. `gone`: that one has is known; another may have its number by now.
 */
export function isOrphan(words: Int32Array, threads: number, gone = false): boolean {
  const step = words[STEP];
  const left = Atomics.load(words, LEFT);
  if (Atomics.load(words, TICKET) !== 0) return false;
  for (let t = 1; t < threads; t++) {
    const state = Atomics.load(words, stateOf(t));
    if (state === BUSY) return false;
    gone ||= state === GONE || state === NONE;
  }
  if (Atomics.load(words, STATE) === OVER) return false;
  return gone && step === words[STEP] && left === Atomics.load(words, LEFT);
}

/**
 * Whether no thread at all had a claim a moment ago, while some are left: one that has gone before, busy as it was, has taken none of the
 * job with it. `LEFT` first: were a claim made in between, there are fewer tickets. Where a job is cancelled its end may have gone.
 */
export function isUnclaimed(words: Int32Array): boolean {
  const left = Atomics.load(words, LEFT);
  const ticket = Atomics.load(words, TICKET);
  return ticket !== 0 && ticket === left && Atomics.load(words, CANCEL) === 0;
}

/** What happens to a thread that others must hear of. */
export interface Ears {
  /** It was the last of a job whose caller wants to be told. */
  ended(job: number): void;
  /** A kernel threw. */
  threw(error: unknown): void;
}

/** One thread of a job. */
export class Member {
  readonly #words: Int32Array;
  readonly #drivers: readonly Driver[];
  /** Byte address of the control block. */
  readonly #address: number;
  readonly #thread: number;
  readonly #threads: number;
  readonly #ears: Ears;

  constructor(
    memory: WebAssembly.Memory,
    address: number,
    drivers: readonly Driver[],
    thread: number,
    threads: number,
    ears: Ears,
  ) {
    this.#ears = ears;
    this.#words = new Int32Array(memory.buffer, address, CONTROL_BYTES / 4);
    this.#drivers = drivers;
    this.#address = address;
    this.#thread = thread;
    this.#threads = threads;
  }

  get words(): Int32Array {
    return this.#words;
  }

  /** Claims and runs until nothing is left to claim. */
  work(): void {
    const words = this.#words;
    for (;;) {
      const ticket = Atomics.load(words, TICKET);
      if (ticket === 0) return;
      if (Atomics.compareExchange(words, TICKET, ticket, ticket - 1) !== ticket) continue;
      // From here to the end of `#done` the job cannot end.
      if (Atomics.load(words, CANCEL) === 0) this.#run(ticket);
      this.#done();
    }
  }

  /** Opens a step for `others` to help with: those that are parked are woken. */
  open(step: number, others: number): void {
    const words = this.#words;
    const claims = words[stepAt(step) + CLAIMS]!;
    words[STEP] = step;
    Atomics.store(words, LEFT, claims);
    Atomics.store(words, TICKET, claims);
    Atomics.add(words, EPOCH, 1);
    let parked = 0;
    for (let t = 1; t < this.#threads; t++) if (Atomics.load(words, stateOf(t)) === PARKED) parked++;
    const wanted = Math.min(parked, others);
    // 8 µs where somebody is parked.
    if (wanted > 0) Atomics.notify(words, EPOCH, wanted);
  }

  /** Spins until a step is open, `also` holds, or its time is over. Whether that was not for time. */
  spin(also: () => boolean): boolean {
    const words = this.#words;
    const until = performance.now() + SPIN;
    for (let looks = 0; looks < LOOKS && performance.now() < until; looks++) {
      for (let i = 0; i < LOADS; i++) if (Atomics.load(words, TICKET) !== 0 || also()) return true;
    }
    return false;
  }

  /** Says what this thread does. */
  is(state: number): void {
    Atomics.store(this.#words, stateOf(this.#thread), state);
  }

  #run(ticket: number): void {
    const words = this.#words;
    const at = stepAt(words[STEP]!);
    const driver = this.#drivers[words[at + DRIVER]!]!;
    const count = words[at + COUNT]!;
    const grain = words[at + GRAIN]!;
    const begin = (words[at + CLAIMS]! - ticket) * grain;
    const end = Math.min(count, begin + grain);
    const descriptor = this.#address + 4 * (at + DESCRIPTOR);
    const scratch = (words[at + SCRATCH]! >>> 0) + this.#thread * (words[at + SLAB]! >>> 0);
    try {
      // One call an item: V8 never replaces a running frame.
      for (let i = begin; i < end; i++) driver(descriptor, i, i + 1, scratch);
    } catch (error) {
      this.#ears.threw(error);
      const why = error instanceof WebAssembly.RuntimeError ? TRAPPED : THREW;
      Atomics.compareExchange(words, CANCEL, 0, why);
    }
  }

  /** A claim is done: the last one of a step opens the next, or ends the job. */
  #done(): void {
    const words = this.#words;
    // While this claim is not counted these are the job's own.
    const next = words[STEP]! + 1;
    const steps = words[STEPS]!;
    const job = words[JOB]!;
    const tell = words[TELL] === 1;
    if (Atomics.sub(words, LEFT, 1) !== 1) return;
    if (next < steps && Atomics.load(words, CANCEL) === 0) {
      this.open(next, words[stepAt(next) + CLAIMS]! - 1);
    } else {
      Atomics.store(words, STATE, OVER);
      if (tell) this.#ears.ended(job);
    }
    this.#turn();
  }

  /** Wakes the caller, if it waits. */
  #turn(): void {
    const words = this.#words;
    Atomics.add(words, TURN, 1);
    if (Atomics.load(words, stateOf(0)) === PARKED) Atomics.notify(words, TURN, 1);
  }
}
